"""What the API server serves, as a Surface: what shaping needs to know scopes and names. Asked for when it is needed.

One request per group version; a group that does not answer is left out, so what is shaped of it has no references to
it, as if it were not served.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from schemas.events import ServedKind
from schemas.identity import KindId, kind_id
from schemas.kinds import Surface
from services.chassis.errors import TransientError
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.errors import ApiError
from services.executor.kubernetes.resources import root_path

ASKED_AT_ONCE_MAX: Final = 8


class Surfaces:
    """Keeps the last one; discovers again for a kind that is not in it."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._surface = Surface()
        self._lock = asyncio.Lock()

    async def covering(self, kinds: Iterable[KindId]) -> Surface:
        """A surface with these kinds, where they are served at all. Raises TransientError."""
        async with self._lock:
            if any(self._surface.find(kind) is None for kind in kinds):
                self._surface = await self._discover()
            return self._surface

    async def _discover(self) -> Surface:
        names = [("", str(one)) for one in (await self._client.get("/api")).get("versions") or ()]
        for group in (await self._client.get("/apis")).get("groups") or ():
            names += [(str(group["name"]), version) for version in _preferred_first(group)]
        gate = asyncio.Semaphore(ASKED_AT_ONCE_MAX)

        async def ask(group: str, version: str) -> list[Any] | TransientError:
            async with gate:
                try:
                    return list((await self._client.get(root_path(group, version))).get("resources") or ())
                except ApiError:
                    return []
                except TransientError as error:  # raised below: out of a group of tasks it would be a group of errors
                    return error

        async with asyncio.TaskGroup() as asking:
            tasks = [(group, version, asking.create_task(ask(group, version))) for group, version in names]
        served: dict[KindId, ServedKind] = {}
        for group, version, task in tasks:
            found = task.result()
            if isinstance(found, TransientError):
                raise found
            _add(served, group, version, found)
        return Surface(served.values())


def _add(served: dict[KindId, ServedKind], group: str, version: str, rows: list[Any]) -> None:
    for row in rows:
        if "/" in str(row.get("name", "/")):  # status, scale, log
            continue
        kind = kind_id(group, str(row["kind"]))
        known = served.get(kind)
        versions = (*known.versions, version) if known else (version,)
        served[kind] = ServedKind(
            kind,
            str(row["name"]),
            versions,
            namespaced=bool(row.get("namespaced")),
            singular=str(row.get("singularName") or ""),
            short_names=tuple(row.get("shortNames") or ()),
        )


def _preferred_first(group: dict[str, Any]) -> list[str]:
    versions = [str(one["version"]) for one in group.get("versions") or ()]
    preferred = (group.get("preferredVersion") or {}).get("version")
    return sorted(versions, key=lambda one: one != preferred)
