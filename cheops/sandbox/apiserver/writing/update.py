"""An object as it is and as it should be → a draft of the update.

What the server alone decides is carried over; the generation counts changes of the desired state; an update that
changes nothing writes nothing.
"""

from __future__ import annotations

from cheops.sandbox.apiserver.conversion import to_stored
from cheops.sandbox.apiserver.options import WriteOptions
from cheops.sandbox.apiserver.presenting import in_order
from cheops.sandbox.apiserver.statuses import bad_request, conflict, modified
from cheops.sandbox.apiserver.store import Object, Stored
from cheops.sandbox.apiserver.targets import Target
from cheops.sandbox.apiserver.writing.create import check_identity
from cheops.sandbox.apiserver.writing.draft import Draft

CARRIED_OVER = (
    *("uid", "creationTimestamp", "generation", "generateName"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"),
)


def prepare_update(target: Target, before: Stored, content: Object, options: WriteOptions) -> Draft:
    """`content` is in the version of the target and is taken over. Raises StatusError."""
    kind = target.kind
    check_identity(target, content)
    _check_same(target, before, content.setdefault("metadata", {}))
    after = in_order(to_stored(kind, content), kind.kind, before.object["apiVersion"])
    _carry_over(target, before.object, after)
    if after == before.object:
        after = before.object
    return Draft(kind, "UPDATE", before, after, options.dry_run, target.subresource)


def _check_same(target: Target, before: Stored, metadata: Object) -> None:
    """It is the object of the URL, and the one that the client has seen."""
    kind, name, known = target.kind, target.name, before.metadata
    said = metadata.get("name")
    if not said:
        raise bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if said != name:
        raise bad_request(f"the name of the object ({said}) does not match the name on the URL ({name})")
    if metadata.get("uid") and metadata["uid"] != known["uid"]:
        why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {known['uid']}"
        raise conflict(kind, name, why)
    if metadata.get("resourceVersion") and metadata["resourceVersion"] != known["resourceVersion"]:
        raise modified(kind, name)


def _carry_over(target: Target, before: Object, after: Object) -> None:
    metadata, known = after["metadata"], before["metadata"]
    if target.namespace:
        metadata["namespace"] = target.namespace
    for name in CARRIED_OVER:
        metadata.pop(name, None)
        if name in known:
            metadata[name] = known[name]
    if target.kind.has_status:
        after.pop("status", None)
        if "status" in before:
            after["status"] = before["status"]
    if target.kind.has_generation and desired(before) != desired(after):
        metadata["generation"] = known.get("generation", 0) + 1


def desired(content: Object) -> Object:
    """All but what describes and reports."""
    return {name: value for name, value in content.items() if name not in ("metadata", "status")}
