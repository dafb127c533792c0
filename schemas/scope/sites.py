"""Which sites a scope names, whether they are known, and what `all` and `around` come to. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from schemas.identity import SiteName
from schemas.scope.errors import ScopeError
from schemas.scope.tree import (
    All,
    Around,
    Cross,
    Location,
    Options,
    Otherwise,
    Part,
    Replicate,
    Scope,
    Site,
    certain_sites,
    cross,
    leaves,
    members,
    otherwise,
    replicate,
)

NEAR_MAX: Final = 3
NEAR_ENOUGH: Final = 0.5  # of difflib's ratio: `lion` and `lyon` have 0.75
Latencies: TypeAlias = Mapping[tuple[SiteName, SiteName], float]  # round-trip seconds; either order


@dataclass(frozen=True, slots=True)
class UnknownSite:
    """A name that no site has; `near` are names that look like it, the most alike first."""

    name: SiteName
    near: tuple[str, ...]

    def __str__(self) -> str:
        near = f" (near: {', '.join(self.near)})" if self.near else ""
        return f"no site is called {self.name!r}{near}"

    def sentence(self, columns: Mapping[SiteName, int]) -> str:
        """With its place, where the scope was written by somebody."""
        column = columns.get(self.name)
        return f"column {column} of the scope: {self}" if column else str(self)


def site_names(scope: Scope) -> list[SiteName]:
    """Every site that is named, once, in the order of the text; a prime site is always one of a part's."""
    named: list[SiteName] = []
    for part in scope.parts:
        for leaf in leaves(part.location):
            if not isinstance(leaf, All):
                named.append(leaf.name if isinstance(leaf, Site) else leaf.site)
        if part.options.prime:  # with `all` and `around` it may stand there alone
            named.append(part.options.prime)
    return list(dict.fromkeys(named))


def check_sites(scope: Scope, known: Collection[str]) -> list[UnknownSite]:
    """The named sites that are not known, with known names that look alike."""
    return [
        UnknownSite(name, tuple(difflib.get_close_matches(name, sorted(known), NEAR_MAX, NEAR_ENOUGH)))
        for name in site_names(scope)
        if name not in known
    ]


def without(location: Location, sites: Collection[SiteName]) -> Location | None:
    """A location without these sites; None when nobody is left. What `all` and `around` come to is not read here."""
    match location:
        case Site(name):
            return None if name in sites else location
        case Replicate(each):
            kept = [left for one in each if (left := without(one, sites))]
            return replicate(kept) if kept else None
        case Otherwise(choices):
            kept = [left for one in choices if (left := without(one, sites))]
            return otherwise(kept) if kept else None
        case Cross(shares):
            weighed = [(left, weight) for one, weight in shares if (left := without(one, sites))]
            return cross(weighed) if len(weighed) > 1 else weighed[0][0] if weighed else None
        case _:
            return location


def part_without(part: Part, sites: Collection[SiteName]) -> Part | None:
    """A part without these sites; None when nobody is left. As many as are left are always enough (`min`)."""
    if not sites:
        return part
    location, options = without(part.location, sites), part.options
    if location is None:
        return None
    enough, places = options.min, [*leaves(location)]
    if enough is not None and all(isinstance(one, Site) for one in places):
        enough = min(enough, len({*places})) if len({*places}) > 1 else None
    prime = None if options.prime in sites else options.prime
    return Part(part.selector, location, Options(prime, enough, options.rebalance))


def fold(location: Location, known: Collection[SiteName], latencies: Latencies, entry: SiteName) -> Location:
    """A location of sites only: `all` → `&` over the known ones, `around` → `;` over those within reach.

    The entry site comes first in `all`, since work that can be done here is done first; in `around` the site itself
    does, then the others by round-trip time. A site whose latency is not known is not near. Raises ScopeError where no
    latency is known at all, where no site is, and where `all` or `around` brings a site to two sides of one `%`.
    """
    match location:
        case Site():
            return location
        case All():
            return _everywhere(known, entry)
        case Around():
            return _near(location, known, latencies)
        case Replicate(each):
            inner = [fold(one, known, latencies, entry) for one in each]
            once = list(dict.fromkeys(one for location in inner for one in members(location, Replicate)))
            _check_apart(once)
            return replicate(once)
        case Otherwise(choices):
            inner = [fold(one, known, latencies, entry) for one in choices]
            return otherwise(dict.fromkeys(one for location in inner for one in members(location, Otherwise)))
        case Cross(shares):
            folded = [(fold(one, known, latencies, entry), weight) for one, weight in shares]
            _check_apart([one for one, _ in folded])
            return cross(folded)


def _everywhere(known: Collection[SiteName], entry: SiteName) -> Location:
    if not known:
        raise ScopeError("all: no site is known")
    return replicate(Site(name) for name in sorted(known, key=lambda one: (one != entry, one)))


def _near(around: Around, known: Collection[SiteName], latencies: Latencies) -> Location:
    measured = {
        name: seconds
        for name in known
        if name != around.site
        for seconds in [latencies.get((around.site, name), latencies.get((name, around.site)))]
        if seconds is not None
    }
    if not measured:
        raise ScopeError(f"around({around.site}): no latency between {around.site} and another site is known")
    near = sorted((seconds, name) for name, seconds in measured.items() if seconds <= around.within_s)
    return otherwise([Site(around.site), *(Site(name) for _, name in near)])


def _check_apart(locations: list[Location]) -> None:
    """Two operands at one site would be two resources of one name there."""
    seen: set[SiteName] = set()
    for one in locations:
        twice = certain_sites(one) & seen
        if twice:
            raise ScopeError(f"{min(twice)} is meant twice: once by name, once by all or around")
        seen |= certain_sites(one)
