"""The three things that are said about one object: what is it now, make it so, delete it.

What a 404 means is settled here: the object is absent (None), or its path is not served (NotServedError), and only the
first may be taken for an answer. kube-apiserver says 404 to every custom resource while it starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from schemas.identity import KindId, ResourceKey
from services.chassis.errors import TransientError
from services.chassis.kubernetes.declaration import MANAGER
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.errors import ApiError
from services.executor.kubernetes.manifests import Object
from services.executor.kubernetes.resources import Place, Resources
from services.executor.kubernetes.seen import Seen
from services.executor.target import NotServedError

FIELD_MANAGER: Final = MANAGER
# Not forced, unless the verdict says so: a 409 that names the other managers is what a person has to decide on.
APPLY: Final = {"fieldManager": FIELD_MANAGER, "force": "false", "fieldValidation": "Strict"}
_MARK: Final = {"fieldManager": f"{FIELD_MANAGER}-sharing", "force": "true"}
_DRY: Final = {**APPLY, "dryRun": "All"}


class Cluster:
    """One API server, object by object."""

    def __init__(self, client: KubernetesClient, seal: Callable[[Object], Object]) -> None:
        """`seal`: what becomes of the values of a Secret that are kept on it."""
        self._client = client
        self.seal = seal
        self.seen = Seen()
        self._resources = Resources(client)
        self._defined: dict[KindId, bool] = {}  # whether a definition of it was seen

    async def locate(self, key: ResourceKey, version: str) -> Place:
        """Where the object is or would be; raises NotServedError."""
        return await self._resources.find(key, version)

    async def look(self, place: Place) -> Object | None:
        """The object as it is now, or None when the API server says that exactly this object is not there."""
        try:
            return await self._client.get(place.path)
        except ApiError as error:
            if error.is_absence_of(place.plural, place.name):
                return None
            raise self._explained(error) from error

    async def look_up(self, key: ResourceKey, version: str) -> Object | None:
        """The object as it is now; None also when its kind's definition is gone, and with it every object.

        That a kind is not served is less (see above), and one whose definition was never seen may be served by another
        API server, or at another version: raises NotServedError.
        """
        try:
            found = await self.look(await self.locate(key, version))
            if found is not None and key.kind_id not in self._defined:
                await self._note_definition(key)
            return found
        except NotServedError:
            if await self._is_undefined(key):
                return None
            raise

    async def _note_definition(self, key: ResourceKey) -> None:
        definition = self._resources.definition_of(key)
        try:
            self._defined[key.kind_id] = definition is not None and await self._is_there(definition)
        except ApiError:
            self._defined[key.kind_id] = False  # it may not be looked at
        except TransientError:
            pass  # the next look may say it

    async def _is_undefined(self, key: ResourceKey) -> bool:
        definition = self._resources.definition_of(key)
        if definition is None or not self._defined.get(key.kind_id):
            return False
        try:
            return not await self._is_there(definition)
        except TransientError:
            return False

    async def _is_there(self, definition: ResourceKey) -> bool:
        return await self.look(await self.locate(definition, "v1")) is not None

    async def apply(self, place: Place, manifest: Object, *, dry: bool, forced: bool = False) -> Object:
        """Server-side apply; dry: only what would come of it; forced: over whoever has made the fields theirs."""
        params = {**(_DRY if dry else APPLY), "force": "true" if forced else "false"}
        try:
            return await self._client.apply(place.path, params, manifest)
        except ApiError as error:
            raise self._explained(error) from error

    async def mark(self, place: Place, manifest: Object) -> Object:
        """Server-side apply of a few words of ours, beside whatever else is there."""
        try:
            return await self._client.apply(place.path, _MARK, manifest)
        except ApiError as error:
            raise self._explained(error) from error

    async def delete(self, place: Place, options: dict[str, Any]) -> Object | None:
        """The object that is terminating now, or None when it is gone."""
        try:
            left = await self._client.delete(place.path, options)
        except ApiError as error:
            if error.is_absence_of(place.plural, place.name):
                return None
            raise self._explained(error) from error
        return left if left.get("kind") != "Status" else None

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    def _explained(self, error: ApiError) -> ApiError | NotServedError:
        if not error.is_unserved_path:
            return error
        self._resources.forget()
        return NotServedError(f"the API server does not serve this path (now): {error.words or '404'}")
