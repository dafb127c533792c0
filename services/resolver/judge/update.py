"""What does a change take away from others, and who will notice? Pure. verdicts.md, "Create, update, apply"."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from itertools import islice
from typing import Final

from schemas.among import is_among
from schemas.counting import counted
from schemas.events import ResourceState
from schemas.identity import KindId, ResourceId, ResourceKey, kind_of
from services.resolver.graph.view import WALK_MAX, Edge, View
from services.resolver.graph.walk import maker_of, owner_of
from services.resolver.judge.case import Change
from services.resolver.judge.delete import USERS_LOOKED_AT, Blocks, blocks_by_default
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.grants import admitted_from, is_granted, permitted_by
from services.resolver.judge.losses import data_lost, parts_lost
from services.resolver.judge.makers import made_by, made_less
from services.resolver.judge.missed import LIVE, MOUNTED, part_in_use, parts_missed, weak_code
from services.resolver.judge.params import PARAM_FACTS, is_only_guessed, parameters_lost
from services.resolver.judge.restorers import restorer_of
from services.resolver.judge.rights import rights_left_behind, rights_lost
from services.resolver.judge.subsets import said, subsets_lost
from services.resolver.judge.use import (
    POLICY_ONLY,
    Use,
    lives,
    match_in_flight,
    offers,
    selects_part,
    selects_something,
    use_of,
    use_shown,
)

NAMESPACE: Final = KindId("Namespace")
READ_AT_START: Final = ("podspec.env.", "podspec.envfrom.")


def judge_change(view: View, after: View, change: Change, blocks: Blocks = blocks_by_default) -> Iterator[Finding]:
    """Findings about replacing what is there by `change.after`. `blocks`: as for a deletion."""
    old, new = view.find(change.resource), change.after
    if old is None or new is None or change.unchanged:
        return
    owner = owner_of(view, change.resource)
    if owner is not None:
        yield Finding("W240", f"its owner {named(owner)} will revert this: change that instead", "presence", owner)
    elif (restorer := restorer_of(view, change.resource)) is not None:
        message = f"{named(restorer)} has applied it, and will revert this: change it where that reads it"
        yield Finding("W240", message, "presence", restorer)
    lost = parts_lost(old, new)
    yield from parts_missed(view, after, old, lost, blocks)
    yield from (one for one in _lost_labels(view, after, old, new) if not is_only_guessed(view, one))
    for edge, binding in parameters_lost(view, after, change):
        letter = "D" if use_of(edge, binding) in LIVE else "W"
        message = f"{named(edge.source)} @ {view.site} finds {named(edge.target)} as a parameter, and would find none"
        yield Finding(f"{letter}210", message, "presence", edge.source, edge, (edge,))
    for edge in subsets_lost(view, after, change.resource):
        yield from part_in_use(view, edge, "lifetime", said(edge))
    yield from _lost_home(view, after, old, new)
    yield from _lost_grants(view, after, old, new)
    yield from rights_lost(view, after, old, new)
    yield from rights_left_behind(view, after, old, new)
    yield from data_lost(view, old, new)
    for edge, what in made_less(view, after, old, new):
        source = after.find(edge.source)
        if source is not None:
            yield from part_in_use(view, edge, use_shown(after, edge, source), what)
    if old.digest != new.digest and kind_of(change.resource) in ("ConfigMap", "Secret"):
        yield from _noticed(view, old)


def takes_away(view: View, change: Change) -> bool:
    """Whether somebody may miss something afterwards, so that all who could have to be known."""
    old, new = view.find(change.resource), change.after
    if old is None or new is None or change.unchanged:
        return False
    stops = new.facts.get("recurs") is False and old.facts.get("recurs") is not False
    relabels = old.labels != new.labels or old.template_labels != new.template_labels
    asks_otherwise = any(old.facts.get(one) != new.facts.get(one) for one in PARAM_FACTS)
    makes_less = bool(made_by(view, old) - made_by(view, new))
    return stops or relabels or asks_otherwise or makes_less or old.grants != new.grants or bool(parts_lost(old, new))


def _lost_labels(view: View, after: View, old: ResourceState, new: ResourceState) -> Iterator[Finding]:
    """A selector that matched this and matches nothing any more: its labels change, or it is scaled to zero."""
    has_new_pods = old.template_labels != new.template_labels or old.parts != new.parts
    replaced = old.resource if has_new_pods else None
    for edge in view.dependents(old.resource, which="selectors").edges:
        if set(edge.reference.phases) <= {"P"}:
            continue
        source = after.find(edge.source)
        if source is None or not is_among(edge.reference, source.references):
            continue
        if not lives(view, old.resource) or _maker_selects(after, edge):
            continue
        use = use_shown(view, edge, source, after)
        if not selects_something(after, edge.source, edge.reference, replaced):
            yield from _last_match_goes(view, edge, use, old.resource)
        elif offers(old, edge.reference) and not selects_part(after, edge.source, edge.reference, replaced):
            part, _, name = edge.reference.granule.partition(":")
            yield from part_in_use(view, edge, use, f"{part} {name!r}")


def _maker_selects(view: View, edge: Edge) -> bool:
    """Whoever made the source from a template selects the same, and is named for it."""
    maker = maker_of(view, edge.source)
    state = view.find(maker) if maker is not None else None
    wanted = (edge.reference.rule, edge.reference.selector)
    mine = [one for one in state.references if (one.rule, one.selector) == wanted] if state is not None else ()
    return any(state is not None and use_of(Edge(state.resource, edge.target, one), state) in LIVE for one in mine)


def _lost_home(view: View, after: View, old: ResourceState, new: ResourceState) -> Iterator[Finding]:
    """Selectors that looked into a namespace by its labels, and find nothing any more."""
    if kind_of(old.resource) != NAMESPACE or old.labels == new.labels:
        return
    home = ResourceKey.parse(old.resource).name
    members = (one for kind in view.surface.served for one in view.members(kind, home))
    said: set[tuple[ResourceId, str]] = set()
    for member in islice(members, WALK_MAX):
        for edge in view.dependents(member, which="selectors").edges:
            selector, place = edge.reference.selector, (edge.source, edge.reference.path)
            if selector is None or selector.namespace_labels is None or place in said or not lives(view, member):
                continue
            said.add(place)
            source = after.find(edge.source)
            if (
                source is None
                or not is_among(edge.reference, source.references)
                or edge.reference.phases in POLICY_ONLY
            ):
                continue
            if not selects_something(after, edge.source, edge.reference) and not _maker_selects(after, edge):
                yield from _last_match_goes(view, edge, use_shown(view, edge, source, after), member)


def _last_match_goes(view: View, edge: Edge, use: Use, target: ResourceId) -> Iterator[Finding]:
    user = f"{named(edge.source)} @ {view.site}"
    holder = view.held_by(edge.source) or match_in_flight(view, edge, {target})
    if use in LIVE and holder is not None:
        message = f"intent {holder} changes {user}, or what it could use instead"
        yield Finding("F510", message, "presence", edge.source, edge, (edge,), waits_for=holder)
    elif use in LIVE:
        code = "D210" if use == "lifetime" else "D211"
        yield Finding(code, f"{user} selects it, and would select nothing", "presence", edge.source, edge, (edge,))
    elif use == "weak":
        message = f"{user} selects it, and does without"
        yield Finding(weak_code(edge), message, "presence", edge.source, edge, (edge,))


def _lost_grants(view: View, after: View, old: ResourceState, new: ResourceState) -> Iterator[Finding]:
    """References that were permitted and are not any more; a namespace's labels may be what a listener asks for."""
    if kind_of(old.resource) == NAMESPACE and old.labels != new.labels:
        permitted = admitted_from(view, old.resource)
    elif old.grants != new.grants:
        permitted = permitted_by(view, old.resource)
    else:
        return
    for edge, source in permitted:
        if is_granted(view, source, edge.reference) is False:
            continue  # it was not permitted before
        still = after.find(edge.source)
        if still is None or not is_among(edge.reference, still.references) or use_of(edge, source) not in LIVE:
            continue
        if is_granted(after, still, edge.reference) is False:
            message = f"it permits {named(edge.source)} @ {view.site} to use {named(edge.target)}"
            yield Finding("D210", message, "presence", edge.source, edge, (edge,))


def _noticed(view: View, old: ResourceState) -> Iterator[Finding]:
    """What is read through the environment, or copied in by a subPath, is read at a start only; mounts follow."""
    few = view.dependents(old.resource, USERS_LOOKED_AT, "users")
    least = "at least " if few.count > USERS_LOOKED_AT else ""
    mounted = [edge for edge in few.edges if edge.reference.rule.startswith(MOUNTED)]
    restarted = {edge.source for edge in few.edges if edge.reference.rule.startswith(READ_AT_START)}
    restarted |= {edge.source for edge in mounted if "L" not in edge.reference.phases}
    following = {edge.source for edge in mounted} - restarted
    words = []
    if restarted:
        words.append(f"{_many(restarted, least)} the change only after a restart (read through env)")
    if following:
        words.append(f"{_many(following, least)} it live (mounted)")
    if words:
        yield Finding("N230", "; ".join(words), "presence", old.resource)


def _many(readers: Sized, least: str) -> str:
    verb = "sees" if len(readers) == 1 and not least else "see"
    return f"{least}{counted(len(readers), 'resource')} {verb}"
