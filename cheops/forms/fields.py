"""What every API server refuses of a manifest because of what it says, whatever is at the site. Pure.

types (types.py) ─▶ fields.yaml (data), compiled per kind ─▶ two fields together (crossing.py) ─▶ `path: reason`

Online the dry run says it. A field that is left out is never wrong here (`cheops check` judges what manifests say).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from cheops.forms.crossing import CROSSING
from cheops.forms.types import mistyped
from schemas.documents import parse_value
from schemas.identity import kind_id
from schemas.relations.path import Step, steps_of, suffix_of
from services.resolver.judge.demand import thousandths

Body = Mapping[str, Any]
Test = Callable[[Any, Any], str]
EVERY: Final = "*"
FILE: Final = Path(__file__).with_suffix(".yaml")
PORT_MAX: Final = 65_535
MACROS: Final = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
SCHEDULE_FIELDS: Final = 5
_LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_WORD: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_QUALIFIED: Final = rf"({_SUBDOMAIN}/)?{_WORD}"


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

    def take(self, rows: Iterable[Mapping[str, Any]], fragments: Mapping[str, Any]) -> None:
        """The rows of a kind or of a fragment."""
        for row in rows:
            place = self.at(row["at"])
            if "use" in row:
                place.take(fragments[row["use"]], fragments)
            else:
                place.checks += [(_TESTS[name], said) for name, said in row.items() if name != "at"]


def wrong_with(body: Body) -> list[str]:
    """`path: reason` for each mistake; nothing for kinds that are not built in."""
    api_version, kind = str(body.get("apiVersion")), str(body.get("kind"))
    group = api_version.rpartition("/")[0]
    if "." in group and not group.endswith(".k8s.io"):
        return []
    if unread := mistyped(body):
        return unread
    name = str(kind_id(group, kind))
    found = dict.fromkeys(_wrong(body, _places(name), ""))
    return [*found, *(reason for rule in CROSSING.get(name, ()) for reason in rule(body))]


@cache
def _places(kind: str) -> _Place:
    data, root = _data(), _Place()
    root.take([*data["kinds"][EVERY], *data["kinds"].get(kind, ())], data["fragments"])
    return root


@lru_cache(maxsize=1)
def _data() -> Mapping[str, Any]:
    found: Mapping[str, Any] = parse_value(FILE.read_bytes(), FILE.name)
    return found


def _wrong(value: Any, place: _Place, path: str) -> Iterator[str]:
    for test, said in place.checks:
        reason = test(value, said)
        if reason:
            yield f"{path.removeprefix('.')}: {reason}"
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


def _among(value: Any, words: Sequence[Any]) -> str:
    known = [str(one) for one in words if one is not None]
    return "" if value in known else f"{value!r:.60} (expected {', '.join(filter(None, known))})"


def _least(value: Any, bound: int) -> str:
    return f"{value} is less than {bound}" if isinstance(value, int) and value < bound else ""


def _most(value: Any, bound: int) -> str:
    return f"{value} is more than {bound}" if isinstance(value, int) and value > bound else ""


def _longest(value: Any, bound: int) -> str:
    return f"longer than {bound} characters" if len(str(value)) > bound else ""


def _filled(value: Any, wanted: bool) -> str:
    return "empty" if wanted and value in ([], "", {}) else ""


def _unique(value: Any, field: str) -> str:
    said = (
        [one[field] for one in value if isinstance(one, Mapping) and one.get(field)] if isinstance(value, list) else []
    )
    twice = next((one for one in said if said.count(one) > 1), None)
    return "" if twice is None else f"{field} {twice!r} stands twice"


def _at_most_one(value: Any, fields: Sequence[str]) -> str:
    said = [one for one in fields if isinstance(value, Mapping) and value.get(one) is not None]
    return f"{' and '.join(said)} exclude each other" if len(said) > 1 else ""


def _keys(value: Any, form: str) -> str:
    wrong = (
        next((str(one) for one in value if FORMS[form](str(one)) is False), None)
        if isinstance(value, Mapping)
        else None
    )
    return "" if wrong is None else f"{wrong!r:.80} cannot be a key"


def _form(value: Any, name: str) -> str:
    return "" if FORMS[name](value) else f"{value!r:.80} is no {name.replace('-', ' ')}"


_TESTS: Final[Mapping[str, Test]] = {
    "among": _among,
    "least": _least,
    "most": _most,
    "longest": _longest,
    "filled": _filled,
    "unique": _unique,
    "at_most_one": _at_most_one,
    "keys": _keys,
    "form": _form,
}


def _matches(pattern: str, longest: int = 10_000) -> Callable[[Any], bool]:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and len(value) <= longest and compiled.fullmatch(value) is not None


def _is_port_name(value: Any) -> bool:
    fits = _matches(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", 15)(value)
    return fits and re.search("[a-z]", value) is not None and "--" not in value


def _is_port(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return 1 <= value <= PORT_MAX
    return _is_port_name(value)


def _is_within(value: Any) -> bool:
    return isinstance(value, str) and not value.startswith("/") and ".." not in value.split("/")


def _is_cidr(value: Any) -> bool:
    try:
        return "/" in str(value) and bool(ipaddress.ip_network(str(value), strict=False))
    except ValueError:
        return False


def _is_schedule(value: Any) -> bool:
    words = str(value).split()
    if words[:1] and words[0].startswith("@"):
        return words[0] in MACROS or (words[0] == "@every" and len(words) > 1)
    return len(words) == SCHEDULE_FIELDS and all(re.fullmatch(r"[-0-9A-Za-z*/,?]+", one) for one in words)


FORMS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "label": _matches(_LABEL),
    "service-name": _matches(_LABEL),
    "label-value": _matches(rf"({_WORD})?"),
    "qualified": lambda value: _matches(_QUALIFIED)(str(value).lower() if "/" in str(value) else str(value)),
    "finalizer": lambda value: value in ("orphan", "foregroundDeletion", "kubernetes") or _matches(r".+/.+")(value),
    "config-key": _matches(r"[-._a-zA-Z0-9]+", 253),
    "variable": _matches(r"[ -<>-~]+"),
    "port-name": _is_port_name,
    "port": _is_port,
    "path-within": _is_within,
    "quantity": lambda value: thousandths(value) is not None,
    "amount": lambda value: (thousandths(value) or 0) > 0,
    "amount-or-none": lambda value: (found := thousandths(value)) is not None and found >= 0,
    "cidr": _is_cidr,
    "https": lambda value: str(value).startswith("https://"),
    "schedule": _is_schedule,
}
