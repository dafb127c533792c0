"""An object as it is and as it should be → a draft of the update.

What the server alone decides is carried over; the generation counts changes of the desired state; an update that
changes nothing writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from cheops.sandbox.apiserver.conversion import to_stored
from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.options import WriteOptions
from cheops.sandbox.apiserver.ownership.entries import Owner, track_update
from cheops.sandbox.apiserver.presenting import in_order
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.rules.checks import check_content
from cheops.sandbox.apiserver.rules.completing import allocate, derive
from cheops.sandbox.apiserver.rules.immutable import check_unchanged
from cheops.sandbox.apiserver.statuses import Cause, bad_request, conflict, invalid, modified, version_needed
from cheops.sandbox.apiserver.store import Object, Stored
from cheops.sandbox.apiserver.targets import Target
from cheops.sandbox.apiserver.writing.draft import Draft
from cheops.sandbox.apiserver.writing.intake import Intake, check_identity, take_in

CARRIED_OVER = (
    *("uid", "creationTimestamp", "generation", "generateName"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"),
)
OF_ITS_OWN_SUBRESOURCE = {"finalize": "spec", "approval": "status", "status": "status"}

Tracker = Callable[[Object, Object], None]


def prepare_update(
    realm: Realm,
    target: Target,
    before: Stored,
    content: Object,
    options: WriteOptions,
    *,
    duplicates: list[str] | None = None,
    patched: bool = False,
) -> Draft:
    """`content` is in the version of the target and is taken over. Raises StatusError."""
    kind = target.kind
    check_identity(kind, content, target.namespace)
    check_same(target, before, content.get("metadata") or {}, needs_version=kind.needs_version and not patched)
    intake = take_in(realm, kind, content, options, duplicates=duplicates, patched=patched)
    owner = Owner(options.manager, "Update", kind.api_version, target.subresource)
    shape = realm.shape(kind)
    return changed_object(realm, target, before, intake, options, lambda old, new: track_update(shape, old, new, owner))


def changed_object(
    realm: Realm, target: Target, before: Stored, intake: Intake, options: WriteOptions, track: Tracker
) -> Draft:
    """`track` writes the managedFields of the new object; it sees the old one too."""
    kind = target.kind
    after = in_order(to_stored(kind, intake.content), kind.kind, before.object["apiVersion"])
    _carry_over(target, before.object, after)
    if not target.subresource:
        derive(kind, after, before.object)
        allocate(realm, kind, after, before.object)
        causes = [*check_content(kind, after), *check_unchanged(kind, before.object, after)]
        if causes := [*_of_main_resource(kind, intake.causes), *causes]:
            raise invalid(kind, target.name, causes)
    if kind.has_generation and desired(before.object) != desired(after):
        after["metadata"]["generation"] = before.metadata.get("generation", 0) + 1
    track(before.object, after)
    if after == before.object:
        after = before.object
    return Draft(kind, "UPDATE", before, after, options.dry_run, target.subresource, intake.warnings)


def check_same(target: Target, before: Stored, metadata: Object, *, needs_version: bool) -> None:
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
    if needs_version and not metadata.get("resourceVersion"):
        raise version_needed(kind, name)


def _carry_over(target: Target, before: Object, after: Object) -> None:
    metadata, known = after["metadata"], before["metadata"]
    if target.namespace:
        metadata["namespace"] = target.namespace
    for name in CARRIED_OVER:
        metadata.pop(name, None)
        if name in known:
            metadata[name] = known[name]
    if target.subresource in OF_ITS_OWN_SUBRESOURCE:
        _keep_all_but(OF_ITS_OWN_SUBRESOURCE[target.subresource], before, after)
    elif target.kind.has_status:
        after.pop("status", None)
        if "status" in before:
            after["status"] = before["status"]


def _keep_all_but(part: str, before: Object, after: Object) -> None:
    """A subresource changes its part of the object and nothing else."""
    given = after.get(part)
    managed = after["metadata"].get("managedFields")
    after.clear()
    after |= {**before, "metadata": dict(before["metadata"])}
    if managed:
        after["metadata"]["managedFields"] = managed
    after.pop(part, None)
    if given is not None:
        after[part] = given


def _of_main_resource(kind: Kind, causes: tuple[Cause, ...]) -> list[Cause]:
    """What is wrong in a status is not the fault of who writes the rest."""
    if not kind.has_status:
        return list(causes)
    return [cause for cause in causes if not cause.field.startswith("status")]


def desired(content: Object) -> Object:
    """All but what describes and reports."""
    return {name: value for name, value in content.items() if name not in ("metadata", "status")}
