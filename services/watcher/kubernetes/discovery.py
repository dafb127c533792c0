"""What an API server serves → kinds, and the path of each.

Two requests where the server speaks aggregated discovery (1.26+), else one per group version. A group that is broken
(an aggregated API whose server is down) keeps the kinds that were known of it: broken is not the same as removed. Lists
may be null, which is how Go writes an empty one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from schemas.events import ServedKind
from schemas.identity import KindId, kind_id
from services.chassis.errors import TransientError
from services.watcher.kubernetes.decoding import UndecodableError, decode
from services.watcher.kubernetes.transport import ApiError, Transport

AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
REQUESTS_AT_ONCE: Final = 8
T = TypeVar("T")
NEEDED_VERBS: Final = frozenset({"list", "watch"})


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind at one version, as the API server describes it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    singular: str = ""
    short_names: tuple[str, ...] = ()
    verbs: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """As objects have it: `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path(self) -> str:
        """Where all of its objects are listed and watched."""
        return f"{group_path(self.group, self.version)}/{self.plural}"


@dataclass(frozen=True, slots=True)
class Discovered:
    """One complete look. `broken`: group versions that did not answer, with the reason."""

    kinds: dict[KindId, tuple[Resource, ...]]  # preferred version first
    broken: dict[str, str] = field(default_factory=dict)

    def served(self, excluded: frozenset[KindId]) -> tuple[ServedKind, ...]:
        """The surface. Kinds that are excluded, or cannot be watched, are named and marked."""
        return tuple(_served(kind, self.kinds[kind], excluded) for kind in sorted(self.kinds))


async def discover(transport: Transport, previous: Discovered | None = None) -> Discovered:
    """Ask the API server what it serves. Raises TransientError when nothing at all can be said."""
    core = await _root(transport, "/api")
    groups = await _root(transport, "/apis")
    found = [*core[0], *groups[0]]
    broken = core[1] | groups[1]
    for name in broken:
        found += _remembered(previous, name)
    kinds: dict[KindId, tuple[Resource, ...]] = {}
    for resource in found:
        kind = kind_id(resource.group, resource.kind)
        known = kinds.get(kind, ())
        # A second plural for the same kind would be the same objects again.
        if not known or (known[0].plural == resource.plural and resource.version not in {one.version for one in known}):
            kinds[kind] = (*known, resource)
    return Discovered(kinds, broken)


def group_path(group: str, version: str) -> str:
    """`/api/v1`, `/apis/apps/v1`."""
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def _served(kind: KindId, resources: tuple[Resource, ...], excluded: frozenset[KindId]) -> ServedKind:
    first = resources[0]
    return ServedKind(
        kind,
        first.plural,
        tuple(resource.version for resource in resources),
        namespaced=first.namespaced,
        singular=first.singular,
        short_names=first.short_names,
        watched=first.verbs >= NEEDED_VERBS and kind not in excluded,
    )


def _remembered(previous: Discovered | None, group_version: str) -> Iterator[Resource]:
    for resources in previous.kinds.values() if previous else ():
        for resource in resources:
            if _name(resource.group, resource.version) == group_version:
                yield resource


def _name(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version


async def _root(transport: Transport, path: str) -> tuple[list[Resource], dict[str, str]]:
    body = await transport.get(path, accept=AGGREGATED)
    try:
        head = _read(body, _Head)
        if head.kind == "APIGroupDiscoveryList":
            return _read_aggregated(body)
        if path == "/api":
            names = [("", version) for version in _read(body, _Versions).versions or ()]
        else:
            names = list(_group_versions(_read(body, _GroupList).groups or ()))
    except UndecodableError as error:
        raise TransientError(f"{path} is not a discovery document: {error}") from error
    return await _one_by_one(transport, names)


def _read(body: bytes, shape: type[T]) -> T:
    return decode(msgspec.json.Decoder(shape), body)


# ── aggregated ──────────────────────────────────────────────────────────────────────────────────────────────────────


class _Head(Struct):
    kind: str = ""


class _ResponseKind(Struct):
    kind: str = ""


class _AggregatedResource(Struct, rename="camel"):
    resource: str
    response_kind: _ResponseKind | None = None
    scope: str = "Namespaced"
    singular_resource: str = ""
    short_names: tuple[str, ...] | None = None
    verbs: frozenset[str] | None = None


class _AggregatedVersion(Struct):
    version: str
    resources: list[_AggregatedResource] | None = None
    freshness: str = "Current"


class _Named(Struct, frozen=True):
    name: str = ""


class _AggregatedGroup(Struct):
    metadata: _Named = _Named()
    versions: list[_AggregatedVersion] | None = None


class _AggregatedList(Struct):
    items: list[_AggregatedGroup] | None = None


def _read_aggregated(body: bytes) -> tuple[list[Resource], dict[str, str]]:
    found, broken = [], {}
    for group in _read(body, _AggregatedList).items or ():
        for version in group.versions or ():
            if version.freshness == "Stale":
                broken[_name(group.metadata.name, version.version)] = "its server does not answer"
            else:
                found += [
                    _from_aggregated(group.metadata.name, version.version, one) for one in version.resources or ()
                ]
    return [resource for resource in found if resource.kind], broken


def _from_aggregated(group: str, version: str, one: _AggregatedResource) -> Resource:
    return Resource(
        group,
        version,
        one.response_kind.kind if one.response_kind else "",
        one.resource,
        one.scope != "Cluster",
        one.singular_resource,
        one.short_names or (),
        one.verbs or frozenset(),
    )


# ── one document per group version ──────────────────────────────────────────────────────────────────────────────────


class _Versions(Struct):
    versions: tuple[str, ...] | None = None


class _GroupVersion(Struct):
    version: str = ""


class _Group(Struct, rename="camel"):
    name: str = ""
    versions: list[_GroupVersion] | None = None
    preferred_version: _GroupVersion | None = None


class _GroupList(Struct):
    groups: list[_Group] | None = None


class _PlainResource(Struct, rename="camel"):
    name: str
    kind: str
    namespaced: bool = False
    singular_name: str = ""
    short_names: tuple[str, ...] | None = None
    verbs: frozenset[str] | None = None


class _ResourceList(Struct):
    resources: list[_PlainResource] | None = None


def _group_versions(groups: Iterable[_Group]) -> Iterator[tuple[str, str]]:
    for group in groups:
        preferred = group.preferred_version.version if group.preferred_version else ""
        for version in sorted((one.version for one in group.versions or ()), key=lambda name: name != preferred):
            yield group.name, version


async def _one_by_one(transport: Transport, names: list[tuple[str, str]]) -> tuple[list[Resource], dict[str, str]]:
    gate = asyncio.Semaphore(REQUESTS_AT_ONCE)
    broken: dict[str, str] = {}

    async def ask(group: str, version: str) -> list[Resource]:
        async with gate:
            try:
                body = await transport.get(group_path(group, version))
                listed = _read(body, _ResourceList).resources or ()
            except ApiError as error:
                if error.status != 404:  # not found: removed since the groups were listed
                    broken[_name(group, version)] = str(error)
                return []
            except (TransientError, UndecodableError) as error:
                broken[_name(group, version)] = str(error)
                return []
        return [_from_plain(group, version, one) for one in listed if "/" not in one.name]

    async with asyncio.TaskGroup() as group_of_tasks:
        tasks = [group_of_tasks.create_task(ask(group, version)) for group, version in names]
    return [resource for task in tasks for resource in task.result()], broken


def _from_plain(group: str, version: str, one: _PlainResource) -> Resource:
    names, verbs = one.short_names or (), one.verbs or frozenset()
    return Resource(group, version, one.kind, one.name, one.namespaced, one.singular_name, names, verbs)
