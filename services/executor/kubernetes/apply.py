"""Create, update, apply: look, judge, try, write. One try; any number of them make one effect.

    nothing is expected there, and nothing was begun ──▶ write, conditional on nothing being there; refused so: look
    the rehearsal saw what would be changed ──▶ judge, write, conditional on exactly what it saw; refused so: look
    look ──▶ it carries our mark: done already
         ──▶ not what the verdict rested on: conflict
         ──▶ an unanswered write may have come and gone: conflict, nobody can know
         ──▶ dry run: refused, or it changes nothing
         ──▶ write, conditional on exactly what was seen

Why several tries cannot make two effects. A write carries the uid and the version of the object as it was seen, or a
version that no object has where none was seen. If two tries are under way, each is conditional on the state before the
other, so the API server takes one and answers 409 to the rest. A write that took effect left its mark on the object.
And where the mark may have been lost again (deleted, overwritten by somebody else) while a write was never answered,
the operation is given back to be decided again, not tried again.

What is to be made anew, or was seen by the rehearsal (seen.py), needs no look and no dry run of its own: the condition
of the write says what the look would, a write that is refused has done nothing, and the verdict had the dry run. One
request instead of three.
"""

from __future__ import annotations

from typing import Final

from schemas.identity import ResourceKey
from schemas.operations import Operation
from schemas.outcomes import OutcomeState
from schemas.ties import is_tied_body
from services.chassis.errors import TransientError
from services.chassis.kubernetes.declaration import with_declaration
from services.executor.kubernetes import manifests
from services.executor.kubernetes.cluster import FIELD_MANAGER, Cluster
from services.executor.kubernetes.errors import ApiError, failed, standing
from services.executor.kubernetes.manifests import Object
from services.executor.kubernetes.owned import changed_since, left, owned
from services.executor.kubernetes.readiness import assess
from services.executor.kubernetes.resources import Place
from services.executor.kubernetes.sharing import as_it_is, says_another_word, share, shared_as
from services.executor.target import Effect, NotServedError, Permit, RefusedError

RACE_PAUSE_S: Final = 0.05
OVERLOADS: Final = (401, 429, 503)  # and credentials that are being rewritten
NO_DRY_RUN: Final = "does not support dry run"


async def apply(cluster: Cluster, operation: Operation, permit: Permit) -> Effect:
    """One try. Raises ApiError and UnreachableError of the look and the dry run: nothing was written then."""
    key = ResourceKey.parse(operation.resource)
    place = await cluster.locate(key, operation.version)
    if not permit.open and is_plain(operation):
        written = await _at_once(cluster, place, operation, permit)
        if written is not None:
            return written
    live = await cluster.look(place)
    if is_still_going(operation, live):
        permit.clear()  # beside it nothing can have been made
        raise TransientError(f"{operation.resource} is still being deleted")
    settled = judge(operation, live, permit)
    if settled is not None:
        return settled
    body = operation.manifest or {}
    if operation.undoes:
        is_there = operation.action == "update"
        body = shared_as(body, owned(body, FIELD_MANAGER)) if is_there else await _anew(cluster, key, body)
    wanted = _wanted(operation, body)
    preview = await _rehearsed(cluster, place, manifests.guarded(as_it_is(wanted, live), live), operation.forced)
    is_shared_anew = live is not None and says_another_word(wanted, live)
    if live is not None and preview is not None and not is_shared_anew and manifests.same(preview, live):
        return _taken(live, changed=False, message="unchanged")
    await permit.keep(live)
    if live is not None and is_shared_anew:
        try:
            live = await share(cluster, place, wanted, live)
        except TransientError as error:
            return after_write(error, permit)
    body = with_declaration(manifests.guarded(as_it_is(wanted, live), live), preview, cluster.seal)
    return await _write(cluster, place, body, permit, operation.forced)


def is_plain(operation: Operation) -> bool:
    """What is written need not say what was declared by it, and takes nothing back. Pure."""
    return not (is_tied_body(operation.manifest or {}) or operation.undoes or operation.forced)


