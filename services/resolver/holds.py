"""What is in flight at one site: from the verdict until the change is seen, has failed, or is given up. Pure.

A change in flight lies over the graph: what is being created already counts as a dependent, what is being deleted no
longer serves anyone (in_flight.py). So of two conflicting intents at most one is allowed, in any order of messages.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.batches import Fact
from schemas.events import ResourceState
from schemas.identity import KindId, ResourceId, SiteName, kind_of
from schemas.outcomes import FINAL_STATES, Outcome
from schemas.verdicts import Verdict
from services.resolver.graph.changed import Changed
from services.resolver.graph.in_flight import InFlightView, Row, WorkedOut
from services.resolver.graph.view import View
from services.resolver.judge.case import Change

HTTP_REFUSED: Final = 400  # from here on the API server says that it did nothing
DONE: Final = ("applied", "ready", "done")
DONE_MAX: Final = 10_000  # changes that are remembered, the last ones
UNSEEN_MAX_S: Final = 60.0  # after its outcome a change is seen within seconds; then the observation is believed


@dataclass(slots=True)
class _Held:
    intent: str
    put: ResourceState | None
    old_uid: str
    resource_version: str = ""
    done_at_s: float | None = None


@dataclass(slots=True)
class Holds:
    """What is in flight at one site. `generation` grows with every change, so that waiting intents look again."""

    generation: int = 0
    _held: dict[ResourceId, _Held] = field(default_factory=dict)
    _listed: dict[KindId, str] = field(default_factory=dict)  # the version up to which a kind was told as a whole
    _worked_out: WorkedOut = field(default_factory=WorkedOut)
    _many: Counter[str] = field(default_factory=Counter)  # by intent: how many it holds
    _changed: dict[str, int] = field(default_factory=dict)  # by intent: the generation of its last change
    _expected: frozenset[ResourceId] = frozenset()  # what was under way before a crash, until it is laid over the site
    _awaited: frozenset[ResourceId] = frozenset()  # what was done before it, until then
    _gone: set[tuple[ResourceId, str]] = field(default_factory=set)  # of that, what was seen to go, by its uid
    # What intents have done: the uid that was deleted, the version that was written; of words from which one to which.
    _done: OrderedDict[tuple[ResourceId, str], None] = field(default_factory=OrderedDict)
    _marked: dict[ResourceId, list[tuple[str, str]]] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether anything is in flight."""
        return bool(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def holds(self, resource: ResourceId) -> bool:
        """Whether something is in flight on it."""
        return resource in self._held

    def deletes(self, resource: ResourceId) -> bool:
        """Whether a deletion of it is in flight."""
        held = self._held.get(resource)
        return held is not None and held.put is None

    def is_under_way(self, resource: ResourceId) -> bool:
        """The same, also while it is not known yet what is in flight."""
        return resource in self._held or resource in self._expected

    def resume(self) -> None:
        """What was under way before a crash is laid over the site now."""
        self._expected = self._awaited = frozenset()

    def made(self, changed: Changed) -> bool:
        """Whether an intent does or has done this: it may be seen long after, by who was away or was started anew."""
        if self.is_under_way(changed.resource):
            return True
        old, new = (changed.old, changed.new) if self._done else (None, None)
        mark = new.resource_version if new is not None else old.uid if old is not None else ""
        spans = self._marked.get(changed.resource, ()) if new is not None else ()
        return (changed.resource, mark) in self._done or any(
            _reached(until, mark) and _reached(mark, since) and mark != since for since, until in spans
        )

    def changed(self, intent: str) -> int:
        """The generation in which last something came or went of what this intent holds; 0: it holds nothing."""
        return self._changed.get(intent, 0)

    def rows(self) -> Iterator[Row]:
        """(resource, intent, what it will be; None when it is being deleted), oldest first."""
        for resource, held in self._held.items():
            yield resource, held.intent, held.put

    def view(self, base: View, own: str = "") -> View:
        """The base with everything that is in flight; the intent `own` does not wait for itself."""
        return InFlightView(base, self.rows(), own, self._worked_out) if self._held else base

    def add(self, verdict: Verdict, changes: Sequence[Change], now_s: float) -> None:
        """An allowed plan begins."""
        after = {change.resource: change.after for change in changes}
        for step in verdict.plan:
            put = after.get(step.resource) if step.action != "delete" else None
            if step.action == "delete" or put is not None:
                if step.resource in self._held:
                    self._end(step.resource)
                self._held[step.resource] = _Held(verdict.intent, put, step.preconditions.uid)
                self._many[verdict.intent] += 1
        self.generation += 1
        if verdict.intent in self._many:
            self._changed[verdict.intent] = self.generation

    def report(self, outcome: Outcome, now_s: float) -> None:
        """An outcome: what was not done holds nothing; what was done waits to be seen.

        What conflicted is decided again: until then it is still in flight, and nobody who waits for it comes first.
        """
        held = self._held.get(outcome.resource)
        if held is None or held.intent != outcome.intent:
            return
        if outcome.state in ("begun", "conflict"):
            return  # it names what was there before, or is somebody else's: to see that is not to see the effect
        if outcome.state in DONE and (outcome.resource, outcome.uid) in self._gone:
            self._end(outcome.resource)
            return
        # The version that was written: one at which it got ready later says nothing new, and may never be told.
        held.resource_version = held.resource_version or outcome.resource_version
        refused = outcome.state == "failed" and outcome.status >= HTTP_REFUSED and held.done_at_s is None
        if refused or outcome.state == "expired":
            self._end(outcome.resource)
        elif outcome.state in FINAL_STATES or outcome.state == "applied":
            held.done_at_s = held.done_at_s or now_s  # also what failed without an answer: it may have taken effect
            self._remember(outcome, held.old_uid)

    def recover(
        self, site: SiteName, verdicts: Iterable[Verdict], outcomes: Iterable[Outcome], under_way: Iterable[Verdict]
    ) -> None:
        """After a crash: what the streams say of what was done at this site, and what is perhaps done there now."""
        steps = (step for one in under_way for step in one.plan if step.site == site)
        self._expected = frozenset(step.resource for step in steps)
        planned = {(one.intent, one.revision, step.id): step for one in verdicts for step in one.plan}
        begun: dict[str, str] = {}  # by operation, words only: they are written in two parts
        for outcome in outcomes:
            step = planned.get((outcome.intent, outcome.revision, outcome.step))
            if outcome.site != site or step is None:
                continue
            self._remember(outcome, step.preconditions.uid)
            if outcome.action == "annotate" and outcome.state == "begun":
                begun[outcome.operation] = outcome.resource_version
            elif outcome.state in DONE and outcome.operation in begun and len(self._marked) < DONE_MAX:
                span = (begun[outcome.operation], outcome.resource_version)
                self._marked.setdefault(outcome.resource, []).append(span)
        self._awaited = frozenset(resource for resource, _ in self._done)

    def _remember(self, outcome: Outcome, old_uid: str) -> None:
        mark = old_uid if outcome.action == "delete" else outcome.resource_version
        if mark and outcome.changed and outcome.state in DONE:
            self._done[outcome.resource, mark] = None
            if len(self._done) > DONE_MAX:
                self._done.popitem(last=False)

    def observe(self, facts: Sequence[Fact]) -> None:
        """Something was seen: is it what was in flight?"""
        if self._awaited:
            gone = (one for one in facts if one.op == "delete" and one.resource in self._awaited)
            self._gone.update((one.resource, one.uid) for one in gone)
        for fact in facts if self._held else ():
            held = self._held.get(fact.resource)
            if held is not None and self._seen(held, fact):
                self._end(fact.resource)

    def listed(self, kind: KindId, version: str, base: View) -> None:
        """Everything of a kind was told, up to this version: what was written before it and is not there is gone again.

        No event tells that of what was made and deleted while nobody was watching. "": nothing is said of versions.
        """
        if version:
            self._listed[kind] = version
            self.settle(base)

    def settle(self, base: View) -> None:
        """Look at what was observed already: an outcome may be heard after its effect was seen."""
        for resource in [*self._held]:
            self.look_at(resource, base)

    def look_at(self, resource: ResourceId, base: View) -> None:
        """The same for one resource."""
        held = self._held.get(resource)
        if held is None:
            return
        state = base.find(resource)
        gone = state is None or (held.old_uid and state.uid != held.old_uid)
        if held.put is None:
            seen = bool(gone) and held.done_at_s is not None
        else:
            known = self._listed.get(kind_of(resource), "") if state is None else state.resource_version
            seen = _reached(known, held.resource_version)
        if seen:
            self._end(resource)

    def _seen(self, held: _Held, fact: Fact) -> bool:
        if held.put is None:
            return fact.op == "delete" or (fact.op == "put" and bool(held.old_uid) and fact.uid != held.old_uid)
        return fact.op in ("put", "delete") and _reached(fact.resource_version, held.resource_version)

    def expire(self, now_s: float) -> None:
        """What was done and is not seen for a minute was overtaken by a later change: the observation is believed."""
        for resource, held in list(self._held.items()):
            if held.done_at_s is not None and now_s - held.done_at_s > UNSEEN_MAX_S:
                self._end(resource)

    def drop(self, intent: str) -> None:
        """Give up what an intent holds and has not done; what it did waits to be seen."""
        for resource, held in list(self._held.items()):
            if held.intent == intent and held.done_at_s is None:
                self._end(resource)

    def _end(self, resource: ResourceId) -> None:
        intent = self._held.pop(resource).intent
        self._worked_out.forget(resource)
        self.generation += 1
        self._many[intent] -= 1
        if self._many[intent]:
            self._changed[intent] = self.generation
        else:
            del self._many[intent], self._changed[intent]


def _reached(seen: str, wanted: str) -> bool:
    """The version that was written, or a later one: a listing may pass over it. Kubernetes compares them as numbers."""
    if seen.isdecimal() and wanted.isdecimal():
        return int(seen) >= int(wanted)
    return bool(wanted) and seen == wanted
