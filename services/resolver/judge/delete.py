"""May these resources go? Pure. Every rule is a row of verdicts.md, "Delete"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from schemas.events import ResourceState
from schemas.identity import ResourceId, SiteName, kind_of
from services.resolver.graph.overlay import OverlayView
from services.resolver.graph.remembered import numbers_of, traits_of
from services.resolver.graph.view import Edge, View
from services.resolver.graph.walk import owner_of
from services.resolver.judge.cascade import CASCADE_MAX, Cascade, cascade_of
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.going import STORAGE_CLASS, Going, going_of
from services.resolver.judge.grants import is_granted, permitted_by_this_alone
from services.resolver.judge.losses import about_itself, content, held_with_it, lost_with_it
from services.resolver.judge.makers import left_by, unmade
from services.resolver.judge.params import is_only_guessed, parameters_of, still_found
from services.resolver.judge.subsets import subsets_going, subsets_lost
from services.resolver.judge.use import (
    BREAKING,
    POLICY_ONLY,
    STRONGEST_FIRST,
    Use,
    alternatives,
    claims_are_bound,
    how,
    is_for_starts,
    lives,
    match_in_flight,
    matches,
    may_be_needed_to_end,
    selects_something,
    use_of,
    use_shown,
    weakly,
)

USERS_LOOKED_AT: Final = 128  # of a hub, when one of them blocks: the impact counts them all
Blocks = Callable[[Finding], bool]
_SAID: Final[dict[Use, tuple[str, str]]] = {
    "lifetime": ("D310", "{how} {user}"),
    "next start": ("D311", "{user} needs it at its next start"),
    "in flight": ("D312", "{user} is waiting for it now"),
    "over": ("N311", "{user} needs it only when somebody starts it"),
    "weak": ("W310", "{user} {weakly}"),
}


def blocks_by_default(finding: Finding) -> bool:
    """Whether a finding denies when no policy says otherwise."""
    return finding.letter == "D"


def with_dependents(view: View, targets: list[ResourceId]) -> list[ResourceId]:
    """The targets and every living user that would break, transitively (`--cascade dependents`)."""
    chosen, new_targets = list(targets), list(targets)
    seen, looked_at = set(targets), set[ResourceId]()
    cascade: Cascade | None = None
    tops: dict[ResourceId, ResourceId] = {}
    shared: list[Edge] = []  # selector edges that had another match so far
    while True:  # what only all of them together leave without a match comes in a later round
        cascade = cascade_of(view, new_targets, cascade)
        new = [one for one in (*cascade.targets, *cascade.children) if one not in looked_at]
        looked_at.update(new)
        edges = shared + [edge for gone in new for edge in view.dependents(gone, CASCADE_MAX, "users").edges]
        shared = [edge for edge in edges if edge.reference.selector is not None]
        after = OverlayView(view, {}, cascade.all)
        broken = _broken(view, after, edges, cascade.all)
        found = dict.fromkeys(
            one for edge in broken for one in _would_break(view, after, edge, tops) if one not in seen
        )
        found |= dict.fromkeys(one for one in _without_parameters(view, after, cascade) if one not in seen)
        lost = [edge for one in cascade.all for edge in subsets_lost(view, after, one)]
        lost += [edge for one in new for edge in permitted_by_this_alone(view, after, one, cascade.all)]
        lost += left_by(view, after, cascade.all)
        found |= dict.fromkeys(edge.source for edge in lost if edge.source not in seen)
        if not found:
            return chosen
        seen.update(found)
        new_targets = sorted(found)  # however the site was learned, the same plan and the same words
        chosen += new_targets


def _would_break(view: View, after: View, edge: Edge, tops: dict[ResourceId, ResourceId]) -> Iterator[ResourceId]:
    """Who has to go when this edge is broken: the top owner of its source."""
    source = view.find(edge.source)
    if source is not None and use_shown(view, edge, source, after) in BREAKING:
        yield owner_of(view, edge.source, tops) or edge.source


def judge_delete(view: View, targets: list[ResourceId], blocks: Blocks = blocks_by_default) -> Iterator[Finding]:
    """Findings about deleting these together. `blocks`: whether a finding decides, under the policy in force."""
    present: list[ResourceId] = []
    for resource in targets:
        if traits_of(view, resource) is not None:
            present.append(resource)
        else:
            yield from _absent(view, resource)
    going = going_of(view, present)
    cascade = going.cascade(present) if going is not None else cascade_of(view, present)
    if not cascade.whole:
        message = f"takes down more than {CASCADE_MAX} resources: too many to judge"
        yield Finding("D314", message, "presence", present[0])
        return
    after = OverlayView(view, {}, cascade.all)
    said: set[tuple[ResourceId, str]] = set()
    yield from _parameters(view, after, cascade)
    for resource in (*present, *cascade.children):
        yield from subsets_going(view, after, resource, cascade)
        for finding in _users(view, after, resource, cascade, blocks, going):
            edge = finding.edge
            if is_only_guessed(view, finding):
                continue  # said above, as its policy has it
            if edge is None or edge.reference.selector is None or (edge.source, edge.reference.path) not in said:
                yield finding
            if edge is not None:
                said.add((edge.source, edge.reference.path))  # a selector is broken once, whatever it matched
    for child in cascade.children:
        holder = view.held_by(child)
        if holder is not None:
            yield Finding("F510", f"intent {holder} changes {named(child)}", "presence", child, waits_for=holder)
    for resource in present:
        yield from about_itself(view, resource, cascade)
        yield from _permitted_no_more(view, after, resource, cascade)
    yield from lost_with_it(view, cascade)
    yield from held_with_it(view, cascade)
    yield from unmade(view, after, cascade.all)
    yield from content(view, present, cascade)


def _parameters(view: View, after: View, cascade: Cascade) -> Iterator[Finding]:
    """Bindings of admission policies that lose their parameters."""
    for one, edge, binding in parameters_of(view, cascade.all):
        if not still_found(after, edge, cascade):
            yield use_finding(view.site, edge, use_of(edge, binding), one, cascade)


def _without_parameters(view: View, after: View, cascade: Cascade) -> Iterator[ResourceId]:
    for _, edge, binding in parameters_of(view, cascade.all):
        if use_of(edge, binding) in BREAKING and not still_found(after, edge, cascade):
            yield edge.source


def _permitted_no_more(view: View, after: View, resource: ResourceId, cascade: Cascade) -> Iterator[Finding]:
    """Living references that are permitted by what goes, and by nothing else."""
    for edge in permitted_by_this_alone(view, after, resource, cascade.all):
        message = f"it permits {named(edge.source)} @ {view.site} to use {named(edge.target)}"
        yield Finding("D310", message, "presence", edge.source, edge, (edge,))


def _absent(view: View, resource: ResourceId) -> Iterator[Finding]:
    holder = view.held_by(resource)
    if holder is not None:
        yield Finding("F510", f"intent {holder} is deleting {named(resource)}", "presence", resource, waits_for=holder)
    else:
        yield Finding("N302", f"{named(resource)} is already gone", "absence", resource)


def _users(
    view: View, after: View, resource: ResourceId, cascade: Cascade, blocks: Blocks, going: Going | None
) -> Iterator[Finding]:
    """Users outside the cascade. Of a hub the first few, when one of them blocks: more of them change nothing."""
    left = going.left_by(resource) if going is not None else None
    if left is not None:
        for edge, use, owned in left:  # nothing is in flight then, so nobody has to be waited for
            if counts(resource, cascade, use, owned):
                ends = _needs_it_to_end(view, edge, use)
                yield use_finding(view.site, edge, use, resource, cascade, ends=ends)
        return
    few = view.dependents(resource, USERS_LOOKED_AT, "users")
    if few.count <= USERS_LOOKED_AT:
        yield from _use_findings(view, after, resource, cascade, few.edges)
        return
    found = list(_use_findings(view, after, resource, cascade, [*few.edges, *_of_owners(view, resource, few.edges)]))
    if any(map(blocks, found)):
        yield from found
    else:
        every = view.dependents(resource, few.count, "users")
        yield from _use_findings(view, after, resource, cascade, every.edges)


def is_hub(view: View, resource: ResourceId) -> bool:
    """Whether not every user is looked at."""
    numbers = numbers_of(view)
    if numbers is not None and numbers.is_used_by_at_most(USERS_LOOKED_AT, numbers.find(resource)):
        return False
    return view.dependents(resource, USERS_LOOKED_AT, "users").count > USERS_LOOKED_AT


def _of_owners(view: View, resource: ResourceId, edges: Iterable[Edge]) -> Iterator[Edge]:
    """The edges of those that made the users: they stand for what they make."""
    tops: dict[ResourceId, ResourceId] = {}
    sources = dict.fromkeys(edge.source for edge in edges)
    for owner in dict.fromkeys(owner_of(view, source, tops) for source in sources):
        state = view.find(owner) if owner is not None else None
        for reference in state.references if state is not None else ():
            if state is not None and reference.target == resource and reference.selector is None:
                yield Edge(state.resource, resource, reference)


def _use_findings(
    view: View, after: View, resource: ResourceId, cascade: Cascade, edges: Iterable[Edge]
) -> Iterator[Finding]:
    """One finding per user, the strongest."""
    strongest: dict[ResourceId, tuple[Edge, Use]] = {}
    order = STRONGEST_FIRST
    for edge in _broken(view, after, edges, cascade.all):
        source = view.find(edge.source)
        use = _use_now(view, after, edge, source) if source is not None else "none"
        known = strongest.get(edge.source)
        if use != "none" and (known is None or order.index(use) < order.index(known[1])):
            strongest[edge.source] = (edge, use)
    tops: dict[ResourceId, ResourceId] = {}
    for user in sorted(strongest):
        edge, use = strongest[user]
        stands = strongest.get(owner_of(view, user, tops) or user)
        if stands is not None and stands[0].source != user and order.index(stands[1]) <= order.index(use):
            continue  # the owner stands for what it makes; unless only that is left, as pods of what was scaled to zero
        if counts(resource, cascade, use, owner_of(view, user, tops) is not None):
            holder = view.held_by(user) or match_in_flight(view, edge, cascade.all)
            ends = _needs_it_to_end(view, edge, use)
            yield use_finding(view.site, edge, use, resource, cascade, holder, ends=ends)


def counts(resource: ResourceId, cascade: Cascade, use: Use, owned: bool) -> bool:
    """An EndpointSlice follows its pods, and so does whatever is made and does not break: its controller's business."""
    return use in BREAKING or not owned or resource not in cascade.children


