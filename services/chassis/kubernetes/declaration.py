"""What was declared of a replica, a part or a copy stands on the object itself, and so outlives every stream. Pure.

    a dry run's answer ──▶ the fields that we apply, as the server says them ──▶ annotation `cheops.io/declaration`
    live object ──▶ the same fields as they are now ──▶ what differs, by path; or the manifest to heal it with

Only declared fields are compared, so defaults, statuses and what controllers write are no drift, and neither are
replicas that an autoscaler sets where the manifest left them open. The values of a Secret are sealed for the site's own
executor; whether one was changed is read off its owner: who writes another value takes the field over.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from schemas.ties import DECLARATION, SHARED_TO, WORDS_IN, is_tied_body, with_words
from services.chassis.errors import PermanentError
from services.chassis.kubernetes.fields import MISSING, Difference, applied_by, differing, pick
from services.chassis.kubernetes.sealing import FIELDS, is_secret

Object = dict[str, Any]
MANAGER: Final = "cheops"
MARKER: Final = "cheops.io/operation"
PREFIX: Final = "v1:"
PACKED_LEN_MAX: Final = 96 * 1024  # an object's annotations may be 256 KiB together
JSON_BYTES_MAX: Final = 4 * 1024 * 1024
NAMED_MAX: Final = 8
_OTHERS: Final = (MARKER, DECLARATION, SHARED_TO)  # of each write, of itself, of another manager


class DeclarationError(PermanentError):
    """Somebody has written over what was declared."""


def with_declaration(wanted: Object, answer: Object | None, seal: Callable[[Object], Object]) -> Object:
    """What is to be written, carrying what is declared by it; anything that is tied to no other site as it is.

    answer   of the dry run, which says the values as they will be; None when it could not say
    """
    if answer is None or not is_tied_body(wanted):
        return wanted
    fields = _of_people(applied_by(answer, MANAGER))
    if not fields:
        return wanted
    values = {**pick(answer, fields), "apiVersion": answer.get("apiVersion"), "kind": answer.get("kind")}
    values["metadata"] = {**(values.get("metadata") or {}), **_names(answer)}
    return _carrying(wanted, fields, seal(values))


def with_other_words(wanted: Object, live: Mapping[str, Any]) -> Object | None:
    """What is to be written of an object that keeps all that was declared of it, drifted or not, but for our words.

    None when the live object does not say what that was.
    """
    try:
        found = _unpacked(live)
    except DeclarationError:
        return None
    if found is None or not is_tied_body(wanted):
        return None
    fields, values = copy.deepcopy(found)
    for where, names in WORDS_IN.items():
        now = wanted["metadata"].get(where) or {}
        for name in (one for one in names if one not in _OTHERS):
            owned = fields.setdefault("f:metadata", {}).setdefault(f"f:{where}", {})
            said = values.setdefault("metadata", {}).setdefault(where, {})
            for table, key, one in ((owned, f"f:{name}", {}), (said, name, now.get(name))):
                table.pop(key, None)
                table.update({key: one} if name in now else {})
    return _carrying(wanted, fields, values)


def _carrying(wanted: Object, fields: Object, values: Object) -> Object:
    text = json.dumps([fields, values], separators=(",", ":"), sort_keys=True).encode()
    packed = f"{PREFIX}{base64.b64encode(zlib.compress(text)).decode()}"
    if len(text) > JSON_BYTES_MAX or len(packed) > PACKED_LEN_MAX:
        return wanted  # nothing is known of it later: neither that it drifts nor how to heal it
    metadata = wanted["metadata"]
    annotations = {**(metadata.get("annotations") or {}), DECLARATION: packed}
    return {**wanted, "metadata": {**metadata, "annotations": annotations}}


def declared_manifest(live: Mapping[str, Any]) -> Object | None:
    """What was declared of an object, values of a Secret sealed; None when it does not say. Raises DeclarationError."""
    found = _unpacked(live)
    if found is None:
        return None
    return found[1]


def to_heal_with(live: Mapping[str, Any]) -> Object | None:
    """What was declared of an object, and to whom it is shared; of an original that declares nothing, all of it.

    None when there is nothing, or when values of a Secret were not kept. Raises DeclarationError.
    """
    shared = ((live.get("metadata") or {}).get("annotations") or {}).get(SHARED_TO)
    declared = declared_manifest(live)
    if declared is None:
        return {**live} if shared else None
    values = declared.get("data") if is_secret(declared) else None
    if isinstance(values, Mapping) and None in values.values():
        return None
    return with_words(declared, annotations={SHARED_TO: str(shared)}) if shared else declared


def drift_of(live: Mapping[str, Any]) -> str:
    """What differs from what was declared, in words without any text value; "" when nothing does, or none was kept."""
    try:
        found = _unpacked(live)
    except DeclarationError as error:
        return str(error)
    if found is None or found[1].get("apiVersion") != live.get("apiVersion"):
        return ""  # another version says the same in other fields
    said = [_said(one) for one in _differences(live, *found)]
    more = f"; and {len(said) - NAMED_MAX} more" if len(said) > NAMED_MAX else ""
    return "; ".join(said[:NAMED_MAX]) + more


def _differences(live: Mapping[str, Any], fields: Object, values: Object) -> Iterator[Difference]:
    sealed = {f"f:{name}" for name in FIELDS} if is_secret(live) else set()
    yield from differing({name: one for name, one in fields.items() if name not in sealed}, values, live)
    ours = applied_by(live, MANAGER)
    for field in sorted(sealed & fields.keys()):
        there = live.get(field[2:])
        for name in (one for one in fields[field] if one != "."):
            if not isinstance(there, Mapping) or name[2:] not in there:
                yield Difference(f"{field[2:]}.{name[2:]}", None, MISSING)
            elif name not in (ours.get(field) or {}):
                yield Difference(f"{field[2:]}.{name[2:]}", "", None)


def _said(one: Difference) -> str:
    """Numbers are said; texts may hold what must not be read on the way."""
    if one.now is MISSING:
        return f"{one.path} is gone"
    if isinstance(one.before, int | float) and isinstance(one.now, int | float):
        return f"{one.path} is {json.dumps(one.now)} (declared {json.dumps(one.before)})"
    return f"{one.path} differs"


def _of_people(fields: Mapping[str, Any]) -> Object:
    """Without the words that change with every write."""
    metadata = fields.get("f:metadata") or {}
    annotations = metadata.get("f:annotations") or {}
    kept = {name: one for name, one in annotations.items() if name.removeprefix("f:") not in _OTHERS}
    rest = {name: one for name, one in metadata.items() if name != "f:annotations"}
    if kept.keys() - {"."}:
        rest["f:annotations"] = kept
    found = {name: one for name, one in fields.items() if name not in ("f:metadata", "f:status")}
    return {**found, "f:metadata": rest} if rest else found


def _names(live: Mapping[str, Any]) -> Object:
    metadata = live.get("metadata") or {}
    return {name: metadata[name] for name in ("name", "namespace") if metadata.get(name)}


def _is_of(values: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether it was declared of this object: a Deployment's annotations are copied to its replica sets."""
    return values.get("kind") == live.get("kind") and _names(values) == _names(live)


def _unpacked(live: Mapping[str, Any]) -> tuple[Object, Object] | None:
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(DECLARATION)
    if not text:
        return None
    try:
        inflater = zlib.decompressobj()
        raw = inflater.decompress(base64.b64decode(str(text).removeprefix(PREFIX), validate=True), JSON_BYTES_MAX)
        fields, values = json.loads(raw)
    except (binascii.Error, zlib.error, ValueError, TypeError, RecursionError) as error:
        raise DeclarationError(f"metadata.annotations['{DECLARATION}'] cannot be read") from error
    if inflater.unconsumed_tail or not isinstance(fields, dict) or not isinstance(values, dict):
        raise DeclarationError(f"metadata.annotations['{DECLARATION}'] cannot be read")
    return (fields, values) if _is_of(values, live) else None
