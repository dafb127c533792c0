"""Text or JSON → tree, or an error that shows the place and says what was expected there. Pure.

text ── grammar.lark (LALR) ──▶ tokens ── building.py ──▶ tree. What comes in may be hostile: its length and the depth
of its parentheses are bounded before anything else looks at it, and neither the parser nor the lexer backtracks.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Final

from lark import Lark, UnexpectedInput, UnexpectedToken

from schemas.identity import SiteName
from schemas.scope.building import Builder, covered
from schemas.scope.errors import ScopeError, spoken
from schemas.scope.tree import DEPTH_MAX, PARTS_MAX, SCOPE_LEN_MAX, UNSELECTED, Everything, KindSelector, Part, Scope

# Terminal → what it is called in an error, in the order in which it is said.
_WORDS: Final = {
    "KIND": "a kind with a colon",
    "EVERYTHING": "*:",
    "SITE": "a site",
    "ALL": "all",
    "AROUND": "around(SITE, DURATION)",
    "NAME": "a name",
    "DURATION": "a duration (10ms, 1.5s, 2m)",
    "NUMBER": "a whole number",
    "PRIME": "prime",
    "MIN": "min",
    "REBALANCE": "rebalance",
    "TRUE": "true",
    "FALSE": "false",
    "SLASH": "/",
    "COLON": "a colon",
    "LPAR": "(",
    "STAR": "*WEIGHT",
    "AMPERSAND": "&",
    "PERCENT": "%",
    "SEMICOLON": ";",
    "LBRACE": "{options}",
    "RPAR": ")",
    "RBRACE": "}",
    "COMMA": "a comma",
    "$END": "the end",
}
_KEYWORDS: Final = {"ALL", "PRIME", "MIN", "REBALANCE", "TRUE", "FALSE"}
_OTHER_TONGUES: Final = {"and": "&", "+": "&", "&&": "&", "or": ";", "|": ";", "||": ";"}
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+|\+|\|\|?|&&?")
_NOT_IN_KEYS: Final = re.compile(r"[{}(),;%&\s]")


def parse_scope(text: str) -> Scope:
    """`deployment: lyon & oslo, secret: oslo` → tree; raises ScopeError."""
    return _parse(text, "scope")  # type: ignore[no-any-return]  # what a rule gives is its builder's


def from_json(body: object) -> Scope:
    """`{"deployment": "lyon & oslo", ".": "nice"}` → the same tree as the text; a string is read as text.

    The key "." is the part without selector. Writers of JSON may order keys as they like (Go sorts them), so where the
    order given would hide a part behind a wider one, the narrower goes first.
    """
    if isinstance(body, str):
        return parse_scope(body)
    if not isinstance(body, Mapping) or not body or len(body) > PARTS_MAX:
        raise ScopeError(f"a scope in JSON is an object of 1 to {PARTS_MAX} parts, or its text")
    for key, value in body.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ScopeError(f"a part in JSON is a selector and its location, both text, not {str(key)[:40]!r}")
    if sum(len(key) + len(value) + len(":,") for key, value in body.items()) > SCOPE_LEN_MAX:
        raise ScopeError(f"a scope has at most {SCOPE_LEN_MAX} characters")
    parts = [_json_part(key, value) for key, value in body.items()]
    if any(covered(part.selector, parts[:place]) for place, part in enumerate(parts)):
        parts.sort(key=_width)
    for place, part in enumerate(parts):
        if covered(part.selector, parts[:place]):  # `Secret` beside `secret`
            raise ScopeError("two parts select the same")
    return Scope(tuple(parts))


def site_columns(text: str) -> dict[SiteName, int]:
    """Where each site is first named in a text that parses: for complaints about sites that nobody knows."""
    columns: dict[SiteName, int] = {}
    for token in _parser().parse_interactive(text, start="scope").iter_parse():
        if token.type == "SITE":
            columns.setdefault(SiteName(str(token)), (token.start_pos or 0) + 1)
    return columns


def column_of(text: str, option: str, value: str) -> int:
    """Where an option of a text that parses first has a value, both as the grammar names them; 0 when nowhere."""
    tokens = list(_parser().parse_interactive(text, start="scope").iter_parse()) if text else []
    last = None
    for token in tokens:
        if token.type == option:
            last = token
        elif token.type == value and last is not None:
            return (last.start_pos or 0) + 1
        elif token.type == "COMMA":
            last = None
    return 0


def part_columns(text: str) -> list[tuple[int, int]]:
    """Of each part of a text that parses: where it begins, and where its first `%` stands (0: nowhere)."""
    columns: list[tuple[int, int]] = []
    is_new, depth = True, 0
    for token in _parser().parse_interactive(text, start="scope").iter_parse():
        depth += (token.type in ("LPAR", "LBRACE")) - (token.type in ("RPAR", "RBRACE"))
        column = (token.start_pos or 0) + 1
        if token.type == "COMMA" and not depth:
            is_new = True
        elif is_new:
            columns.append((column, 0))
            is_new = False
        elif token.type == "PERCENT" and not columns[-1][1]:
            columns[-1] = (columns[-1][0], column)
    return columns


def _json_part(key: str, value: str) -> Part:
    if key == UNSELECTED:
        return _parse(value, "placement").part  # type: ignore[no-any-return]  # as above
    if not key or _NOT_IN_KEYS.search(key):
        selectors = f"KIND, KIND.GROUP, KIND/NAME, * or {UNSELECTED}"
        raise ScopeError(f"{key[:80]!r} selects nothing (expected {selectors})", text=key)
    return _parse(f"{key}: {value}", "part").part  # type: ignore[no-any-return]  # as above


def _width(part: Part) -> int:
    """How much a selector takes: one name, a kind, what was asked for, everything."""
    if isinstance(part.selector, KindSelector):
        return 0 if part.selector.name else 1
    return 3 if isinstance(part.selector, Everything) else 2


def _parse(text: str, rule: str) -> Any:
    _check_size(text)
    try:
        return _parser().parse(text, start=rule)
    except ScopeError as error:
        raise ScopeError(error.message, error.column, error.expected, error.near, text) from error
    except UnexpectedInput as error:
        at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        place = len(text) if at_end else error.pos_in_stream or 0
        raise _syntax_error(text, rule, place) from error


def _check_size(text: str) -> None:
    if len(text) > SCOPE_LEN_MAX:
        raise ScopeError(f"a scope has at most {SCOPE_LEN_MAX} characters", SCOPE_LEN_MAX + 1, text=text)
    depth = 0
    for found in re.finditer(r"[()]", text):
        depth += 1 if found[0] == "(" else -1
        if depth > DEPTH_MAX:
            raise ScopeError(f"parentheses go at most {DEPTH_MAX} deep", found.start() + 1, text=text)


@cache
def _parser() -> Lark:
    """Made when it is first needed: 30 ms. The builder runs while parsing, so no second tree is made."""
    return Lark.open_from_package(
        __package__, "grammar.lark", parser="lalr", start=["scope", "part", "placement"], transformer=Builder()
    )


def _syntax_error(text: str, rule: str, place: int) -> ScopeError:
    accepted = _accepted(text, rule, place)
    expected = [word for terminal, word in _WORDS.items() if terminal in accepted]
    return ScopeError(f"expected {spoken(expected, 'or')}", place + 1, expected, _near(text, place, accepted), text)


def _accepted(text: str, rule: str, place: int) -> set[str]:
    """What could stand at a place, in the state before it: the parser's own complaint comes after it chose a way on."""
    state = _parser().parse_interactive(text, start=rule)
    with suppress(UnexpectedInput):  # no token that could stand there begins there
        for token in state.iter_parse():
            if (token.start_pos or 0) >= place:
                break
    return set(state.accepts())  # type: ignore[no-untyped-call]  # lark annotates most of itself, not this


def _near(text: str, place: int, accepted: set[str]) -> list[str]:
    found = _WORD.match(text, place)
    if not found:
        return []
    sign = _OTHER_TONGUES.get(found[0].lower())
    if sign:
        return [sign] if "AMPERSAND" in accepted else []
    keywords = [_WORDS[terminal] for terminal in sorted(accepted & _KEYWORDS)]
    return difflib.get_close_matches(found[0].lower(), keywords, 1, 0.6)
