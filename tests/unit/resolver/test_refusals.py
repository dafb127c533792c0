"""Keys that the bus refuses: one alert however many and however often, healed when nobody has tried for a while."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.alerts import Alert
from schemas.identity import SiteName
from services.chassis.bus.memory import MemoryBus
from services.resolver.auditing import Auditing
from services.resolver.refusals import QUIET_S, KeyRefused, Refusals
from services.resolver.signals import Moment
from tests.kit.waiting import eventually

LYON = SiteName("lyon")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
THIEF = KeyRefused("UCG5QVCJZ5JDT3HYJYUMYIAXENEM4RKVTNNGMCND4FYAZ4YXQNOMTJ4K", "thief", "10.1.0.9")


def at(now_s: float) -> Moment:
    return Moment(now_s, BEGIN + timedelta(seconds=now_s))


def test_a_refused_key_is_told_once_with_its_owners_address_and_heals_when_it_is_quiet() -> None:
    refusals = Refusals(LYON)
    for now_s in (0.0, 1.0, 2.0):
        refusals.note(THIEF, now_s)
    (raised,) = refusals.due(at(2.0))
    assert raised.message == "the bus of lyon refuses the key UCG5QVCJZ5JD… of 'thief' at 10.1.0.9"
    assert (raised.code, raised.cause) == ("A510", THIEF.key)
    refusals.note(THIEF, 500.0)
    assert [*refusals.due(at(QUIET_S + 499.0))] == []
    (healed,) = refusals.due(at(QUIET_S + 500.0))
    assert (healed.id, healed.state) == (raised.id, "healed")
    assert [*refusals.due(at(QUIET_S + 501.0))] == []


def test_who_shows_no_key_is_nobodys_affair() -> None:
    refusals = Refusals(LYON)
    refusals.note(KeyRefused("", "scanner", "10.1.0.9"), 0.0)
    assert [*refusals.due(at(1.0))] == []


def test_a_name_that_is_meant_to_confuse_is_shown_as_what_it_is() -> None:
    refusals = Refusals(LYON)
    refusals.note(KeyRefused("UX", "a\x1b[2J\n" + "x" * 200, "10.1.0.9"), 0.0)
    (raised,) = refusals.due(at(0.0))
    assert raised.message.isprintable()
    assert len(raised.message) < 120


@given(st.lists(st.tuples(st.floats(0.0, 300.0), st.booleans(), st.booleans()), max_size=40))
def test_raised_and_healed_come_in_turns_also_over_restarts(steps: list[tuple[float, bool, bool]]) -> None:
    refusals, told, now_s = Refusals(LYON), list[Alert](), 0.0
    for waited_s, refused, restarted in steps:
        now_s += waited_s
        if restarted:
            refusals = Refusals(LYON)
            refusals.recover(told)
        if refused:
            refusals.note(THIEF, now_s)
        told += refusals.due(at(now_s))
        assert not refused or told[-1].state == "raised"
    now_s += QUIET_S
    for _ in range(2):  # the first look after a restart begins to count
        told += refusals.due(at(now_s))
        now_s += QUIET_S
    assert [one.state for one in told] == ["raised", "healed"] * (len(told) // 2)


async def test_what_the_server_says_is_read_and_what_is_not_understood_holds_nothing_up() -> None:
    bus, refusals = MemoryBus(), Refusals(LYON)

    async def connect() -> MemoryBus:
        return bus

    running = asyncio.create_task(Auditing(LYON, refusals, lambda: at(0.0), connect).run())
    subject = "$SYS.SERVER.NDJK.CLIENT.AUTH.ERR"
    said = {"type": "advisory", "client": {"user": THIEF.key, "name": "thief", "host": "10.1.0.9", "id": 7}}

    async def told() -> bool:
        for strange in (b"no JSON", b'{"client": {"name": "\xff"}}', b"[" * 100_000):
            await bus.emit(subject, strange)
        await bus.emit(subject, json.dumps(said).encode())
        return [one.cause for one in refusals.due(at(0.0))] == [THIEF.key]

    try:
        await eventually(told, "nothing was raised", 30.0)
    finally:
        running.cancel()
        await asyncio.wait({running})
