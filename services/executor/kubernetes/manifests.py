"""A manifest as it was given → what is sent, and whether that would change anything. Pure.

Every write carries the operation's id as an annotation: it is how a later try, in another process, finds that the
effect is there already.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from schemas.identity import IdentityError, KindId, ResourceKey
from schemas.operations import Operation
from schemas.relations.resting import SERVER_SET
from schemas.ties import DECLARATION, DECLARED
from services.chassis.kubernetes.declaration import MARKER

Object = dict[str, Any]
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
# No stored object has it: etcd's first write is revision 2. An apply that carries it creates, or is refused with 409.
ABSENT_VERSION: Final = "1"
_SET_BY_SERVERS: Final = (*SERVER_SET, "deletionGracePeriodSeconds")
_OURS: Final = (MARKER, DECLARED, DECLARATION)
_WRITTEN_ANEW: Final = (LAST_APPLIED, DECLARATION)
_INCIDENTAL: Final = ("managedFields", "resourceVersion", "generation")
_JOBS_UID: Final = ("controller-uid", "batch.kubernetes.io/controller-uid")
_NO_PATH_NAMES: Final = (".", "..")


def api_version(key: ResourceKey, version: str) -> str:
    """`apps/v1`, or `v1` for the core group."""
    return f"{key.group}/{version}" if key.group else version


def kind_of(live: Object) -> KindId:
    """`apps/Deployment`, or `Secret` of the core group."""
    group, _, _ = str(live.get("apiVersion") or "").rpartition("/")
    return KindId(f"{group}/{live.get('kind')}" if group else str(live.get("kind")))


def misfit(operation: Operation) -> str:
    """Why this operation cannot be meant; "" when it fits together."""
    try:
        key = ResourceKey.parse(operation.resource)
    except IdentityError as error:
        return str(error)
    if key.name in _NO_PATH_NAMES or "%" in key.name:
        return f"{key.name!r} is no name of an object"
    if operation.action == "delete":
        return "" if operation.preconditions.uid else "a delete that names no uid could hit a successor"
    if operation.action == "read":
        return ""
    return _manifest_misfit(operation, key)


def clean(manifest: Mapping[str, Any], key: ResourceKey, version: str) -> Object:
    """What a person asks for: without what servers set, in the namespace of `key`."""
    metadata = {name: value for name, value in _mapping(manifest, "metadata").items() if name not in _SET_BY_SERVERS}
    metadata["name"] = key.name
    if key.namespace:
        metadata["namespace"] = key.namespace
    annotations = {name: text for name, text in _mapping(metadata, "annotations").items() if name not in _WRITTEN_ANEW}
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    kept = {name: value for name, value in manifest.items() if name not in ("status", "metadata")}
    kept = _without_string_data(kept) if key.kind_id == "Secret" else kept
    return {**kept, "apiVersion": api_version(key, version), "kind": key.kind, "metadata": metadata}


def anew(manifest: Object) -> Object:
    """What was read off a live object, so that it can be made once more: a Job's selector names the uid that it had."""
    spec = _mapping(manifest, "spec")
    if kind_of(manifest) != "batch/Job" or spec.get("manualSelector") is True:
        return manifest
    template = _mapping(spec, "template")
    metadata = _mapping(template, "metadata")
    labels = {name: text for name, text in _mapping(metadata, "labels").items() if name not in _JOBS_UID}
    kept = {name: value for name, value in spec.items() if name != "selector"}
    return {**manifest, "spec": {**kept, "template": {**template, "metadata": {**metadata, "labels": labels}}}}


def marked(manifest: Object, operation_id: str) -> Object:
    """The same, carrying the operation's id."""
    metadata = manifest["metadata"]
    annotations = {**_mapping(metadata, "annotations"), MARKER: operation_id}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def guarded(manifest: Object, live: Object | None) -> Object:
    """The same, conditional on what was seen: refused with 409 when the object has changed, gone or come meanwhile."""
    guard = {"resourceVersion": ABSENT_VERSION}
    if live is not None:
        guard = {"uid": uid_of(live), "resourceVersion": version_of(live)}
    return {**manifest, "metadata": {**manifest["metadata"], **guard}}


def same(left: Object, right: Object) -> bool:
    """Equal in all that a person could mean; our own annotations and the servers' bookkeeping do not count."""
    return _essence(left) == _essence(right)


def annotations_of(live: Object) -> Mapping[str, str]:
    """Its metadata.annotations."""
    return _mapping(_mapping(live, "metadata"), "annotations")


def marker_of(live: Object) -> str:
    """The operation that wrote this last."""
    return str(annotations_of(live).get(MARKER) or "")


def uid_of(live: Object) -> str:
    """Its metadata.uid."""
    return str(_mapping(live, "metadata").get("uid") or "")


def version_of(live: Object) -> str:
    """Its metadata.resourceVersion."""
    return str(_mapping(live, "metadata").get("resourceVersion") or "")


def is_terminating(live: Object) -> bool:
    """Its deletion was asked for; finalizers or a grace period hold it."""
    return bool(_mapping(live, "metadata").get("deletionTimestamp"))


def finalizers_of(live: Object) -> tuple[str, ...]:
    """What holds its deletion."""
    found = _mapping(live, "metadata").get("finalizers")
    return tuple(str(one) for one in found) if isinstance(found, list) else ()


def owners_of(live: Object) -> list[Mapping[str, Any]]:
    """Whose deletion takes it along."""
    found = _mapping(live, "metadata").get("ownerReferences")
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _manifest_misfit(operation: Operation, key: ResourceKey) -> str:
    manifest = operation.manifest
    if manifest is None:
        return f"{operation.action} without a manifest"
    metadata = _mapping(manifest, "metadata")
    expected = api_version(key, operation.version)
    if manifest.get("apiVersion") != expected or manifest.get("kind") != key.kind:
        return f"the manifest is a {manifest.get('apiVersion')} {manifest.get('kind')}, not a {expected} {key.kind}"
    if metadata.get("name") != key.name or metadata.get("namespace", key.namespace) != key.namespace:
        return f"the manifest is named {metadata.get('namespace', '')}/{metadata.get('name')}, not as {key}"
    return ""


def _without_string_data(manifest: Object) -> Object:
    """As it is stored: of what was applied as `stringData` the API server forgets who owns it, so no key could go."""
    texts = _mapping(manifest, "stringData")
    if not texts or not all(isinstance(text, str) for text in texts.values()):
        return manifest
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    kept = {name: value for name, value in manifest.items() if name != "stringData"}
    return {**kept, "data": {**_mapping(manifest, "data"), **encoded}}


def _essence(live: Object) -> Object:
    metadata = {name: value for name, value in _mapping(live, "metadata").items() if name not in _INCIDENTAL}
    annotations = {name: text for name, text in _mapping(metadata, "annotations").items() if name not in _OURS}
    return {**live, "metadata": {**metadata, "annotations": annotations}}


def _mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, Mapping) else {}
