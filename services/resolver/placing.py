"""A scope and what is to be done → which resource goes to which site, whole or in part. Pure. scope.md is the source.

scope ── fold ──▶ alternatives (`;`), each: part → sites with their share
resources ──▶ the first part that matches says where; what the bundle holds for them follows them, whole
          ──▶ what no part says, and is of a set, stays where its set is, and leaves only with its users
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, product
from types import MappingProxyType
from typing import Final

from schemas.events import ResourceState
from schemas.identity import KindId, ResourceId, ResourceKey, SiteName, kind_of, split_kind
from schemas.kinds import Surface, UnknownKindError
from schemas.scope.sites import Latencies, fold, site_names
from schemas.scope.tree import (
    Cross,
    Everything,
    KindSelector,
    Location,
    Otherwise,
    Part,
    Replicate,
    Scope,
    Site,
    cross,
    operands,
    replicate,
)

ALTERNATIVES_MAX: Final = 64  # of a scope with several `;`: they are tried one after the other
WHOLE: Final = Fraction(1)
HOLDERS: Final = (KindId("Namespace"), KindId("apiextensions.k8s.io/CustomResourceDefinition"))  # others live in these

Shares = Mapping[SiteName, Fraction]
Sets = Mapping[ResourceId, Part]  # locations without `;`


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to read a scope: for each of its parts, the sites and what each gets of a resource.

    locations   of each part without `;`: how a number divides (a share is a fraction, which may not come out even)
    """

    shares: tuple[Shares, ...]
    crossed: tuple[bool, ...]
    locations: tuple[Location, ...] = ()

    @property
    def sites(self) -> tuple[SiteName, ...]:
        """Every site in it, in the order of the scope."""
        return tuple(dict.fromkeys(name for one in self.shares for name in one))


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one resource goes.

    part    that says so, of the scope or of its set; None when it follows, or stays here
    others  sites that are of its set, where it stays as it is     joins   sites that are new to its set
    """

    shares: Shares
    crossed: bool = False
    part: Part | None = None
    location: Location | None = None
    others: tuple[SiteName, ...] = ()
    joins: tuple[SiteName, ...] = ()

    @property
    def members(self) -> tuple[SiteName, ...]:
        """Every site that has it then."""
        return (*self.shares, *self.others)


def alternatives(scope: Scope, known: Collection[SiteName], latencies: Latencies, entry: SiteName) -> list[Alternative]:
    """The ways to read a scope, best first. Raises ScopeError for what `all` and `around` cannot come to."""
    rows = []
    for part in scope.parts:
        location = fold(part.location, known, latencies, entry)
        rows.append(list(_ways(location)))
    made = islice(product(*rows), ALTERNATIVES_MAX)
    return [Alternative(tuple(map(_shares, way)), tuple(map(is_crossed, way)), way) for way in made]


def _ways(location: Location) -> Iterator[Location]:
    """Without `;`: one choice of each, the first choices first."""
    match location:
        case Site():
            yield location
        case Otherwise(choices):
            for choice in choices:
                yield from _ways(choice)
        case Replicate(each):
            yield from (replicate(way) for way in product(*(list(_ways(one)) for one in each)))
        case Cross(shares):
            for way in product(*(list(_ways(one)) for one, _ in shares)):
                yield cross((one, weight) for one, (_, weight) in zip(way, shares, strict=True))
        case _:
            raise AssertionError(f"folded before: {location}")


def is_crossed(location: Location) -> bool:
    """Whether anything of it is divided."""
    return isinstance(location, Cross) or any(map(is_crossed, operands(location)))


def _shares(location: Location) -> Shares:
    match location:
        case Site(name):
            return {name: WHOLE}
        case Replicate(each):
            return {name: share for one in each for name, share in _shares(one).items()}
        case Cross(shares):
            total, made = sum(weight for _, weight in shares), dict[SiteName, Fraction]()
            for one, weight in shares:
                for name, share in _shares(one).items():
                    made[name] = made.get(name, Fraction(0)) + share * Fraction(weight, total)
            return made
        case _:
            raise AssertionError(f"one way only: {location}")


def place(
    states: Mapping[ResourceId, ResourceState],
    scope: Scope,
    way: Alternative,
    surface: Surface,
    entry: SiteName,
    sets: Sets = MappingProxyType({}),
) -> dict[ResourceId, Placement]:
    """Where each resource of a bundle goes. `sets`: where those are now that are of one."""
    needs = {resource: _needs(state, states) for resource, state in states.items()}
    followers = {target for targets in needs.values() for target in targets}
    placed: dict[ResourceId, Placement] = {}
    for resource in states:
        number = part_of(scope, resource, surface, is_root=resource not in followers)
        if number is not None:
            part = scope.parts[number]
            placed[resource] = Placement(way.shares[number], way.crossed[number], part, way.locations[number])
    for resource in _before_what_they_need(states, needs):
        if resource not in placed:
            users = [user for user, targets in needs.items() if resource in targets and user in placed]
            sites = dict.fromkeys((name for one in users for name in placed[one].shares), WHOLE)
            if resource in sets:
                left = {name for one in users if one in sets for name in _sites(sets[one]) if name not in sites}
                placed[resource] = _in_its_set(resource, sets[resource], sites, left)
            else:
                placed[resource] = Placement(sites or {entry: WHOLE})
    return placed


def _in_its_set(resource: ResourceId, mine: Part, sites: Shares, left: Container[SiteName]) -> Placement:
    """Nobody says where it is: it stays, goes along with its users, and leaves where they leave.

    What others live in does not leave with those that one bundle names; where these leave, it is left as it is.
    """
    had = _sites(mine)
    joins = tuple(name for name in sites if name not in had)
    if kind_of(resource) in HOLDERS:
        others, location = tuple(name for name in had if name in left), widened(mine.location, joins)
        asked = {name: share for name, share in _shares(location).items() if name not in others}
        if is_crossed(location):
            return Placement(asked, True, Part(None, location, mine.options), location, others, joins)
        return Placement(asked, others=others, joins=joins)
    whole = dict.fromkeys((*(name for name in had if name not in left), *sites), WHOLE)
    if whole.keys() == {*had} and is_crossed(mine.location):
        return Placement(_shares(mine.location), True, mine, mine.location)
    return Placement(whole)


def _sites(part: Part) -> tuple[SiteName, ...]:
    return tuple(_shares(part.location))


def widened(location: Location, sites: Iterable[SiteName]) -> Location:
    """With more sites, spread as it is: `lyon % oslo` with rome → `lyon % oslo % rome`."""
    held = site_names(Scope((Part(None, location),)))
    more = [Site(name) for name in sites if name not in held]
    if not more:
        return location
    if isinstance(location, Cross):
        return cross((*location.shares, *((one, 1) for one in more)))
    return replicate((location, *more))


def part_of(scope: Scope, resource: ResourceId, surface: Surface, *, is_root: bool) -> int | None:
    """The number of the first part that says where a resource is; a part without selector places roots only."""
    for number, part in enumerate(scope.parts):
        if (part.selector is None and is_root) or selects(part, resource, surface):
            return number
    return None


def selects(part: Part, resource: ResourceId, surface: Surface) -> bool:
    """Whether a part names this resource."""
    match part.selector:
        case Everything():
            return True
        case KindSelector(name=name, namespace=namespace):
            try:
                wanted = surface.kind(_called(part.selector))
            except UnknownKindError:
                return False
            key = ResourceKey.parse(resource)
            return kind_of(resource) == wanted and name in ("", key.name) and namespace in ("", key.namespace)
        case _:
            return False


def unknown_kinds(
    scope: Scope, surface: Surface, resources: Iterable[ResourceId]
) -> Iterator[tuple[int, UnknownKindError]]:
    """The parts of a scope that name no kind: none that is served here, nor that of what comes with the intent."""
    brought = {split_kind(kind_of(one))[1].lower() for one in resources}
    for number, part in enumerate(scope.parts if surface.served else ()):
        if isinstance(part.selector, KindSelector) and not part.selector.kind.startswith(tuple(brought)):
            try:
                surface.kind(_called(part.selector))
            except UnknownKindError as error:
                yield number, error


def _called(selector: KindSelector) -> str:
    return f"{selector.kind}.{selector.group}" if selector.group else selector.kind


def _needs(state: ResourceState, states: Mapping[ResourceId, ResourceState]) -> list[ResourceId]:
    """What the bundle holds for a resource: what it names, its namespace and definition included."""
    named = (one.target for one in state.references if one.selector is None and set(one.phases) & {"A", "S", "L"})
    return [target for target in dict.fromkeys(named) if target in states and target != state.resource]


def _before_what_they_need(
    states: Mapping[ResourceId, ResourceState], needs: Mapping[ResourceId, Sequence[ResourceId]]
) -> list[ResourceId]:
    """Users before what they use, so that a chain follows its head; a cycle is left in the order of the bundle."""
    order: dict[ResourceId, None] = {}
    waiting = {resource: sum(resource in targets for targets in needs.values()) for resource in states}
    queue = [resource for resource, count in waiting.items() if not count]
    while len(order) < len(states):
        if not queue:
            queue.append(next(resource for resource in states if resource not in order))
        resource = queue.pop(0)
        if resource in order:
            continue
        order[resource] = None
        for target in needs[resource]:
            waiting[target] -= 1
            if waiting[target] == 0:
                queue.append(target)
    return list(order)


def divided(number: int, location: Location, prime: SiteName | None) -> dict[SiteName, int]:
    """`number` over the sites of a way; the prime site (else the first) takes the rest, each replica the same."""
    match location:
        case Site(name):
            return {name: number}
        case Replicate(each):
            return {name: some for one in each for name, some in divided(number, one, prime).items()}
        case Cross(shares):
            total, made = sum(weight for _, weight in shares), dict[SiteName, int]()
            parts = [number * weight // total for _, weight in shares]
            with_prime = (place for place, (one, _) in enumerate(shares) if prime in _shares(one))
            parts[next(with_prime, 0)] += number - sum(parts)
            for (one, _), some in zip(shares, parts, strict=True):
                for name, mine in divided(some, one, prime).items():
                    made[name] = made.get(name, 0) + mine
            return made
        case _:
            raise AssertionError(f"one way only: {location}")
