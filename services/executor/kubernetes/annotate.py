"""Words of ours on an object that is otherwise left alone: what is shared to whom, who is of its set.

That it is shared is written as sharing.py says. Who is of its set is declared with the object: it is written as if all
that we have declared of it were declared once more, with other words.
"""

from __future__ import annotations

from typing import Final

from schemas.identity import ResourceKey
from schemas.operations import Operation
from schemas.ties import DECLARATION, SHARED_TO, WORDS_IN, is_tied_body
from services.chassis.errors import TransientError
from services.chassis.kubernetes.declaration import with_declaration, with_other_words
from services.executor.kubernetes import manifests
from services.executor.kubernetes.apply import after_write, broken_identity, conflict
from services.executor.kubernetes.cluster import FIELD_MANAGER, Cluster
from services.executor.kubernetes.manifests import Object
from services.executor.kubernetes.owned import owned
from services.executor.kubernetes.readiness import assess
from services.executor.kubernetes.resources import Place
from services.executor.kubernetes.sharing import share
from services.executor.target import Effect, Permit

_WHERE: Final = tuple(WORDS_IN)


async def annotate(cluster: Cluster, operation: Operation, permit: Permit) -> Effect:
    """One try. Written twice it is the same; a write rests on the version that was seen."""
    key = ResourceKey.parse(operation.resource)
    place = await cluster.locate(key, operation.version)
    live = await cluster.look(place)
    if live is None:
        return conflict(None, f"{operation.resource} is not there any more")
    wanted = operation.manifest or {}
    if _is_said(wanted, live):
        return _done(live, changed=bool(permit.open))
    broken = broken_identity(operation, live)
    if not broken and operation.preconditions.left and not _is_left(operation.preconditions.left, wanted, live):
        broken = f"{operation.resource}: its words were changed since"
    if broken:
        return conflict(live, broken)
    await permit.keep(live)
    permit.take(basis=manifests.version_of(live))
    try:
        live = await share(cluster, place, wanted, live)
        if not _is_said(wanted, live):
            live = await cluster.apply(
                place, await _kept(cluster, place, _declared_with(wanted, live), live), dry=False
            )
        return _done(live, changed=True)
    except TransientError as error:
        return after_write(error, permit)


def _declared_with(wanted: Object, live: Object) -> Object:
    """All that we have declared of the object, with these words; "" takes one away."""
    body = owned(live, FIELD_MANAGER)
    metadata = {**body["metadata"], "uid": manifests.uid_of(live), "resourceVersion": manifests.version_of(live)}
    for where in _WHERE:
        ours = {name: text for name, text in _words(wanted, where).items() if name != SHARED_TO}
        words = {**_words(body, where), **ours}
        metadata[where] = {name: text for name, text in words.items() if text or name not in ours}
    return {**body, **_head(wanted), "metadata": metadata}


async def _kept(cluster: Cluster, place: Place, body: Object, live: Object) -> Object:
    """The same, carrying what was declared of it (services/chassis/kubernetes/declaration.py)."""
    words = {name: text for name, text in _words(body, "annotations").items() if name != DECLARATION}
    bare = {**body, "metadata": {**body["metadata"], "annotations": words}}
    known = with_other_words(bare, live)
    if known is not None or not is_tied_body(bare):
        return known or bare
    return with_declaration(bare, await cluster.apply(place, bare, dry=True), cluster.seal)


def _head(wanted: Object) -> Object:
    return {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"]}


def _is_said(wanted: Object, live: Object) -> bool:
    return all(
        _words(live, where).get(name, "") == text for where in _WHERE for name, text in _words(wanted, where).items()
    )


def _words(body: Object, where: str) -> dict[str, str]:
    found = (body.get("metadata") or {}).get(where)
    return dict(found) if isinstance(found, dict) else {}


def _left(live: Object) -> str:
    """The words as they are now: an undo takes them back if nobody has written others since."""
    said = {name: _words(live, where).get(name, "") for where in _WHERE for name in WORDS_IN[where]}
    rest = "".join(f";{name}={text}" for name, text in sorted(said.items()) if text and name != SHARED_TO)
    return f"words:{said[SHARED_TO]}{rest}"


def _is_left(left: str, wanted: Object, live: Object) -> bool:
    """The words are as they were left, but for the one that an earlier try may have taken back already."""
    now = _left(live)
    is_taken_back = _words(wanted, "annotations").get(SHARED_TO) == _words(live, "annotations").get(SHARED_TO, "")
    return left == now or (is_taken_back and left.partition(";")[2] == now.partition(";")[2])


def _done(live: Object, *, changed: bool) -> Effect:
    uid, version = manifests.uid_of(live), manifests.version_of(live)
    return Effect("ready", changed, assess(live).reason, uid=uid, resource_version=version, left=_left(live))
