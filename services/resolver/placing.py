"""A scope and what is to be done → which resource goes to which site, whole or in part. Pure. scope.md is the source.

scope ── fold ──▶ alternatives (`;`), each: part → sites with their share
resources ──▶ the first part that matches says where; what the bundle holds for them follows them, whole
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, product
from typing import Final

from schemas.events import ResourceState
from schemas.identity import ResourceId, ResourceKey, SiteName, kind_of
from schemas.kinds import Surface, UnknownKindError
from schemas.scope.sites import Latencies, fold
from schemas.scope.tree import Cross, Everything, KindSelector, Location, Otherwise, Part, Replicate, Scope, Site

ALTERNATIVES_MAX: Final = 64  # of a scope with several `;`: they are tried one after the other
WHOLE: Final = Fraction(1)

Shares = Mapping[SiteName, Fraction]


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to read a scope: for each of its parts, the sites and what each gets of a resource."""

    shares: tuple[Shares, ...]
    crossed: tuple[bool, ...]

    @property
    def sites(self) -> tuple[SiteName, ...]:
        """Every site in it, in the order of the scope."""
        return tuple(dict.fromkeys(name for one in self.shares for name in one))


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one resource goes. `part`: the number of the part that says so; None when it follows, or stays here."""

    shares: Shares
    crossed: bool = False
    part: int | None = None


def alternatives(scope: Scope, known: Collection[SiteName], latencies: Latencies, entry: SiteName) -> list[Alternative]:
    """The ways to read a scope, best first. Raises ScopeError for what `all` and `around` cannot come to."""
    rows = []
    for part in scope.parts:
        location = fold(part.location, known, latencies, entry)
        rows.append([(shares, isinstance(location, Cross)) for shares in _ways(location)])
    made = islice(product(*rows), ALTERNATIVES_MAX)
    return [Alternative(tuple(one for one, _ in way), tuple(cross for _, cross in way)) for way in made]


def _ways(location: Location) -> Iterator[Shares]:
    match location:
        case Site(name):
            yield {name: WHOLE}
        case Otherwise(choices):
            for choice in choices:
                yield from _ways(choice)
        case Replicate(each):
            for way in product(*(list(_ways(one)) for one in each)):
                yield {name: share for one in way for name, share in one.items()}
        case Cross(shares):
            total = sum(weight for _, weight in shares)
            for way in product(*(list(_ways(one)) for one, _ in shares)):
                made: dict[SiteName, Fraction] = {}
                for (_, weight), one in zip(shares, way, strict=True):
                    for name, share in one.items():
                        made[name] = made.get(name, Fraction(0)) + share * Fraction(weight, total)
                yield made
        case _:
            raise AssertionError(f"folded before: {location}")


def place(
    states: Mapping[ResourceId, ResourceState], scope: Scope, way: Alternative, surface: Surface, entry: SiteName
) -> dict[ResourceId, Placement]:
    """Where each resource of a bundle goes (of a delete or a read, each target)."""
    needs = {resource: _needs(state, states) for resource, state in states.items()}
    followers = {target for targets in needs.values() for target in targets}
    placed: dict[ResourceId, Placement] = {}
    for resource in states:
        number = part_of(scope, resource, surface, is_root=resource not in followers)
        if number is not None:
            placed[resource] = Placement(way.shares[number], way.crossed[number], number)
    for resource in _before_what_they_need(states, needs):
        if resource not in placed:
            mine = [placed[user] for user, targets in needs.items() if resource in targets and user in placed]
            sites = dict.fromkeys((name for one in mine for name in one.shares), WHOLE)
            placed[resource] = Placement(sites or {entry: WHOLE})
    return placed


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
        case KindSelector(kind, group, name):
            try:
                wanted = surface.kind(f"{kind}.{group}" if group else kind)
            except UnknownKindError:
                return False
            return kind_of(resource) == wanted and name in ("", ResourceKey.parse(resource).name)
        case _:
            return False


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


def divided(number: int, shares: Shares, prime: SiteName | None) -> dict[SiteName, int]:
    """`number` over the sites by their shares; the prime site (else the first) takes the remainder."""
    made = {name: int(number * share) for name, share in shares.items()}
    takes = prime if prime in made else next(iter(made))
    made[takes] += number - sum(made.values())
    return made
