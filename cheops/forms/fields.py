"""What every API server refuses of a manifest because of what it says, whatever is at the site. Pure.

types (types.py) ─▶ rules/*.yaml (data), compiled per kind ─▶ two fields together (crossing.py) ─▶ `path: reason`

Online the dry run says it. Of what is at a site a field that is left out is never wrong (a sketch says what it says),
except in what is small and can only be whole; what is to be made has to be `whole`. A row of the data says of a place
(`at`), once per item where a path says [*]:

    among       the words that are known (or nothing); strictly: the same, and not empty
    form        a name of FORMS; keys: that of the keys of a mapping
    least most  bounds of a number; longest: of a text; most_items: of a list
    filled      it is not empty; unset: it is not there; alone: a word that stands in no list with others
    unique      items of a list do not share this field; distinct: no item stands twice
    needs       these fields are there; one_of: exactly one of them is; at_most_one
    required    these fields are there, in what is whole; any_of: one of them is, at least
    operands    an expression has as many values as its operator takes
    use         the rows of a fragment
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from cheops.forms.crossing import CROSSING, EVERY_OBJECT, WHOLE
from cheops.forms.types import mistyped, mistyped_metadata
from cheops.forms.words import FORMS
from schemas.documents import parse_value
from schemas.identity import kind_id
from schemas.relations.path import Step, steps_of, suffix_of

Body = Mapping[str, Any]
Test = Callable[[Any, Any], str]
EVERY: Final = "*"
OF_WHAT_IS_WHOLE: Final = frozenset(("required", "any_of"))
SHOWN_MAX: Final = 4
WHOLE_MANIFEST: Final = "the manifest"
RULES: Final = Path(__file__).parent / "rules"


class _Place:
    """A place in objects of a kind: what is checked there, and the places below. One walk meets all of them."""

    __slots__ = ("below", "checks")

    def __init__(self) -> None:
        self.below: dict[Step, _Place] = {}
        self.checks: list[tuple[Test, Any]] = []

    def at(self, path: str) -> _Place:
        """A place below; made when there is none."""
        place = self
        for step in steps_of(path):
            place = place.below.setdefault(step, _Place())
        return place

    def take(self, rows: Iterable[Mapping[str, Any]], fragments: Mapping[str, Any], *, whole: bool) -> None:
        """The rows of a kind or of a fragment; those of what is left out only for what is `whole`."""
        for row in rows:
            if "use" in row:
                self.at(row["at"]).take(fragments[row["use"]], fragments, whole=whole)
            elif whole or not OF_WHAT_IS_WHOLE & row.keys():
                self.at(row["at"]).checks += [(_TESTS[name], said) for name, said in row.items() if name != "at"]


def wrong_with(body: Body, *, whole: bool = False) -> list[str]:
    """`path: reason` for each mistake; of kinds that are not built in, only in what every object has.

    `whole`: nothing may be left open.
    """
    group = str(body.get("apiVersion")).rpartition("/")[0]
    if "." in group and not group.endswith(".k8s.io"):
        return wrong_with_metadata(body)
    if unread := mistyped(body):
        return unread
    name = str(kind_id(group, str(body.get("kind"))))
    found = dict.fromkeys(_wrong(body, _places(name, whole=whole), ""))
    crossing = (*EVERY_OBJECT, *CROSSING.get(name, ()), *(WHOLE.get(name, ()) if whole else ()))
    return [*found, *(reason for rule in crossing for reason in rule(body))]


def wrong_with_metadata(body: Body, *, named: bool = False) -> list[str]:
    """The same of what every object has; `named`: its name is known to be one of a definition's objects."""
    if unread := mistyped_metadata(body):
        return unread
    place = _Place()
    place.take(rules()["kinds"][EVERY], rules()["fragments"], whole=False)
    if named:
        place.take([{"at": "metadata.name", "form": "subdomain"}], {}, whole=False)
    return [*dict.fromkeys(_wrong(body, place, "")), *(reason for rule in EVERY_OBJECT for reason in rule(body))]


@cache
def _places(kind: str, *, whole: bool) -> _Place:
    data, root = rules(), _Place()
    names, loose = data["names"].get(kind, "subdomain"), kind in data["loose"]
    root.take(
        [
            {"at": "metadata.name", "form": names},
            {"at": "metadata.finalizers[*]", "filled": True, "form": "loose-finalizer" if loose else "finalizer"},
            *data["kinds"][EVERY],
            *data["kinds"].get(kind, ()),
        ],
        data["fragments"],
        whole=whole,
    )
    return root


