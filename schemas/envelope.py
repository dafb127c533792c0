"""What every message shares: its version, its headers, its bounds. Pure.

Bodies are JSON; metadata travels as CloudEvents headers in binary mode, so that a generic client can route and
trace without parsing. A message of an unknown major version is refused with a sentence, never skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from schemas.identity import SITE_NAME_PATTERN

MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024  # headers come on top: a server's max_payload is 64 KiB more
_SCHEMA = re.compile(r"^([a-z]+)/v([0-9]+)$")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context
_OURS: Final = "Value error, "  # pydantic's words before a ValueError of ours, which names its field itself
STEP_LEN_MAX: Final = 80  # of a field's name in an error message
STEPS_MAX: Final = 12  # of a field's path in an error message
Key = TypeVar("Key", bound=str)
Value = TypeVar("Value")


def in_key_order(table: dict[Key, Value]) -> dict[Key, Value]:
    """For tables in messages: the same table gives the same bytes, in whatever order it was filled."""
    return dict(sorted(table.items()))


IN_KEY_ORDER: Final = AfterValidator(in_key_order)


class MessageError(ValueError):
    """A body that is not the message it should be; `str()` names the field and what was expected."""


class UnknownVersionError(MessageError):
    """A major version that this program does not speak."""


class Message(BaseModel):
    """A frozen message. Unknown fields are tolerated (a newer minor version may add some).

    `1e999` is no number: it would be infinite, and who says that on could not be understood.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, serialize_by_alias=True, allow_inf_nan=False
    )
    bytes_max: ClassVar[int] = MESSAGE_BYTES_MAX

    def to_json(self) -> bytes:
        """Canonical bytes: the same message always gives the same bytes (verdicts are replayed against this)."""
        return self.model_dump_json(by_alias=True).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        """Bytes → message; raises MessageError (UnknownVersionError for another major version)."""
        if len(payload) > cls.bytes_max:
            raise MessageError(f"message of {len(payload)} bytes (expected at most {cls.bytes_max})")
        try:
            return cls.model_validate_json(payload)
        except ValidationError as error:
            check_version(payload, cls.schema_name())
            raise MessageError(describe(error)) from error

    @classmethod
    def schema_name(cls) -> str:
        """`intent/v1` and so on: the constant of the model's `schema` field."""
        return str(cls.model_fields["schema_"].default)


class StrictMessage(Message):
    """A message that people write by hand: unknown fields are refused, a typo must not change a meaning."""

    model_config = ConfigDict(extra="forbid")


def check_version(payload: bytes, expected: str) -> None:
    """Raise UnknownVersionError when the body names another schema than `expected`."""
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        return
    found = body.get("schema") if isinstance(body, dict) else None
    if found != expected and isinstance(found, str):
        known = _SCHEMA.match(found)
        what = (
            "unknown version"
            if known and known.group(1) == expected.split("/", maxsplit=1)[0]
            else "unexpected message"
        )
        raise UnknownVersionError(f"{what} {found[:40]!r} (expected {expected!r})")


def describe(error: ValidationError, limit: int = 3) -> str:
    """pydantic's errors as one line, `field: what was expected`; values are not repeated, they may be secret."""
    rows = error.errors(include_url=False, include_input=False, include_context=False)
    parts = [_finding(row["loc"], row["msg"]) for row in rows[:limit]]
    more = f" (and {len(rows) - limit} more)" if len(rows) > limit else ""
    return "; ".join(parts) + more


def field_path(steps: Iterable[int | str]) -> str:
    """`manifests.0.spec`; a stranger may have chosen the names: bounded, and harmless on a terminal and in a log."""
    shown = [_shown(str(step)) for step in steps]
    return ".".join(shown if len(shown) <= STEPS_MAX else [*shown[: STEPS_MAX // 2], "…", *shown[-STEPS_MAX // 2 :]])


def _shown(step: str) -> str:
    cut = step if len(step) <= STEP_LEN_MAX else f"{step[:STEP_LEN_MAX]}…"
    return "".join(char if char.isprintable() else "?" for char in cut)


_PLAIN_WORDS: Final = {  # pydantic's words → what a person who wrote the field has to know
    "Field required": "missing",
    "Extra inputs are not permitted": "unknown field",
    "Input should be a valid string": "expected text",
    "Input should be a valid list": "expected a list",
    "Input should be a valid dictionary": "expected a mapping",
    "Input should be a valid tuple": "expected a list",
    "Input should be a valid integer, unable to parse string as an integer": "expected a whole number",
    "Input should be a valid number, unable to parse string as a number": "expected a number",
    f"String should match pattern '{SITE_NAME_PATTERN}'": "expected a DNS label: a-z, 0-9 and '-', at most 63",
}


def in_plain_words(what: str) -> str:
    """What pydantic says of a field."""
    return _PLAIN_WORDS.get(what, what.removeprefix(_OURS))


def _finding(steps: Sequence[int | str], what: str) -> str:
    said = in_plain_words(what)
    if not steps:
        return said if what.startswith(_OURS) else f"message: {what}"
    return f"{field_path(steps)}: {said}"


def headers(kind: str, source: str, message_id: str, traceparent: str = "") -> dict[str, str]:
    """CloudEvents headers (binary mode) for a message `io.cheops.<kind>.v1`."""
    made = {
        "ce-specversion": "1.0",
        "ce-type": f"io.cheops.{kind}.v1",
        "ce-source": source,
        "ce-id": message_id,
        "content-type": "application/json",
    }
    if _TRACEPARENT.fullmatch(traceparent):  # a stranger wrote it: what is none does not travel on
        made["traceparent"] = traceparent
    return made
