"""Who makes what is not there: the Secret of a SealedSecret or a Certificate, the claim of a DataVolume. Pure.

While it is not there (a directory of manifests, a site that is being set up), its maker stands for it: whoever uses it
is left without it when the maker goes, or makes another one. Where it is there, owner references say what goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from schemas.events import ResourceState
from schemas.identity import ResourceId
from schemas.relations.rule import makes
from services.resolver.graph.names import NOWHERE
from services.resolver.graph.numbers import Numbers
from services.resolver.graph.remembered import numbers_of
from services.resolver.graph.view import Edge, View
from services.resolver.graph.walk import owner_of
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.use import BREAKING, use_of

USERS_LOOKED_AT: Final = 128
MADE: Final = "made"  # the keys of what it makes, a part of the maker; none when it does not say them
KEY: Final = "key:"


def made_by(state: ResourceState) -> set[ResourceId]:
    """What it makes."""
    return {one.target for one in state.references if makes(one.rule)}


def makers_of(view: View, made: ResourceId) -> list[ResourceId]:
    """Who makes it."""
    return [one.source for one in view.dependents(made).edges if makes(one.reference.rule)]


def will_have(view: View, makers: Iterable[ResourceId], granule: str) -> bool:
    """One of the makers will make it with this part, or does not say what it makes."""
    return not granule.startswith(KEY) or any(_offers(view.find(one), granule.removeprefix(KEY)) for one in makers)


def _offers(maker: ResourceState | None, key: str) -> bool:
    return maker is None or MADE not in maker.parts or key in maker.parts[MADE]


def _made_without(view: View, after: View, old: ResourceState, new: ResourceState) -> Iterator[Edge]:
    """How those who stay use a key that it would make no more, nor anybody else."""
    lost = set(old.parts.get(MADE, ())) - set(new.parts.get(MADE, old.parts.get(MADE, ())))
    for target in sorted(made_by(new)) if lost else ():
        makers = makers_of(after, target)
        for edge in view.dependents(target, USERS_LOOKED_AT, "users").edges:
            granule, source = edge.reference.granule, after.find(edge.source)
            if granule.removeprefix(KEY) not in lost or will_have(after, makers, granule):
                continue
            if source is not None and edge.reference in source.references and owner_of(after, edge.source) is None:
                yield edge


def made_less(view: View, after: View, old: ResourceState, new: ResourceState) -> Iterator[tuple[Edge, str]]:
    """How those who stay use what a change makes no more, and what that is, for people."""
    for edge in left_without(view, after, made_by(old) - made_by(new)):
        yield edge, f"{named(edge.target)}, which nobody makes then"
    for edge in _made_without(view, after, old, new):
        yield edge, f"key {edge.reference.granule.removeprefix(KEY)!r} of {named(edge.target)}, which nobody makes then"


def left_without(view: View, after: View, made: set[ResourceId]) -> Iterator[Edge]:
    """How those who stay use what is not there, and what nobody makes any more."""
    for target in sorted(made):
        if view.find(target) is not None or makers_of(after, target):
            continue
        for edge in after.dependents(target, USERS_LOOKED_AT, "users").edges:
            source = after.find(edge.source)
            if source is not None and owner_of(after, edge.source) is None and use_of(edge, source) in BREAKING:
                yield edge


def left_by(view: View, after: View, going: AbstractSet[ResourceId]) -> Iterator[Edge]:
    """The same, of a deletion."""
    return left_without(view, after, {target for state in _making(view, going) for target in made_by(state)})


def _making(view: View, going: Iterable[ResourceId]) -> Iterator[ResourceState]:
    """Those of them that make something; few do."""
    numbers = numbers_of(view)
    for one in going:
        if numbers is not None and (number := numbers.find(one)) != NOWHERE and not is_making(numbers, number):
            continue
        state = view.find(one)
        if state is not None:
            yield state


def is_making(numbers: Numbers, number: int) -> bool:
    """Whether it makes something; False when it is not there."""
    record = numbers.rows[number]
    return record is not None and record.shape.making


def unmade(view: View, after: View, going: AbstractSet[ResourceId]) -> Iterator[Finding]:
    """Findings about that."""
    for edge in left_by(view, after, going):
        message = f"{named(edge.target)} is made no more, and {named(edge.source)} @ {view.site} needs it"
        yield Finding("D313", message, "presence", edge.source, edge, (edge,))
