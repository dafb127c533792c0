"""Over a real nats-server with the sandbox's settings: ingest end to end; preview and stored intent against bare NATS.

    this process: watcher, client      another: resolver, echo, relay (site.py)      a third: nats-server

What is compared runs in turns, a hundred of each, and the ratio is taken of the medians of each turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import nats
import structlog
import uvloop
from nats.aio.client import Client

from cheops.mesh import Mesh, connect
from cheops.sandbox.natsserver import NatsServer
from schemas import subjects
from schemas.identity import KindId
from schemas.intents import Intent
from schemas.queries import SiteStatus, StatusQuery
from services.chassis.bus import nats as adapter
from services.chassis.bus.port import Bus, Received
from services.watcher.service import Watcher
from tests.bench import site
from tests.bench.history import SITE
from tests.bench.measuring import Row
from tests.bench.told import ToldFleet

TURNS: Final = 10
EACH: Final = 100
WARM_UP: Final = 50
PREVIEW_GOAL: Final = 2.0
STORED_GOAL: Final = 1.5
BURST: Final = 1_000
FRESH_TIMEOUT_S: Final = 60.0
Act = Callable[[], Awaitable[object]]
_numbers = itertools.count()


def run(size: int, file: Path) -> list[Row]:
    """Everything on one server."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(size, file.with_suffix(".nats")))


async def _run(size: int, folder: Path) -> list[Row]:
    fleet = ToldFleet(size)
    async with NatsServer(folder, SITE) as server:
        command = (sys.executable, "-m", "tests.bench.site", server.url)
        child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        try:
            assert child.stdout is not None, "piped"
            await child.stdout.readline()
            bus = await adapter.connect(server.url, name="bench")
            async with _watching(fleet, server.url) as took, connect(server.url, site=SITE) as mesh:
                taken_s = await took(bus)
                rows = [Row("watcher → bus → resolver, events/s", fleet.size / taken_s, "")]
                client = await nats.connect(server.url)
                rows += await _previews(client, bus, mesh, fleet)
                rows += await _stored(client, bus, mesh, fleet)
                rows += await _burst(bus, fleet)
                await client.close()
            await bus.close()
            return rows
        finally:
            child.kill()
            await child.wait()


@contextlib.asynccontextmanager
async def _watching(fleet: ToldFleet, url: str) -> AsyncIterator[Callable[[Bus], Awaitable[float]]]:
    """The real watcher; yields how long it takes from its start until the resolver knows all and calls it fresh."""
    bus = await adapter.connect(url, name="watcher")
    watcher = Watcher(SITE, fleet, bus, clock=time.monotonic, randomness=random.Random(1))
    start_s = time.perf_counter()
    running = asyncio.create_task(watcher.run())

    async def took(asking: Bus) -> float:
        async with asyncio.timeout(FRESH_TIMEOUT_S):
            while True:
                reply = await asking.request(_api("status"), StatusQuery().to_json(), 60.0)
                status = SiteStatus.from_json(reply.payload)
                if status.resources == fleet.size and status.lag == 0:
                    known_s = time.perf_counter() - start_s
                    break
                await asyncio.sleep(0.02)
            while status.state != "fresh":
                await asyncio.sleep(0.1)
                reply = await asking.request(_api("status"), StatusQuery().to_json(), 60.0)
                status = SiteStatus.from_json(reply.payload)
        return known_s

    try:
        yield took
    finally:
        running.cancel()
        await asyncio.wait({running})
        await bus.close()


async def _previews(client: Client, bus: Bus, mesh: Mesh, fleet: ToldFleet) -> list[Row]:
    intents = _deletions(fleet, preview=True)
    question = next(intents).to_json()

    async def bare() -> None:
        await client.request(site.ECHO, question, timeout=10)

    async def preview() -> None:
        await bus.request(_api("preview"), next(intents).to_json(), 10)

    async def through_the_sdk() -> None:
        await mesh.preview(next(intents))

    async def served() -> None:
        await bus.request(site.SERVED, question, 10)

    found = await _in_turns(bare, preview, through_the_sdk, served)
    return [
        *_against("bare request-reply", "preview", *found[:2], PREVIEW_GOAL),
        *_against("", "an echo behind our port", found[0], found[3], None),
        *_against("", "preview through the SDK", found[0], found[2], None),
    ]


