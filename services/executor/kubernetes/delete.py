"""Delete exactly one object: look, judge, delete with its uid as precondition. One try; any number make one effect.

The uid makes it safe: it is never given out twice, so a delete that is repeated finds its uid gone and a successor of
the same name is never touched.
"""

from __future__ import annotations

from typing import Any

from schemas.identity import ResourceKey
from schemas.operations import Operation
from services.chassis.errors import TransientError
from services.executor.kubernetes import manifests
from services.executor.kubernetes.apply import after_write, broken_identity, conflict, touched
from services.executor.kubernetes.cluster import Cluster
from services.executor.kubernetes.manifests import Object
from services.executor.target import Effect, Permit


async def delete(cluster: Cluster, operation: Operation, permit: Permit) -> Effect:
    """One try. Raises ApiError and UnreachableError of the look: nothing was written then."""
    key = ResourceKey.parse(operation.resource)
    live = await cluster.look_up(key, operation.version)
    settled = judge(operation, live, permit)
    if settled is not None or live is None:
        return settled or _gone(operation, permit)
    place = await cluster.locate(key, operation.version)
    await permit.keep(live)
    permit.take(basis=manifests.version_of(live))
    try:
        left = await cluster.delete(place, _options(operation, live))
    except TransientError as error:
        return after_write(error, permit)
    if left is None:
        return Effect("done", uid=operation.preconditions.uid)
    return _held(left, changed=True)


def judge(operation: Operation, live: Object | None, permit: Permit) -> Effect | None:
    """What the live object alone settles; None: it is there, and it is the one. Pure."""
    if live is None:
        return _gone(operation, permit)
    if manifests.uid_of(live) != operation.preconditions.uid:
        # If a try of ours was never answered, it is what made the uid go: the successor is none of our business.
        return _gone(operation, permit) if permit.open else conflict(live, broken_identity(operation, live))
    if manifests.is_terminating(live):
        return _held(live, changed=permit.open)
    broken = broken_identity(operation, live) or touched(operation, live)
    return conflict(live, broken) if broken else None


def _options(operation: Operation, live: Object) -> dict[str, Any]:
    wanted = operation.preconditions
    preconditions = {"uid": wanted.uid}
    if wanted.resource_version:
        preconditions["resourceVersion"] = wanted.resource_version
    elif wanted.left or operation.keep:  # exactly what was looked at
        preconditions["resourceVersion"] = manifests.version_of(live)
    return {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": operation.propagation.capitalize(),
        "preconditions": preconditions,
    }


def _gone(operation: Operation, permit: Permit) -> Effect:
    return Effect("done", permit.open, "" if permit.open else "gone already", uid=operation.preconditions.uid)


def _held(left: Object, *, changed: bool) -> Effect:
    uid, version = manifests.uid_of(left), manifests.version_of(left)
    return Effect("applied", changed, terminating_reason(left), uid=uid, resource_version=version)


def terminating_reason(left: Object) -> str:
    """What the deletion waits for."""
    finalizers = manifests.finalizers_of(left)
    return f"terminating, held by {', '.join(finalizers)}" if finalizers else "terminating"
