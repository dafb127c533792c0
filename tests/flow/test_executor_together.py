"""Operations that come together are looked up at one go, and acknowledgements may be lost: still one effect each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from schemas.operations import Operation
from schemas.subjects import AnyStream
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.memory_reader import MemoryDelivery, MemoryReader
from services.chassis.bus.port import Bus, Delivery, Received
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import TransientError
from tests.flow.executor_engines import Engine, engine, real_kubeconfig
from tests.flow.executor_proxy import FaultyProxy
from tests.flow.test_executor_service import executor, final, nothing_pending, outcomes, proxy, send
from tests.unit.executor.builders import config_map, operation

__all__ = ["engine", "proxy", "real_kubeconfig"]

MANY = 20


class Silent(MemoryBus):
    """It does not say at one go what is stored. `asked`: for how many it was to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    async def last_of_each(self, stream: AnyStream, subjects: Sequence[str]) -> dict[str, Received]:
        self.asked.append(len(subjects))
        raise TransientError("not read to its end")


class Deaf(MemoryBus):
    """It loses the first acknowledgement of each message."""

    async def reader(self, *args: Any, **options: Any) -> MemoryReader:
        opened = await super().reader(*args, **options)
        lost: set[int] = set()
        fetch = opened.fetch

        async def fetched(limit: int, wait_s: float) -> list[Delivery]:
            return [_Lossy(one, lost) for one in await fetch(limit, wait_s)]

        opened.fetch = fetched  # type: ignore[method-assign]  # a reader whose deliveries are not heard
        return opened


class _Lossy(MemoryDelivery):
    __slots__ = ("_lost",)

    def __init__(self, inner: Any, lost: set[int]) -> None:
        super().__init__(inner.message, inner.bus, inner.consumer)
        object.__setattr__(self, "_lost", lost)

    async def ack_unconfirmed(self) -> None:
        if self.message.stream_seq in self._lost:
            await self.ack()
        self._lost.add(self.message.stream_seq)


def _created(engine: Engine, many: int) -> list[Operation]:
    bodies = [config_map(engine.namespace, name=f"settings-{number}") for number in range(many)]
    return [operation("create", body, absent=True, intent=f"i-{number}") for number, body in enumerate(bodies)]


@pytest.mark.parametrize("kind", [MemoryBus, Silent])
async def test_of_many_that_come_together_those_of_a_day_ago_are_not_done_again(
    engine: Engine, proxy: FaultyProxy, kind: type[MemoryBus]
) -> None:
    bus, wanted = kind(), _created(engine, MANY)
    before, new = wanted[: MANY // 2], wanted[MANY // 2 :]
    await _all_done(bus, proxy, before)
    for number in range(len(before)):
        await engine.remove("configmaps", f"settings-{number}")
    written = proxy.writes
    await _all_done(bus, proxy, wanted, copy="-a-day-later")
    assert proxy.writes == written + len(new)
    assert sorted((one.operation, one.state) for one in await outcomes(bus)) == sorted(
        (one.id, "ready") for one in wanted
    )
    if isinstance(bus, Silent):
        assert bus.asked


async def test_an_operation_whose_acknowledgement_is_lost_is_answered_and_not_done_again(
    engine: Engine, proxy: FaultyProxy
) -> None:
    bus, wanted = Deaf(), _created(engine, 3)
    await _all_done(bus, proxy, wanted)
    assert (proxy.writes, proxy.applied) == (3, 3)
    assert [one.state for one in await outcomes(bus)] == ["ready"] * 3


async def _all_done(bus: Bus, proxy: FaultyProxy, wanted: list[Operation], copy: str = "") -> None:
    """By an executor that finds them all waiting."""
    await ensure_streams(bus)
    for one in wanted:
        await send(bus, one, copy)
    async with executor(bus, proxy):
        for one in wanted:
            await final(bus, one)
        await nothing_pending(bus)