def makes_anew(operation: Operation) -> bool:
    """The verdict rests on nothing being there. Pure."""
    absent = operation.action == "create" or (operation.action == "apply" and operation.preconditions.absent)
    return absent and not operation.preconditions.uid


def is_still_going(operation: Operation, live: Object | None) -> bool:
    """What an undo makes again, held by a finalizer: it will be gone in the end, and is made then. Pure."""
    if live is None or not operation.undoes or not makes_anew(operation):
        return False
    return manifests.is_terminating(live) and manifests.marker_of(live) != operation.id


async def _at_once(cluster: Cluster, place: Place, operation: Operation, permit: Permit) -> Effect | None:
    """None: it is not known what is there, or not that any more, and nothing was written."""
    wanted, live = _wanted(operation, operation.manifest or {}), None
    if not makes_anew(operation):
        live = cluster.seen.take(operation.resource, _cleaned(operation, operation.manifest or {}))
        if live is None or judge(operation, live, permit) is not None:
            return None
    await permit.keep(live)
    body = manifests.guarded(as_it_is(wanted, live), live)
    permit.take(basis=body["metadata"]["resourceVersion"])
    try:
        made = await cluster.apply(place, body, dry=False)
    except TransientError as error:
        if _is_another_world(error, live):
            permit.settle()
            return None
        return after_write(error, permit)
    return _taken(made, changed=True)


def _is_another_world(error: TransientError, live: Object | None) -> bool:
    """The condition of the write does not hold, or the object is gone with its namespace: look what is there."""
    if standing(error) == "raced":
        return True
    return isinstance(error, ApiError) and (error.status == 409 or (error.status == 404 and live is not None))


async def _anew(cluster: Cluster, key: ResourceKey, before: Object) -> Object:
    """As it was, and owned by its owners as they are now: of one that names another uid the collector makes an end.

    An owner that cannot be looked at is named as before.
    """
    body, owners = manifests.anew(before), []
    for one in manifests.owners_of(before):
        group, _, version = str(one.get("apiVersion")).rpartition("/")
        owner = ResourceKey(group, str(one.get("kind")), key.namespace, str(one.get("name")))
        try:
            live = await cluster.look_up(owner, version)
        except (NotServedError, ApiError) as error:
            if isinstance(error, ApiError) and standing(error) != "final":
                raise
            owners.append({**one})
        else:
            owners += [{**one, "uid": manifests.uid_of(live)}] if live is not None else []
    kept = {name: value for name, value in body["metadata"].items() if name != "ownerReferences"}
    return {**body, "metadata": {**kept, "ownerReferences": owners} if owners else kept}


def _wanted(operation: Operation, body: Object) -> Object:
    return manifests.marked(_cleaned(operation, body), operation.id)


def _cleaned(operation: Operation, body: Object) -> Object:
    return manifests.clean(body, ResourceKey.parse(operation.resource), operation.version)


def judge(operation: Operation, live: Object | None, permit: Permit) -> Effect | None:
    """What the live object alone settles; None: go on. Pure."""
    if live is not None and manifests.marker_of(live) == operation.id:
        return _taken(live, changed=True)
    broken = broken_precondition(operation, live)
    if broken:
        return conflict(live, broken)
    if permit.open and not (_untouched(live, permit) or is_not_undone(operation, live)):
        return conflict(live, "an earlier try was not answered, and what became of it cannot be seen any more")
    return None


def broken_precondition(operation: Operation, live: Object | None) -> str:
    """What the verdict rested on and is not so; "" when all holds. Pure."""
    wanted = operation.preconditions
    if live is None:
        needs_one = operation.action == "update" or wanted.uid or wanted.resource_version
        return f"{operation.resource} is not there any more" if needs_one else ""
    if wanted.absent or operation.action == "create":
        return f"{operation.resource} exists meanwhile"
    if manifests.is_terminating(live):
        return f"{operation.resource} is being deleted"
    return broken_identity(operation, live) or touched(operation, live)


