"""Does an object keep the rules in CEL of its definition (`x-kubernetes-validations`)? As an API server says. Pure.

before, after ─▶ each place whose schema has rules ─▶ `self` and `oldSelf` as a rule sees them ─▶ what is broken

A rule that reads `oldSelf` judges a change; any other one is asked only of what has changed (an API server lets stay
what was there before the rule). A rule that cannot be told refuses nobody (cel.py); one that reads a field which nobody
says ends with an error, and an API server refuses then.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cheops.forms.cel import holds, missing_key, said
from cheops.forms.schema_fits import DEPTH_MAX, EMBEDDED
from schemas.relations.path import suffix_of
from schemas.untyped import mapping_of, rows_of, texts_of

Schema = Mapping[str, Any]
SORT: Final = "x-kubernetes-list-type"
RULES: Final = "x-kubernetes-validations"
NOTHING: Final = object()
UNTOLD: Final = object()  # times: the library takes none from Python, and so cannot tell a rule about them
TIMES: Final = ("date", "date-time", "datetime", "duration")
KEPT: Final = ("self==oldSelf", "oldSelf==self")  # told without the library
READS_OLD: Final = re.compile(r"\boldSelf\b")
LITERAL: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
WORD: Final = {"type": "string"}
OF_AN_OBJECT: Final[Schema] = {
    "apiVersion": WORD,
    "kind": WORD,
    "metadata": {"type": "object", "properties": {"name": WORD, "generateName": WORD}},
}
RESERVED: Final = re.compile(
    "true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while"
)
ESCAPES: Final = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))


def has_rules(schema: Any, depth: int = 0) -> bool:
    """Whether any place of a schema, or of what holds one, has rules in CEL."""
    if depth > DEPTH_MAX:
        return False
    if isinstance(schema, Mapping):
        return RULES in schema or any(has_rules(one, depth + 1) for one in schema.values())
    return isinstance(schema, list) and any(has_rules(one, depth + 1) for one in schema)


def broken(before: Any, after: Any, schema: Schema, *, final: bool = True) -> Iterator[str]:
    """`path: message` of each rule that an object breaks. `before`: what was there, None when it is made.

    `final`: nobody fills in on the way what it does not say.
    """
    was = NOTHING if before is None else _aligned(before, after, schema, 0)
    return _broken(was, after, schema, "", 0, kept=False, final=final)


def _broken(
    before: Any, after: Any, schema: Schema, path: str, depth: int, *, kept: bool, final: bool
) -> Iterator[str]:
    if depth > DEPTH_MAX or after is None or not schema:
        return
    if before is None:
        before = NOTHING
    if before is not NOTHING:
        kept = bool(before == after)
    for rule in rows_of(schema.get(RULES)):
        yield from _judged(rule, before, after, schema, path, kept=kept, is_whole=not depth, final=final)
    if isinstance(after, list):
        items = mapping_of(schema.get("items"))
        is_map = schema.get(SORT) == "map"
        known = _by_key(before, schema) if is_map else {}  # nobody knows what an item of another list was
        final = final and (is_map or not isinstance(before, list))
        for place, one in enumerate(after):
            was = known.get(_key(one, schema), NOTHING)
            yield from _broken(was, one, items, f"{path}[{place}]", depth + 1, kept=kept, final=final)
    elif isinstance(after, Mapping):
        for name, one in after.items():
            was = before.get(name, NOTHING) if isinstance(before, Mapping) else NOTHING
            here = f"{path}{suffix_of(str(name))}"
            yield from _broken(was, one, _below(schema, name), here, depth + 1, kept=kept, final=final)


def _judged(
    rule: Mapping[str, Any],
    before: Any,
    after: Any,
    schema: Schema,
    path: str,
    *,
    kept: bool,
    is_whole: bool,
    final: bool,
) -> Iterator[str]:
    expression = rule.get("rule")
    if not isinstance(expression, str):
        return
    is_new, has_to_be_told = before is NOTHING, rule.get("optionalOldSelf") is True
    reads_old = READS_OLD.search(LITERAL.sub("", expression)) is not None
    if kept if not reads_old else is_new and not has_to_be_told:
        return
    if "".join(expression.split()) in KEPT and not has_to_be_told:
        if not kept:
            yield _told(rule, expression, path, {})
        return
    given = {"self": seen(after, schema, is_whole=is_whole)}
    asked = expression
    if has_to_be_told:
        given["before"] = [] if is_new else [seen(before, schema, is_whole=is_whole)]
        asked = f"cel.bind(oldSelf, before[?0], ({expression}\n))"
    elif reads_old:
        given["oldSelf"] = seen(before, schema, is_whole=is_whole)
    told = holds(asked, given)
    if told is False:
        yield _told(rule, expression, path, given)
    elif told is None and final and not reads_old and (name := missing_key(asked, given)):
        was = {} if is_new else {"self": seen(before, schema, is_whole=is_whole)}
        if not was or missing_key(asked, was) != name:  # else it got there all the same: somebody fills it in
            yield _told(rule, expression, path, {}, f"no such key: {name} evaluating rule: ")


def _told(rule: Mapping[str, Any], expression: str, path: str, given: Mapping[str, Any], why: str = "") -> str:
    """A message that cannot be put together is left out, as is one of several lines."""
    made = said(str(rule.get("messageExpression")), given) if given and rule.get("messageExpression") else None
    is_good = made is not None and made.strip() and "\n" not in made
    text = (made if is_good else rule.get("message")) or f"failed rule: {' '.join(expression.split())}"
    place = f"{path}{rule.get('fieldPath') or ''}".removeprefix(".") or "."
    return f"{place}: {why}{str(text).strip()}"


def seen(value: Any, schema: Schema, depth: int = 0, *, is_whole: bool = False) -> Any:
    """As a rule sees it: fields that the schema names, under names that CEL can spell, of the types that it says."""
    if depth > DEPTH_MAX:
        return UNTOLD
    if isinstance(value, list):
        items = mapping_of(schema.get("items"))
        return [seen(one, items, depth + 1) for one in value]
    if isinstance(value, Mapping):
        fields = dict(mapping_of(schema.get("properties")))
        if is_whole or schema.get(EMBEDDED) is True:
            fields |= OF_AN_OBJECT
        if not fields:
            free = mapping_of(schema.get("additionalProperties"))
            return {str(name): seen(one, free, depth + 1) for name, one in value.items()}
        return {
            _spelled(name): seen(one, mapping_of(fields[name]), depth + 1)
            for name, one in value.items()
            if name in fields
        }
    return _plain(value, schema.get("type"), schema.get("format"))


def _plain(value: Any, sort: Any, form: Any) -> Any:
    if sort == "string" and form in TIMES:
        return UNTOLD
    try:
        if sort == "number" and isinstance(value, int):
            return float(value)
        if sort == "integer" and isinstance(value, float):
            return int(value)
        if sort == "string" and form == "byte" and isinstance(value, str):
            return base64.b64decode(value)
    except (OverflowError, ValueError):  # what is there need not fit its schema
        return UNTOLD
    return value


def _spelled(name: str) -> str:
    if RESERVED.fullmatch(name):
        return f"__{name}__"
    for one, other in ESCAPES:
        name = name.replace(one, other)
    return name


def _aligned(before: Any, after: Any, schema: Schema, depth: int) -> Any:
    """What was there, its sets and maps in the order of what is now: who compares them looks past the order."""
    if depth > DEPTH_MAX:
        return before
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return {name: _aligned(one, after.get(name), _below(schema, name), depth + 1) for name, one in before.items()}
    known = _by_key(before, schema)
    if not known or not isinstance(after, list):
        return before
    items = mapping_of(schema.get("items"))
    rows = [(known.pop(key), one) for one in after if (key := _key(one, schema)) in known]
    return [*(_aligned(was, one, items, depth + 1) for was, one in rows), *known.values()]


def _below(schema: Schema, name: str) -> Schema:
    fields = mapping_of(schema.get("properties"))
    return mapping_of(fields[name] if name in fields else schema.get("additionalProperties"))


def _by_key(rows: Any, schema: Schema) -> dict[Any, Any]:
    """The items of a list that tells them apart."""
    if not isinstance(rows, list) or schema.get(SORT) not in ("set", "map"):
        return {}
    return {_key(one, schema): one for one in rows}


def _key(item: Any, schema: Schema) -> str:
    if schema.get(SORT) == "map":
        return repr([mapping_of(item).get(one) for one in texts_of(schema.get("x-kubernetes-list-map-keys"))])
    return repr(item)
