"""Intents that wait together are decided one after the other and stored at once: nothing else may be seen of that."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import subjects
from schemas.events import ResourceEvent
from schemas.intents import Intent
from schemas.operations import Operation
from schemas.outcomes import Outcome, OutcomeState
from schemas.verdicts import Verdict
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Received, ToStore
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import ConflictError, PermanentError, TransientError
from services.resolver import service, turns
from services.resolver.carrying import OVERTAKEN, taken_along
from services.resolver.machine import Machine
from services.resolver.outgoing import Outgoing, SteppedDownError
from services.resolver.service import DELIVERIES_MAX, INTENT_ACK_WAIT_S, ResolverService
from services.resolver.signals import Effect, IntentSeen, Moment, RepeatVerdict, SendOperation, Signal, StoreVerdict
from services.resolver.turns import side_by_side
from tests.kit.manifests import deployment, mounts_secret, secret
from tests.kit.waiting import eventually
from tests.unit.resolver.mortal import Mortal
from tests.unit.resolver.test_service_kills import WAITS_MAX, Site
from tests.unit.resolver.world import LYON, World

WAIT_S = 90.0  # what was taken and not acknowledged comes again after some seconds
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["delete", "read"]),
        st.sampled_from(["secret/ca", "secret/free", "secret/other", "deployment/web", "secret/gone", "nonsense"]),
    ),
    min_size=2,
    max_size=8,
)


def world(*more: dict[str, Any]) -> World:
    """Everything there is of it known and fresh."""
    made = World()
    for one in (secret("ca"), secret("free"), secret("other"), deployment("web", mounts_secret("ca")), *more):
        made.cluster.put(one)
    made.answer_resync()
    while made.batches:
        made.deliver()
    made.beat()
    return made


def intents(now: datetime, acts: Sequence[tuple[Any, str]]) -> list[Intent]:
    return [
        Intent(
            id=f"i-{place}",
            site=LYON,
            verb=verb,
            resources=(resource,),
            namespace="shop",
            created_at=now,
            expires_at=now + timedelta(hours=1),
        )
        for place, (verb, resource) in enumerate(acts)
    ]


async def decided(bus: MemoryBus, made: World, asked: Sequence[Intent]) -> None:
    """A resolver's process, until all are answered for."""
    running = asyncio.create_task(ResolverService(LYON, bus, made.machine, lambda: made.moment).run())
    async with asyncio.timeout(WAIT_S):
        while any(made.machine.docket.known(one.id) is None for one in asked) or waiting(bus):
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})


def waiting(bus: MemoryBus) -> bool:
    consumer = bus._streams["INTENTS"].consumers.get("resolver-lyon")
    return consumer is None or bool(consumer.pending)


async def published(made: World, acts: Sequence[tuple[Any, str]]) -> tuple[MemoryBus, list[Intent]]:
    bus, asked = MemoryBus(), intents(made.moment.wall, acts)
    await ensure_streams(bus, LYON)
    for one in asked:
        await bus.publish(subjects.intent(LYON, one.id), one.to_json(), message_id=one.id)
    return bus, asked


async def stored(bus: MemoryBus, stream: Any) -> list[Received]:
    return [one async for one in bus.scan(stream, subjects.filters(stream, LYON))]


async def run(acts: Sequence[tuple[Any, str]], together: int) -> list[list[Received]]:
    """What VERDICTS and OPERATIONS hold afterwards."""
    made = world()
    with mock.patch.object(turns, "TOGETHER_MAX", together):
        bus, asked = await published(made, acts)
        await decided(bus, made, asked)
    return [await stored(bus, "VERDICTS"), await stored(bus, "OPERATIONS")]


@given(acts=ACTS)
def test_what_is_decided_together_is_stored_to_the_byte_as_if_it_was_decided_alone(acts: list[tuple[str, str]]) -> None:
    alone, together = (asyncio.run(run(acts, many)) for many in (1, 16))
    assert together == alone
    assert len(alone[0]) == len(acts)


