"""Verdicts, outcomes and intents of the streams → what was not over when the last process ended. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.identity import ResourceId, SiteName
from schemas.intents import Intent
from schemas.outcomes import Outcome
from schemas.verdicts import Verdict
from services.resolver.intake import Intake
from services.resolver.pursuit import GOOD, Pursuit, latest


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An intent to go on with. `outcomes`: of the revision in force; `settled`: what earlier revisions did."""

    intent: Intent
    verdict: Verdict
    outcomes: tuple[Outcome, ...]
    settled: frozenset[ResourceId]

    def pursuit(self, intake: Intake) -> Pursuit:
        """An allowed one as the last process left it."""
        made = Pursuit(self.intent, intake, self.verdict, settled=set(self.settled))
        made.replay(self.outcomes)
        return made


def unfinished(
    verdicts: Iterable[Verdict], outcomes: Iterable[Outcome], intents: Mapping[str, Intent]
) -> Iterator[Unfinished]:
    """Deferred intents, and allowed ones of which a step is not over or has to be decided again."""
    by_intent = _by_intent(outcomes)
    for intent_id, verdict in latest(verdicts).items():
        intent = intents.get(intent_id)
        if intent is None or verdict.decision == "deny" or verdict.preview:
            continue
        mine = by_intent[intent_id]
        now = tuple(outcome for outcome in mine if outcome.revision == verdict.revision)
        if verdict.decision == "allow" and _is_over(verdict, now):
            continue
        yield Unfinished(intent, verdict, now, _settled(verdict, mine))


def overtaking(
    verdicts: Iterable[Verdict], outcomes: Sequence[Outcome], intents: Mapping[str, Intent]
) -> Iterator[Unfinished]:
    """What is over and is about the same as something that waits since before it: perhaps nobody was told (D512)."""
    in_force = latest(verdicts)
    waiting = [one for name, one in in_force.items() if one.decision == "defer" and name in intents]
    held = {resource for one in waiting for resource in one.targets}
    since = min((one.first_stamp for one in waiting), default=0)
    by_intent = _by_intent(outcomes if held else ())
    for name, verdict in in_force.items() if held else ():
        intent, about = intents.get(name), (*verdict.targets, *(step.resource for step in verdict.plan))
        if intent is None or verdict.first_stamp <= since or held.isdisjoint(about):
            continue
        mine, is_done = by_intent[name], verdict.decision == "allow" and not verdict.preview
        now = tuple(one for one in mine if one.revision == verdict.revision)
        if is_done and intent.entry is None and not intent.heal and _is_over(verdict, now):
            yield Unfinished(intent, verdict, now, _settled(verdict, mine))


def unseen(
    site: SiteName,
    verdicts: Iterable[Verdict],
    outcomes: Sequence[Outcome],
    intents: Mapping[str, Intent],
    names: Container[str],
) -> Iterator[Unfinished]:
    """Of the intents of these names the steps that were done at this site: its graph may not show them yet.

    In the order in which they were done: of what two of them did the later one counts.
    """
    by_intent = _by_intent(one for one in outcomes if one.intent in names)
    order = {one.intent: place for place, one in enumerate(outcomes) if one.site == site}
    in_force = latest(verdicts)
    for intent_id in sorted(in_force, key=lambda name: order.get(name, -1)):
        intent, verdict = intents.get(intent_id), in_force[intent_id]
        if intent_id not in by_intent or intent is None or verdict.decision != "allow" or verdict.preview:
            continue
        mine = [one for one in by_intent[intent_id] if one.revision == verdict.revision]
        done = {one.step for one in mine if one.state in GOOD or one.state == "applied"}
        plan = tuple(step for step in verdict.plan if step.id in done and step.site == site)
        if _is_over(verdict, mine) and plan:
            here = tuple(one for one in mine if one.site == site)  # a version of another site is never seen here
            yield Unfinished(intent, verdict.model_copy(update={"plan": plan}), here, frozenset())


def _by_intent(outcomes: Iterable[Outcome]) -> defaultdict[str, list[Outcome]]:
    found: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        found[outcome.intent].append(outcome)
    return found


def _settled(verdict: Verdict, outcomes: Iterable[Outcome]) -> frozenset[ResourceId]:
    """What earlier revisions did."""
    return frozenset(one.resource for one in outcomes if one.revision < verdict.revision and one.state in GOOD)


def _is_over(verdict: Verdict, outcomes: Iterable[Outcome]) -> bool:
    """Every step ended well. One that ended badly is looked at again: a conflict may not have been decided yet."""
    done = {outcome.step for outcome in outcomes if outcome.state in GOOD}
    return all(step.id in done for step in verdict.plan)
