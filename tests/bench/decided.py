"""A start of a resolver whose streams keep as many decided intents as the size says, and what it remembers of them.

A third are denied with their proof, two thirds were deletions that are done; the last ones are not over.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from schemas import subjects
from schemas.intents import Intent
from schemas.outcomes import Outcome
from schemas.verdicts import Step, Verdict
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.streams import ensure_streams
from services.resolver.beginning import Beginning
from services.resolver.machine import Machine
from services.resolver.outgoing import Outgoing
from services.resolver.signals import IntentSeen, Moment, StoreVerdict, Tick
from tests.bench import history
from tests.bench.measuring import Row, cpu_s, resident

FLEET: Final = 2_000
OPEN: Final = 10  # each is looked for in a list by the bus in memory
MEMORY_GOAL_KB: Final = 2.0
WAITING: Final = 10_000
STEP_GOAL_MS: Final = 200.0


def run(size: int, file: Path) -> list[Row]:
    """Stored as the services store them, on the bus in memory: its time is not a server's."""
    del file
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "history"
        history.write(FLEET, small)
        return [*asyncio.run(_started(size, _samples(small))), _woken(small)]


def _samples(file: Path) -> list[tuple[Intent, Verdict]]:
    """The first deletion of a Secret that is denied, and of a Pod that is allowed."""
    machine = history.loaded(file)
    wanted = (("Secret", "deny"), ("Pod", "allow"))
    return [next(one for one in _deletions(machine, kind) if one[1].decision == decision) for kind, decision in wanted]


def _deletions(machine: Machine, kind: str) -> Iterator[tuple[Intent, Verdict]]:
    for place, resource in enumerate(machine.graph.members(kind)):  # type: ignore[arg-type]  # plain text
        intent = Intent(
            id=f"i-{kind}-{place}",
            site=history.SITE,
            verb="delete",
            resources=(resource,),
            created_at=history.MOMENT.wall,
            expires_at=history.MOMENT.wall + timedelta(days=1),
        )
        effects = machine.step(IntentSeen(intent), history.MOMENT)
        yield from (
            (intent, Verdict.from_json(one.verdict.to_json())) for one in effects if isinstance(one, StoreVerdict)
        )


async def _started(size: int, samples: list[tuple[Intent, Verdict]]) -> list[Row]:
    bus = MemoryBus()
    await ensure_streams(bus, history.SITE)
    for place in range(size):
        intent, verdict = samples[place % 3 > 0]
        await _store(bus, intent, verdict, f"i-{place}", is_over=place < size - OPEN)
    gc.collect()
    gc.freeze()  # what is stored is a server's elsewhere: our collector would not walk over it
    machine = history.machine()
    out = Outgoing(history.SITE, bus, lambda: history.MOMENT)
    before, start_s = resident(), time.process_time()
    await Beginning(bus, machine, out, None).run(history.MOMENT)
    start_s = time.process_time() - start_s
    return [
        Row("a start with as many decided intents, CPU", start_s, "s"),
        Row("the same for each", 1e6 * start_s / size, "µs"),
        Row("resident after it, kB an intent", (resident() - before) / size / 1e3, "kB", MEMORY_GOAL_KB),
    ]


def _woken(file: Path) -> Row:
    """Nothing is heard of the watcher for a minute; then something else changes."""
    machine = history.loaded(file)
    moment = Moment(history.MOMENT.monotonic_s + 60.0, history.MOMENT.wall + timedelta(seconds=60))
    for place in range(WAITING):
        lasts = {"created_at": moment.wall, "expires_at": moment.wall + timedelta(days=1)}
        about = next(iter(machine.graph.members("Secret")))  # type: ignore[arg-type]  # plain text
        intent = Intent(id=f"i-{place}", site=history.SITE, verb="delete", resources=(about,), **lasts)
        machine.step(IntentSeen(intent), moment)
    assert len(machine.docket.deferred) == WAITING
    machine.holds.generation += 1
    step_s = cpu_s(lambda: machine.step(Tick(), moment))
    return Row(f"a step after a change while {WAITING:,} wait", 1e3 * step_s, "ms", STEP_GOAL_MS)


async def _store(bus: MemoryBus, intent: Intent, verdict: Verdict, name: str, *, is_over: bool) -> None:
    def named(payload: bytes) -> bytes:
        return payload.replace(f'"{intent.id}"'.encode(), f'"{name}"'.encode())

    await bus.publish(subjects.intent(history.SITE, name), named(intent.to_json()), message_id=f"i.{name}")
    subject = subjects.verdict(history.SITE, verdict.decision, name)
    await bus.publish(subject, named(verdict.to_json()), message_id=f"v.{name}")
    for step in verdict.plan if is_over else ():
        outcome = _outcome(name, step)
        subject = subjects.outcome(history.SITE, name, step.id)
        await bus.publish(subject, outcome.to_json(), message_id=f"o.{name}.{step.id}")


def _outcome(name: str, step: Step) -> Outcome:
    said: dict[str, Any] = {"operation": f"{name}.1.{step.id}", "intent": name, "revision": 1, "step": step.id}
    what: dict[str, Any] = {"site": step.site, "action": step.action, "resource": step.resource, "state": "done"}
    return Outcome(**said, **what, uid="u" * 36, former="x" * 400, at=history.MOMENT.wall)