def _use_now(view: View, after: View, edge: Edge, source: ResourceState) -> Use:
    """As the edge says, unless the site shows that it is over, or that it never counted."""
    use = use_shown(view, edge, source, after)
    if use == "next start" and kind_of(edge.target) == STORAGE_CLASS and claims_are_bound(view, source):
        return "over"
    return "none" if is_granted(view, source, edge.reference) is False else use


def _broken(view: View, after: View, edges: Iterable[Edge], going: frozenset[ResourceId]) -> Iterator[Edge]:
    """Edges to a resource that goes, from what stays; a selector edge only when its last match goes."""
    for edge in edges:
        if edge.source in going or edge.reference.phases in POLICY_ONLY:
            continue  # policy edges never count
        if edge.reference.selector is not None:
            others = (Edge(edge.source, edge.target, one) for one in alternatives(view, edge.source, edge.reference))
            if not matches(view, edge.target) or _selects_more(view, after, edge, going):
                continue
            if any(_selects_more(view, after, one, going) for one in others):
                continue
        yield edge


def _selects_more(view: View, after: View, edge: Edge, going: frozenset[ResourceId]) -> bool:
    targets = view.targets(edge.source, edge.reference)
    if any(one not in going and lives(view, one) for one in targets.present):
        return True
    return targets.count > len(targets.present) and selects_something(after, edge.source, edge.reference)


