"""Over a real nats-server with the sandbox's settings: ingest end to end; preview and stored intent against bare NATS.

What is compared runs in turns, a hundred of each; the ratio at p50 is taken of the medians of each turn, the one at p99
of all times. A question is asked by the same bare client with bytes that were made before, whoever answers it.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import chain
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
from tests.bench.measuring import Row, percentile
from tests.bench.told import ToldFleet

TURNS: Final = 10
EACH: Final = 100
ALONE: Final = 30
ALONE_S: Final = 0.01  # between two questions that do not follow one another
WARM_UP: Final = 50
PREPARED: Final = 1_500  # questions, each about another Secret
PREVIEW_GOALS: Final = (2.0, 3.0)  # at p50 and at p99
STORED_GOALS: Final = (1.5, 2.0)
BURST: Final = 1_000
Act = Callable[[], Awaitable[object]]
Turns = list[list[float]]  # milliseconds of each call, turn by turn


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
    asked = itertools.cycle([one.to_json() for one in itertools.islice(intents, PREPARED)])
    question = next(asked)

    async def bare() -> None:
        await client.request(site.ECHO, question, timeout=10)

    async def preview() -> None:
        await client.request(live.api("preview"), next(asked), timeout=10)

    async def through_our_port() -> None:
        await bus.request(live.api("preview"), next(asked), 10)

    async def through_the_sdk() -> None:
        await mesh.preview(next(intents))

    async def served() -> None:
        await client.request(site.SERVED, question, timeout=10)

    found = await in_turns(bare, preview, through_our_port, through_the_sdk, served)
    alone = await in_turns(bare, preview, each=ALONE, pause_s=ALONE_S)
    return [
        *against("bare request-reply", "preview", *found[:2], PREVIEW_GOALS),
        *against("", "an echo behind our port", found[0], found[4]),
        *against("", "preview, asked through our port, too", found[0], found[2]),
        *against("", "preview through the SDK", found[0], found[3]),
        *against("bare request-reply, asked alone", "preview, asked alone", *alone),
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

        found = await in_turns(bare, bare_heard, intent, through_the_sdk)
        while await reader.fetch(64, 0.2):
            pass
    return [
        *against("bare stored round trip", "stored intent → verdict", found[0], found[2], STORED_GOALS),
        *against("bare stored round trip, answer heard unstored", "the same", found[1], found[2]),
        *against("", "stored intent through the SDK", found[0], found[3]),
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


async def in_turns(*acts: Act, each: int = EACH, pause_s: float = 0.0) -> list[Turns]:
    """How long each act takes; before each nothing is done for `pause_s`."""
    for act in acts:
        for _ in range(WARM_UP):
            await act()
    every: list[Turns] = [[] for _ in acts]
    for _ in range(TURNS):
        for act, found in zip(acts, every, strict=True):
            times = []
            for _ in range(each):
                if pause_s:
                    await asyncio.sleep(pause_s)
                start_s = time.perf_counter()
                await act()
                times.append(1e3 * (time.perf_counter() - start_s))
            found.append(times)
    return every


def against(
    bare: str, ours: str, bare_ms: Turns, ours_ms: Turns, goals: tuple[float | None, float | None] = (None, None)
) -> list[Row]:
    """Rows on one act: its time, and how many times the bare one's it is. `bare` "": no row of its own."""
    pairs = zip(map(statistics.median, ours_ms), map(statistics.median, bare_ms), strict=True)
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    p99 = percentile([*chain(*ours_ms)], 0.99) / percentile([*chain(*bare_ms)], 0.99)
    first = [Row(bare, _typical(bare_ms), "ms")] if bare else []
    return [
        *first,
        Row(ours, _typical(ours_ms), "ms"),
        Row(f"{ours}, ratio", ratio, "×", goals[0]),
        Row(f"{ours}, ratio at p99", p99, "×", goals[1]),
    ]


def _typical(turns: Turns) -> float:
    return statistics.median(map(statistics.median, turns))
