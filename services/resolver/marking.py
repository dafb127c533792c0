"""Words of ours on a resource that is otherwise left alone: to whom it is shared, who is of its set. Pure.

    marks of a part + what is known of the resource ──▶ a change `annotate`, with the words as they are to be

A word that is to say nothing any more is "" in the manifest: the executor takes it away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from msgspec import structs

from schemas.events import ResourceState
from schemas.identity import ResourceId, ResourceKey, SiteName
from schemas.intents import Mark
from schemas.scope.errors import ScopeError
from schemas.scope.parse import parse_scope
from schemas.scope.printing import print_placement
from schemas.scope.sites import part_without, without
from schemas.scope.tree import Location, Part, Site, leaves
from schemas.ties import (
    FACTS,
    PART_OF,
    PARTS,
    PARTS_FACT,
    REPLICA_SET,
    REPLICAS,
    SCOPE,
    SCOPE_FACT,
    SHARED_TO,
    SHARED_TO_FACT,
    is_declared,
    is_member,
    listed,
    replicas_at,
    set_id,
    shared_to,
    sites_in,
    with_words,
)
from services.resolver.graph.view import View
from services.resolver.intake import Intake
from services.resolver.judge.case import Change
from services.resolver.placing import widened


@dataclass(frozen=True, slots=True)
class Words:
    """Labels and annotations as they are to be; "" for what is to go."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def on(self, state: ResourceState) -> ResourceState:
        """The resource as it will be."""
        gone = {name for name, text in self.labels.items() if not text}
        kept = {name: text for name, text in {**state.labels, **self.labels}.items() if name not in gone}
        facts = {FACTS[name]: text for name, text in self.annotations.items()}
        return structs.replace(state, labels=kept, facts={**state.facts, **facts})


def marked(
    intake: Intake,
    marks: Sequence[Mark],
    view: View,
    gone: Set[SiteName] = frozenset(),
    was_tied: Callable[[ResourceId], bool] = lambda _: False,
) -> Intake:
    """The words on what is to be marked, by what is known of it now. `gone`: for good, no word names them.

    What is written anyway gets them with that. What is to go because it is of a set, or a copy (its own site leaves),
    stays when it is neither: it only has the same name. `was_tied`: it was one, and somebody took its words away.
    """
    by_resource = {one.resource: one for one in marks}
    manifests = dict(intake.manifests)
    changes = []
    written = {one.resource for one in intake.changes if one.action != "annotate" and one.after is not None}
    leaving = {one.resource for one in marks if view.site in one.leaves}
    for change in intake.changes:
        if change.resource in leaving:
            changes += _leaving(change, view, was_tied)
            continue
        if change.resource in written and change.resource in by_resource:
            if change.action != "annotate":
                changes.append(_written(change, by_resource[change.resource], view, gone, manifests))
            continue
        mark = by_resource.get(change.resource) if change.action == "annotate" else None
        state = view.find(change.resource) if mark is not None else None
        if mark is not None and state is None and not (mark.add or (mark.joins and mark.seen)):
            changes.append(structs.replace(change, unchanged=True))  # what is gone carries no word any more
        elif mark is not None and state is not None and mark.seen not in ("", state.resource_version):
            changes.append(structs.replace(change, refused="was changed since it was read"))
        elif mark is not None and state is not None:
            words, key = words_of(state, mark, view.site, gone), ResourceKey.parse(change.resource)
            metadata: dict[str, Any] = {"name": key.name}
            if key.namespace:
                metadata["namespace"] = key.namespace
            version = f"{key.group}/{state.version}" if key.group else state.version
            bare = {"apiVersion": version, "kind": key.kind, "metadata": metadata}
            manifests[change.resource] = with_words(bare, words.labels, words.annotations)
            changes.append(structs.replace(change, version=state.version, after=words.on(state)))
        else:
            changes.append(change)
    return structs.replace(intake, changes=tuple(changes), manifests=manifests)


def _leaving(change: Change, view: View, was_tied: Callable[[ResourceId], bool]) -> list[Change]:
    state = view.find(change.resource)
    if change.action != "delete":
        return [change] if change.unchanged else []
    stays = state is not None and not is_declared(state) and not was_tied(change.resource)
    return [structs.replace(change, action="annotate", unchanged=True) if stays else change]


