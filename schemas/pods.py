"""Where a manifest of a built-in kind has the pod that it is, or what its pods are made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"),
        ("spec", "template", "spec"),
    ),
}


def template_of(body: Mapping[str, Any]) -> object:
    """What its pods are made from, labels and annotations included (a restart changes these); None: it makes none."""
    steps = TEMPLATES.get(str(body.get("kind")), ())[:-1]
    found: object = body if steps else None
    for step in steps:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