def _needs_it_to_end(view: View, edge: Edge, use: Use) -> bool:
    """It is being deleted, and its deletion needs what goes."""
    if use not in BREAKING or not may_be_needed_to_end(edge.reference):
        return False
    source = traits_of(view, edge.source)
    return source is not None and source.deleting


def use_finding(
    site: SiteName,
    edge: Edge,
    use: Use,
    resource: ResourceId,
    cascade: Cascade,
    holder: str | None = None,
    *,
    ends: bool = False,
) -> Finding:
    """How what goes is used by one that stays.

    holder   the intent in flight that decides it
    ends     it is being deleted, and needs it for that
    """
    user = f"{named(edge.source)} @ {site}"
    if use in BREAKING and holder is not None:
        message = f"intent {holder} changes {user}, or what it could use instead"
        return Finding("F510", message, "presence", edge.source, edge, waits_for=holder)
    if use in BREAKING and resource in cascade.children:
        message = f"takes down {named(resource)}, {how(edge)} {user}"
        return Finding("D313", message, "presence", edge.source, edge, (*cascade.chain(resource), edge))
    if ends:
        message = f"{user} is being deleted, and needs it for that"
        return Finding("D330", message, "presence", edge.source, edge, (edge,))
    code, said = _SAID[use]
    if use == "weak" and is_for_starts(edge.reference, kind_of(edge.source)):
        code = "W311"
    message = said.format(how=how(edge), user=user, weakly=weakly(edge, "it"))
    return Finding(code, message, "presence", edge.source, edge, (edge,))
