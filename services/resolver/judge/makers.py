"""Who makes what is not there: the Secret of a SealedSecret or a Certificate, the claim of a DataVolume. Pure.

While it is not there (a directory of manifests, a site that is being set up), its maker stands for it: whoever uses it
is left without it when the maker goes, or makes another one. Where it is there, owner references say what goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from schemas.among import is_among
from schemas.events import Reference, ResourceState
from schemas.identity import KindId, ResourceId, ResourceKey, kind_of, resource_id
from schemas.relations.rule import fills, makes
from schemas.relations.selector import matches
from services.resolver.graph.names import NOWHERE
from services.resolver.graph.numbers import Numbers
from services.resolver.graph.remembered import numbers_of
from services.resolver.graph.view import Edge, View
from services.resolver.graph.walk import owner_of
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.use import BREAKING, MADE_CLAIMS, use_shown

USERS_LOOKED_AT: Final = 128
NAMESPACE: Final = KindId("Namespace")
MADE: Final = "made"  # the keys of what it makes, a part of the maker; none when it does not say them
KEY: Final = "key:"


def made_by(view: View, state: ResourceState) -> set[ResourceId]:
    """What it makes, in every namespace that it makes it in."""
    made = {one.target for one in state.references if makes(one.rule)}
    for key in [key for key in map(ResourceKey.parse, made) if _is_everywhere(view, key)]:
        made.remove(key.id)
        for home in map(ResourceKey.parse, view.members(NAMESPACE)):
            if _reaches(view, state, home.name):
                made.add(resource_id(key.group, key.kind, home.name, key.name))
    return made


def _is_everywhere(view: View, made: ResourceKey) -> bool:
    """Whether it is in no namespace, and would have to be in one."""
    served = None if made.namespace else view.surface.find(made.kind_id)
    return served is not None and served.namespaced


def makers_of(view: View, made: ResourceId) -> list[ResourceId]:
    """Who makes it; the claims of a set, which outlive it, included."""
    rules = ((one.source, one.reference.rule) for one in view.dependents(made).edges)
    makers = [source for source, rule in rules if makes(rule) or rule in MADE_CLAIMS]
    key = ResourceKey.parse(made)
    if key.namespace:
        for edge in view.dependents(resource_id(key.group, key.kind, "", key.name)).edges:
            maker = view.find(edge.source) if makes(edge.reference.rule) else None
            if maker is not None and _reaches(view, maker, key.namespace):
                makers.append(edge.source)
    return makers


def _reaches(view: View, maker: ResourceState, namespace: str) -> bool:
    """Whether the namespace is one of those that who makes something in every namespace chooses, as far as is known."""
    chosen = [one for one in maker.references if _chooses_namespaces(one)]
    home = view.find(resource_id("", NAMESPACE, "", namespace)) if chosen else None
    if home is None:
        return True
    return any(
        one.target == home.resource if one.selector is None else matches(one.selector.labels, home.labels)
        for one in chosen
    )


def _chooses_namespaces(reference: Reference) -> bool:
    if reference.relation == "containment":
        return False
    kind = kind_of(reference.target) if reference.selector is None else reference.selector.kind
    return kind == NAMESPACE


def will_have(view: View, makers: Iterable[ResourceId], granule: str) -> bool:
    """One of the makers will make it with this part, or does not say what it makes."""
    return not granule.startswith(KEY) or any(_offers(view.find(one), granule.removeprefix(KEY)) for one in makers)


class Makers:
    """Who makes what, and adds which keys to it: found once for each, however often one object names it."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._of: dict[ResourceId, list[ResourceId]] = {}
        self._keys: dict[ResourceId, frozenset[str]] = {}

    def of(self, made: ResourceId) -> list[ResourceId]:
        """See makers_of."""
        if made not in self._of:
            self._of[made] = makers_of(self._view, made)
        return self._of[made]

    def keys(self, target: ResourceId) -> frozenset[str]:
        """Those that somebody who makes it, or adds to it, says that it will have."""
        if target not in self._keys:
            edges = [edge for edge in self._view.dependents(target).edges if fills(edge.reference.rule)]
            sources = map(self._view.find, {*(edge.source for edge in edges), *self.of(target)})
            said = (key for one in sources if one is not None for key in one.parts.get(MADE, ()))
            self._keys[target] = frozenset(said)
        return self._keys[target]


def _offers(maker: ResourceState | None, key: str) -> bool:
    return maker is None or MADE not in maker.parts or key in maker.parts[MADE]


def _made_without(view: View, after: View, old: ResourceState, new: ResourceState) -> Iterator[Edge]:
    """How those who stay use a key that it would make no more, nor anybody else."""
    lost = set(old.parts.get(MADE, ())) - set(new.parts.get(MADE, old.parts.get(MADE, ())))
    for target in sorted(made_by(after, new)) if lost else ():
        makers = makers_of(after, target)
        for edge in view.dependents(target, USERS_LOOKED_AT, "users").edges:
            granule, source = edge.reference.granule, after.find(edge.source)
            if granule.removeprefix(KEY) not in lost or will_have(after, makers, granule):
                continue
            if (
                source is not None
                and is_among(edge.reference, source.references)
                and owner_of(after, edge.source) is None
            ):
                yield edge


def made_less(view: View, after: View, old: ResourceState, new: ResourceState) -> Iterator[tuple[Edge, str]]:
    """How those who stay use what a change makes no more, and what that is, for people."""
    for edge in left_without(view, after, made_by(view, old) - made_by(after, new)):
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
            if (
                source is not None
                and owner_of(after, edge.source) is None
                and use_shown(after, edge, source) in BREAKING
            ):
                yield edge


def left_by(view: View, after: View, going: AbstractSet[ResourceId]) -> Iterator[Edge]:
    """The same, of a deletion."""
    return left_without(view, after, {target for state in _making(view, going) for target in made_by(view, state)})


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
