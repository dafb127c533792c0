"""Every test here runs in memory, on the nats-server of the wheel, and on the official image where Docker runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import pytest

from services.chassis.bus import nats
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Bus
from services.chassis.bus.streams import ensure_streams
from tests.contract.bus import servers
from tests.contract.bus.servers import Engine

_require = cache(servers.require)  # a skip is not cached, an answer is


@pytest.fixture(params=["memory", "wheel", pytest.param("image", marks=pytest.mark.docker)])
def engine(request: pytest.FixtureRequest) -> Engine:
    _require(request.param)
    made: Engine = request.param
    return made


@pytest.fixture
async def url(engine: Engine, tmp_path: Path) -> AsyncIterator[str]:
    async with servers.running(engine, tmp_path) as made:
        yield made


@pytest.fixture
async def bus(url: str) -> AsyncIterator[Bus]:
    """A bus with its streams made."""
    made: Bus = await nats.connect(url, name="contract") if url else MemoryBus()
    await ensure_streams(made)
    yield made
    await made.close()
