"""Server-side apply: the applied object → a draft that creates or changes. (The merge is ownership/applying.py.)"""

from __future__ import annotations

import yaml

from cheops.sandbox.apiserver.bodies import parse_object
from cheops.sandbox.apiserver.conversion import from_stored
from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.options import WriteOptions
from cheops.sandbox.apiserver.ownership.applying import Applied, apply
from cheops.sandbox.apiserver.ownership.entries import Owner, write_entries
from cheops.sandbox.apiserver.ownership.paths import UntypedError
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.schema.decode import WrongTypeError, check_shape
from cheops.sandbox.apiserver.statuses import Cause, StatusError, bad_request, conflict, invalid_options, not_found
from cheops.sandbox.apiserver.store import Object, Stored, copy_of
from cheops.sandbox.apiserver.targets import Target
from cheops.sandbox.apiserver.writing.create import new_object
from cheops.sandbox.apiserver.writing.draft import Draft
from cheops.sandbox.apiserver.writing.intake import take_in
from cheops.sandbox.apiserver.writing.update import changed_object, check_same


def prepare_apply(realm: Realm, target: Target, before: Stored | None, raw: bytes, options: WriteOptions) -> Draft:
    """`raw` is YAML or JSON. Raises StatusError; 409 names the fields that others own."""
    kind = target.kind
    config = _read(kind, raw)
    _check_config(realm, target, config)
    if before is None:
        _check_can_be_created(target, config)
    else:
        check_same(target, before, config["metadata"], needs_version=False)
    _leave_to_subresource(target, config)
    live = from_stored(kind, before.object) if before else _nothing(kind, target)
    owner = Owner(options.manager, "Apply", kind.api_version, target.subresource)
    try:
        applied = apply(realm.shape(kind), live, config, owner, force=options.force)
    except UntypedError as error:
        raise _untyped(kind, config, str(error)) from error
    return _draft(realm, target, before, applied, options)


def _draft(realm: Realm, target: Target, before: Stored | None, applied: Applied, options: WriteOptions) -> Draft:
    content = copy_of(applied.content)  # what is merged shares parts with the stored object
    intake = take_in(realm, target.kind, content, options)
    if before is None:
        return new_object(
            realm, target, intake, options, lambda stored: write_entries(stored["metadata"], applied.entries)
        )
    return changed_object(
        realm, target, before, intake, options, lambda _, after: write_entries(after["metadata"], applied.entries)
    )


def check_apply_options(manager: str) -> None:
    """Who applies must say who it is."""
    if not manager:
        message = "Required value: is required for apply patch"
        raise invalid_options("PatchOptions", Cause("fieldManager", "FieldValueRequired", message))


def _read(kind: Kind, raw: bytes) -> Object:
    try:
        return parse_object(raw, kind, is_yaml=True).content
    except StatusError as error:
        cause = error.__cause__ if isinstance(error.__cause__, yaml.YAMLError) else error
        raise bad_request(f"error decoding YAML: {cause}") from error


def _check_config(realm: Realm, target: Target, config: Object) -> None:
    kind = target.kind
    said_version, said_kind = config.get("apiVersion") or "", config.get("kind") or ""
    if (said_version, said_kind) != (kind.api_version, kind.kind):
        shown = said_version if "/" in said_version else f"/{said_version}"
        raise bad_request(f"invalid object type: {shown}, Kind={said_kind}")
    metadata = config.setdefault("metadata", {})
    if metadata.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    if metadata.setdefault("name", target.name) != target.name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({target.name})"
        )
    if (metadata.get("namespace") or target.namespace) != target.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    try:
        check_shape(realm.shape(kind), config)
    except WrongTypeError as error:
        raise _untyped(kind, config, str(error)) from error


def _check_can_be_created(target: Target, config: Object) -> None:
    metadata = config["metadata"]
    if target.subresource:
        raise not_found(target.kind, target.name)
    if uid := metadata.get("uid"):
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise conflict(target.kind, target.name, why)
    metadata.pop("resourceVersion", None)  # the real server (1.36) creates all the same; on an object it is a condition


def _leave_to_subresource(target: Target, config: Object) -> None:
    """What another endpoint owns is not even looked at here."""
    if target.subresource == "status":
        for name in set(config) - {"apiVersion", "kind", "metadata", "status"}:
            del config[name]
        for name in ("labels", "annotations", "finalizers", "ownerReferences"):
            config["metadata"].pop(name, None)
    elif target.kind.has_status:
        config.pop("status", None)


def _nothing(kind: Kind, target: Target) -> Object:
    metadata = {"name": target.name, **({"namespace": target.namespace} if target.namespace else {})}
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}


def _untyped(kind: Kind, config: Object, why: str) -> StatusError:
    metadata = config["metadata"]
    about = f"{metadata.get('namespace') or ''}/{metadata['name']}; {kind.group}/{kind.version}, Kind={kind.kind}"
    return StatusError(500, "", f"failed to create typed patch object ({about}): {why}")
