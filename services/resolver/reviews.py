"""AdmissionReview (admission.k8s.io/v1): what an API server asks, and how it is answered. Pure."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from schemas.identity import ResourceId, kind_id, resource_id
from schemas.ties import OVERRIDE
from schemas.untyped import mapping_of
from services.resolver.placing import HOLDERS

FORBIDDEN: Final = 403
SERVERS_TO_SET: Final = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")


class _Kind(Struct, frozen=True):
    group: str = ""
    version: str = ""
    kind: str = ""


class _Plural(Struct, frozen=True):
    group: str = ""
    resource: str = ""


class _User(Struct, frozen=True):
    username: str = ""


class Request(Struct, frozen=True, rename="camel"):
    """What of an AdmissionRequest (admission.k8s.io/v1) matters here; of a deletion the object is in `old_object`.

    Of a subresource `kind` and `object` are its own (a Scale); whose it is `resource` says.
    """

    uid: str
    kind: _Kind
    operation: str
    resource: _Plural = _Plural()
    name: str = ""
    namespace: str = ""
    sub_resource: str = ""
    object: dict[str, Any] | None = None
    old_object: dict[str, Any] | None = None
    user_info: _User = _User()
    dry_run: bool = False
    options: dict[str, Any] | None = None


class _Review(Struct, frozen=True, rename="camel"):
    api_version: Literal["admission.k8s.io/v1"]
    kind: Literal["AdmissionReview"]
    request: Request


_reviews = msgspec.json.Decoder(_Review)


class BadReviewError(ValueError):
    """Not an AdmissionReview."""


def request_in(payload: bytes) -> Request:
    """Raises BadReviewError."""
    try:
        return _reviews.decode(payload).request
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BadReviewError(f"expected an AdmissionReview of admission.k8s.io/v1: {error}") from error


def leaves_behind(request: Request) -> bool:
    """Whether what it owns stays. What lives in a namespace, or is of a definition, goes whatever is asked for."""
    if kind_id(request.kind.group, request.kind.kind) in HOLDERS:
        return False
    options = mapping_of(request.options)
    return options.get("propagationPolicy") == "Orphan" or options.get("orphanDependents") is True


def is_person(request: Request) -> bool:
    """A controller reads no warnings, and writes each into its log."""
    return not request.user_info.username.startswith("system:serviceaccount:")


def resource_in(request: Request, body: dict[str, Any] | None) -> ResourceId | None:
    """None: it has no name."""
    name = str(metadata_of(body).get("name") or request.name)
    namespace = request.namespace if request.kind.kind != "Namespace" or request.kind.group else ""
    return resource_id(request.kind.group, request.kind.kind, namespace, name) if name else None


def metadata_of(body: dict[str, Any] | None) -> dict[str, Any]:
    """{} where there is none."""
    return dict(mapping_of(mapping_of(body).get("metadata")))


def labels_of(body: dict[str, Any] | None) -> list[str]:
    """The names of those that are true."""
    return [name for name, value in mapping_of(metadata_of(body).get("labels")).items() if value == "true"]


def codes_in(annotation: object) -> list[str]:
    """The codes that an override names."""
    return [word.strip() for word in annotation.split(",")] if isinstance(annotation, str) else []


def overridden_by(body: dict[str, Any] | None) -> list[str]:
    """Those of its annotation."""
    return codes_in(mapping_of(metadata_of(body).get("annotations")).get(OVERRIDE))


def as_declared(body: dict[str, Any]) -> dict[str, Any]:
    """Without what the server has set: a version that it has just raised is nobody's condition."""
    metadata = {key: value for key, value in metadata_of(body).items() if key not in SERVERS_TO_SET}
    return {key: value for key, value in {**body, "metadata": metadata}.items() if key != "status"}


def answered(request: Request, allowed: bool, message: str, warnings: tuple[str, ...]) -> bytes:
    """The review that goes back."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": allowed}
    if warnings:
        response["warnings"] = warnings
    if not allowed:
        response["status"] = {"code": FORBIDDEN, "reason": "Forbidden", "message": message}
    return msgspec.json.encode({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