async def _stored(client: Client, bus: Bus, mesh: Mesh, fleet: ToldFleet) -> list[Row]:
    intents = _deletions(fleet, preview=False)
    stream = client.jetstream()
    reader = await site.reader_of(bus, site.BARE_OUT, "bench")
    question = next(intents).to_json()
    async with (
        bus.subscribe(subjects.verdict(SITE, "*", "*")) as verdicts,
        bus.subscribe(f"bench.{site.BARE_OUT}.*") as answers,
    ):

        async def bare() -> None:
            name = f"x-{next(_numbers)}"
            await stream.publish(f"bench.{site.BARE_IN}.{name}", question, headers={"Nats-Msg-Id": name})
            await reader.ack_all((await reader.fetch(64, 10.0))[-1])

        async def bare_heard() -> None:
            name = f"x-{next(_numbers)}"
            await stream.publish(f"bench.{site.BARE_IN}.{name}", question, headers={"Nats-Msg-Id": name})
            await _until(answers, name)

        async def intent() -> None:
            one = next(intents)
            await bus.publish(subjects.intent(SITE, one.id), one.to_json(), message_id=one.id)
            await _until(verdicts, one.id)

        async def through_the_sdk() -> None:
            async for _ in mesh.follow(next(intents)):
                return

        found = await _in_turns(bare, bare_heard, intent, through_the_sdk)
        while await reader.fetch(64, 0.2):
            pass
    return [
        *_against("bare stored round trip", "stored intent → verdict", found[0], found[2], STORED_GOAL),
        *_against("bare stored round trip, answer heard unstored", "the same", found[1], found[2], None),
        *_against("", "stored intent through the SDK", found[0], found[3], None),
    ]


async def _burst(bus: Bus, fleet: ToldFleet) -> list[Row]:
    """A thousand intents at once: how long until the last verdict."""
    intents = list(itertools.islice(_deletions(fleet, preview=False), BURST))
    async with bus.subscribe(subjects.verdict(SITE, "*", "*")) as verdicts:
        start_s = time.perf_counter()
        sending = [
            asyncio.create_task(bus.publish(subjects.intent(SITE, one.id), one.to_json(), message_id=one.id))
            for one in intents
        ]
        wanted = {one.id for one in intents}
        async with asyncio.timeout(FRESH_TIMEOUT_S):
            async for received in verdicts:
                wanted.discard(subjects.last_name(received.subject))
                if not wanted:
                    break
        taken_s = time.perf_counter() - start_s
        await asyncio.gather(*sending)
    return [Row(f"{BURST} intents at once, verdicts/s", BURST / taken_s, "")]


async def _until(messages: AsyncIterator[Received], name: str) -> None:
    async for received in messages:
        if subjects.last_name(received.subject) == name:
            return


async def _in_turns(*acts: Act) -> list[list[float]]:
    """Milliseconds, the median of each turn, per act."""
    for act in acts:
        for _ in range(WARM_UP):
            await act()
    medians: list[list[float]] = [[] for _ in acts]
    for _ in range(TURNS):
        for act, found in zip(acts, medians, strict=True):
            times = []
            for _ in range(EACH):
                start_s = time.perf_counter()
                await act()
                times.append(1e3 * (time.perf_counter() - start_s))
            found.append(statistics.median(times))
    return medians


def _against(bare: str, ours: str, bare_ms: list[float], ours_ms: list[float], goal: float | None) -> list[Row]:
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours_ms, bare_ms, strict=True))
    first = [Row(bare, statistics.median(bare_ms), "ms")] if bare else []
    return [*first, Row(ours, statistics.median(ours_ms), "ms"), Row(f"{ours}, ratio", ratio, "×", goal)]


def _deletions(fleet: ToldFleet, *, preview: bool) -> Iterator[Intent]:
    """Deletions of Secrets in use: denied, so the verdict is the whole answer and the site stays as it is."""
    secrets = [one.resource for one in fleet.states[KindId("Secret")] if one.resource.endswith("-credentials")]
    for secret in itertools.cycle(secrets):
        now = datetime.now(UTC)
        yield Intent(
            id=f"i-{next(_numbers)}",
            verb="delete",
            site=SITE,
            resources=(secret,),
            requester="bench",
            created_at=now,
            expires_at=now + timedelta(hours=1),
            preview=preview,
        )


def _api(verb: str) -> str:
    return subjects.api("resolver", SITE, verb)
