"""Streams and consumers that somebody deletes or empties, a store that is lost: no service ends, and life goes on."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator

import pytest
from nats.js import JetStreamContext

from cheops.drafts import Intent
from cheops.mesh import connect
from cheops.sandbox.testbed import Testbed
from schemas.identity import SiteName
from services.chassis.errors import NoStreamError
from tests.kit.bed import bare_client, witness
from tests.kit.waiting import eventually

LYON = SiteName("lyon")
WAIT_S = 60.0
_numbers = itertools.count()


@pytest.fixture
async def jetstream(bed: Testbed) -> AsyncIterator[JetStreamContext]:
    """As an administrator; what was done has ended none of the services."""
    client = await bare_client(bed)
    yield client.jetstream()
    await client.close()
    for service in bed.sites[LYON].services.values():
        service.ensure_running()


async def assert_at_work(bed: Testbed) -> None:
    """The next intent is decided, carried out, and ready."""
    new = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"map-{next(_numbers)}"}}
    async with asyncio.timeout(WAIT_S), connect(bed.context) as mesh:
        intent = await mesh.enter(Intent.apply([new], namespace="default"), site="lyon")
        async for progress in mesh.follow(intent):
            verdict, outcome = progress.verdict, progress.outcome
    assert verdict.decision == "allow", verdict.summary
    assert outcome is not None
    assert outcome.state == "ready"


@pytest.mark.parametrize("stream", ["INTENTS", "EVENTS", "OUTCOMES", "OPERATIONS", "INBOX-lyon"])
async def test_a_consumer_that_is_deleted(bed: Testbed, jetstream: JetStreamContext, stream: str) -> None:
    await jetstream.delete_consumer(stream, "executor-lyon" if stream == "OPERATIONS" else "resolver-lyon")
    await assert_at_work(bed)


@pytest.mark.parametrize("stream", ["VERDICTS", "INTENTS", "EVENTS", "OUTCOMES", "OPERATIONS"])
async def test_a_stream_that_is_emptied(bed: Testbed, jetstream: JetStreamContext, stream: str) -> None:
    await jetstream.purge_stream(stream)
    await assert_at_work(bed)


@pytest.mark.parametrize("stream", ["EVENTS", "OPERATIONS", "ALERTS", "INBOX-lyon", "OUTBOX-lyon"])
async def test_a_stream_that_is_deleted(bed: Testbed, jetstream: JetStreamContext, stream: str) -> None:
    await jetstream.delete_stream(stream)
    await assert_at_work(bed)


async def test_a_server_that_comes_back_with_an_empty_store(bed: Testbed, jetstream: JetStreamContext) -> None:
    """What was in it is lost; the cluster says what is there."""
    bed.nats.kill()
    shutil.rmtree(bed.nats.directory / "store")
    await bed.nats.restart()
    bus = await witness(bed)

    async def made() -> bool:
        try:
            return await bus.last("INTENTS", "cheops.v1.intent.lyon.*") is None
        except NoStreamError:
            return False

    await eventually(made, "nobody makes the streams again", WAIT_S)
    await bus.close()
    await bed.wait_fresh()
    await assert_at_work(bed)
