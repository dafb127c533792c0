"""What a deletion says of a resource itself, whoever uses it: its owner, its finalizers, its data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from schemas.counting import counted
from schemas.events import Reference, ResourceState
from schemas.identity import KindId, ResourceId, kind_of
from schemas.relations.offering import KEY, OF_TEXT, TEXT
from services.resolver.graph.remembered import top_owner_of, traits_of
from services.resolver.graph.view import TAKES, WALK_MAX, View
from services.resolver.judge.cascade import Cascade
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.restorers import restorer_of
from services.resolver.judge.rights import ACCOUNT, GRANTING, rights_gone
from services.resolver.judge.use import CLAIMS_RULE

CLAIM: Final = KindId("PersistentVolumeClaim")
SET: Final = KindId("apps/StatefulSet")
SNAPSHOT: Final = KindId("snapshot.storage.k8s.io/VolumeSnapshot")
HOLDERS: Final = {  # what holds the data of a kind, as its fact `volume` says, and what that is called
    CLAIM: ("PersistentVolume", "volume"),
    SNAPSHOT: ("snapshot.storage.k8s.io/VolumeSnapshotContent", "content"),
}
_KEPT: Final = {
    "namespace": ("Namespace", ("default", "kube-system", "kube-public")),
    "system priority class": ("scheduling.k8s.io/PriorityClass", ("system-cluster-critical", "system-node-critical")),
}
KEPT: Final = {ResourceId(f"{kind}/{name}"): what for what, (kind, names) in _KEPT.items() for name in names}
CLAIMS_DELETED: Final = "claims.deleted"  # facts of a StatefulSet: what becomes of its claims, as workloads.yaml has it
CLAIMS_SCALED: Final = "claims.scaled"
DELETE: Final = "Delete"
CHILDREN_WITHOUT_WARNING: Final = 5
KUBERNETES: Final = ("kubernetes.io", ".k8s.io")  # whose own controllers release what they hold


def about_itself(view: View, resource: ResourceId, cascade: Cascade) -> Iterator[Finding]:
    """All of it, without what goes with it."""
    state = traits_of(view, resource)
    assert state is not None, "asked for what is there"
    holder = view.held_by(resource)
    if holder is not None:
        yield Finding("F510", f"intent {holder} changes {named(resource)}", "presence", resource, waits_for=holder)
    owner, restorer = top_owner_of(view, resource), restorer_of(view, resource)
    yield from itself(resource, state, owner, restorer, cascade, is_held=holder is not None)
    yield from _data_and_rights(view, resource, cascade)


def itself(
    resource: ResourceId,
    state: ResourceState,
    owner: ResourceId | None,
    restorer: ResourceId | None,
    cascade: Cascade,
    *,
    is_held: bool = False,
) -> Iterator[Finding]:
    """What is to be said of it, whoever uses it.

    owner      the top of the chain of its owners
    restorer   what has applied it, and does so again (restorers.py)
    """
    if state.deleting and not is_held:
        yield Finding("N331", f"{named(resource)} is being deleted already", "presence", resource)
    if owner is not None and kind_of(owner) == ACCOUNT:
        owner = None  # a token is made by who asks for it, since Kubernetes 1.24
    if owner is not None and owner not in cascade.all:
        yield Finding("W320", f"its owner {named(owner)} will make it again", "presence", owner)
    elif owner is None and restorer is not None and restorer not in cascade.all:
        yield Finding("W320", f"{named(restorer)} has applied it, and will do so again", "presence", restorer)
    if resource in KEPT:
        message = f"the API server refuses it: this {KEPT[resource]} may not be deleted"
        yield Finding("D150", message, "presence", resource)
    held = [one for one in state.finalizers if one != "kubernetes"]
    if held:
        message = f"finalizer held by {', '.join(held)}: it goes when that is released"
        yield Finding("N331", message, "presence", resource)


def waits_for_others(state: ResourceState) -> list[str]:
    """Finalizers that somebody besides Kubernetes itself must release: `example.org/guard`, `guard.example.org`."""
    owners = [(one, one.partition("/")[0]) for one in state.finalizers]
    return [one for one, owner in owners if "." in owner and not owner.endswith(KUBERNETES)]


def lost_with_it(view: View, cascade: Cascade) -> Iterator[Finding]:
    """Data and rights of what goes with something."""
    for child in cascade.children:
        yield from _data_and_rights(view, child, cascade)


def held_with_it(view: View, cascade: Cascade) -> Iterator[Finding]:
    """Of what goes with something: until the last of these is released, a namespace or a definition is terminating."""
    states = ((child, traits_of(view, child)) for child in cascade.children)
    held = {child: names[0] for child, state in states if state is not None and (names := waits_for_others(state))}
    if held:
        first = min(held)
        more = f" and {len(held) - 1} more" if len(held) > 1 else ""
        message = (
            f"finalizer {held[first]} holds {named(first)}{more} that would go with it: all wait until it is released"
        )
        yield Finding("N331", message, "presence", first)


def content(view: View, present: Iterable[ResourceId], cascade: Cascade) -> Iterator[Finding]:
    """That more than a few go too, or whatever a tool has applied; that this stays."""
    takes = {one: state.facts.get(TAKES) for one in present if (state := traits_of(view, one)) is not None}
    if len(cascade.children) > CHILDREN_WITHOUT_WARNING or (cascade.children and True in takes.values()):
        yield takes_many(next(iter(takes)), cascade)
    for one in (one for one, takes_along in takes.items() if takes_along is False):
        found = view.dependents(one, WALK_MAX, "children")
        stay = found.count - len({edge.source for edge in found.edges} & cascade.all)
        if stay:
            message = f"{counted(stay, 'resource')} that it has applied {'stays' if stay == 1 else 'stay'}"
            yield Finding("N317", message, "presence", one)


def takes_many(resource: ResourceId, cascade: Cascade) -> Finding:
    """Children go with it."""
    message = f"takes down {counted(len(cascade.children), 'resource')} with it"
    return Finding("W314", message, "presence", resource)


def _data_and_rights(view: View, resource: ResourceId, cascade: Cascade) -> Iterator[Finding]:
    kind = kind_of(resource)
    state = view.find(resource) if kind in HOLDERS or kind == SET or kind in GRANTING else None
    if state is None:
        return
    if kind in HOLDERS:
        yield from _data(view, state)
    if kind == SET and state.facts.get(CLAIMS_DELETED) == DELETE:
        for claim in _claims(view, state):
            if claim.resource not in cascade.all:
                yield from _data(view, claim)
    if kind in GRANTING:
        yield from rights_gone(view, state, cascade)


def _data(view: View, claim: ResourceState) -> Iterator[Finding]:
    kind, word = HOLDERS[kind_of(claim.resource)]
    holder = view.find(ResourceId(f"{kind}/{claim.facts.get('volume')}"))
    if holder is not None and holder.facts.get("reclaim") == DELETE:
        yield Finding("W315", f"the {word} of {named(claim.resource)} and its data go too", "presence", holder.resource)


def _claims(view: View, source: ResourceState) -> Iterator[ResourceState]:
    """Those of a StatefulSet that are there."""
    for reference in source.references:
        claim = view.find(reference.target) if reference.rule == CLAIMS_RULE else None
        if claim is not None:
            yield claim


def data_lost(view: View, old: ResourceState, new: ResourceState) -> Iterator[Finding]:
    """Of an update: the claims of pods that a StatefulSet has no more, where it says that they go, too."""
    if kind_of(old.resource) == SET and new.facts.get(CLAIMS_SCALED) == DELETE:
        kept = {one.target for one in new.references if one.rule == CLAIMS_RULE}
        for claim in _claims(view, old):
            if claim.resource not in kept:
                yield from _data(view, claim)


def parts_lost(old: ResourceState, new: ResourceState) -> dict[str, set[str]]:
    """What it had and has no more; of a sort of which nobody says what it has now, nothing is missed (`open`)."""
    found = {part: set(offered) - set(new.parts[part]) for part, offered in old.parts.items() if part in new.parts}
    found.setdefault(TEXT, found.get(KEY, set()))  # who tells of it may be older
    return {part: names for part, names in found.items() if names}


def lost_to(reference: Reference, part: str, lost: Mapping[str, set[str]]) -> set[str]:
    """What of that a reference misses: of the sort that it names, else of the keys, which it reads all."""
    return lost.get(TEXT if reference.rule in OF_TEXT else part or KEY, set())