class Deleting(Site):
    """Its executor deletes, once for each operation."""

    def __init__(self) -> None:
        super().__init__()
        for one in (secret("a"), secret("b"), secret("c"), secret("ca"), deployment("web", mounts_secret("ca"))):
            self.cluster.put(one)

    async def execute(self) -> None:
        reader = await self.bus.reader("OPERATIONS", "executor-lyon", subjects.filters("OPERATIONS", LYON))
        while True:
            for delivery in await reader.fetch(1, 1.0):
                operation = Operation.from_json(delivery.message.payload)
                uid = operation.preconditions.uid
                if operation.id not in self.ledger:
                    self.ledger[operation.id] = ["done"]
                    self.effects[operation.resource] += 1
                    self.cluster.remove(operation.resource)
                    await self.see(ResourceEvent("delete", resource=operation.resource, uid=uid))
                await self.report(operation, "done")
                await delivery.ack()

    async def report(self, operation: Operation, state: OutcomeState) -> None:
        await _report(self.bus, operation, state)


BURST = [("delete", "secret/a"), ("delete", "secret/ca"), ("delete", "secret/b"), ("delete", "secret/c")]


async def over(machine: Machine) -> None:
    def settled() -> bool:
        known = [machine.docket.known(f"i-{place}") for place in range(len(BURST))]
        busy = machine.docket.active or machine.docket.asked or len(machine.holds) or not machine.evidence.synced
        return all(one is not None and one.decision != "defer" for one in known) and not busy

    await eventually(settled, wait_s=WAIT_S, pause_s=0.01)


async def killed_at(waits: int) -> bool:
    """A burst of deletions; False when the process lived to its end."""
    site = Deleting()
    async with site.running():
        for one in intents(datetime.now(UTC), BURST):
            await site.bus.publish(subjects.intent(LYON, one.id), one.to_json(), message_id=one.id)
        mortal = Mortal(site.bus, waits)
        async with site.resolver(mortal) as machine:
            ends = [asyncio.ensure_future(one) for one in (mortal.died.wait(), over(machine))]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            died = mortal.died.is_set()
            for one in ends:
                one.cancel()
        if died:
            async with site.resolver(site.bus) as successor:
                await over(successor)
        last = {subjects.last_name(one.subject): one for one in await stored(site.bus, "VERDICTS")}
        decisions = [Verdict.from_json(one.payload).decision for _, one in sorted(last.items())]
        assert decisions == ["allow", "deny", "allow", "allow"], waits
        assert site.effects == {f"Secret/shop/{name}": 1 for name in "abc"}, waits
    return died


async def test_a_process_killed_at_any_wait_of_a_burst_leaves_one_effect_of_each_intent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "TICK_S", 0.01)  # no waiting for the clock: what has to happen happens by messages
    died = await asyncio.gather(*map(killed_at, range(1, WAITS_MAX + 1)))  # side by side: most of it is waiting
    assert died == sorted(died, reverse=True)
    assert 20 < died.count(True) < WAITS_MAX, "each wait of the flow was one where it died, and one flow lived"


async def test_an_intent_that_ends_the_resolver_takes_no_decision_before_it_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = world()
    bus, asked = await published(made, [("delete", "secret/free"), ("read", "secret/ca"), ("read", "secret/other")])
    monkeypatch.setattr(made.machine, "step", _ended_by(made.machine, asked[1].id))
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(ExceptionGroup):
            await ResolverService(LYON, bus, made.machine, lambda: made.moment).run()
    assert [subjects.last_name(one.subject) for one in await stored(bus, "VERDICTS")] == [asked[0].id]
    assert len(await stored(bus, "OPERATIONS")) == 1


