"""What exists in every cluster without being listed in a manifest: data, read off a fresh control plane."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Final

from schemas.documents import parse_value
from schemas.events import ResourceState
from schemas.identity import ResourceId

Parts = dict[str, tuple[str, ...]]
_FILE: Final = Path(__file__).parent / "ambient.yaml"


@lru_cache(maxsize=1)
def _data() -> tuple[tuple[str, ...], tuple[str, ...], Mapping[str, Parts]]:
    body = parse_value(_FILE.read_bytes(), _FILE.name)
    parts = {name: {part: tuple(map(str, rows)) for part, rows in said.items()} for name, said in body["parts"].items()}
    return tuple(body["resources"]), tuple(body["in_each_namespace"]), parts


@lru_cache(maxsize=1)
def _patterns() -> tuple[frozenset[str], tuple[str, ...]]:
    fixed, everywhere, _ = _data()
    patterns = [one for one in fixed if "*" in one] + [one.replace("{namespace}", "*") for one in everywhere]
    return frozenset(one for one in fixed if "*" not in one), tuple(patterns)


def is_ambient(resource: ResourceId) -> bool:
    """Whether a cluster has this by itself (in any namespace that is there)."""
    exact, patterns = _patterns()
    return resource in exact or any(fnmatchcase(resource, pattern) for pattern in patterns)


def ambient_resources(namespaces: Iterable[str] = ()) -> list[ResourceState]:
    """The resources with fixed names, and those of each of these namespaces."""
    fixed, everywhere, parts = _data()
    made = {one: parts.get(one, {}) for one in fixed if "*" not in one}
    for namespace in ("default", "kube-system", "kube-public", "kube-node-lease", *namespaces):
        made |= {one.replace("{namespace}", namespace): parts.get(one, {}) for one in everywhere}
    return [ResourceState(ResourceId(one), parts=dict(said)) for one, said in made.items()]
