"""What a client sent → what the kind's schema makes of it: refused, warned about, or silently trimmed.

Unknown and duplicate fields are an error when the client asks for Strict, else a Warning header (fieldValidation).
"""

from __future__ import annotations

from dataclasses import dataclass

from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.options import WriteOptions
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.schema.decode import WrongTypeError, decode
from cheops.sandbox.apiserver.statuses import Cause, StatusError, bad_request, invalid_patch
from cheops.sandbox.apiserver.store import Object


@dataclass(frozen=True, slots=True)
class Intake:
    """An object in the shape of its kind, and what was wrong with it."""

    content: Object
    causes: tuple[Cause, ...] = ()
    warnings: tuple[str, ...] = ()


def take_in(
    realm: Realm,
    kind: Kind,
    content: Object,
    options: WriteOptions,
    *,
    duplicates: list[str] | None = None,
    patched: bool = False,
) -> Intake:
    """Changes `content` in place. Raises StatusError; `patched` says that it is the result of a patch."""
    try:
        decoded = decode(realm.shape(kind), content, custom=kind.custom)
    except WrongTypeError as error:
        raise invalid_patch(str(error)) if patched else _unhandled(kind, str(error)) from error
    unknown = [f'unknown field "{path}"' for path in decoded.unknown]
    found = [*unknown, *(f'duplicate field "{path}"' for path in duplicates or ())]
    if found and options.validation == "Strict":
        why = f"strict decoding error: {', '.join(found)}"
        raise invalid_patch(why) if patched else _unhandled(kind, why)
    warnings = tuple(found) if options.validation == "Warn" else ()
    return Intake(content, tuple(decoded.causes), warnings)


def check_identity(kind: Kind, content: Object, namespace: str) -> None:
    """Kind, version and namespace, where they are said, are those of the URL."""
    if kind.custom and not content.get("kind"):
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): Object 'Kind' is missing"
        )
    said_kind, said_version = content.get("kind") or kind.kind, content.get("apiVersion") or kind.api_version
    if (said_kind, said_version) != (kind.kind, kind.api_version):
        version = said_version.rpartition("/")[2]
        raise bad_request(
            f'{said_kind} in version "{version}" cannot be handled as a {kind.kind}: '
            f"the request is about {kind.api_version} {kind.kind}, the object is {said_version} {said_kind}"
        )
    said = (content.get("metadata") or {}).get("namespace")
    if said and said != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def _unhandled(kind: Kind, why: str) -> StatusError:
    return bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')