async def test_who_came_as_often_as_an_intent_that_ends_the_resolver_is_decided_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus, asked = await published(world(), [("read", "secret/ca"), ("read", "secret/free"), ("delete", "secret/other")])
    for process in range(DELIVERIES_MAX + 1):
        made, started_s = world(), 2 * INTENT_ACK_WAIT_S * process  # what was taken comes again
        monkeypatch.setattr(bus, "now_s", lambda at_s=started_s: at_s + asyncio.get_running_loop().time())
        monkeypatch.setattr(made.machine, "step", _ended_by(made.machine, asked[0].id))
        running = asyncio.create_task(ResolverService(LYON, bus, made.machine, lambda now=made.moment: now).run())
        async with asyncio.timeout(WAIT_S):
            while not running.done() and len(await stored(bus, "VERDICTS")) < len(asked):
                await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running})
    verdicts = [Verdict.from_json(one.payload) for one in await stored(bus, "VERDICTS")]
    assert {one.intent: one.decision for one in verdicts} == {
        asked[0].id: "deny",
        asked[1].id: "allow",
        asked[2].id: "allow",
    }


def _ended_by(machine: Machine, intent: str) -> Callable[[Signal, Moment], list[Effect]]:
    step = machine.step

    def fragile(signal: Signal, moment: Moment) -> list[Effect]:
        if isinstance(signal, IntentSeen) and signal.intent.id == intent:
            raise ZeroDivisionError("a defect")
        return step(signal, moment)

    return fragile


async def test_what_follows_from_outcomes_that_came_together_leaves_at_one_go() -> None:
    pairs = ((secret(f"ca-{place}"), deployment(f"web-{place}", mounts_secret(f"ca-{place}"))) for place in range(4))
    made = world(*chain.from_iterable(pairs))
    asked = [
        one.model_copy(update={"resources": (f"deployment/web-{place}", f"secret/ca-{place}")})
        for place, one in enumerate(intents(made.moment.wall, [("delete", "of two")] * 4))
    ]
    bus = _Noted()
    await ensure_streams(bus, LYON)
    for one in asked:
        await bus.publish(subjects.intent(LYON, one.id), one.to_json(), message_id=one.id)
    running = asyncio.create_task(ResolverService(LYON, bus, made.machine, lambda: made.moment).run())
    reader = await bus.reader("OPERATIONS", "executor-lyon", subjects.filters("OPERATIONS", LYON))
    steps: list[str] = []
    async with asyncio.timeout(WAIT_S):
        while len(steps) < 2 * len(asked):
            for delivery in await reader.fetch(len(asked), 1.0):
                operation = Operation.from_json(delivery.message.payload)
                steps.append(operation.step)
                await _report(bus, operation)
                await delivery.ack()
    running.cancel()
    await asyncio.wait({running})
    assert steps == ["1"] * 4 + ["2"] * 4
    assert bus.batches == {"verdict": [4], "operation": [4, 4]}


