"""A new object: taken in, named, completed, checked → a draft of its creation."""

from __future__ import annotations

from collections.abc import Callable

from cheops.sandbox.apiserver.conversion import to_stored
from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.options import WriteOptions
from cheops.sandbox.apiserver.ownership.entries import Owner, track_create
from cheops.sandbox.apiserver.presenting import in_order
from cheops.sandbox.apiserver.realm import SUFFIX_LEN, Realm, name_suffix, new_uid, now_text
from cheops.sandbox.apiserver.rules.checks import check_content
from cheops.sandbox.apiserver.rules.completing import allocate, derive
from cheops.sandbox.apiserver.statuses import Cause, StatusError, already_exists, forbidden, invalid, not_found
from cheops.sandbox.apiserver.store import Object
from cheops.sandbox.apiserver.targets import Target
from cheops.sandbox.apiserver.writing.draft import Draft
from cheops.sandbox.apiserver.writing.intake import Intake, check_identity, take_in

NAME_LEN_MAX = 253
GIVEN_BY_SERVER = ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields")

Tracker = Callable[[Object], None]


def prepare_create(
    realm: Realm, target: Target, content: Object, options: WriteOptions, duplicates: list[str] | None = None
) -> Draft:
    """`content` is in the version of the target and is taken over. Raises StatusError."""
    kind = target.kind
    check_identity(kind, content, target.namespace)
    intake = take_in(realm, kind, content, options, duplicates=duplicates)
    owner = Owner(options.manager, "Update", kind.api_version)
    shape = realm.shape(kind)
    return new_object(realm, target, intake, options, lambda stored: track_create(shape, stored, owner))


def new_object(realm: Realm, target: Target, intake: Intake, options: WriteOptions, track: Tracker) -> Draft:
    """`track` writes the managedFields."""
    kind = target.kind
    metadata = intake.content.setdefault("metadata", {})
    if metadata.get("resourceVersion"):
        raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
    _give_name(kind, metadata)
    _check_namespace(realm, target, metadata["name"])
    _complete_metadata(target, metadata)
    if kind.has_status:
        intake.content.pop("status", None)
    stored = in_order(to_stored(kind, intake.content), kind.kind, kind.stored_as or kind.api_version)
    derive(kind, stored, None)
    if causes := [*intake.causes, *check_content(kind, stored, intake.causes)]:
        raise invalid(kind, metadata["name"], causes)
    if realm.get(kind, target.namespace, metadata["name"]) is not None:
        raise already_exists(kind, metadata["name"])
    track(stored)
    allocate(realm, kind, stored, None)
    return Draft(kind, "CREATE", None, stored, options.dry_run, warnings=intake.warnings)


def _check_namespace(realm: Realm, target: Target, name: str) -> None:
    """New objects need a namespace that is there to stay."""
    if not target.kind.namespaced:
        return
    namespaces = realm.kind("v1", "Namespace")
    found = realm.get(namespaces, "", target.namespace)
    if found is None:
        raise not_found(namespaces, target.namespace)
    if "deletionTimestamp" in found.metadata:
        cause = Cause("metadata.namespace", "NamespaceTerminating", f"namespace {target.namespace} is being terminated")
        why = f"unable to create new content in namespace {target.namespace} because it is being terminated"
        raise forbidden(target.kind, name, why, [cause])


def _give_name(kind: Kind, metadata: Object) -> None:
    if metadata.get("name"):
        return
    prefix = metadata.get("generateName")
    if not prefix:
        message = "Required value: name or generateName is required"
        raise invalid(kind, "", [Cause("metadata.name", "FieldValueRequired", message)])
    metadata["name"] = prefix[: NAME_LEN_MAX - SUFFIX_LEN] + name_suffix()


def _complete_metadata(target: Target, metadata: Object) -> None:
    for name in GIVEN_BY_SERVER:
        metadata.pop(name, None)
    if target.namespace:
        metadata["namespace"] = target.namespace
    metadata["uid"] = new_uid()
    metadata["creationTimestamp"] = now_text()
    if target.kind.has_generation:
        metadata["generation"] = 1
