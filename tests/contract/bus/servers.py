"""What a bus of the contract can run on: this process, the nats-server of the wheel, the official image in Docker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from cheops.sandbox.natsserver import NatsServer
from services.chassis.bus.sizes import SERVER_PAYLOAD_BYTES

Engine = Literal["memory", "wheel", "image"]
IMAGE = "nats:2.12-alpine"
PORT = 4222
CONFIGURATION = f"""\
max_payload: {SERVER_PAYLOAD_BYTES}
jetstream {{ store_dir: /tmp/store, domain: lyon, sync_interval: 2m }}
"""


@asynccontextmanager
async def running(engine: Engine, directory: Path) -> AsyncIterator[str]:
    """The URL of a server; "" in memory."""
    if engine == "memory":
        yield ""
    elif engine == "wheel":
        async with NatsServer(directory / "nats", "lyon", sync="2m") as server:
            yield server.url
    else:
        async with _official_image() as url:
            yield url


@asynccontextmanager
async def _official_image() -> AsyncIterator[str]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    script = f"printf '%s' '{CONFIGURATION}' > /tmp/site.conf && exec nats-server -c /tmp/site.conf"
    made = DockerContainer(IMAGE).with_exposed_ports(PORT).with_command(["sh", "-c", script])
    container = made.waiting_for(LogMessageWaitStrategy("Server is ready"))
    await asyncio.to_thread(container.start)
    try:
        yield f"nats://{container.get_container_host_ip()}:{container.get_exposed_port(PORT)}"
    finally:
        await asyncio.to_thread(container.stop)


def require(engine: Engine) -> None:
    """Skip, saying why, where there is no Docker engine."""
    if engine == "image" and not _docker_answers():
        pytest.skip("no Docker engine answers here: the official NATS image was not tested")


def _docker_answers() -> bool:
    import docker
    from docker.errors import DockerException

    try:
        return bool(docker.from_env(timeout=5).ping())
    except DockerException:
        return False
