"""What sites lack and the scope names → what is brought to them from elsewhere, replicated or shared. Pure.

    answers ──▶ wants ──▶ brought: from the bundle at once, else fetched from where it is ──▶ parts, asked again

A copy that is shared carries the site of its original, the original the sites of its copies (schemas/ties.py); that
word is a step at the original's site, with the consent of its resolver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.identity import KindId, ResourceId, ResourceKey, SiteName, kind_of
from schemas.kinds import Surface
from schemas.relations.kind_facts import KindFacts
from schemas.relations.path import compile_first, steps_of
from schemas.relations.resting import SERVER_SET
from schemas.scope.tree import Scope
from schemas.ties import (
    DECLARATION,
    DECLARED,
    PART_OF,
    PARTS,
    REPLICA_SET,
    REPLICAS,
    SCOPE,
    SHARED_FROM,
    SHARED_TO,
    listed,
    sites_in,
    with_words,
)
from schemas.verdicts import Verdict
from services.resolver.across.sets import replica
from services.resolver.judge.case import Problem
from services.resolver.judge.findings import named
from services.resolver.placing import Alternative, part_of
from services.resolver.signals import Want

MISSING: Final = ("D113", "D110", "D140")
SUPPLIES_MAX: Final = 16  # a supplied dependency may need others; chains are short
# What means something in one cluster only: what its server set, its owners, our own and kubectl's book-keeping.
_METADATA: Final = (
    *SERVER_SET,
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "finalizers",
)
_LABELS: Final = (SHARED_FROM, REPLICA_SET, PART_OF)
_ANNOTATIONS: Final = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "cheops.io/operation",
    *(SHARED_TO, REPLICAS, PARTS, SCOPE, DECLARED, DECLARATION),
)
Body = dict[str, Any]
Knows = Callable[[KindId], KindFacts | None]  # what the catalogue says of a kind


@dataclass(frozen=True, slots=True)
class Naming:
    """One way to read a scope, as far as it says where dependencies are."""

    scope: Scope
    way: Alternative
    surface: Surface
    known: Sequence[SiteName]

    def wants(self, answers: Mapping[SiteName, Verdict]) -> Iterator[Want]:
        """What is missing at the sites and named by a part.

        A copy is made of what a site of the part has: elsewhere there may be another one of the same name. What is to
        be the same at the sites of the part may come from anywhere, when none of them has it.
        """
        for name, verdict in answers.items():
            lacking = {one.resource: one.at for one in verdict.reasons if one.code in MISSING and one.resource}
            for resource, at in lacking.items():
                number = part_of(self.scope, resource, self.surface, is_root=False)
                if number is not None:
                    shares = self.way.shares[number]
                    shared = name not in shares
                    origins = dict.fromkeys(shares if shared else (*shares, *at, *self.known))
                    origins.pop(name, None)
                    yield Want(name, resource, shared, tuple(origins), () if shared else tuple(shares))


@dataclass(slots=True)
class Joining:
    """What is brought to be the same at several sites. `before`: sites that have it, `new`: those that get it.

    declared   when the replicas that are there were declared, if they are a set already
    """

    before: dict[SiteName, None] = field(default_factory=dict)
    new: dict[SiteName, None] = field(default_factory=dict)
    declared: str = ""

    @property
    def sites(self) -> tuple[SiteName, ...]:
        """Of the set from now on; one alone is none."""
        found = tuple({**self.before, **self.new})
        return found if len(found) > 1 else ()


@dataclass(slots=True)
class Supplies:
    """What is brought to each site in one asking, and what is written on originals."""

    brought: dict[SiteName, dict[ResourceId, Body]] = field(default_factory=dict)
    origins: dict[tuple[SiteName, ResourceId], SiteName] = field(default_factory=dict)
    marks: dict[SiteName, dict[ResourceId, list[SiteName]]] = field(default_factory=dict)
    problems: dict[tuple[SiteName, ResourceId], Problem] = field(default_factory=dict)
    joining: dict[ResourceId, Joining] = field(default_factory=dict)
    seen: dict[tuple[SiteName, ResourceId], str] = field(default_factory=dict)
    rounds: int = 0

    def fresh(self, wants: Iterable[Want]) -> list[Want]:
        """Those that were not met before, while it makes sense to go on."""
        if self.rounds >= SUPPLIES_MAX:
            return []
        return [
            one
            for one in wants
            if one.resource not in self.brought.get(one.site, {}) and (one.site, one.resource) not in self.problems
        ]

    def bring(self, want: Want, origin: SiteName, body: Body, knows: Knows) -> None:
        """A manifest was found; what means nothing elsewhere is refused (D610)."""
        facts = knows(kind_of(want.resource))
        owned = _ownership(body, facts)
        if owned == "site-bound" or (want.shared and owned != "portable"):
            message = f"{named(want.resource)} means something only at {origin} ({owned})"
            self.problems[want.site, want.resource] = Problem("D610", message, want.resource)
            return
        self.brought.setdefault(want.site, {})[want.resource] = travelling(
            body, origin if want.shared else None, facts.local if facts is not None else ()
        )
        self.origins[want.site, want.resource] = origin
        self.seen[origin, want.resource] = str((body.get("metadata") or {}).get("resourceVersion") or "")
        if not want.shared:
            self._join(want, origin, body)

    def _join(self, want: Want, origin: SiteName, body: Body) -> None:
        """The same at several sites of the scope is a set; a copy or a part that is found there is not of it."""
        metadata = body.get("metadata") or {}
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        joining = self.joining.setdefault(want.resource, Joining())
        joining.new[want.site] = None
        if origin in want.among and SHARED_FROM not in labels and PART_OF not in labels:
            joining.before[origin] = None
            if REPLICA_SET in labels:
                joining.before |= dict.fromkeys(sites_in(annotations.get(REPLICAS)))
                joining.declared = str(annotations.get(DECLARED) or "")

    def leave_out(self, gone: Iterable[SiteName]) -> None:
        """Sites that are gone for good are of no set that grows."""
        for name in gone:
            for joining in self.joining.values():
                joining.before.pop(name, None)

    def brought_to(self, name: SiteName) -> tuple[Body, ...]:
        """The manifests for a site; those that are the same at others carry the words of their set."""
        return tuple(self._with_set(name, *row) for row in self.brought.get(name, {}).items())

    def _with_set(self, name: SiteName, resource: ResourceId, body: Body) -> Body:
        joining = self.joining.get(resource)
        if joining is None or not joining.sites or name not in joining.new:
            return body
        stamp = {DECLARED: joining.declared} if joining.declared else None
        return with_words(replica(body, resource, joining.sites), annotations=stamp)

    def joined_at(self, name: SiteName) -> dict[ResourceId, tuple[SiteName, ...]]:
        """What a site has, and the sites that are of its set from now on."""
        return {resource: one.sites for resource, one in self.joining.items() if name in one.before and one.sites}

    def joined(self) -> set[SiteName]:
        """The sites that have something of a set that grows."""
        return {name for one in self.joining.values() if one.sites for name in one.before}

    def mark(self, want: Want, origin: SiteName) -> None:
        """The original is to carry that it is shared."""
        if want.shared and want.resource in self.brought.get(want.site, {}):
            self.marks.setdefault(origin, {}).setdefault(want.resource, []).append(want.site)


def travelling(body: Mapping[str, Any], shared_from: SiteName | None, local: Iterable[str] = ()) -> Body:
    """What may travel: no server's fields, no owners (they are valid in one cluster only), no status.

    `local`: paths of what else belongs to one cluster (the catalogue says so per kind).
    """
    metadata = {name: value for name, value in body["metadata"].items() if name not in _METADATA}
    labels = {name: value for name, value in (metadata.pop("labels", None) or {}).items() if name not in _LABELS}
    if labels:
        metadata["labels"] = labels
    annotations = metadata.pop("annotations", None) or {}
    kept = {name: value for name, value in annotations.items() if name not in _ANNOTATIONS}
    if kept:
        metadata["annotations"] = kept
    made = {**{name: value for name, value in body.items() if name != "status"}, "metadata": metadata}
    for path in local:
        made = _without(made, [step for step in steps_of(path) if step is not None])
    return with_words(made, {SHARED_FROM: shared_from}) if shared_from is not None else made


def _without(body: Any, steps: Sequence[str]) -> Any:
    if not isinstance(body, Mapping) or steps[0] not in body:
        return body
    if len(steps) == 1:
        return {name: value for name, value in body.items() if name != steps[0]}
    return {**body, steps[0]: _without(body[steps[0]], steps[1:])}


def _ownership(body: Mapping[str, Any], facts: KindFacts | None) -> str:
    if facts is None:
        return "portable"
    for path, by_value in facts.ownership_by.items():
        found = by_value.get(str(compile_first(path)(body)))
        if found is not None:
            return found
    return facts.ownership


def bare_namespace(resource: ResourceId) -> Body:
    """What a namespace is at least, where no object of it is at hand."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ResourceKey.parse(resource).name}}


def shared_to_more(body: Mapping[str, Any], sites: Iterable[SiteName]) -> Body:
    """An original of the bundle that carries from the start where its copies are."""
    before = (body.get("metadata", {}).get("annotations") or {}).get(SHARED_TO, "")
    words = [one for one in str(before).split(",") if one]
    return with_words(body, annotations={SHARED_TO: listed((*words, *sites))})