class _Noted(MemoryBus):
    """`batches`: how many messages were stored together each time, by what they are."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: defaultdict[str, list[int]] = defaultdict(list)

    async def publish_together(self, messages: Sequence[ToStore], **fence: Any) -> int:
        self.batches[subjects.parts(messages[0].subject)[0]].append(len(messages))
        return await super().publish_together(messages, **fence)


async def _report(bus: MemoryBus, operation: Operation, state: OutcomeState = "done") -> None:
    said = {name: getattr(operation, name) for name in ("intent", "revision", "step", "action", "resource")}
    outcome = Outcome(operation=operation.id, site=LYON, state=state, at=datetime.now(UTC), **said)
    subject = subjects.outcome(LYON, operation.intent, f"{operation.revision}-{operation.step}")
    await bus.publish(subject, outcome.to_json(), message_id=f"{operation.id}.{state}")


# ── the order ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _effect(kind: str, number: int) -> Effect:
    made = {"verdict": StoreVerdict, "operation": SendOperation, "again": RepeatVerdict}[kind]
    return made(number)  # type: ignore[arg-type]  # only where it stands matters


@given(kinds=st.lists(st.sampled_from(["verdict", "operation", "again"])))
def test_verdicts_overtake_what_follows_from_verdicts_and_nothing_else_changes_places(kinds: list[str]) -> None:
    effects = [_effect(kind, number) for number, kind in enumerate(kinds)]
    left, order = deque(effects), list[Effect]()
    while left:
        effect = left.popleft()
        order += [effect, *(taken_along(left) if isinstance(effect, StoreVerdict) else ())]
    for kind in (StoreVerdict, (RepeatVerdict, StoreVerdict), (RepeatVerdict, SendOperation)):
        assert [one for one in order if isinstance(one, kind)] == [one for one in effects if isinstance(one, kind)]
    places = {id(effect): place for place, effect in enumerate(order)}
    for place, effect in enumerate(effects):
        if isinstance(effect, OVERTAKEN):
            verdicts = [one for one in effects[:place] if isinstance(one, StoreVerdict)]
            assert all(places[id(one)] < places[id(effect)] for one in verdicts), "nothing leaves before its verdict"


class _Delivery:
    def __init__(self, deliveries: int) -> None:
        self.message = Received("", b"", deliveries=deliveries)


@given(counts=st.lists(st.integers(1, 2), max_size=40))
def test_what_comes_again_is_decided_alone_and_all_in_their_order(counts: list[int]) -> None:
    given_ = [_Delivery(count) for count in counts]
    groups = list(side_by_side(given_))  # type: ignore[arg-type]  # nothing is answered here
    assert [one for group in groups for one in group] == given_
    assert all(0 < len(group) <= turns.TOGETHER_MAX for group in groups)
    assert all(len(group) == 1 for group in groups if any(one.message.deliveries > 1 for one in group))


# ── what may go wrong on the bus ────────────────────────────────────────────────────────────────────────────────────


class _Troubled(MemoryBus):
    """`lose`: so many words that a batch is stored do not arrive. `batches`: whether the server can store some."""

    lose, batches = 0, True

    async def publish_together(self, messages: Sequence[ToStore], **fence: Any) -> int:
        if not self.batches:
            raise PermanentError("this server stores no batches")
        seq = await super().publish_together(messages, **fence)
        if self.lose:
            self.lose -= 1
            raise TransientError("no answer in time")
        return seq


async def outgoing(bus: MemoryBus) -> tuple[Outgoing, list[StoreVerdict]]:
    made = world()
    await ensure_streams(bus, LYON)
    out = Outgoing(LYON, bus, lambda: made.moment)
    await out.begin()
    asked = intents(made.moment.wall, [("read", "secret/ca"), ("delete", "secret/ca"), ("delete", "secret/gone")])
    return out, [StoreVerdict(made.machine.malformed(one.id, "for this test", made.moment)) for one in asked]  # type: ignore[arg-type]  # they have names


@pytest.mark.parametrize(("lose", "batches"), [(0, True), (1, True), (0, False)])
async def test_each_verdict_is_stored_once_when_the_word_of_it_is_lost_or_the_server_takes_no_batches(
    monkeypatch: pytest.MonkeyPatch, lose: int, batches: bool
) -> None:
    monkeypatch.setattr("services.resolver.outgoing.STORE_RETRY_S", 0.0)
    bus = _Troubled()
    bus.lose, bus.batches = lose, batches
    out, effects = await outgoing(bus)
    await out.store_verdicts(effects[:2])
    await out.store_verdicts(effects[2:])
    assert [one.payload for one in await stored(bus, "VERDICTS")] == [one.verdict.to_json() for one in effects]


async def test_who_finds_that_another_resolver_decides_stores_nothing_and_steps_down() -> None:
    bus = MemoryBus()
    out, effects = await outgoing(bus)
    await bus.publish(subjects.verdict(LYON, "allow", "i-9"), b"{}", message_id="of the other resolver")
    with pytest.raises(SteppedDownError) as ended:
        await out.store_verdicts(effects)
    assert isinstance(ended.value.__cause__, ConflictError)
    assert [one.payload for one in await stored(bus, "VERDICTS")] == [b"{}"]
