"""A new object: checked, named, completed → a draft of its creation."""

from __future__ import annotations

from cheops.sandbox.apiserver.conversion import to_stored
from cheops.sandbox.apiserver.options import WriteOptions
from cheops.sandbox.apiserver.presenting import in_order
from cheops.sandbox.apiserver.realm import Realm, name_suffix, new_uid, now_text
from cheops.sandbox.apiserver.statuses import (
    Cause,
    StatusError,
    already_exists,
    bad_request,
    forbidden,
    invalid,
    not_found,
)
from cheops.sandbox.apiserver.store import Object
from cheops.sandbox.apiserver.targets import Target
from cheops.sandbox.apiserver.writing.draft import Draft

NAME_LEN_MAX = 253
GIVEN_BY_SERVER = ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds")


def prepare_create(realm: Realm, target: Target, content: Object, options: WriteOptions) -> Draft:
    """`content` is in the version of the target and is taken over. Raises StatusError."""
    kind = target.kind
    check_identity(target, content)
    metadata = content.setdefault("metadata", {})
    if metadata.get("resourceVersion"):
        raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
    _give_name(target, metadata)
    check_namespace(realm, target, metadata["name"])
    complete_new(target, metadata, has_generation=kind.has_generation)
    if kind.has_status:
        content.pop("status", None)
    if realm.get(kind, target.namespace, metadata["name"]) is not None:
        raise already_exists(kind, metadata["name"])
    stored = to_stored(kind, content)
    return Draft(kind, "CREATE", None, in_order(stored, kind.kind, kind.stored_as or kind.api_version), options.dry_run)


def check_identity(target: Target, content: Object) -> None:
    """Kind, version and namespace, where they are said, are those of the URL."""
    kind = target.kind
    said_kind, said_version = content.get("kind") or kind.kind, content.get("apiVersion") or kind.api_version
    if (said_kind, said_version) != (kind.kind, kind.api_version):
        said = said_version.rpartition("/")[2]
        raise bad_request(
            f'{said_kind} in version "{said}" cannot be handled as a {kind.kind}: '
            f"converting ({said_version}.{said_kind}) to ({kind.api_version}.{kind.kind}): unknown conversion"
        )
    namespace = (content.get("metadata") or {}).get("namespace")
    if namespace and namespace != target.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def check_namespace(realm: Realm, target: Target, name: str) -> None:
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


def _give_name(target: Target, metadata: Object) -> None:
    if metadata.get("name"):
        return
    prefix = metadata.get("generateName")
    if not prefix:
        message = "Required value: name or generateName is required"
        raise invalid(target.kind, "", [Cause("metadata.name", "FieldValueRequired", message)])
    metadata["name"] = prefix[: NAME_LEN_MAX - 5] + name_suffix()


def complete_new(target: Target, metadata: Object, *, has_generation: bool) -> None:
    for name in GIVEN_BY_SERVER:
        metadata.pop(name, None)
    if target.namespace:
        metadata["namespace"] = target.namespace
    metadata["uid"] = new_uid()
    metadata["creationTimestamp"] = now_text()
    metadata.pop("generation", None)
    if has_generation:
        metadata["generation"] = 1