def broken_identity(operation: Operation, live: Object) -> str:
    """uid and version, where the verdict rested on them. Pure."""
    wanted = operation.preconditions
    uid, version = manifests.uid_of(live), manifests.version_of(live)
    if wanted.uid and wanted.uid != uid:
        return f"{operation.resource} was made anew meanwhile (uid {uid}, not {wanted.uid})"
    if wanted.resource_version and wanted.resource_version != version:
        return f"{operation.resource} was changed meanwhile (version {version}, not {wanted.resource_version})"
    return ""


def touched(operation: Operation, live: Object) -> str:
    """An undo takes back what a step left, and nothing that somebody else has made of it. Pure."""
    if not operation.preconditions.left:
        return ""
    who = changed_since(live, manifests.marker_of(live), operation.preconditions.left)
    return f"{operation.resource} was changed by {who} since, and is left as it is" if who else ""


def is_not_undone(operation: Operation, live: Object | None) -> bool:
    """No try of an undo came through: what it takes back stands as it was left, or is not there again yet. Pure.

    Nobody decides an undo again: what is not put back now stays away for good.
    """
    if live is None:
        return bool(operation.undoes) and makes_anew(operation)
    return bool(operation.undoes) and manifests.marker_of(live) == operation.undoes


def conflict(live: Object | None, message: str) -> Effect:
    """To be decided again, on the world as it is now."""
    if live is None:
        return Effect("conflict", False, message)
    uid, version = manifests.uid_of(live), manifests.version_of(live)
    return Effect("conflict", False, message, uid=uid, resource_version=version)


def _untouched(live: Object | None, permit: Permit) -> bool:
    """The open write was not done: the object still has the version that the write was conditional on."""
    return live is not None and bool(permit.basis) and manifests.version_of(live) == permit.basis


async def _rehearsed(cluster: Cluster, place: Place, manifest: Object, forced: bool) -> Object | None:
    """What would come of it; None when a webhook cannot say without doing it."""
    try:
        return await cluster.apply(place, manifest, dry=True, forced=forced)
    except ApiError as error:
        if NO_DRY_RUN in error.words:
            return None
        raise


async def _write(cluster: Cluster, place: Place, manifest: Object, permit: Permit, forced: bool) -> Effect:
    permit.take(basis=manifest["metadata"]["resourceVersion"])
    try:
        made = await cluster.apply(place, manifest, dry=False, forced=forced)
    except TransientError as error:
        return after_write(error, permit)
    return _taken(made, changed=True)


def after_write(error: TransientError, permit: Permit) -> Effect:
    """A write was not taken: the final refusal; raises where another try can say or do more."""
    known = standing(error)
    if known != "unknown":
        permit.settle()
    # Managers that conflict now, and did not when it was rehearsed, have come in between, perhaps with the object.
    if known == "raced" or (isinstance(error, ApiError) and error.status == 409 and not error.is_denial):
        raise raced(error) from error
    if known == "final" and isinstance(error, ApiError):
        return failed(error)
    raise later(error)


def raced(error: Exception) -> TransientError:
    """Look again: what the verdict rested on is gone, or it still holds and the write goes on from the new state."""
    return TransientError(f"somebody else was faster: {error}", RACE_PAUSE_S)


def later(error: TransientError) -> TransientError:
    """An overload passes, however long it lasts; any other refusal is the answer if some tries do not change it."""
    if not isinstance(error, ApiError) or standing(error) != "again" or error.status in OVERLOADS:
        return error
    refused = RefusedError(failed(error), error.retry_after_s)
    refused.__cause__ = error
    return refused


def _taken(live: Object, *, changed: bool, message: str = "") -> Effect:
    uid, version, now = manifests.uid_of(live), manifests.version_of(live), assess(live)
    state: OutcomeState = "ready" if now.state == "current" else "applied"
    as_left = left(live, manifests.marker_of(live))
    return Effect(state, changed, message or now.reason, uid=uid, resource_version=version, left=as_left)
