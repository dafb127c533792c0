"""Questions about everything are answered slice by slice, while the graph changes in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas import subjects
from schemas.events import Reference, ResourceEvent, ResourceState
from schemas.identity import ResourceId
from schemas.queries import GraphAnswer, MissingQuery, SiteStatus, StatesAnswer, StatesQuery, StatusQuery
from services.chassis.bus.memory import MemoryBus
from services.resolver import answers
from services.resolver.graph import links, walk
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.service import ResolverService
from tests.unit.resolver.world import CATALOGUE, LYON

PODS = 10


@pytest.fixture(autouse=True)
def _slices_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "NAMES_SLICE", 1)
    monkeypatch.setattr(links, "MISSING_SLICE", 1)
    monkeypatch.setattr(walk, "SLICE", 1)


def pod(number: int) -> ResourceEvent:
    needs = Reference("names", "spec.x", "requirement", "S", ResourceId(f"Secret/shop/s-{number}"))
    return ResourceEvent("put", ResourceState(ResourceId(f"Pod/shop/web-{number:02}"), references=(needs,)))


@asynccontextmanager
async def served() -> AsyncIterator[tuple[MemoryBus, Machine]]:
    bus, machine, ready = MemoryBus(), Machine(LYON, CATALOGUE, Policy(), "resolver/lyon@test"), asyncio.Event()
    for number in range(PODS):
        machine.graph.apply(pod(number))
    running = asyncio.create_task(ResolverService(LYON, bus, machine).run(ready))
    await ready.wait()
    yield bus, machine
    running.cancel()
    await asyncio.wait({running})


async def asked(bus: MemoryBus, verb: str, query: bytes) -> bytes:
    return (await bus.request(subjects.api("resolver", LYON, verb), query, 30.0)).payload


async def test_pages_of_states_follow_each_other_without_a_gap() -> None:
    async with served() as (bus, _):
        found: list[str] = []
        more = True
        while more:
            query = StatesQuery(limit=3, after=found[-1] if found else "")
            page = StatesAnswer.from_json(await asked(bus, "states", query.to_json()))
            found, more = [*found, *(state["resource"] for state in page.states)], page.more
        assert found == [f"Pod/shop/web-{number:02}" for number in range(PODS)]


async def test_what_is_missing_is_told_while_resources_come_and_go() -> None:
    async with served() as (bus, machine):
        asking = [
            asyncio.create_task(asked(bus, verb, query))
            for verb, query in (("missing", MissingQuery().to_json()), ("status", StatusQuery().to_json()))
        ]
        for number in range(PODS):
            machine.graph.apply(ResourceEvent("delete", resource=ResourceId(f"Pod/shop/web-{number:02}")))
            machine.graph.apply(pod(PODS + number))
            await asyncio.sleep(0)
        missing, status = await asyncio.gather(*asking)
        assert all(edge.source.startswith("Pod/shop/web-") for edge in GraphAnswer.from_json(missing).edges)
        assert 0 < SiteStatus.from_json(status).missing <= 2 * PODS
        still = GraphAnswer.from_json(await asked(bus, "missing", MissingQuery().to_json()))
        assert len(still.edges) == PODS
        assert SiteStatus.from_json(await asked(bus, "status", StatusQuery().to_json())).missing == PODS
