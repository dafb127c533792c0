"""A Kubernetes cluster as a target: the port's questions, each answered by one room.

Refusals that are final become effects here; everything else passes on as TransientError, to be tried again by whoever
knows how long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from schemas.counting import counted
from schemas.envelope import MESSAGE_BYTES_MAX, MessageError
from schemas.identity import KindId, ResourceId, ResourceKey
from schemas.kinds import Surface
from schemas.operations import Operation
from schemas.rehearsals import RehearsedChange, RehearsedResult
from services.chassis.errors import TransientError
from services.chassis.kubernetes.declaration import DeclarationError, to_heal_with
from services.executor.kubernetes import manifests
from services.executor.kubernetes.annotate import annotate
from services.executor.kubernetes.apply import apply, later, raced
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.cluster import Cluster
from services.executor.kubernetes.delete import delete
from services.executor.kubernetes.errors import ApiError, failed, standing
from services.executor.kubernetes.readiness import assess, binds_at_first_use, class_of_waiting_claim
from services.executor.kubernetes.rehearse import Shapes, rehearse
from services.executor.kubernetes.ruling import Ruling
from services.executor.kubernetes.secrecy import without_values
from services.executor.kubernetes.surface import Surfaces
from services.executor.target import Effect, Manifest, NotServedError, Permit, Progress, RefusedError

TAKEN_AT_ONCE_MAX: Final = 16
TAKEN_BYTES_MAX: Final = MESSAGE_BYTES_MAX
STORAGE_CLASS: Final = ("storage.k8s.io", "StorageClass")
Step = Callable[[Cluster, Operation, Permit], Awaitable[Effect]]


class KubernetesTarget:
    """One cluster. `shapes_for` makes what turns an object into its state, for the surface of the cluster.

    `seal` closes the values of a Secret for our own executor; without one they are left out of what is kept on it.
    `ruling` says whether `shapes_for` makes others now.
    """

    def __init__(
        self,
        client: KubernetesClient,
        shapes_for: Callable[[Surface], Shapes],
        seal: Callable[[Manifest], Manifest] = without_values,
        ruling: Ruling | None = None,
    ) -> None:
        self._cluster = Cluster(client, seal)
        self._surfaces = Surfaces(client)
        self._shapes_for = shapes_for
        self._ruling = ruling
        self._shapes: tuple[Surface, Shapes] | None = None

    async def apply(self, operation: Operation, permit: Permit) -> Effect:
        """One try to create, update, apply or annotate."""
        step = annotate if operation.action == "annotate" else apply
        return await _one_try(step, self._cluster, operation, permit)

    async def delete(self, operation: Operation, permit: Permit) -> Effect:
        """One try to delete."""
        return await _one_try(delete, self._cluster, operation, permit)

    async def read(self, operation: Operation, permit: Permit) -> Effect:
        """The object without values; `conflict` when the one that was meant is not there any more."""
        return await _one_try(_read, self._cluster, operation, permit)

    async def progress(self, operation: Operation, uid: str) -> Progress:
        """How far the object with this uid has come. What may not be looked at is never ready."""
        try:
            live = await self._cluster.look_up(ResourceKey.parse(operation.resource), operation.version)
        except NotServedError as error:
            return Progress("unserved", str(error))
        except ApiError as error:
            if standing(error) == "final":
                return Progress("failed", error.words)
            raise
        if live is None:
            return Progress("gone")
        if uid and manifests.uid_of(live) != uid:
            return Progress("replaced", f"uid {manifests.uid_of(live)}")
        if await self._waits_for_its_first_use(live):
            return Progress("current", resource_version=manifests.version_of(live))
        return assess(live)

    async def _waits_for_its_first_use(self, live: Manifest) -> bool:
        name = class_of_waiting_claim(live)
        if not name or manifests.is_terminating(live):
            return False
        try:
            found = await self._cluster.look_up(ResourceKey(*STORAGE_CLASS, "", name), "v1")
        except TransientError:  # among them, that nobody may look at it
            return False
        return found is not None and binds_at_first_use(found)

    async def rehearse(self, changes: tuple[RehearsedChange, ...]) -> tuple[RehearsedResult, ...]:
        """Dry runs of all changes, in their order."""
        shapes = await self._shaping([ResourceKey.parse(change.resource).kind_id for change in changes])
        return await rehearse(self._cluster, changes, shapes)

    async def take(self, resources: dict[ResourceId, str], declared: bool = False) -> dict[ResourceId, Manifest]:
        """Whole objects without what servers set; what is not there, or was not declared, is left out.

        Raises MessageError when they are more than one message may hold: no more are read then.
        """
        found: dict[ResourceId, Manifest] = {}
        size, asked = 0, [*resources.items()]
        for first in range(0, len(asked), TAKEN_AT_ONCE_MAX):
            some = asked[first : first + TAKEN_AT_ONCE_MAX]
            bodies = await asyncio.gather(*(self._take(one, version, declared) for one, version in some))
            found |= {one: body for (one, _), body in zip(some, bodies, strict=True) if body is not None}
            size += sum(len(msgspec.json.encode(body)) for body in bodies if body is not None)
            if size > TAKEN_BYTES_MAX:
                raise MessageError(
                    f"more than {TAKEN_BYTES_MAX} bytes (of {counted(len(asked), 'resource')}; fewer fit)"
                )
        return found

    async def _take(self, resource: ResourceId, version: str, declared: bool) -> Manifest | None:
        key = ResourceKey.parse(resource)
        place = await self._cluster.locate(key, version)
        live = await self._cluster.look(place)
        if live is not None and declared:
            try:
                live = to_heal_with(live)
            except DeclarationError:  # somebody has written over it: other sites may still say it
                return None
        return None if live is None else manifests.anew(manifests.clean(live, key, version))

    async def state(self, manifest: Manifest) -> dict[str, Any]:
        """A live object as resolvers know it."""
        shapes = await self._shaping([manifests.kind_of(manifest)])
        shaped: dict[str, Any] = msgspec.to_builtins(shapes.state(manifest))
        return shaped

    async def _shaping(self, kinds: list[KindId]) -> Shapes:
        """Made once for what the cluster serves: what it knows of a kind is dear, and the same for each object."""
        surface = await self._surfaces.covering(kinds)
        ruled_anew = self._ruling is not None and await self._ruling.renew()
        if ruled_anew or self._shapes is None or self._shapes[0] is not surface:
            self._shapes = surface, self._shapes_for(surface)
        return self._shapes[1]

    async def close(self) -> None:
        """Let go of connections."""
        await self._cluster.close()


async def _one_try(step: Step, cluster: Cluster, operation: Operation, permit: Permit) -> Effect:
    unfit = manifests.misfit(operation)
    if unfit:
        return Effect("failed", False, unfit)
    try:
        return await step(cluster, operation, permit)
    except NotServedError as error:
        raise RefusedError(Effect("failed", False, str(error), 404)) from error
    except ApiError as error:
        known = standing(error)
        if known == "final":
            return failed(error)
        raise (raced(error) if known == "raced" else later(error)) from error


async def _read(cluster: Cluster, operation: Operation, _: Permit) -> Effect:
    place = await cluster.locate(ResourceKey.parse(operation.resource), operation.version)
    live = await cluster.look(place)
    if live is None:
        expected = bool(operation.preconditions.uid)
        return Effect("conflict" if expected else "failed", False, f"{operation.resource} is not there", 404)
    uid, version = manifests.uid_of(live), manifests.version_of(live)
    return Effect("done", False, uid=uid, resource_version=version, object=without_values(live))
