"""Mounts by subPath: kubelet copies in what they name at the start, and never again. Pure.

Where every mount of a volume is one, the reference is needed at each start and not during the life (Kubernetes: "a
container using a … as a subPath volume mount will not receive updates"), so its phase L goes and it is a requirement.
What the subPath names is a key of the ConfigMap or Secret, unless `items` say how the keys are called there: without
that key an empty directory stands where the container expects a file. So each such key is a reference of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from schemas.events import Reference

VOLUME_RULES: Final = ("podspec.volume.configmap", "podspec.volume.secret", "podspec.volume.projected.")
WHOLE_RULES: Final = frozenset(("podspec.volume.configmap", "podspec.volume.secret"))
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


class Copied(NamedTuple):
    """Of the volumes of one pod, by place (as text): those that are copied in only, and the subPaths of all mounts."""

    alone: frozenset[str]
    keys: Mapping[str, tuple[str, ...]]


def start_only(references: list[Reference], body: Mapping[str, Any]) -> list[Reference]:
    """The references with phase L taken from those to content that only subPath mounts show, and with their keys."""
    copied: dict[str, Copied] = {}
    made: list[Reference] = []
    for one in references:
        root, found, rest = one.path.partition("volumes[")
        if not found or "S" not in one.phases or not one.rule.startswith(VOLUME_RULES):
            made.append(one)
            continue
        if root not in copied:
            copied[root] = _copied(body, root)
        alone, keys = copied[root]
        place = rest.partition("]")[0]
        at_start = msgspec.structs.replace(one, phases=one.phases.replace("L", ""), relation="requirement")
        made.append(at_start if place in alone else one)
        if not one.granule and one.rule in WHOLE_RULES:
            made += [msgspec.structs.replace(at_start, granule=f"key:{key}") for key in keys.get(place, ())]
    return made


def _copied(body: Mapping[str, Any], root: str) -> Copied:
    spec: Any = body
    for step in root.split(".")[:-1]:
        spec = spec.get(step) if isinstance(spec, dict) else None
    whole: set[str] = set()
    parts: dict[str, dict[str, None]] = {}
    for mount in _mounts(spec) if isinstance(spec, dict) else ():
        name, path = str(mount.get("name")), mount.get("subPath")
        if path or mount.get("subPathExpr"):
            keys = parts.setdefault(name, {})
            if path and isinstance(path, str) and "/" not in path:  # a key holds no slash
                keys[path] = None
        else:
            whole.add(name)
    if not parts:
        return Copied(frozenset(), {})
    rows = [(str(place), str(volume.get("name"))) for place, volume in enumerate(_rows(spec.get("volumes")))]
    alone = frozenset(place for place, name in rows if name in parts and name not in whole)
    return Copied(alone, {place: tuple(parts[name]) for place, name in rows if name in parts})


def _mounts(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for field in _CONTAINERS:
        for container in _rows(spec.get(field)):
            yield from _rows(container.get("volumeMounts"))


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
