"""Is each field of a built-in kind known, and of its type? As an API server reads a manifest, before judging it. Pure.

shapes.json (what Kubernetes 1.36 says of itself, see shaping.py) ─▶ what is wrong, as `path: reason`

A version of a kind that is not served any more is not known here; nor is a status looked at: nobody applies one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.relations.path import suffix_of

Body = Mapping[str, Any]
FILE: Final = Path(__file__).with_name("shapes.json")
STATUS: Final = "status"
ANY_KIND: Final = "v1/ConfigMap"  # whose metadata are what every object has


class _Shapes(msgspec.Struct, frozen=True):
    kinds: dict[str, str]
    shapes: dict[str, dict[str, str]]


@lru_cache(maxsize=1)
def _file() -> _Shapes:
    return msgspec.json.decode(FILE.read_bytes(), type=_Shapes)


def mistyped(body: Body) -> list[str]:
    """`path: reason` for each field that is unknown or of another type; nothing for what is not known here."""
    shapes = _file()
    name = shapes.kinds.get(f"{body.get('apiVersion')}/{body.get('kind')}")
    if name is None:
        return []
    return list(_wrong({field: value for field, value in body.items() if field != STATUS}, name, "", shapes.shapes))


def mistyped_metadata(body: Body) -> list[str]:
    """The same of the metadata of any object."""
    shapes = _file()
    word = shapes.shapes[shapes.kinds[ANY_KIND]]["metadata"]
    return list(_wrong(body.get("metadata"), word, "metadata", shapes.shapes))


def _wrong(value: Any, word: str, path: str, shapes: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    if value is None:
        return
    fields = shapes.get(word)
    if fields is not None or word[0] == "{":
        if not isinstance(value, Mapping):
            yield f"{path}: {value!r:.60} (expected a mapping)"
            return
        for name, inner in value.items():
            below = word[1:] if fields is None else fields.get(name)
            here = f"{path}{suffix_of(str(name))}".removeprefix(".")
            if below is None:
                yield f"{here}: unknown field"
            else:
                yield from _wrong(inner, below, here, shapes)
    elif word[0] == "[":
        if not isinstance(value, list):
            yield f"{path}: {value!r:.60} (expected a list)"
            return
        for place, item in enumerate(value):
            yield from _wrong(item, word[1:], f"{path}[{place}]", shapes)
    elif not (test := _PLAIN[word])[0](value):
        yield f"{path}: {value!r:.60} (expected {test[1]})"


def _is_whole(bits: int) -> Callable[[Any], bool]:
    """A number that fits; kubectl writes 3.0 as 3."""
    most: int = 2 ** (bits - 1)
    return lambda value: _is_number(value) and -most <= value < most and value == int(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# As Go's decoder reads it: line breaks do not count.
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_AMOUNT: Final = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?\s*")


_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


def _is_base64(value: Any) -> bool:
    return isinstance(value, str) and _BASE64.fullmatch(re.sub(r"[\r\n]", "", value)) is not None


def _is_amount(value: Any) -> bool:
    return _is_number(value) or (isinstance(value, str) and _AMOUNT.fullmatch(value) is not None)


_PLAIN: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "text": (lambda value: isinstance(value, str), "text"),
    "whole": (_is_whole(32), "a whole number"),
    "long": (_is_whole(64), "a whole number"),
    "number": (_is_number, "a number"),
    "yes-no": (lambda value: isinstance(value, bool), "true or false"),
    "bytes": (_is_base64, "base64"),
    "time": (lambda value: isinstance(value, str) and _TIME.fullmatch(value) is not None, "a time, as RFC 3339 has it"),
    "amount": (_is_amount, "an amount, as 500m or 1Gi"),
    "port": (lambda value: isinstance(value, str) or _is_whole(32)(value), "a number or text"),
    "any": (lambda value: True, ""),
}
