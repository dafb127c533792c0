"""What a scope is, once read. Pure.

Scope ── parts ──▶ Part(selector, location, options); the first part that matches a resource says where it is.
`&` and `;` are associative, so their trees are flat: whoever writes `a & (b & c)` means one replication of three. `%`
is not: in `(a % b) % c` the last gets a half. Build with `replicate`, `otherwise`, `cross`, which keep that form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from schemas.identity import SiteName

SCOPE_LEN_MAX: Final = 4096  # as an intent allows
PARTS_MAX: Final = 64
DEPTH_MAX: Final = 32  # of parentheses: every reader of the tree recurses
WEIGHT_MAX: Final = 1_000
MIN_MAX: Final = 1_000  # sites
UNSELECTED: Final = "."  # the JSON key of the part without selector
RESERVED: Final = ("all", "around")  # no site can be named so in a scope


@dataclass(frozen=True, slots=True)
class KindSelector:
    """A kind as a person calls it, in lower case; `group` and `name` "" = any.

    `namespace` is not of the language: only what objects say of themselves has it.
    """

    kind: str
    group: str = ""
    name: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Everything:
    """`*`: whatever there is, what is missing included."""


@dataclass(frozen=True, slots=True)
class Site:
    """At one site."""

    name: SiteName


@dataclass(frozen=True, slots=True)
class All:
    """At every known site, the same."""


@dataclass(frozen=True, slots=True)
class Around:
    """At a site, or else at the nearest one within this round-trip time of it."""

    site: SiteName
    within_s: float


@dataclass(frozen=True, slots=True)
class Replicate:
    """The same at each."""

    locations: tuple[Location, ...]


@dataclass(frozen=True, slots=True)
class Cross:
    """One resource, divided: (location, weight)."""

    shares: tuple[tuple[Location, int], ...]


@dataclass(frozen=True, slots=True)
class Otherwise:
    """The first that works."""

    choices: tuple[Location, ...]


Location: TypeAlias = Site | All | Around | Replicate | Cross | Otherwise
Selector: TypeAlias = KindSelector | Everything


@dataclass(frozen=True, slots=True)
class Options:
    """prime: who takes the remainder; min: how many sites are enough; rebalance: move the share of a lost site."""

    prime: SiteName | None = None
    min: int | None = None
    rebalance: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Where one part of an intent happens; selector None = what was asked for."""

    selector: Selector | None
    location: Location
    options: Options = Options()


@dataclass(frozen=True, slots=True)
class Scope:
    """A whole scope."""

    parts: tuple[Part, ...]


def replicate(locations: Iterable[Location]) -> Location:
    """`&` of one or more; flat."""
    flat = tuple(one for location in locations for one in members(location, Replicate))
    return flat[0] if len(flat) == 1 else Replicate(flat)


def otherwise(choices: Iterable[Location]) -> Location:
    """`;` of one or more; flat."""
    flat = tuple(one for location in choices for one in members(location, Otherwise))
    return flat[0] if len(flat) == 1 else Otherwise(flat)


def cross(shares: Iterable[tuple[Location, int]]) -> Cross:
    """`%` of two or more, as it is."""
    return Cross(tuple(shares))


def members(location: Location, of: type[Replicate | Otherwise]) -> tuple[Location, ...]:
    """What a location adds to an `&` or a `;` around it."""
    return operands(location) if isinstance(location, of) else (location,)


def operands(location: Location) -> tuple[Location, ...]:
    """The locations just below."""
    match location:
        case Replicate(inner) | Otherwise(inner):
            return inner
        case Cross(shares):
            return tuple(one for one, _ in shares)
        case _:
            return ()


def leaves(location: Location) -> Iterator[Site | All | Around]:
    """Every place named, from left to right."""
    if isinstance(location, (Site, All, Around)):
        yield location
    for one in operands(location):
        yield from leaves(one)


def certain_sites(location: Location) -> frozenset[SiteName]:
    """The sites that are used in any case: what is behind a `;` may not be."""
    if isinstance(location, Site):
        return frozenset((location.name,))
    if isinstance(location, Otherwise):
        return frozenset()
    return frozenset(name for one in operands(location) for name in certain_sites(one))


def covers(first: Selector | None, second: Selector | None) -> bool:
    """Whether nothing that `second` selects gets past `first`."""
    if first is None or second is None:  # what was asked for is known only with the intent
        return first is second
    if isinstance(first, Everything) or isinstance(second, Everything):
        return isinstance(first, Everything)
    return (first.kind, first.group) == (second.kind, second.group) and first.name in ("", second.name)
