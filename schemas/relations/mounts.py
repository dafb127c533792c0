"""Volumes of which every mount is a subPath: kubelet copies them in at the start and never again. Pure.

Such a reference is needed at each start and not during the life (Kubernetes: "a container using a … as a subPath volume
mount will not receive updates"), so its phase L goes and it is a requirement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from schemas.events import Reference

VOLUME_RULES: Final = ("podspec.volume.configmap", "podspec.volume.secret", "podspec.volume.projected.")
_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")


def copies_in(volume_places: Iterable[str]) -> Iterator[str]:
    """Places of the rules → where mounts by subPath would stand; with nothing there, nothing is copied."""
    for root in dict.fromkeys(map(_root_of, volume_places)):
        for field in _CONTAINERS:
            yield from (f"{root}{field}[*].volumeMounts[*].{one}" for one in ("subPath", "subPathExpr"))


def _root_of(place: str) -> str:
    """Where the volumes and the containers stand: `spec.`; a rule is about one volume, or about all of a pod."""
    root, found, _ = place.partition("volumes[")
    return root if found or not place else f"{place}."


def start_only(references: list[Reference], body: Mapping[str, Any]) -> list[Reference]:
    """The references with phase L taken from those to content that only subPath mounts show; the same list mostly."""
    copied: dict[str, frozenset[str]] = {}
    made = references
    for place, one in enumerate(references):
        if "L" not in one.phases or not one.rule.startswith(VOLUME_RULES) or "volumes[" not in one.path:
            continue
        root, found, rest = one.path.partition("volumes[")
        if root not in copied:
            copied[root] = _copied(body, root)
        if found and rest.partition("]")[0] in copied[root]:
            made = made if made is not references else list(references)
            made[place] = msgspec.structs.replace(one, phases=one.phases.replace("L", ""), relation="requirement")
    return made


def _copied(body: Mapping[str, Any], root: str) -> frozenset[str]:
    """Places (as text) of the volumes that are mounted, and by subPath alone."""
    spec: Any = body
    for step in root.split(".")[:-1]:
        spec = spec.get(step) if isinstance(spec, dict) else None
    if not isinstance(spec, dict):
        return frozenset()
    whole: set[str] = set()
    parts: set[str] = set()
    for mount in _mounts(spec):
        (parts if mount.get("subPath") or mount.get("subPathExpr") else whole).add(str(mount.get("name")))
    if not parts:
        return frozenset()
    rows = _rows(spec.get("volumes"))
    return frozenset(str(place) for place, volume in enumerate(rows) if str(volume.get("name")) in parts - whole)


def _mounts(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for field in _CONTAINERS:
        for container in _rows(spec.get(field)):
            yield from _rows(container.get("volumeMounts"))


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
