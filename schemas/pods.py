"""Where a manifest of a built-in kind has the pod that it is, or what its pods are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"),
        ("spec", "template", "spec"),
    ),
}


def pod_spec_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The specification of the pod that it is, or of those that it makes; None: there is none."""
    found = _at(body, TEMPLATES.get(str(body.get("kind")), ()))
    return found if isinstance(found, Mapping) else None


def template_of(body: Mapping[str, Any]) -> object:
    """What its pods are made from, labels and annotations included (a restart changes these); None: it makes none."""
    return _at(body, TEMPLATES.get(str(body.get("kind")), ())[:-1])


def _at(body: Mapping[str, Any], steps: Sequence[str]) -> object:
    found: object = body if steps else None
    for step in steps:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
