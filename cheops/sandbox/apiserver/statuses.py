"""Everything that the API server refuses, as the Status object that a client of the real one would read.

    StatusError(code, reason, message, details) → body → HTTP answer or ERROR event of a watch

Reasons, messages and details are part of the contract: our executor and watcher decide by them and people read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cheops.sandbox.apiserver.kinds import Kind
from services.chassis.errors import CheopsError


@dataclass(frozen=True, slots=True)
class Cause:
    """One wrong field: `reason` is FieldValueInvalid, FieldValueRequired …"""

    field: str
    reason: str
    message: str

    def body(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.message, "field": self.field}


class StatusError(CheopsError):
    """A refusal. `details` as in the API; `retryAfterSeconds` in it becomes the header Retry-After."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details

    def body(self) -> dict[str, Any]:
        status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return {**status, "code": self.code}


def success(kind: Kind, name: str, uid: str) -> dict[str, Any]:
    """The answer to a delete that is done."""
    details = {"name": name, **_group(kind.group), "kind": kind.plural, "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def not_found(kind: Kind, name: str) -> StatusError:
    return StatusError(404, "NotFound", f'{kind.resource} "{name}" not found', _details(kind, name))


def no_such_resource() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: Kind, name: str) -> StatusError:
    return StatusError(409, "AlreadyExists", f'{kind.resource} "{name}" already exists', _details(kind, name))


def conflict(kind: Kind, name: str, why: str) -> StatusError:
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(kind, name))


def already_assigned(kind: Kind, name: str, node: str) -> StatusError:
    return conflict(kind, name, f'pod {name} is already assigned to node "{node}"')


def modified(kind: Kind, name: str) -> StatusError:
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(kind, name, why)


def precondition_failed(kind: Kind, name: str, why: str) -> StatusError:
    """Of a delete; its details name the kind, where others name the resource."""
    label = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    details = {"name": name, **_group(kind.group), "kind": kind.kind}
    return StatusError(409, "Conflict", f'Operation cannot be fulfilled on {label} "{name}": {why}', details)


def apply_conflict(causes: Sequence[Cause]) -> StatusError:
    """Somebody else owns fields that are applied."""
    managers: dict[str, list[str]] = {}
    for cause in causes:
        managers.setdefault(cause.message.removeprefix("conflict with "), []).append(cause.field)
    message = _apply_conflict_message(managers, len(causes))
    return StatusError(409, "Conflict", message, {"causes": [cause.body() for cause in causes]})


def _apply_conflict_message(managers: dict[str, list[str]], count: int) -> str:
    head = f"Apply failed with {count} conflict{'s' if count > 1 else ''}: "
    if len(managers) > 1:
        return head + "conflicts with " + "\nconflicts with ".join(map(_fields_of, managers.items()))
    manager, fields = next(iter(managers.items()))
    if len(fields) == 1:
        return f"{head}conflict with {manager}: {fields[0]}"
    return f"{head}conflicts with {_fields_of((manager, fields))}"


def _fields_of(owned: tuple[str, list[str]]) -> str:
    return f"{owned[0]}:\n" + "\n".join(f"- {field}" for field in owned[1])


def invalid(kind: Kind, name: str, causes: Sequence[Cause]) -> StatusError:
    label = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    return _invalid(label, {**({"name": name} if name else {}), **_group(kind.group), "kind": kind.kind}, name, causes)


def invalid_scale(name: str, cause: Cause) -> StatusError:
    """The subresource speaks of itself and not of its object."""
    return _invalid("Scale.autoscaling", {"name": name, "group": "autoscaling", "kind": "Scale"}, name, [cause])


def invalid_options(options: str, *causes: Cause) -> StatusError:
    """Query parameters that contradict each other."""
    return _invalid(f"{options}.meta.k8s.io", {"group": "meta.k8s.io", "kind": options}, "", causes)


def _invalid(label: str, details: dict[str, Any], name: str, causes: Sequence[Cause]) -> StatusError:
    said = [f"{cause.field}: {cause.message}" for cause in causes]
    what = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    details["causes"] = [cause.body() for cause in causes]
    return StatusError(422, "Invalid", f'{label} "{name}" is invalid: {what}', details)


def invalid_patch(why: str) -> StatusError:
    """A patch whose result is no object of its kind."""
    cause = Cause("patch", "FieldValueInvalid", f"Invalid value: {why}")
    return StatusError(422, "Invalid", f' "" is invalid: {cause.field}: {cause.message}', {"causes": [cause.body()]})


def version_needed(kind: Kind, name: str) -> StatusError:
    """Some kinds may only be updated by who says which version was seen; the details then name the resource."""
    message = "Invalid value: 0: must be specified for an update"
    cause = Cause("metadata.resourceVersion", "FieldValueInvalid", message)
    return _invalid(kind.resource, {"name": name, **_group(kind.group), "kind": kind.plural}, name, [cause])


def rejected_patch() -> StatusError:
    """A JSON patch whose operations do not fit the object."""
    return StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def forbidden(kind: Kind, name: str, why: str, causes: Sequence[Cause] = ()) -> StatusError:
    details = _details(kind, name)
    if causes:
        details["causes"] = [cause.body() for cause in causes]
    return StatusError(403, "Forbidden", f'{kind.resource} "{name}" is forbidden: {why}', details)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> StatusError:
    message = "the server does not allow this method on the requested resource"
    return StatusError(405, "MethodNotAllowed", message, {})


def unsupported_media_type(message: str) -> StatusError:
    return StatusError(415, "UnsupportedMediaType", message)


def too_large_body(limit: int) -> StatusError:
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def expired(message: str) -> StatusError:
    """The history needed for this is no longer kept: list again."""
    return StatusError(410, "Expired", message)


def too_large_version(asked: int, current: int) -> StatusError:
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return StatusError(504, "Timeout", message, details)


def internal(message: str) -> StatusError:
    return StatusError(500, "InternalError", message)


def no_kubelet(subresource: str) -> StatusError:
    """Pods are ready here without containers that run."""
    return StatusError(501, "NotImplemented", f"no container runs in the embedded cluster, so it has no {subresource}")


def _details(kind: Kind, name: str) -> dict[str, Any]:
    return {**({"name": name} if name else {}), **_group(kind.group), "kind": kind.plural}


def _group(group: str) -> dict[str, str]:
    return {"group": group} if group else {}