def _written(
    change: Change, mark: Mark, view: View, gone: Set[SiteName], manifests: dict[ResourceId, dict[str, Any]]
) -> Change:
    """Of what is written, the sites that have a copy are named with it; who is of its set its manifest says."""
    state = view.find(change.resource)
    if state is None or change.after is None:
        return change
    both = listed((*shared_to(state), *shared_to(change.after)))  # it may be shared to others by this very write
    named = structs.replace(state, facts={**state.facts, SHARED_TO_FACT: both})
    text = words_of(named, mark, view.site, gone).annotations.get(SHARED_TO)
    if text is None:
        return change
    text = _without_members(text, change.after)
    manifests[change.resource] = with_words(manifests[change.resource], annotations={SHARED_TO: text})
    facts = {**change.after.facts, SHARED_TO_FACT: text}
    return structs.replace(change, after=structs.replace(change.after, facts=facts))


def words_of(state: ResourceState, mark: Mark, here: SiteName, gone: Set[SiteName] = frozenset()) -> Words:
    """What a mark makes of the words that are there."""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    if mark.add or mark.remove:
        sites = (*shared_to(state), *mark.add)
        annotations[SHARED_TO] = listed(one for one in sites if one not in mark.remove and one not in gone)
    if not (mark.joins or mark.leaves):
        return Words(labels, annotations)
    if PART_OF in state.labels and REPLICA_SET not in state.labels:
        leaving = tuple({*mark.leaves, *(gone & {*replicas_at(state)})})
        return _parts_left(state, mark.model_copy(update={"leaves": leaving}), labels, annotations)
    sites = (*(replicas_at(state) or (here,)), *mark.joins)
    kept = listed(one for one in sites if one not in mark.leaves and one not in gone)
    is_set = len(kept.split(",")) > 1
    labels[REPLICA_SET] = set_id(state.resource) if is_set else ""
    annotations[REPLICAS] = kept if is_set else ""
    return Words(labels, annotations)


def _parts_left(state: ResourceState, mark: Mark, labels: dict[str, str], annotations: dict[str, str]) -> Words:
    """Parts stay as they are: nothing is moved silently, so a share that is deleted is gone. Only places are joined."""
    numbers = [one for one in str(state.facts.get(PARTS_FACT) or "").split(",") if one]
    joins = () if any("=" in one for one in numbers) else mark.joins
    left = sorted({*(one for one in numbers if one.partition("=")[0] not in mark.leaves), *joins})
    is_spread = len(left) > 1
    if not is_spread:
        labels[PART_OF] = ""
    annotations[PARTS] = ",".join(left) if is_spread else ""
    annotations[SCOPE] = respread(str(state.facts.get(SCOPE_FACT) or ""), mark.leaves, joins) if is_spread else ""
    return Words(labels, annotations)


def respread(scope: str, leaving: Sequence[SiteName], joins: Sequence[SiteName] = ()) -> str:
    """`lyon*3 % oslo % nice {prime: nice}` without nice → `lyon*3 % oslo`; with rome → `… % rome`."""
    try:
        part = parse_scope(scope).parts[0]
    except ScopeError:  # somebody has written on the object
        return ""
    left = part_without(part, leaving) if _is_of_sites(part.location) else None
    return print_placement(Part(None, widened(left.location, joins), left.options)) if left is not None else ""


def stripped(location: Location, sites: Sequence[SiteName]) -> Location | None:
    """Without these sites; None when nobody is left, or when somebody has written `all` or `around` on the object."""
    return without(location, sites) if _is_of_sites(location) else None


def _is_of_sites(location: Location) -> bool:
    return all(isinstance(one, Site) for one in leaves(location))


def keeping_words(intake: Intake, view: View) -> Intake:
    """Whoever applies an original anew does not take the word away that it is shared, nor to whom else.

    What has become the same at several sites has no copy at any of them.
    """
    manifests, changes = dict(intake.manifests), []
    for change in intake.changes:
        state = view.find(change.resource) if change.after is not None and change.action != "annotate" else None
        known = shared_to(state) if state is not None else ()
        if known and change.after is not None:
            text = _without_members(listed((*known, *shared_to(change.after))), change.after)
            manifests[change.resource] = with_words(manifests[change.resource], annotations={SHARED_TO: text})
            after = structs.replace(change.after, facts={**change.after.facts, SHARED_TO_FACT: text})
            changes.append(structs.replace(change, after=after))
        else:
            changes.append(change)
    return structs.replace(intake, changes=tuple(changes), manifests=manifests)


def _without_members(text: str, after: ResourceState) -> str:
    """The sites that have a copy, without those that are of its set."""
    members = replicas_at(after) if is_member(after) else ()
    return listed(one for one in sites_in(text) if one not in members)
