"""A site's links through a proxy that cuts them: refused at once, never a hang, and back within moments."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cheops.sandbox.faults import CUT, NO_FAULT, Fault, FaultProxy
from cheops.sandbox.servers import Servers
from schemas import subjects
from schemas.identity import SiteName
from services.chassis.bus.nats import NatsBus
from services.chassis.errors import TransientError
from tests.contract.mesh.world import LYON, NICE, OSLO, inbox_of, mesh, resolvers, tell, told, until, until_told

CUT_NOTICED_S = 1.5
HOLE_NOTICED_S = 20.0  # by the pings of the servers: 3 s at a router, 6 s at a site; measured 2 to 6 s
BACK_S = 15.0  # measured 0.3 to 1.5 s on a quiet machine


class Cuttable:
    """Every link of every site leads through a proxy of its own."""

    def __init__(self) -> None:
        self.proxies: dict[tuple[str, str], FaultProxy] = {}

    async def via(self, site: SiteName, there: str, port: int) -> int:
        proxy = self.proxies[site, there] = FaultProxy("127.0.0.1", port)
        await proxy.start()
        return proxy.port

    def set(self, name: SiteName, fault: Fault) -> None:
        for ends, proxy in self.proxies.items():
            if name in ends:
                proxy.set(fault if ends[0] == name else fault.reversed())

    def reset(self) -> None:
        for proxy in self.proxies.values():
            proxy.reset()


@asynccontextmanager
async def cuttable(directory: Path, routers: int) -> AsyncIterator[tuple[Servers, Cuttable]]:
    links = Cuttable()
    try:
        async with mesh(directory, routers=routers, via=links.via) as servers:
            yield servers, links
    finally:
        for proxy in links.proxies.values():
            await proxy.stop()


@pytest.fixture(params=[2, 0], ids=["two routers", "direct links"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Servers, Cuttable]]:
    async with cuttable(tmp_path, request.param) as made:
        yield made


async def refused(bus: NatsBus, sender: SiteName, receiver: SiteName) -> bool:
    """At once, with a reason; False while the cut is not noticed yet, and nobody says anything."""
    try:
        await tell(bus, sender, receiver, "lost", timeout_s=0.5)
    except TransientError as error:
        return "no stream takes it" in str(error)
    return False


async def test_a_cut_site_is_refused_at_once_at_both_ends_and_the_others_go_on(
    world: tuple[Servers, Cuttable],
) -> None:
    servers, links = world
    async with resolvers(servers) as bus:
        links.set(NICE, CUT)
        noticed_s = await until(lambda: refused(bus[NICE], NICE, LYON))
        noticed_s += await until(lambda: refused(bus[LYON], LYON, NICE))
        assert noticed_s < CUT_NOTICED_S
        await tell(bus[LYON], LYON, OSLO, "meanwhile")
        links.set(NICE, NO_FAULT)
        back_s = await until_told(bus[LYON], LYON, NICE, "back")
        await until_told(bus[NICE], NICE, LYON, "back")
        print(f"refused from {noticed_s:.3f} s after the cut on, back {back_s:.2f} s after the healing")
        assert back_s < BACK_S
        assert subjects.peer(NICE, LYON, "ask", "lost") not in await inbox_of(bus[NICE], NICE)


@pytest.mark.parametrize(("routers", "swallow"), [(2, "both"), (2, "out"), (2, "in"), (0, "both")])
async def test_a_black_hole_is_bounded_and_a_one_way_cut_too(tmp_path: Path, routers: int, swallow: str) -> None:
    async with cuttable(tmp_path, routers) as (servers, links), resolvers(servers) as bus:
        links.set(NICE, Fault(swallow=swallow))  # type: ignore[arg-type]  # a parameter of the test
        assert not await told(bus[NICE], NICE, LYON, "swallowed")
        noticed_s = await until(lambda: refused(bus[LYON], LYON, NICE))
        noticed_s += await until(lambda: refused(bus[NICE], NICE, LYON))
        assert noticed_s < HOLE_NOTICED_S
        await tell(bus[LYON], LYON, OSLO, "meanwhile")
        links.set(NICE, NO_FAULT)
        back_s = await until_told(bus[NICE], NICE, LYON, "swallowed")
        await until_told(bus[LYON], LYON, NICE, "back")
        print(f"{swallow}: refused from {noticed_s:.1f} s after it on, back {back_s:.2f} s after the healing")
        found = await inbox_of(bus[LYON], LYON)
        assert found.count(subjects.peer(LYON, NICE, "ask", "swallowed")) == 1


async def test_resets_lose_and_double_nothing(world: tuple[Servers, Cuttable]) -> None:
    servers, links = world
    async with resolvers(servers, LYON, OSLO) as bus:
        names = [f"i-{number:03d}" for number in range(60)]
        for number, name in enumerate(names):
            if number % 20 == 10:
                links.reset()
            await until_told(bus[LYON], LYON, OSLO, name)
        found = [one for one in await inbox_of(bus[OSLO], OSLO) if "i-" in one]
        assert found == [subjects.peer(OSLO, LYON, "ask", name) for name in names]


async def test_a_slow_and_thin_line_is_slow_and_works(world: tuple[Servers, Cuttable]) -> None:
    servers, links = world
    async with resolvers(servers) as bus:
        links.set(NICE, Fault(latency_s=0.3, jitter_s=0.05, bytes_per_s=64_000))
        started_s = time.monotonic()
        await tell(bus[LYON], LYON, NICE, "slow", timeout_s=30.0)
        took_s = time.monotonic() - started_s
        assert took_s >= 2 * 0.25
        print(f"stored after {took_s:.2f} s over a line of 300 ms")
        links.reset()  # and it is made anew over the same line
        await until(lambda: _told_slowly(bus[LYON]))


async def _told_slowly(bus: NatsBus) -> bool:
    try:
        await tell(bus, LYON, NICE, "anew", timeout_s=10.0)
    except TransientError:
        return False
    return True
