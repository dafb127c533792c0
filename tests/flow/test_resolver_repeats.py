"""The same intent again and again, on the bus in memory and on a real nats-server: one verdict, whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cheops.sandbox.natsserver import NatsServer
from schemas import subjects
from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.relations.loader import load_catalogue
from schemas.verdicts import Verdict
from services.chassis.bus import nats
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Bus
from services.chassis.bus.streams import ensure_streams
from services.resolver import decided
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.service import ResolverService

LYON = SiteName("lyon")
WAIT_S = 60.0
REPEATS = 10_000


@pytest.fixture(params=["memory", "nats"])
async def bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bus]:
    if request.param == "memory":
        yield MemoryBus()
        return
    async with NatsServer(tmp_path / "nats", "lyon", sync="2m") as server:
        connected = await nats.connect(server.url, name="test")
        try:
            yield connected
        finally:
            await connected.close()


@asynccontextmanager
async def resolving(bus: Bus) -> AsyncIterator[Machine]:
    machine = Machine(LYON, load_catalogue(), Policy(), "resolver/lyon@test")
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(ResolverService(LYON, bus, machine).run(ready))
        await asyncio.wait_for(ready.wait(), WAIT_S)
        yield machine
        running.cancel()


def expired(intent_id: str) -> Intent:
    """Denied at once, whatever is known of the site."""
    now = datetime.now(UTC)
    return Intent(
        id=intent_id,
        site=LYON,
        verb="delete",
        resources=("Secret/shop/ca",),
        created_at=now - timedelta(hours=2),
        expires_at=now - timedelta(hours=1),
    )


async def publish(bus: Bus, intent: Intent, again: str = "") -> None:
    subject = subjects.intent(LYON, intent.id)
    await bus.publish(subject, intent.to_json(), message_id=f"{intent.id}{again}")


async def verdicts_until(seen: AsyncIterator[object], intent_id: str) -> list[Verdict]:
    """Everything that is heard, up to the first verdict on this intent."""
    heard: list[Verdict] = []
    async with asyncio.timeout(WAIT_S):
        async for received in seen:
            heard.append(Verdict.from_json(received.payload))  # type: ignore[attr-defined]  # Received, by the port
            if heard[-1].intent == intent_id:
                return heard
    raise AssertionError("the subscription ended")


async def stored(bus: Bus, intent_id: str) -> list[Verdict]:
    subject = subjects.verdict(LYON, "*", intent_id)
    return [Verdict.from_json(one.payload) async for one in bus.scan("VERDICTS", subject)]


async def test_a_repeated_id_gets_the_first_verdict_and_the_next_intent_its_own(bus: Bus) -> None:
    await ensure_streams(bus)
    async with bus.subscribe(subjects.verdict(LYON, "*", "*")) as seen, resolving(bus):
        intent = expired("i-one")
        await publish(bus, intent)
        (first,) = await verdicts_until(seen, "i-one")
        await publish(bus, intent, again=".2")
        (second,) = await verdicts_until(seen, "i-one")
        assert second == first
        await publish(bus, expired("i-two"))
        assert (await verdicts_until(seen, "i-two"))[-1].decision == "deny"
        await publish(bus, expired("i-three"))  # only a resolver that is still in office answers this one
        assert (await verdicts_until(seen, "i-three"))[-1].decision == "deny"
    assert [one.intent for one in await stored(bus, "i-two")] == ["i-two"]


async def test_ten_thousand_intents_with_one_id_are_one_verdict(bus: Bus) -> None:
    await ensure_streams(bus)
    async with bus.subscribe(subjects.verdict(LYON, "*", "*")) as seen, resolving(bus):
        intent = expired("i-one")
        for start in range(0, REPEATS, 500):
            async with asyncio.TaskGroup() as tasks:
                for place in range(start, start + 500):
                    tasks.create_task(publish(bus, intent, again=f".{place}"))
        await publish(bus, expired("i-last"))
        heard = await verdicts_until(seen, "i-last")
        assert {one.intent for one in heard} == {"i-one", "i-last"}
    kept = await stored(bus, "i-one")
    assert {one.to_json() for one in kept} == {kept[0].to_json()}
    assert len(kept) < REPEATS / 100, "a flood of repetitions must not fill the stream"


async def test_what_was_forgotten_is_looked_up_before_it_is_decided_again(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decided, "KNOWN_MAX", 20)
    monkeypatch.setattr(decided, "WHOLE_MAX", 5)
    await ensure_streams(bus)
    async with bus.subscribe(subjects.verdict(LYON, "*", "*")) as seen, resolving(bus) as machine:
        intent = expired("i-one")
        await publish(bus, intent)
        (first,) = await verdicts_until(seen, "i-one")
        for place in range(decided.KNOWN_MAX):
            machine.docket.record(first.model_copy(update={"intent": f"i-{place}"}))
        assert machine.docket.known("i-one") is None
        await publish(bus, intent, again=".2")
        assert await verdicts_until(seen, "i-one") == [first]
        assert {one.to_json() for one in await stored(bus, "i-one")} == {first.to_json()}
