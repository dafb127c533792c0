"""Words of ours on an object that is otherwise left alone: what is shared to whom.

They are written under a field manager of their own, so that whoever applies the object leaves them where they are; and
forced, because nobody else has a say in them.
"""

from __future__ import annotations

from typing import Any

from schemas.identity import ResourceKey
from schemas.operations import Operation
from schemas.ties import SHARED_TO
from services.chassis.errors import TransientError
from services.executor.kubernetes import manifests
from services.executor.kubernetes.apply import after_write, broken_identity, conflict
from services.executor.kubernetes.cluster import Cluster
from services.executor.kubernetes.readiness import assess
from services.executor.target import Effect, Permit


async def annotate(cluster: Cluster, operation: Operation, permit: Permit) -> Effect:
    """One try. Written twice it is the same; a write rests on the version that was seen."""
    key = ResourceKey.parse(operation.resource)
    place = await cluster.locate(key, operation.version)
    live = await cluster.look(place)
    if live is None:
        return conflict(None, f"{operation.resource} is not there any more")
    wanted = _words(operation.manifest or {})
    if all(_words(live).get(name, "") == text for name, text in wanted.items()):
        return _done(live, changed=bool(permit.open))
    broken = broken_identity(operation, live)
    if not broken and operation.preconditions.left not in ("", _left(live)):
        broken = f"{operation.resource}: what it is shared to was changed since"
    if broken:
        return conflict(live, broken)
    head = {"apiVersion": manifests.api_version(key, operation.version), "kind": key.kind}
    name: dict[str, Any] = {"name": key.name, **({"namespace": key.namespace} if key.namespace else {})}
    await permit.keep(live)
    permit.take(basis=manifests.version_of(live))
    try:
        for words in _writes(wanted):
            version = manifests.version_of(live)
            live = await cluster.mark(
                place, {**head, "metadata": {**name, "annotations": words, "resourceVersion": version}}
            )
        return _done(live, changed=True)
    except TransientError as error:
        return after_write(error, permit)


def _writes(wanted: dict[str, str]) -> list[dict[str, str]]:
    """A word that says nothing is made ours and then let go of, so that nothing of it is left on the object."""
    kept = {name: text for name, text in wanted.items() if text}
    return [wanted] if kept == wanted else [wanted, kept]


def _words(body: manifests.Object) -> dict[str, str]:
    found = (body.get("metadata") or {}).get("annotations")
    return dict(found) if isinstance(found, dict) else {}


def _left(live: manifests.Object) -> str:
    return f"words:{_words(live).get(SHARED_TO, '')}"


def _done(live: manifests.Object, *, changed: bool) -> Effect:
    uid, version = manifests.uid_of(live), manifests.version_of(live)
    return Effect("ready", changed, assess(live).reason, uid=uid, resource_version=version, left=_left(live))
