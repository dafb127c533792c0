"""What does a change take away from others, and who will notice? Pure. verdicts.md, "Create, update, apply"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import Final

from schemas.counting import counted
from schemas.events import ResourceState
from schemas.identity import KindId, ResourceId, ResourceKey, kind_of
from schemas.relations.offering import KEY, TEXT
from services.resolver.graph.view import WALK_MAX, Edge, View
from services.resolver.graph.walk import maker_of, owner_of
from services.resolver.judge.case import Change
from services.resolver.judge.delete import USERS_LOOKED_AT, Blocks, blocks_by_default
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.grants import admitted_from, is_granted, permitted_by
from services.resolver.judge.losses import data_lost, lost_to, parts_lost
from services.resolver.judge.makers import made_by, made_less
from services.resolver.judge.params import PARAM_FACTS, is_only_guessed, parameters_lost
from services.resolver.judge.restorers import restorer_of
from services.resolver.judge.rights import rights_left_behind, rights_lost
from services.resolver.judge.subsets import said, subsets_lost
from services.resolver.judge.use import (
    DEFAULT_PARTS,
    POLICY_ONLY,
    Use,
    is_for_starts,
    lives,
    match_in_flight,
    offers,
    selects_part,
    selects_something,
    use_of,
    use_shown,
    weakly,
    with_default_part,
)

WARNINGS_NAMED: Final = 16  # about one part of a hub
NAMESPACE: Final = KindId("Namespace")
_LIVE: Final = ("lifetime", "next start", "in flight")
MOUNTED: Final = ("podspec.volume.configmap", "podspec.volume.secret", "podspec.volume.projected")
READ_WHOLE: Final = ("podspec.envfrom.", *MOUNTED)
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
    yield from _lost_parts(view, after, old, lost, blocks)
    yield from (one for one in _lost_labels(view, after, old, new) if not is_only_guessed(view, one))
    for edge, binding in parameters_lost(view, after, change):
        letter = "D" if use_of(edge, binding) in _LIVE else "W"
        message = f"{named(edge.source)} @ {view.site} finds {named(edge.target)} as a parameter, and would find none"
        yield Finding(f"{letter}210", message, "presence", edge.source, edge, (edge,))
    for edge in subsets_lost(view, after, change.resource):
        yield from _part_in_use(view, edge, "lifetime", said(edge))
    yield from _lost_home(view, after, old, new)
    yield from _lost_grants(view, after, old, new)
    yield from rights_lost(view, after, old, new)
    yield from rights_left_behind(view, after, old, new)
    yield from data_lost(view, old, new)
    for edge, what in made_less(view, after, old, new):
        source = after.find(edge.source)
        if source is not None:
            yield from _part_in_use(view, edge, use_shown(after, edge, source), what)
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


def _lost_parts(
    view: View, after: View, old: ResourceState, lost: dict[str, set[str]], blocks: Blocks
) -> Iterator[Finding]:
    """Of a hub the first few users, when one of them blocks; else those of the rest that may block."""
    if not lost:
        return
    few = view.dependents(old.resource, USERS_LOOKED_AT, "users")
    if "version" in lost:  # an object is kept at a version that is served
        children = view.dependents(old.resource, view.dependents(old.resource, 1, "children").count, "children").edges
        yield from _losing(view, after, children, {"version": lost["version"]})
    found = list(_losing(view, after, few.edges, lost))
    if few.count <= USERS_LOOKED_AT:
        yield from found
        return
    if not any(map(blocks, found)):
        looked_at = {edge.source for edge in few.edges}
        found += _losing(view, after, _rest(view, old.resource, looked_at, lost, blocks), lost)
    yield from _fewer_warnings(found, blocks)


def _rest(
    view: View, resource: ResourceId, looked_at: set[ResourceId], lost: dict[str, set[str]], blocks: Blocks
) -> list[Edge]:
    """Those of the other users whose loss may block: who names the part; anybody, if a policy or an override speaks.

    A part that is meant by saying none is looked for among all of them.
    """
    gone = {f"{KEY if part == TEXT else part}:{name}" for part, names in lost.items() for name in names}
    if blocks is blocks_by_default and gone.isdisjoint(DEFAULT_PARTS.values()):
        every = view.needing(resource, gone)
    else:
        every = list(view.dependents(resource, view.dependents(resource, 1, "users").count, "users").edges)
    return [edge for edge in every if edge.source not in looked_at]


def _fewer_warnings(findings: Iterable[Finding], blocks: Blocks) -> Iterator[Finding]:
    """Of a hub: what decides, and the first warnings; that there are more of them is no news."""
    warnings = 0
    for finding in findings:
        if finding.letter != "W" or blocks(finding):
            yield finding
        else:
            warnings += 1
            if warnings <= WARNINGS_NAMED:
                yield finding


def _losing(view: View, after: View, edges: Iterable[Edge], lost: dict[str, set[str]]) -> Iterator[Finding]:
    for edge in edges:
        part, _, name = with_default_part(edge.reference).granule.partition(":")
        missed = lost_to(edge.reference, part, lost)
        whole = not part and bool(missed) and edge.reference.rule.startswith(READ_WHOLE)
        if edge.reference.selector is not None or not (whole or name in missed):
            continue
        source = after.find(edge.source)
        if source is None or edge.reference not in source.references or _maker_stands_for(view, after, edge, source):
            continue
        if whole:
            gone = ", ".join(f"{KEY} {one!r}" for one in sorted(missed))
            message = f"{named(edge.source)} @ {view.site} reads it whole and may need {gone}"
            yield Finding("W210", message, "presence", edge.source, edge, (edge,))
        else:
            use = "lifetime" if part == "version" else use_shown(after, edge, source)
            yield from _part_in_use(view, edge, use, f"{part} {name!r}")


def _maker_stands_for(view: View, after: View, edge: Edge, source: ResourceState) -> bool:
    """Whoever made the user from a template says it as well, or is changed here and will replace it."""
    maker = maker_of(view, edge.source)
    before, now = (view.find(maker), after.find(maker)) if maker is not None else (None, None)
    if before is None or now is None:
        return False
    wanted = (edge.reference.target, edge.reference.granule)
    same = [one for one in now.references if (one.target, one.granule) == wanted]
    if not same:
        return now is not before
    if use_of(edge, source) not in _LIVE:
        return True
    return any(use_of(Edge(now.resource, edge.target, one), now) in _LIVE for one in same)


def _part_in_use(view: View, edge: Edge, use: str, part: str) -> Iterator[Finding]:
    user = f"{named(edge.source)} @ {view.site}"
    holder = view.held_by(edge.source)
    if use in _LIVE and holder is not None:
        message = f"intent {holder} changes {user}, which uses {part}"
        yield Finding("F510", message, "presence", edge.source, edge, (edge,), waits_for=holder)
    elif use == "lifetime":
        yield Finding("D210", f"{user} uses {part}", "presence", edge.source, edge, (edge,))
    elif use in _LIVE:
        yield Finding("D211", f"{user} needs {part} at its next start", "presence", edge.source, edge, (edge,))
    elif use == "over":
        message = f"{user} needs {part} only when somebody starts it"
        yield Finding("N311", message, "presence", edge.source, edge, (edge,))
    elif use == "weak":
        message = f"{user} {weakly(edge, part)}"
        yield Finding(_weak_code(edge), message, "presence", edge.source, edge, (edge,))


def _weak_code(edge: Edge) -> str:
    return "W211" if is_for_starts(edge.reference, kind_of(edge.source)) else "W210"


def _lost_labels(view: View, after: View, old: ResourceState, new: ResourceState) -> Iterator[Finding]:
    """A selector that matched this and matches nothing any more: its labels change, or it is scaled to zero."""
    has_new_pods = old.template_labels != new.template_labels or old.parts != new.parts
    replaced = old.resource if has_new_pods else None
    for edge in view.dependents(old.resource, which="selectors").edges:
        if set(edge.reference.phases) <= {"P"}:
            continue
        source = after.find(edge.source)
        if source is None or edge.reference not in source.references:
            continue
        if not lives(view, old.resource) or _maker_selects(after, edge):
            continue
        use = use_shown(view, edge, source, after)
        if not selects_something(after, edge.source, edge.reference, replaced):
            yield from _last_match_goes(view, edge, use, old.resource)
        elif offers(old, edge.reference) and not selects_part(after, edge.source, edge.reference, replaced):
            part, _, name = edge.reference.granule.partition(":")
            yield from _part_in_use(view, edge, use, f"{part} {name!r}")


def _maker_selects(view: View, edge: Edge) -> bool:
    """Whoever made the source from a template selects the same, and is named for it."""
    maker = maker_of(view, edge.source)
    state = view.find(maker) if maker is not None else None
    wanted = (edge.reference.rule, edge.reference.selector)
    mine = [one for one in state.references if (one.rule, one.selector) == wanted] if state is not None else ()
    return any(state is not None and use_of(Edge(state.resource, edge.target, one), state) in _LIVE for one in mine)


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
            if source is None or edge.reference not in source.references or edge.reference.phases in POLICY_ONLY:
                continue
            if not selects_something(after, edge.source, edge.reference) and not _maker_selects(after, edge):
                yield from _last_match_goes(view, edge, use_shown(view, edge, source, after), member)


def _last_match_goes(view: View, edge: Edge, use: Use, target: ResourceId) -> Iterator[Finding]:
    user = f"{named(edge.source)} @ {view.site}"
    holder = view.held_by(edge.source) or match_in_flight(view, edge, {target})
    if use in _LIVE and holder is not None:
        message = f"intent {holder} changes {user}, or what it could use instead"
        yield Finding("F510", message, "presence", edge.source, edge, (edge,), waits_for=holder)
    elif use in _LIVE:
        code = "D210" if use == "lifetime" else "D211"
        yield Finding(code, f"{user} selects it, and would select nothing", "presence", edge.source, edge, (edge,))
    elif use == "weak":
        message = f"{user} selects it, and does without"
        yield Finding(_weak_code(edge), message, "presence", edge.source, edge, (edge,))


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
        if still is None or edge.reference not in still.references or use_of(edge, source) not in _LIVE:
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
