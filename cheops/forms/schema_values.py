"""What the schema of a custom resource asks of one value: its type, its bounds, its form. Pure; see custom.py."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from schemas.untyped import mapping_of, texts_of

Schema = Mapping[str, Any]
INT_OR_STRING: Final = "x-kubernetes-int-or-string"
# What Go's expressions have and ours read otherwise: such a pattern is not looked at.
FOREIGN: Final = ("[:", r"\p", r"\P", r"\z", r"\Q", r"\C", r"\x{")
UNITS: Final = (
    r"ns|us|µs|μs|ms|s|m|h|d|w|milli|milliseconds?|nanoseconds?|microseconds?"
    r"|sec|seconds?|min|minutes?|hr|hours?|days?|wk|weeks?"
)
BITS: Final = {"int32": 32, "int64": 64}


def value_rules(value: Any, schema: Schema) -> Iterator[str]:
    """The reasons why it does not fit; only the type, when it is of another one."""
    reason = _of_type(value, schema)
    if reason:
        yield reason
        return
    words = schema.get("enum")
    if isinstance(words, list) and not any(_same(value, one) for one in words):
        yield f"{value!r:.60} (expected {', '.join(map(str, words))})"
    if isinstance(value, str):
        yield from _text(value, schema)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema)
    elif isinstance(value, list):
        yield from _bounded(len(value), schema, "Items", "items")
        yield from _twice(value, schema)
    elif isinstance(value, Mapping):
        yield from _bounded(len(value), schema, "Properties", "fields")


def compiled(pattern: Any) -> re.Pattern[str] | None:
    """None for what Go reads otherwise, and for what is none."""
    if not isinstance(pattern, str) or any(one in pattern for one in FOREIGN):
        return None
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _of_type(value: Any, schema: Schema) -> str:
    if schema.get(INT_OR_STRING) is True:
        return "" if isinstance(value, str) or _is_whole(value) else f"{value!r:.60} (expected a number or text)"
    sort = schema.get("type")
    if not isinstance(sort, str) or sort not in _TYPES:
        return ""
    fits, said = _TYPES[sort]
    return "" if fits(value) else f"{value!r:.60} (expected {said})"


def _is_whole(value: Any) -> bool:
    return _is_number(value) and value == int(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(value: Any, other: Any) -> bool:
    return bool(value == other) and isinstance(value, bool) is isinstance(other, bool)


def _text(value: str, schema: Schema) -> Iterator[str]:
    yield from _bounded(len(value), schema, "Length", "characters")
    pattern = compiled(schema.get("pattern"))
    if pattern is not None and pattern.search(value) is None:
        yield f"{value!r:.60} does not match {schema['pattern']}"
    form = _FORMATS.get(str(schema.get("format")).replace("-", ""))
    if form is not None and not form(value):
        yield f"{value!r:.60} is no {schema['format']}"


def _number(value: float, schema: Schema) -> Iterator[str]:
    bits = BITS.get(str(schema.get("format")))
    if bits and not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        yield f"{value} is no {schema['format']}"
    least, most, step = (schema.get(one) for one in ("minimum", "maximum", "multipleOf"))
    if isinstance(least, int | float) and (
        value < least or (value == least and schema.get("exclusiveMinimum") is True)
    ):
        yield f"{value} is less than it may be ({least})"
    if isinstance(most, int | float) and (value > most or (value == most and schema.get("exclusiveMaximum") is True)):
        yield f"{value} is more than it may be ({most})"
    if isinstance(step, int) and step > 0 and value % step:
        yield f"{value} is no multiple of {step}"


def _bounded(count: int, schema: Schema, what: str, said: str) -> Iterator[str]:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if isinstance(least, int) and count < least:
        yield f"fewer than {least} {said}"
    if isinstance(most, int) and count > most:
        yield f"more than {most} {said}"


def _twice(value: Sequence[Any], schema: Schema) -> Iterator[str]:
    """A set has each item once, a map each of its keys."""
    sort = schema.get("x-kubernetes-list-type")
    if sort == "set":
        keys: list[Any] = list(value)
    elif sort == "map":
        names = texts_of(schema.get("x-kubernetes-list-map-keys"))
        keys = [[mapping_of(one).get(name) for name in names] for one in value]
    else:
        return
    twice = next((one for place, one in enumerate(keys) if one in keys[:place]), None)
    if twice is not None:
        yield f"{twice!r:.60} stands twice"


def _is_ip(version: int) -> Callable[[str], bool]:
    def test(value: str) -> bool:
        try:
            return ipaddress.ip_address(value).version == version
        except ValueError:
            return False

    return test


def _is_cidr(value: str) -> bool:
    try:
        return "/" in value and bool(ipaddress.ip_network(value, strict=False))
    except ValueError:
        return False


def _form(pattern: str) -> Callable[[str], bool]:
    whole = re.compile(pattern, re.IGNORECASE | re.ASCII)
    return lambda value: whole.fullmatch(value) is not None


_TYPES: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "object": (lambda value: isinstance(value, Mapping), "a mapping"),
    "array": (lambda value: isinstance(value, list), "a list"),
    "string": (lambda value: isinstance(value, str), "text"),
    "integer": (_is_whole, "a whole number"),
    "number": (_is_number, "a number"),
    "boolean": (lambda value: isinstance(value, bool), "true or false"),
}
_UUID: Final = _form(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {  # those that an API server knows; others say nothing
    "datetime": _form(r"\d{4}-\d\d-\d\d[t ]\d\d:\d\d:\d\d([.,]\d+)?(z|[+-]\d\d:\d\d)"),
    "date": _form(r"\d{4}-\d\d-\d\d"),
    "byte": _form(r"(?:[a-z0-9+/]{4})*(?:[a-z0-9+/]{2}==|[a-z0-9+/]{3}=)?"),
    "duration": _form(rf"[+-]?(\d+(\.\d+)?\s*({UNITS})\s*)+|0"),
    "email": _form(r"(.*<)?[^@\s]+@[^@\s]+>?"),
    "uri": _form(r"([a-z][a-z0-9+.-]*:.*)|(/.*)"),
    "ipv4": _is_ip(4),
    "ipv6": _is_ip(6),
    "cidr": _is_cidr,
    "uuid": _UUID,
    "uuid3": _UUID,
    "uuid4": _UUID,
    "uuid5": _UUID,
}
