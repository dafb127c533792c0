"""Any message → a Hypothesis strategy for it, read off its own annotations: a new field or message is covered at once.

pydantic models and msgspec structs alike. Text is anything that JSON can carry, so it is wilder than real names.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import AwareDatetime, BaseModel

from schemas.codes import CODES
from schemas.intents import Intent
from schemas.policy import FIXED, PolicyRule

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ZONES = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-720, 840)) | st.just(UTC)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2262, 1, 1), timezones=ZONES)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FREE_CODES = sorted({code.number for code in CODES if code.letter in "DWN"} - FIXED)
MANIFESTS = st.dictionaries(TEXT, JSON, max_size=4)
INTENT_NAMES = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), min_size=1, max_size=3)
INTENT_MANIFESTS = st.lists(MANIFESTS, min_size=1, max_size=3)


def messages(kind: type[Any]) -> SearchStrategy[Any]:
    """Valid messages of a kind."""
    return _intents(kind) if issubclass(kind, Intent) else _whole(kind)


@cache
def _whole(kind: type[Any]) -> SearchStrategy[Any]:
    if issubclass(kind, BaseModel):
        fields = {
            (field.alias or name): st.sampled_from(FREE_CODES)
            if (kind, name) == (PolicyRule, "code")
            else _values(field.annotation, field.metadata)
            for name, field in kind.model_fields.items()
        }
        return st.fixed_dictionaries(fields).map(lambda given: kind(**given))
    parts = {field.name: _values(field.type) for field in msgspec.structs.fields(kind)}
    return st.builds(kind, **parts)


@cache
def _intents(kind: type[Intent]) -> SearchStrategy[Intent]:
    """An intent has names or manifests, by its verb; only a part of one has what resolvers add."""
    fields = {name: _values(field.annotation, field.metadata) for name, field in kind.model_fields.items()}
    own = ("schema_", "resources", "manifests", "brings", "marks", "together")
    common = st.fixed_dictionaries({name: strategy for name, strategy in fields.items() if name not in own})
    added = st.fixed_dictionaries(
        {
            "marks": fields["marks"],
            "together": fields["together"],
            "brings": st.lists(MANIFESTS, max_size=2).map(tuple),
        }
    )

    @st.composite
    def intents(draw: st.DrawFn) -> Intent:
        given = dict(draw(common))
        if given["entry"] is not None:
            given |= draw(added)
        given["heal"] = given["heal"] and given["verb"] == "apply" and given["on_failure"] != "undo"
        if given["verb"] in ("delete", "read") or given["heal"]:
            return kind(resources=tuple(draw(INTENT_NAMES)), **given)
        return kind(manifests=tuple(draw(INTENT_MANIFESTS)), **given)

    return intents()


def _values(annotation: Any, metadata: Iterable[Any] = ()) -> SearchStrategy[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _values(arguments[0], [*arguments[1:], *metadata])
    if isinstance(annotation, NewType):
        return _values(annotation.__supertype__, metadata)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.one_of([_values(one) for one in arguments])
    if origin is tuple:
        least = _bounds(metadata).get("min_length", 0)
        return st.lists(_values(arguments[0]), min_size=least, max_size=max(2, least)).map(tuple)
    if origin is list:
        return st.lists(st.tuples(*map(_values, get_args(arguments[0]))), max_size=2)
    if origin is dict:
        return st.dictionaries(_values(arguments[0]), _values(arguments[1]), max_size=2)
    if annotation is AwareDatetime:
        return TIMES
    if annotation is Any:
        return JSON
    if isinstance(annotation, type) and issubclass(annotation, (BaseModel, msgspec.Struct)):
        return messages(annotation)
    return _scalars(annotation, _bounds(metadata))


def _scalars(annotation: Any, bounds: dict[str, Any]) -> SearchStrategy[Any]:
    if annotation is bool:
        return st.booleans()
    if annotation is type(None):
        return st.none()
    if annotation is int:
        return st.integers(bounds.get("ge", -(2**63)), bounds.get("le", 2**63 - 1))
    if annotation is float:
        low = bounds.get("gt")
        return st.floats(low, bounds.get("le"), exclude_min=low is not None, allow_nan=False, allow_infinity=False)
    assert annotation is str, f"no strategy for {annotation!r}"
    if "pattern" in bounds:
        return st.from_regex(bounds["pattern"].rstrip("$") + r"\Z").filter(lambda text: len(text) <= 64)
    return st.text(st.characters(codec="utf-8"), min_size=bounds.get("min_length", 0), max_size=12)


def _bounds(metadata: Iterable[Any]) -> dict[str, Any]:
    """What pydantic's and msgspec's constraints have in common: attributes with these names."""
    names = ("pattern", "min_length", "max_length", "gt", "ge", "lt", "le")
    return {name: getattr(one, name) for one in metadata for name in names if getattr(one, name, None) is not None}
