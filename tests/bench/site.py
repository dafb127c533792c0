"""A process with a resolver on the bus, and beside it the barest services that NATS allows: an echo, a stored relay.

Both live in the same process and event loop, so that they share the machine, the client library and the server.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from typing import Final

import nats
import structlog
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import RetentionPolicy, StorageType, StreamConfig

from schemas import subjects
from schemas.relations.loader import load_catalogue
from services.chassis.bus import nats as adapter
from services.chassis.bus.port import Bus, Reader, Received
from services.chassis.bus.streams import DUPLICATE_WINDOW_S, STREAMS
from services.chassis.lifecycle import ShortRuns, settle
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.service import ResolverService
from tests.bench.history import SITE

ECHO: Final = "bench.echo"
SERVED: Final = "bench.served"
ANSWER: Final = b'{"schema":"verdict/v1",' + b" " * 2500 + b"}"  # as large as the verdicts that are asked for
BARE_IN: Final = "BAREINTENTS"
BARE_OUT: Final = "BAREVERDICTS"


async def bare_streams(client: Client) -> None:
    """Streams with the settings of INTENTS and VERDICTS."""
    like = {"INTENTS": BARE_IN, "VERDICTS": BARE_OUT}
    for definition in STREAMS:
        if definition.name in like:
            name = like[definition.name]
            config = StreamConfig(
                name=name,
                subjects=[f"bench.{name}.*"],
                retention=RetentionPolicy.LIMITS,
                max_age=definition.max_age_s,
                max_bytes=definition.max_bytes,
                max_msg_size=definition.message_bytes_max,
                duplicate_window=DUPLICATE_WINDOW_S,
                storage=StorageType.FILE,
                allow_direct=True,
            )
            await client.jetstream().add_stream(config)


async def reader_of(bus: Bus, stream: str, durable: str) -> Reader:
    """A durable consumer with a pull request always outstanding: the quickest that there is."""
    return await bus.reader(stream, durable, f"bench.{stream}.*")  # type: ignore[arg-type]  # a stream of our own


async def _echo(client: Client) -> None:
    async def answer(message: Msg) -> None:
        await message.respond(ANSWER)

    await client.subscribe(ECHO, cb=answer)


async def _serve(bus: Bus) -> None:
    """The same echo behind our own port: what the port costs."""

    async def answer(received: Received) -> bytes:
        return ANSWER

    async with bus.serve(SERVED, answer, name="bench"):
        await asyncio.Event().wait()


async def _relay(client: Client, bus: Bus) -> None:
    reader = await reader_of(bus, BARE_IN, "relay")
    stream = client.jetstream()
    while True:
        for delivery in await reader.fetch(64, 5.0):
            name = subjects.last_name(delivery.message.subject)
            await stream.publish(f"bench.{BARE_OUT}.{name}", ANSWER, headers={"Nats-Msg-Id": name})
            await delivery.ack()


async def _run(url: str) -> None:
    client = await nats.connect(url)
    bus = await adapter.connect(url, name="bare")
    await bare_streams(client)
    await _echo(client)
    machine = Machine(SITE, load_catalogue(), Policy(), "bench")
    service = ResolverService(SITE, await adapter.connect(url, name="resolver"), machine)
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_relay(client, bus))
        tasks.create_task(_serve(bus))
        tasks.create_task(service.run(ready))
        await ready.wait()
        settle()
        gc.callbacks.append(ShortRuns())  # as a service has it
        print("ready", flush=True)


def main() -> int:
    """Serve until killed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
