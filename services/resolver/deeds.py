"""What intents have done here and can take back: outcomes that changed something, with the place of their steps. Pure.

At its entry site an intent's deeds are those of all its sites, elsewhere those of this one. What was replaced is not
here: it stands in the outcomes' stream, sealed for the executor that wrote it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any, Final

import msgspec

from schemas.events import ResourceState
from schemas.outcomes import KEPT_AT_ITS_SITE, Outcome
from schemas.verdicts import Preconditions, Step, Verdict
from services.resolver.plan import reduced
from services.resolver.pursuit import GOOD
from services.resolver.shelf import Shelf

PLANS_MAX: Final = 64  # whose steps were looked for last
REMEMBERED_MAX: Final = 10_000  # intents; of older ones nothing is undone
BOUND_VOLUME_FACT: Final = "volume"


@dataclass(frozen=True, slots=True)
class Deed:
    """One step that was done. `after`: all steps of its plan that came before it."""

    outcome: Outcome
    after: tuple[str, ...]

    @property
    def before(self) -> ResourceState | None:
        """What was replaced; None when nothing was there, or at another site, or it cannot be read."""
        known: dict[str, Any] | None = self.outcome.before
        try:
            return msgspec.convert(known, ResourceState) if known else None
        except msgspec.ValidationError:
            return None

    @property
    def is_unreadable(self) -> bool:
        """Another version has written what was replaced, in another form."""
        return bool(self.outcome.before) and self.before is None

    @property
    def is_lost(self) -> bool:
        """What it took away cannot be had back: a claim that is made anew is empty."""
        before = self.before
        return self.outcome.action == "delete" and before is not None and bool(before.facts.get(BOUND_VOLUME_FACT))

    def undo(self, name: str, after: Iterable[str]) -> Step:
        """The step that takes it back."""
        outcome = self.outcome
        if outcome.action == "delete":
            action, conditions = "create", Preconditions(absent=True)
        else:
            action = "annotate" if outcome.action == "annotate" else "update" if outcome.former else "delete"
            conditions = Preconditions(uid=outcome.uid, left=outcome.left)
        return Step.model_validate(
            {
                "id": name,
                "site": outcome.site,
                "action": action,
                "resource": outcome.resource,
                "after": tuple(after),
                "preconditions": conditions,
                "undoes": outcome.operation,
            }
        )


class Deeds:
    """By intent and operation."""

    def __init__(self) -> None:
        self._all: Shelf[dict[str, Deed]] = Shelf(REMEMBERED_MAX)
        self._plans: dict[int, tuple[Sequence[Step], dict[str, Step]]] = {}  # by their ids: steps by name

    def note(self, outcome: Outcome, verdict: Verdict | None) -> None:
        """Something became of a step of this verdict."""
        if verdict is None or verdict.undoes is not None or not outcome.can_be_undone:
            return
        steps = self._steps(verdict.plan)
        if outcome.step not in steps or outcome.revision != verdict.revision:
            return
        mine = self._all.get(outcome.intent) or {}
        known = mine.get(outcome.operation)
        if known is not None and known.outcome.before is not None:
            outcome = outcome.model_copy(update={"before": known.outcome.before})
        former = KEPT_AT_ITS_SITE if outcome.former else outcome.former
        before = _before(steps[outcome.step], steps)
        mine[outcome.operation] = Deed(outcome.model_copy(update={"former": former}), before)
        self._all.put(outcome.intent, mine)

    def _steps(self, plan: Sequence[Step]) -> dict[str, Step]:
        known = self._plans.get(id(plan))
        if known is None:
            if len(self._plans) >= PLANS_MAX:
                self._plans.clear()
            known = self._plans[id(plan)] = (plan, {one.id: one for one in plan})
        return known[1]

    def recover(
        self, verdicts: Iterable[Verdict], outcomes: Iterable[Outcome], entered: Container[str] = frozenset()
    ) -> None:
        """What the streams hold; of what was `entered` here, only what came after the last revision that was done."""
        outcomes = list(outcomes)
        by_revision = {(one.intent, one.revision): one for one in verdicts}
        good = {(one.intent, one.revision, one.step) for one in outcomes if one.state in GOOD}
        done: dict[str, int] = {}
        for (intent, revision), verdict in by_revision.items():
            is_whole = all((intent, revision, step.id) in good for step in verdict.plan)
            if intent in entered and verdict.decision == "allow" and verdict.undoes is None and is_whole:
                done[intent] = max(revision, done.get(intent, 0))
        for outcome in outcomes:
            if outcome.revision > done.get(outcome.intent, 0):
                self.note(outcome, by_revision.get((outcome.intent, outcome.revision)))

    def of(self, intent: str) -> Sequence[Deed]:
        """Everything it has done."""
        return list((self._all.get(intent) or {}).values())

    def find(self, intent: str, operation: str) -> Deed | None:
        """One of them."""
        return (self._all.get(intent) or {}).get(operation)

    def forget(self, intent: str) -> None:
        """It has ended: nothing of it will be undone."""
        self._all.pop(intent)


def reversed_steps(deeds: Iterable[Deed]) -> tuple[Step, ...]:
    """The way back: what came last goes first, and what a step waited for is undone after it.

    Between revisions everything waits: a later one was planned on what the earlier ones had done.
    """
    mine = {deed.outcome.operation: deed for deed in deeds}
    by_step = {(deed.outcome.revision, deed.outcome.step): name for name, deed in mine.items()}
    waiting: dict[str, set[str]] = {name: set() for name in mine}  # after what each of them is undone
    revisions: dict[int, list[str]] = {}
    ends = dict.fromkeys(mine)  # after whom nothing of the same revision is undone
    for name, deed in mine.items():
        revisions.setdefault(deed.outcome.revision, []).append(name)
        for one in (by_step.get((deed.outcome.revision, each)) for each in deed.after):
            if one is not None:
                waiting[one].add(name)
                ends.pop(name, None)
    for earlier, later in pairwise(sorted(revisions)):
        last = [name for name in revisions[later] if name in ends]
        for one in [one for one in revisions[earlier] if not waiting[one]]:
            waiting[one].update(last)
    waiting = reduced(waiting)
    order = _in_order(waiting, {name: _place(deed) for name, deed in mine.items()})
    places = {name: place for place, name in enumerate(order, 1)}
    return tuple(
        mine[name].undo(f"u{places[name]}", [f"u{place}" for place in sorted(places[one] for one in waiting[name])])
        for name in order
    )


def _in_order(waiting: Mapping[str, set[str]], places: Mapping[str, tuple[int, int, str]]) -> list[str]:
    """Whoever may go next, the first by its place."""
    behind: dict[str, list[str]] = {name: [] for name in waiting}
    for name, some in waiting.items():
        for one in some:
            behind[one].append(name)
    left = {name: len(some) for name, some in waiting.items()}
    free = [(places[name], name) for name, count in left.items() if not count]
    heapify(free)
    order = []
    while free:
        _, name = heappop(free)
        order.append(name)
        for one in behind[name]:
            left[one] -= 1
            if not left[one]:
                heappush(free, (places[one], one))
    return order


def _place(deed: Deed) -> tuple[int, int, str]:
    """The last one first."""
    step = deed.outcome.step
    return (-deed.outcome.revision, -int(step) if step.isdecimal() else 0, step)


def _before(step: Step, steps: Mapping[str, Step]) -> tuple[str, ...]:
    """Everything that came before a step, also by way of steps that changed nothing."""
    found: dict[str, None] = {}
    left = list(step.after)
    while left:
        name = left.pop()
        if name not in found:
            found[name] = None
            left += steps[name].after if name in steps else ()
    return tuple(found)
