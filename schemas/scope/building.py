"""Tokens, in the order of the grammar → tree; what the grammar allows and makes no sense is refused here. Pure.

The parser calls the method that is named as the rule. The tree knows no columns (text and JSON give equal trees), so
what needs a column to complain is checked while the tree is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from lark import Token, Transformer, v_args

from schemas.identity import IdentityError, SiteName, site_name
from schemas.scope.durations import parse_duration
from schemas.scope.errors import ScopeError
from schemas.scope.tree import (
    MIN_MAX,
    PARTS_MAX,
    RESERVED,
    WEIGHT_MAX,
    All,
    Around,
    Everything,
    KindSelector,
    Location,
    Options,
    Otherwise,
    Part,
    Replicate,
    Scope,
    Selector,
    Site,
    certain_sites,
    covers,
    cross,
    leaves,
    members,
    otherwise,
    replicate,
)


class Placed(NamedTuple):
    """A location, where it begins, and its weight among the operands of a `%`."""

    location: Location
    column: int
    weight: int = 1


class Selected(NamedTuple):
    """A selector and where it begins."""

    selector: Selector
    column: int


class Setting(NamedTuple):
    """One option, where it begins and where its value does."""

    name: str
    value: Any
    column: int
    value_column: int


class PlacedPart(NamedTuple):
    """A part and where it begins."""

    part: Part
    column: int


@v_args(inline=True)
class Builder(Transformer[Token, Any]):
    """A method for each rule of the grammar; columns are counted from 1."""

    def scope(self, *parts: PlacedPart) -> Scope:
        if len(parts) > PARTS_MAX:
            raise ScopeError(f"a scope has at most {PARTS_MAX} parts", parts[PARTS_MAX].column)
        _check_reachable(parts)
        return Scope(tuple(one.part for one in parts))

    def part(self, first: Selected | PlacedPart, second: PlacedPart | None = None) -> PlacedPart:
        if isinstance(first, PlacedPart):
            return first
        assert second is not None, "the grammar puts a placement behind a selector"
        return PlacedPart(Part(first.selector, second.part.location, second.part.options), first.column)

    def placement(self, placed: Placed, settings: tuple[Setting, ...] = ()) -> PlacedPart:
        return PlacedPart(Part(None, placed.location, _options(placed.location, settings)), placed.column)

    def selector(self, first: Token, name: Token | None = None) -> Selected:
        if first.type == "EVERYTHING":
            return Selected(Everything(), _column(first))
        kind, _, group = first.lower().partition(".")
        if kind in RESERVED:  # whoever writes `all: lyon` means everything
            raise ScopeError(f"{kind} is a location, not a kind", _column(first), near=["*"])
        if group and not all(group.split(".")):
            raise ScopeError("the group of a kind has an empty part", _column(first))
        return Selected(KindSelector(kind, group, str(name or "")), _column(first))

    def location(self, *choices: Placed) -> Placed:
        seen: set[Location] = set()
        for one in choices:
            for choice in members(one.location, Otherwise):
                if choice in seen:
                    raise ScopeError("this was tried before", one.column)
                seen.add(choice)
        return choices[0] if len(choices) == 1 else Placed(otherwise(_locations(choices)), choices[0].column)

    def replicated(self, *each: Placed) -> Placed:
        if len(each) == 1:
            return each[0]
        _check_apart(each, "is replicated to already")
        return Placed(replicate(_locations(each)), each[0].column)

    def cross(self, *shares: Placed) -> Placed:
        _check_apart(shares, "has a share already; for a larger one give it a weight, as in lyon*2 % oslo")
        return Placed(cross((one.location, one.weight) for one in shares), shares[0].column)

    def share(self, placed: Placed, weight: Token | None = None) -> Placed:
        return placed._replace(weight=1 if weight is None else _number(weight, "a weight", WEIGHT_MAX))

    def site(self, name: Token) -> Placed:
        return Placed(Site(_site(name)), _column(name))

    def all(self, word: Token) -> Placed:
        return Placed(All(), _column(word))

    def around(self, word: Token, site: Token, within: Token) -> Placed:
        try:
            return Placed(Around(_site(site), parse_duration(within)), _column(word))
        except ValueError as error:
            if isinstance(error, ScopeError):
                raise
            raise ScopeError(str(error), _column(within)) from error

    def options(self, *settings: Setting) -> tuple[Setting, ...]:
        for place, one in enumerate(settings):
            if one.name in (earlier.name for earlier in settings[:place]):
                raise ScopeError(f"{one.name} is given twice", one.column)
        return settings

    def prime(self, word: Token, site: Token) -> Setting:
        return Setting("prime", _site(site), _column(word), _column(site))

    def min(self, word: Token, number: Token) -> Setting:
        return Setting("min", _number(number, "min", MIN_MAX), _column(word), _column(number))

    def rebalance(self, word: Token, value: Token) -> Setting:
        return Setting("rebalance", value == "true", _column(word), _column(value))


def covered(selector: Selector | None, before: Iterable[Part]) -> bool:
    """Whether the parts before leave nothing to a selector: the first that matches wins."""
    return any(covers(one.selector, selector) for one in before)


def _check_reachable(parts: Iterable[PlacedPart]) -> None:
    before: list[Part] = []
    for part, column in parts:
        if covered(part.selector, before):
            if any(one.selector == part.selector for one in before):
                what = "this" if part.selector else "what is asked for"
                raise ScopeError(f"{what} has a place already; to be at both write lyon & oslo", column)
            raise ScopeError("a part before takes all of this, and the first that matches wins; put this first", column)
        before.append(part)


def _options(location: Location, settings: Iterable[Setting]) -> Options:
    """The options of a part, which must fit its sites as far as they are known."""
    places = list(leaves(location))
    sites = {one.name for one in places if isinstance(one, Site)}
    for one in settings if all(isinstance(place, Site) for place in places) else ():
        if one.name == "prime" and one.value not in sites:
            raise ScopeError(f"{one.value} is not among the sites of this part", one.value_column, near=sorted(sites))
        if one.name == "min" and one.value > len(sites):
            raise ScopeError(f"this part names only {len(sites)} of {one.value} sites", one.value_column)
    return Options(**{one.name: one.value for one in settings})


def _check_apart(operands: Iterable[Placed], what: str) -> None:
    """Two operands at one site would be two resources of one name there."""
    seen: set[SiteName] = set()
    whole: set[Location] = set()
    for location, column, _ in operands:
        for one in members(location, Replicate):
            certain = certain_sites(one)
            if certain & seen or one in whole:
                raise ScopeError(f"{min(certain & seen, default='this')} {what}", column)
            seen |= certain
            whole.add(one)


def _locations(placed: Iterable[Placed]) -> list[Location]:
    return [one.location for one in placed]


def _site(token: Token) -> SiteName:
    if token in RESERVED:
        raise ScopeError(f"one site is expected here, not {token}", _column(token), ["a site"])
    try:
        return site_name(str(token))
    except IdentityError as error:
        lower = token.lower().strip("-").replace("_", "-")
        near = [lower] if lower != token and _is_site(lower) else []
        raise ScopeError(str(error), _column(token), ["a site"], near) from error


def _is_site(text: str) -> bool:
    try:
        site_name(text)
    except IdentityError:
        return False
    return True


def _number(token: Token, what: str, most: int) -> int:
    digits = token.lstrip("0") or "0"
    if len(digits) > len(str(most)) or not 1 <= int(digits) <= most:
        raise ScopeError(f"{what} is a whole number from 1 to {most}", _column(token))
    return int(digits)


def _column(token: Token) -> int:
    return (token.start_pos or 0) + 1
