"""Three sites, two routers or none: what crosses, what does not, and what happens when a part of it goes."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cheops.sandbox.servers import Servers
from schemas import subjects
from schemas.identity import SiteName
from services.chassis.bus.nats import NatsBus
from services.chassis.bus.port import Received
from services.chassis.errors import BusUnavailableError, TransientError
from tests.contract.mesh.world import (
    LYON,
    NICE,
    OSLO,
    SITES,
    WAIT_S,
    inbox_of,
    mesh,
    resolvers,
    tell,
    told,
    until,
    until_told,
    user,
)
from tests.kit.waiting import lasting

REFUSED_S = 1.5


@pytest.fixture(params=[2, 0], ids=["two routers", "direct links"])
async def servers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Servers]:
    async with mesh(tmp_path, routers=request.param) as made:
        yield made


async def test_a_message_is_stored_once_in_the_inbox_of_the_other_site_and_nowhere_else(servers: Servers) -> None:
    async with resolvers(servers) as bus:
        for name in ("i-1", "i-2", "i-3"):
            await tell(bus[LYON], LYON, OSLO, name, WAIT_S)
            await tell(bus[LYON], LYON, OSLO, name, WAIT_S)  # again: it is known there by its id
        await tell(bus[NICE], NICE, OSLO, "i-4", WAIT_S)
        found = await inbox_of(bus[OSLO], OSLO)
        assert sorted(found) == sorted(
            [
                *(subjects.peer(OSLO, one, "ask", "hello") for one in (LYON, NICE)),
                *(subjects.peer(OSLO, LYON, "ask", name) for name in ("i-1", "i-2", "i-3")),
                subjects.peer(OSLO, NICE, "ask", "i-4"),
            ]
        )
        assert await inbox_of(bus[NICE], NICE) == [subjects.peer(NICE, one, "ask", "hello") for one in (LYON, OSLO)]


async def test_a_question_is_answered_across_sites_once_whatever_the_number_of_ways(servers: Servers) -> None:
    heard: list[str] = []

    async def answer(received: Received) -> bytes:
        heard.append(received.subject)
        return b"pong"

    question = subjects.peer(OSLO, LYON, "ping", "1")
    async with (
        resolvers(servers, LYON, OSLO) as bus,
        bus[OSLO].serve(subjects.peer_filter(OSLO, "ping"), answer, name="o"),
    ):
        assert (await _answered(bus[LYON], question)).payload == b"pong"
        before = len(heard)
        for _ in range(20):
            assert (await bus[LYON].request(question, b"ping", 5.0)).payload == b"pong"
        assert len(heard) - before == 20


async def _answered(bus: NatsBus, question: str) -> Received:
    found: list[Received] = []

    async def ask() -> bool:
        try:
            found.append(await bus.request(question, b"ping", 5.0))
        except BusUnavailableError:
            return False  # the link does not know yet that somebody listens
        return True

    await until(ask)
    return found[0]


# ── what may not cross ──────────────────────────────────────────────────────────────────────────────────────────────

FAMILIES = ("event", "heartbeat", "intent", "verdict", "operation", "outcome", "alert", "dead", "api", "outbox")


async def test_nothing_but_peers_crosses_not_even_for_the_administrator_of_a_site(servers: Servers) -> None:
    async with resolvers(servers), user(servers, LYON, "admin") as here, user(servers, OSLO, "admin") as there:
        async with there.subscribe(f"{subjects.ROOT}.>") as heard:
            for family in FAMILIES:
                await here.emit(f"{subjects.ROOT}.{family}.lyon.x.y", b"local")
                await here.emit(f"{subjects.ROOT}.{family}.oslo.x.y", b"local")
            await here.emit(subjects.peer(OSLO, LYON, "ask", "last"), b"")  # later than all, on the same link
            found = [(await anext(heard)).subject]
            while found[-1] != subjects.peer(OSLO, LYON, "ask", "last"):
                found.append((await anext(heard)).subject)
            assert [one for one in found if ".peer." not in one] == []
        with pytest.raises(BusUnavailableError):
            await here.request("$JS.oslo.API.STREAM.NAMES", b"", 2.0)


async def test_a_site_cannot_speak_in_the_name_of_another_even_with_its_whole_server(servers: Servers) -> None:
    async with resolvers(servers) as bus, user(servers, NICE, "admin") as liar:
        before = await inbox_of(bus[OSLO], OSLO)
        with pytest.raises(TransientError):
            await liar.publish(subjects.peer(OSLO, LYON, "ask", "lie"), b"{}", message_id="lie", timeout_s=1.0)
        await liar.emit(subjects.peer(OSLO, LYON, "ask", "lie"), b"{}")
        await tell(bus[NICE], NICE, OSLO, "truth", WAIT_S)  # later, on the same link
        assert await inbox_of(bus[OSLO], OSLO) == [*before, subjects.peer(OSLO, NICE, "ask", "truth")]


async def test_a_site_cannot_listen_to_what_two_others_say(servers: Servers) -> None:
    async with resolvers(servers) as bus, user(servers, NICE, "admin") as spy:
        async with spy.subscribe(">") as heard:
            await tell(bus[LYON], LYON, OSLO, "secret", WAIT_S)
            await tell(bus[LYON], LYON, NICE, "open", WAIT_S)
            found = [await anext(heard)]
            while found[-1].subject != subjects.peer(NICE, LYON, "ask", "open"):
                found.append(await anext(heard))
        theirs = (f"{subjects.ROOT}.peer.oslo.", f"{subjects.ROOT}.peer.lyon.")
        assert [one.subject for one in found if one.subject.startswith(theirs)] == []


# ── what goes and comes ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_router_killed_the_other_carries_and_no_message_waits(tmp_path: Path) -> None:
    async with mesh(tmp_path) as servers, resolvers(servers) as bus:
        servers.routers["router-1"].kill()
        for number in range(20):
            await tell(bus[LYON], LYON, OSLO, f"i-{number}")
        assert len(await inbox_of(bus[OSLO], OSLO)) == 2 + 20


async def test_without_any_router_a_site_is_refused_at_once_and_told_when_one_is_back(tmp_path: Path) -> None:
    async with mesh(tmp_path) as servers, resolvers(servers) as bus:
        for router in servers.routers.values():
            router.kill()
        await until(lambda: _refused_at_once(bus[LYON]))
        await servers.routers["router-2"].restart()
        took_s = await until_told(bus[LYON], LYON, OSLO, "back")
        print(f"link back {took_s:.2f} s after the router")
        names = [subjects.last_name(one) for one in await inbox_of(bus[OSLO], OSLO)]
        assert names[-1] == "back"


async def _refused_at_once(bus: NatsBus) -> bool:
    """Not the very first, perhaps: what was on its way when the routers were killed is not answered at all."""
    started_s = time.monotonic()
    try:
        await tell(bus, LYON, OSLO, "lost", timeout_s=5.0)
    except TransientError as error:
        took_s = time.monotonic() - started_s
        print(f"refused after {took_s * 1000:.1f} ms")
        return took_s < REFUSED_S and "no stream takes it" in str(error)
    return False


async def test_a_router_that_says_nothing_any_more_is_given_up_and_the_other_carries(tmp_path: Path) -> None:
    async with mesh(tmp_path) as servers, resolvers(servers) as bus:
        stopped = servers.routers["router-1"].process
        stopped.send_signal(signal.SIGSTOP)
        try:
            for number in range(20):
                await tell(bus[LYON], LYON, OSLO, f"i-{number}")
            names = [subjects.last_name(one) for one in await inbox_of(bus[OSLO], OSLO)]
            assert names[-20:] == [f"i-{number}" for number in range(20)]
        finally:
            stopped.send_signal(signal.SIGCONT)


async def test_a_site_is_added_and_removed_while_the_others_talk(servers: Servers) -> None:
    rome = SiteName("rome")
    async with resolvers(servers) as bus:
        talking = asyncio.create_task(_talk(bus[LYON]))
        await servers.take(servers.folder.add(rome, {}))
        async with resolvers(servers, LYON, rome) as pair:
            assert await told(pair[rome], rome, LYON, "new")
            await servers.take(servers.folder.remove(rome))
            await until(lambda: _not_told(bus[OSLO], OSLO, rome))
        talking.cancel()
        for one in SITES[1:]:
            await until_told(bus[LYON], LYON, one, "still")
        assert [router.process.running for router in servers.routers.values()] == [True] * len(servers.routers)


async def test_routers_come_and_go_while_sites_talk(tmp_path: Path) -> None:
    async with mesh(tmp_path, routers=1) as servers, resolvers(servers) as bus:
        processes = [server.process.pid for server in servers.sites.values()]
        await servers.take(servers.folder.init(list(SITES), 2, {}))
        await until(lambda: _carries(servers, bus[LYON], "router-2", "router-1"))
        await servers.take(servers.folder.init(list(SITES), 1, {}))
        await until_told(bus[LYON], LYON, OSLO, "again over the first")
        await servers.take(servers.folder.init(list(SITES), 2, {}))
        await until(lambda: _carries(servers, bus[LYON], "router-2", "router-1"))
        assert [server.process.pid for server in servers.sites.values()] == processes


async def _carries(servers: Servers, bus: NatsBus, router: str, other: str) -> bool:
    """Does it carry alone, while the other one says nothing?"""
    assert router in servers.routers
    await servers.routers[other].stop()
    try:
        return await told(bus, LYON, OSLO, f"over {router} {time.monotonic()}")
    finally:
        await servers.routers[other].start()


async def _talk(bus: NatsBus) -> None:
    number = 0
    while True:
        number += 1
        await told(bus, LYON, OSLO, f"talk-{number}")
        await lasting(0.01)


async def _not_told(bus: NatsBus, sender: SiteName, receiver: SiteName) -> bool:
    return not await told(bus, sender, receiver, "gone")


async def test_a_revoked_link_is_refused_and_the_renewed_one_works(servers: Servers) -> None:
    async with resolvers(servers) as bus:
        seeds = servers.folder.keys_of(NICE)
        old = (seeds / "link.conf").read_text()
        steps = servers.folder.revoke(NICE, "link")
        renewed = (seeds / "link.conf").read_text()
        (seeds / "link.conf").write_text(old)  # whoever stole it goes on with it
        await servers.take(steps)
        await until_told(bus[LYON], LYON, OSLO, "healed")
        assert not await told(bus[NICE], NICE, OSLO, "revoked")
        assert not await told(bus[LYON], LYON, NICE, "revoked")
        (seeds / "link.conf").write_text(renewed)
        await servers.sites[NICE].restart()
        await until_told(bus[NICE], NICE, OSLO, "renewed")
