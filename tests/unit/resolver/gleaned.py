"""A start that reads whole only what is not over, held against one that reads everything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from schemas.alerts import Alert
from schemas.intents import Intent
from schemas.outcomes import Outcome
from schemas.verdicts import Verdict
from services.resolver.gleaning import Gleaning
from services.resolver.machine import Machine
from services.resolver.shelf import Shelf


def recovered(
    machines: tuple[Machine, Machine],
    verdicts: Sequence[Verdict],
    outcomes: Sequence[Outcome],
    intents: Mapping[str, Intent],
    alerts: Sequence[Alert],
    recent: Collection[str] = (),
) -> Machine:
    """The first of two new machines, from what was gleaned; the second one knows the same from all there is."""
    machine, other = machines
    gleaning = Gleaning([name for name, one in intents.items() if one.entry is not None], recent)
    for verdict in verdicts:
        gleaning.verdict(verdict.to_json())
    for place, outcome in enumerate(outcomes):
        gleaning.outcome(outcome.to_json(), place)
    needed = gleaning.needed()
    lacking = set(gleaning.lacking(needed))
    places = {name: place for place, name in enumerate(needed)}
    some = sorted((one for one in verdicts if one.intent in needed), key=lambda one: places[one.intent])
    for name in needed.keys() - lacking:
        kept, _ = gleaning.of(name)
        assert {*kept} == {one.to_json() for one in some if one.intent == name}
    machine.docket.decided.shelve_all(gleaning.in_force(), gleaning.others())
    done = [one for one in outcomes if one.intent in needed]
    for alert in alerts:
        gleaning.alert(alert.to_json())
    raised = [Alert.from_json(one) for one in gleaning.raised.values()]
    machine.recover(some, done, {name: intents[name] for name in needed if name in intents}, raised, recent)
    other.recover(verdicts, outcomes, intents, alerts, recent)
    assert known(machine, needed) == known(other, needed)
    for name in {one.intent for one in verdicts}:
        assert machine.docket.known(name) == other.docket.known(name)
    return machine


def known(machine: Machine, needed: Collection[str]) -> dict[str, Any]:
    """What a machine has taken from the streams, but for the verdicts that it only answers with.

    Of what was taken back, all of it, a start from everything keeps the deeds, for which nobody asks.
    """
    coordinator, participant = machine.together.coordinator, machine.together.participant
    return {
        "recovering": machine._recovering,
        "unseen": machine._unseen,
        "overtaking": machine._ended,
        "deeds": [one for one in _all(machine.undoing.deeds._all) if one[0] in needed],
        "way back": machine.undoing.waiting,
        "open": participant.engagements._open,
        "ended": _all(participant.engagements._ended),
        "done before": participant.engagements.done_before,
        "told": machine.together._ended,
        "earlier": {name: some for name, some in coordinator.following.earlier.items() if some},
        "expected": coordinator.following.expected,
        "pending": coordinator.backlog.rows,
        "raised": [[*room._raised.items()] for room in (machine.vigil, machine.desk.drifts, machine.vigil.shares)],
        "refused": (machine.vigil.refusals._raised, machine.desk.ruling._raised),
    }


def _all(shelf: Shelf[Any]) -> list[tuple[str, Any]]:
    return [(name, shelf.get(name)) for name in shelf]
