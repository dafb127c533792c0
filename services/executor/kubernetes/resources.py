"""Kind → where its objects are: `/apis/apps/v1/namespaces/shop/deployments/web`.

One small request for each group and version, when it is first needed and when a kind is not among what is known: it is
answered by whoever serves the group, so a definition made a moment ago is found there before it is in the big lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from schemas.identity import KindId, ResourceKey
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.errors import ApiError
from services.executor.target import NotServedError


@dataclass(frozen=True, slots=True)
class ServedResource:
    """How one kind is called in paths."""

    plural: str
    namespaced: bool


@dataclass(frozen=True, slots=True)
class Place:
    """One object's address."""

    path: str
    plural: str
    name: str


class Resources:
    """What the API server serves, as far as somebody asked."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._known: dict[str, dict[str, ServedResource]] = {}
        self._plurals: dict[KindId, str] = {}

    async def find(self, key: ResourceKey, version: str) -> Place:
        """The object's address; NotServedError when this version does not serve its kind.

        `version` "": whatever the group prefers, as for what goes along with a deletion.
        """
        version = version or await self._preferred(key)
        root = root_path(key.group, version)
        served = self._known.get(root, {}).get(key.kind)
        if served is None:
            self._known[root] = await self._ask(root, key, version)
            served = self._known[root].get(key.kind)
        if served is None:
            raise _not_served(key, version)
        self._plurals[key.kind_id] = served.plural
        if served.namespaced and not key.namespace:
            raise NotServedError(f"{key.kind_id} lives in a namespace, and {key} names none")
        inside = f"/namespaces/{_segment(key.namespace)}" if served.namespaced else ""
        return Place(f"{root}{inside}/{served.plural}/{_segment(key.name)}", served.plural, key.name)

    def forget(self) -> None:
        """A path was not served: what is known is old."""
        self._known.clear()

    def definition_of(self, key: ResourceKey) -> ResourceKey | None:
        """What may define a kind that was found before; None of one whose group has no dot: it is no custom one."""
        plural = self._plurals.get(key.kind_id)
        if plural is None or "." not in key.group:
            return None
        return ResourceKey("apiextensions.k8s.io", "CustomResourceDefinition", "", f"{plural}.{key.group}")

    async def _preferred(self, key: ResourceKey) -> str:
        if not key.group:
            return "v1"
        try:
            answer = await self._client.get(f"/apis/{_segment(key.group)}")
        except ApiError as error:
            if error.status == 404:
                raise _not_served(key, "any version") from error
            raise
        preferred = answer.get("preferredVersion")
        return str(preferred.get("version", "")) if isinstance(preferred, dict) else ""

    async def _ask(self, root: str, key: ResourceKey, version: str) -> dict[str, ServedResource]:
        try:
            answer = await self._client.get(root)
        except ApiError as error:
            if error.status == 404:
                raise _not_served(key, version) from error
            raise
        listed = answer.get("resources")
        return _served(listed) if isinstance(listed, list) else {}


def root_path(group: str, version: str) -> str:
    """`/apis/apps/v1`, or `/api/v1` for the core group."""
    return f"/apis/{_segment(group)}/{_segment(version)}" if group else f"/api/{_segment(version)}"


def _served(rows: list[Any]) -> dict[str, ServedResource]:
    found: dict[str, ServedResource] = {}
    for row in rows:
        if isinstance(row, dict) and "/" not in str(row.get("name", "/")):  # with a slash: status, scale, log
            found.setdefault(str(row.get("kind")), ServedResource(str(row["name"]), bool(row.get("namespaced"))))
    return found


def _not_served(key: ResourceKey, version: str) -> NotServedError:
    return NotServedError(f"{key.kind_id} is not served as {key.group + '/' if key.group else ''}{version}")


def _segment(text: str) -> str:
    return quote(text, safe=":")
