"""Over a real nats-server with the sandbox's settings: ingest end to end; preview and stored intent against bare NATS.

What is compared runs in turns, a hundred of each, and the ratio is taken of the medians of each turn.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import nats
import structlog
import uvloop
from nats.aio.client import Client

from cheops.mesh import Mesh, connect
from schemas import subjects
from services.chassis.bus.port import Bus, Received
from tests.bench import live, site
from tests.bench.history import SITE
from tests.bench.measuring import Row
from tests.bench.told import ToldFleet

TURNS: Final = 10
EACH: Final = 100
WARM_UP: Final = 50
PREVIEW_GOAL: Final = 2.0
STORED_GOAL: Final = 1.5
BURST: Final = 1_000
Act = Callable[[], Awaitable[object]]


def run(size: int, file: Path) -> list[Row]:
    """Everything on one server."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(size, file.with_suffix(".nats")))


async def _run(size: int, folder: Path) -> list[Row]:
    async with live.site(size, folder) as here, connect(here.url, site=SITE) as mesh:
        rows = [Row("watcher → bus → resolver, events/s", here.fleet.size / here.known_after_s, "")]
        client = await nats.connect(here.url)
        rows += await _previews(client, here.bus, mesh, here.fleet)
        rows += await _stored(client, here.bus, mesh, here.fleet)
        rows += await _burst(here.bus, here.fleet)
        await client.close()
        return rows


async def _previews(client: Client, bus: Bus, mesh: Mesh, fleet: ToldFleet) -> list[Row]:
    intents = live.deletions(fleet, preview=True)
    question = next(intents).to_json()

    async def bare() -> None:
        await client.request(site.ECHO, question, timeout=10)

    async def preview() -> None:
        await bus.request(live.api("preview"), next(intents).to_json(), 10)

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
    intents = live.deletions(fleet, preview=False)
    stream = client.jetstream()
    reader = await site.reader_of(bus, site.BARE_OUT, "bench")
    question = next(intents).to_json()
    async with (
        bus.subscribe(subjects.verdict(SITE, "*", "*")) as verdicts,
        bus.subscribe(f"bench.{site.BARE_OUT}.*") as answers,
    ):

        async def bare() -> None:
            name = f"x-{next(live.numbers)}"
            await stream.publish(f"bench.{site.BARE_IN}.{name}", question, headers={"Nats-Msg-Id": name})
            await reader.ack_all((await reader.fetch(64, 10.0))[-1])

        async def bare_heard() -> None:
            name = f"x-{next(live.numbers)}"
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
    intents = list(itertools.islice(live.deletions(fleet, preview=False), BURST))
    async with bus.subscribe(subjects.verdict(SITE, "*", "*")) as verdicts:
        start_s = time.perf_counter()
        sending = [
            asyncio.create_task(bus.publish(subjects.intent(SITE, one.id), one.to_json(), message_id=one.id))
            for one in intents
        ]
        wanted = {one.id for one in intents}
        async with asyncio.timeout(live.FRESH_TIMEOUT_S):
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
