"""What a resolver says to its peers is carried as often as it is said."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas import subjects
from schemas.alerts import Alert
from schemas.identity import ResourceId, SiteName
from schemas.intents import Intent
from schemas.operations import Operation
from schemas.outcomes import Outcome
from schemas.peers import Report, Wake
from schemas.subjects import AnyStream
from schemas.verdicts import Verdict
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.streams import DAY_S, ensure_streams
from services.chassis.errors import TransientError
from services.resolver.judge.written import WrittenVerdict
from services.resolver.outgoing import Outgoing, SteppedDownError
from services.resolver.shortening import REASONS_MAX
from services.resolver.signals import Moment, StoreVerdict
from tests.kit.linked import Links
from tests.unit.chassis.letters import LYON, OSLO, carrying, until_arrived, virtually
from tests.unit.resolver.world import World


@virtually
async def test_what_is_said_again_later_is_carried_again() -> None:
    """The server takes a message id once in ten minutes: a nudge under its first id would never arrive."""
    links = await Links.between(LYON, OSLO)
    wall = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [Moment(0.0, wall), Moment(30.0, wall + timedelta(seconds=30))]
    out = Outgoing(SiteName(LYON), links.buses[LYON], lambda: moments[0])
    wake = Wake(sender=LYON, receiver=OSLO, intent="i-1", round=1)
    async with carrying(links.buses[LYON]) as courier:
        for _ in range(2):
            await out.tell(courier, wake, "")
        await until_arrived(links, OSLO, 1)
        moments.pop(0)
        await out.tell(courier, wake, "")
        assert await until_arrived(links, OSLO, 2) == [wake.to_json()] * 2


class FullBus(MemoryBus):
    """Its server answers nothing while its disk has no room."""

    is_full = True

    async def publish(self, subject: str, payload: bytes, **named: Any) -> int:
        if self.is_full:
            raise TransientError(f"{subject} was not stored: no answer in time")
        return await super().publish(subject, payload, **named)


@virtually
async def test_what_the_server_does_not_store_is_known_until_it_is_stored() -> None:
    wall = datetime(2026, 1, 1, tzinfo=UTC)
    bus = FullBus()
    await ensure_streams(bus, LYON)
    out = Outgoing(SiteName(LYON), bus, lambda: Moment(0.0, wall))
    alert = Alert(id="lyon:A501:x", code="A501", state="raised", site=LYON, message="it is broken", at=wall)
    telling = asyncio.create_task(out.send_alert(alert))
    await asyncio.sleep(10)
    assert out.unstored == "cheops.v1.alert.lyon.A501 was not stored: no answer in time"
    bus.is_full = False
    await telling
    assert out.unstored == ""


WALL = datetime(2026, 1, 1, tzinfo=UTC)


def refusals(*names: str) -> list[StoreVerdict]:
    """Verdicts that need nothing."""
    machine = World(SiteName(LYON)).machine
    verdicts = [machine.malformed(name, "for this test", Moment(0.0, WALL)) for name in names]
    return [StoreVerdict(one) for one in verdicts if one is not None]


async def stored_verdicts(bus: MemoryBus) -> list[str]:
    found = bus.scan("VERDICTS", subjects.filters("VERDICTS", SiteName(LYON)))
    return [Verdict.from_json(one.payload).intent async for one in found]


@pytest.mark.parametrize("names", [("i-2",), ("i-2", "i-3")], ids=["one", "together"])
@virtually
async def test_a_site_of_which_all_verdicts_have_aged_out_decides_on(names: tuple[str, ...]) -> None:
    """Its resolver stepped down for another one that did not exist: nobody had asked anything for a month."""
    now_s = 0.0
    bus = MemoryBus(clock=lambda: now_s)
    await ensure_streams(bus, LYON)
    out = Outgoing(SiteName(LYON), bus, lambda: Moment(now_s, WALL))
    await out.begin()
    await out.store_verdicts(refusals("i-1"))
    now_s += 31 * DAY_S
    await out.store_verdicts(refusals(*names))
    await out.store_verdicts(refusals("i-4"))
    assert await stored_verdicts(bus) == [*names, "i-4"]


@virtually
async def test_a_word_that_is_no_verdict_is_not_known_as_one() -> None:
    """Whoever entered the intent again, long after it was decided, ended the resolver."""
    bus = MemoryBus()
    await ensure_streams(bus, LYON)
    await bus.publish(subjects.verdict(SiteName(LYON), "allow", "i-1"), b"{", message_id="x")
    assert await Outgoing(SiteName(LYON), bus, lambda: Moment(0.0, WALL)).known_verdict("i-1") is None


@virtually
async def test_another_resolver_is_noticed_all_the_same() -> None:
    bus = MemoryBus(clock=lambda: 0.0)
    await ensure_streams(bus, LYON)
    one, other = (Outgoing(SiteName(LYON), bus, lambda: Moment(0.0, WALL)) for _ in range(2))
    await one.begin()
    await other.begin()
    await one.store_verdicts(refusals("i-1"))
    with pytest.raises(SteppedDownError):
        await other.store_verdicts(refusals("i-2"))


@pytest.mark.parametrize("stream", ["VERDICTS", "ALERTS"])
def test_a_stream_that_somebody_deletes_is_made_again_by_who_stores_in_it(stream: AnyStream) -> None:
    """Nothing was decided any more until somebody started a resolver."""

    @virtually
    async def go_on() -> None:
        bus = MemoryBus()
        await ensure_streams(bus, LYON)
        out = Outgoing(SiteName(LYON), bus, lambda: Moment(0.0, WALL))
        await out.begin()
        await out.store_verdicts(refusals("i-1"))
        del bus._streams[stream]
        await out.send_alert(Alert(id="x", code="A501", state="raised", site=LYON, message="it is broken", at=WALL))
        await out.store_verdicts(refusals("i-2"))
        assert (await stored_verdicts(bus))[-1] == "i-2"
        assert await bus.last("ALERTS", subjects.filters("ALERTS")) is not None

    go_on()


def _operation(step: str, size: int) -> Operation:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Operation(
        id=f"i-1.1.{step}",
        intent="i-1",
        revision=1,
        step=step,
        site=LYON,
        action="create",
        resource=ResourceId(f"ConfigMap/shop/{step}"),
        manifest={"data": {"key": size * "x"}},
        issued_at=now,
        expires_at=now + timedelta(hours=1),
    )


@virtually
async def test_an_operation_that_no_bus_takes_has_failed_and_holds_no_other_up() -> None:
    """A resolver that ended by it would meet it again at each start: its verdict is stored."""
    bus = MemoryBus(bytes_max=2_000)
    await ensure_streams(bus, LYON)
    out = Outgoing(SiteName(LYON), bus, lambda: Moment(0.0, datetime(2026, 1, 1, tzinfo=UTC)))
    await out.send_operations([_operation("1", 10), _operation("2", 3_000), _operation("3", 10)])
    await out.send_operations([_operation("4", 3_000)])
    sent = [one async for one in bus.scan("OPERATIONS", subjects.filters("OPERATIONS", SiteName(LYON)))]
    said = [one async for one in bus.scan("OUTCOMES", subjects.filters("OUTCOMES", SiteName(LYON)))]
    outcomes = [Outcome.from_json(one.payload) for one in said]
    assert [Operation.from_json(one.payload).step for one in sent] == ["1", "3"]
    assert [(one.step, one.state, one.changed) for one in outcomes] == [("2", "failed", False), ("4", "failed", False)]
    assert outcomes[0].message.startswith("not sent to the executor: message of ")


@virtually
async def test_a_verdict_that_no_bus_takes_is_stored_with_fewer_findings() -> None:
    """The resolver ended by it, and its intent came again, five times."""
    bus = MemoryBus(bytes_max=60_000)
    await ensure_streams(bus, LYON)
    out = Outgoing(SiteName(LYON), bus, lambda: Moment(0.0, WALL))
    await out.begin()
    (small,), (other,) = refusals("i-1"), refusals("i-2")
    (reason,) = small.verdict.whole().reasons if isinstance(small.verdict, WrittenVerdict) else small.verdict.reasons
    rows = [reason] * 1_000 + [reason.model_copy(update={"code": "D310"})]
    wide = Verdict.from_json(small.verdict.to_json()).model_copy(update={"reasons": tuple(rows)})
    await out.store_verdicts([StoreVerdict(wide), other])
    await out.repeat_verdict(wide)
    found = [one async for one in bus.scan("VERDICTS", subjects.filters("VERDICTS", SiteName(LYON)))]
    assert [Verdict.from_json(one.payload).intent for one in found] == ["i-1", "i-2", "i-1"]
    stored = Verdict.from_json(found[0].payload)
    assert (stored.decision, stored.plan) == (wide.decision, wide.plan)
    assert [one.code for one in stored.reasons] == ["D010"] * REASONS_MAX + ["D310"]
    assert f"({1_000 - REASONS_MAX} findings are left out: message of " in stored.summary


@virtually
async def test_a_word_that_no_bus_takes_is_refused_to_who_wanted_to_say_it() -> None:
    links = await Links.between(LYON, OSLO)
    bus = MemoryBus(bytes_max=20)
    await ensure_streams(bus, LYON)
    out = Outgoing(SiteName(LYON), links.buses[LYON], lambda: Moment(0.0, datetime(2026, 1, 1, tzinfo=UTC)))
    async with carrying(bus) as courier:
        refused = await out.tell(courier, Wake(sender=LYON, receiver=OSLO, intent="i-1", round=1), "")
    assert refused is not None
    assert (refused.sender, refused.receiver, refused.what) == (OSLO, LYON, "wake")
    assert refused.reason.startswith("message of ")


@virtually
async def test_a_report_that_no_bus_takes_is_told_without_what_was_read() -> None:
    """The site where the intent was entered had asked again and again what became of it."""
    bus = MemoryBus(bytes_max=2_000)
    await ensure_streams(bus, LYON)
    out = Outgoing(SiteName(LYON), bus, lambda: Moment(0.0, WALL))
    done, read = (Outcome.of(_operation(step, 0), "done", WALL) for step in ("1", "2"))
    read = read.model_copy(update={"object": {"data": {"key": 3_000 * "x"}}})
    names = {"sender": LYON, "receiver": OSLO, "intent": "i-1"}
    async with carrying(bus) as courier:
        assert await out.tell(courier, Report(revision=1, outcomes=(done, read), over=True, **names), "") is None
    stored = await bus.last(subjects.outbox_stream(SiteName(LYON)), ">")
    assert stored is not None
    report = Report.from_json(stored.payload)
    assert (report.over, report.outcomes[0]) == (True, done)
    assert (report.outcomes[1].state, report.outcomes[1].object) == ("done", None)
    assert report.outcomes[1].message.startswith("not told: message of ")


@virtually
async def test_an_intent_of_our_own_that_no_bus_takes_is_said_and_ends_nobody() -> None:
    """A copy that follows its original may be that large: its resolver ended by it."""
    bus = MemoryBus(bytes_max=2_000)
    await ensure_streams(bus, LYON)
    out = Outgoing(SiteName(LYON), bus, lambda: Moment(0.0, WALL))
    for size in (10, 3_000):
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": size * "x"}}
        times = {"created_at": WALL, "expires_at": WALL + timedelta(hours=1)}
        await out.enter_intent(Intent(id=f"i-{size}", site=LYON, verb="apply", manifests=(manifest,), **times))
    found = [one.subject async for one in bus.scan("INTENTS", subjects.filters("INTENTS"))]
    assert [*map(subjects.last_name, found)] == ["i-10"]


@virtually
async def test_a_verdict_is_looked_for_again_when_somebody_has_deleted_the_stream() -> None:
    bus = MemoryBus()
    await ensure_streams(bus, SiteName(LYON))
    out = Outgoing(SiteName(LYON), bus, lambda: Moment(0.0, WALL))
    await out.begin()
    (decided,) = refusals("i-1")
    await out.store_verdicts([decided])
    del bus._streams["VERDICTS"]
    assert await out.known_verdict("i-1") is None
    assert isinstance(decided.verdict, Verdict)
    await out.repeat_verdict(decided.verdict)
    assert await out.known_verdict("i-1") == decided.verdict