@lru_cache(maxsize=1)
def rules() -> Mapping[str, Mapping[str, Any]]:
    """All files of data as one."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(RULES.glob("*.yaml")):
        for part, rows in parse_value(file.read_bytes(), file.name).items():
            found.setdefault(part, {}).update(dict.fromkeys(rows, True) if isinstance(rows, list) else rows)
    return found


def _wrong(value: Any, place: _Place, path: str) -> Iterator[str]:
    for test, said in place.checks:
        reason = test(value, said)
        if reason:
            yield f"{path.removeprefix('.') or WHOLE_MANIFEST}: {reason}"
            break
    for step, below in place.below.items():
        if step is not None:
            inner = value.get(step) if isinstance(value, Mapping) else None
            if inner is not None:
                yield from _wrong(inner, below, path + suffix_of(step))
        elif isinstance(value, list):
            for at, item in enumerate(value):
                yield from _wrong(item, below, f"{path}[{at}]") if item is not None else ()
        elif isinstance(value, Mapping):
            for name, item in value.items():
                yield from _wrong(item, below, path + suffix_of(str(name))) if item is not None else ()


# ── tests of one value: the reason, or nothing ─────────────────────────────────────────────────────────────────────
# Who leaves a text empty, leaves it out: only `filled`, `strictly` and `needs` mind.


def _among(value: Any, words: Sequence[Any]) -> str:
    return "" if value == "" else _strictly(value, words)


def _strictly(value: Any, words: Sequence[Any]) -> str:
    return "" if value in words else f"{value!r:.60} (expected {', '.join(map(str, words))})"


def _least(value: Any, bound: int) -> str:
    return f"{value} is less than {bound}" if isinstance(value, int) and value < bound else ""


def _most(value: Any, bound: int) -> str:
    return f"{value} is more than {bound}" if isinstance(value, int) and value > bound else ""


def _most_items(value: Any, bound: int) -> str:
    return f"more than {bound}" if isinstance(value, list) and len(value) > bound else ""


def _longest(value: Any, bound: int) -> str:
    return f"longer than {bound} characters" if len(str(value)) > bound else ""


def _filled(value: Any, wanted: bool) -> str:
    return "empty" if wanted and value in ([], "", {}) else ""


def _unset(value: Any, wanted: bool) -> str:
    return "cannot be set here" if wanted and value not in ([], "", {}) else ""


def _alone(value: Any, word: str) -> str:
    return f"{word} stands alone" if isinstance(value, list) and word in value and len(value) > 1 else ""


def _unique(value: Any, field: str) -> str:
    said = (
        [one[field] for one in value if isinstance(one, Mapping) and one.get(field)] if isinstance(value, list) else []
    )
    twice = next((one for one in said if said.count(one) > 1), None)
    return "" if twice is None else f"{field} {twice!r} stands twice"


def _distinct(value: Any, wanted: bool) -> str:
    twice = next((one for one in value if value.count(one) > 1), None) if wanted and isinstance(value, list) else None
    return "" if twice is None else f"{twice!r} stands twice"


def _needs(value: Any, fields: Sequence[str]) -> str:
    missing = [one for one in fields if isinstance(value, Mapping) and value.get(one) in (None, "", [])]
    return f"{missing[0]} is missing" if missing else ""


def _one_of(value: Any, fields: Sequence[str]) -> str:
    if isinstance(value, Mapping) and not any(value.get(one) is not None for one in fields):
        return f"one of {', '.join(fields)} is missing"
    return _at_most_one(value, fields)


def _any_of(value: Any, fields: Sequence[str]) -> str:
    if not isinstance(value, Mapping) or any(value.get(one) not in (None, "", [], 0) for one in fields):
        return ""
    return f"{' or '.join(fields if len(fields) < SHOWN_MAX else [*fields[:SHOWN_MAX], '…'])} is missing"


def _operands(value: Any, wanted: bool) -> str:
    """Of a selector's expression: as many values as its operator takes."""
    if not wanted or not isinstance(value, Mapping):
        return ""
    values, operator = value.get("values"), value.get("operator")
    count = len(values) if isinstance(values, list) else 0
    if operator in ("Exists", "DoesNotExist") and count:
        return f"{operator} takes no values"
    if operator in ("In", "NotIn") and not count:
        return f"{operator} takes values"
    return f"{operator} takes one value" if operator in ("Gt", "Lt") and count != 1 else ""


def _at_most_one(value: Any, fields: Sequence[str]) -> str:
    said = [one for one in fields if isinstance(value, Mapping) and value.get(one) not in (None, "", 0, [])]
    return f"{' and '.join(said)} exclude each other" if len(said) > 1 else ""


def _keys(value: Any, form: str) -> str:
    wrong = next((str(one) for one in value if not FORMS[form](str(one))), None) if isinstance(value, Mapping) else None
    return "" if wrong is None else f"{wrong!r:.80} cannot be a key"


def _form(value: Any, name: str) -> str:
    return "" if value == "" or FORMS[name](value) else f"{value!r:.80} is no {name.replace('-', ' ')}"


_TESTS: Final[Mapping[str, Test]] = {
    "among": _among,
    "strictly": _strictly,
    "least": _least,
    "most": _most,
    "most_items": _most_items,
    "longest": _longest,
    "filled": _filled,
    "unset": _unset,
    "alone": _alone,
    "unique": _unique,
    "distinct": _distinct,
    "needs": _needs,
    "required": _needs,
    "any_of": _any_of,
    "one_of": _one_of,
    "at_most_one": _at_most_one,
    "operands": _operands,
    "keys": _keys,
    "form": _form,
}
