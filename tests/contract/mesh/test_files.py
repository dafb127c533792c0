"""The files that `cheops mesh init` writes, as a person starts them: nats-server -c server.conf, in each folder."""

from __future__ import annotations

import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from cheops.sandbox.process import ChildProcess
from schemas import subjects
from services.chassis.bus import nats
from services.chassis.bus.identity import identity_of
from services.chassis.bus.streams import ensure_streams
from tests.contract.mesh.world import LYON, OSLO, WAIT_S, inbox_of, until_told
from tests.kit.command import Shell

PROGRAM = Path(sys.executable).parent / "nats-server"


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


async def started(folder: Path, port: int, stack: AsyncExitStack) -> None:
    child = ChildProcess(folder.name, [PROGRAM, "-c", "server.conf"], folder / "server.log", directory=folder)
    await stack.enter_async_context(child)

    async def answers() -> bool:
        with socket.create_connection(("127.0.0.1", port), 1.0):
            return True

    await child.wait_ready(answers, WAIT_S)


async def test_servers_that_are_started_from_the_files_carry_messages_between_their_sites(tmp_path: Path) -> None:
    lyon, oslo, router = free_ports(3)
    at = [f"--at={name}=127.0.0.1:{port}" for name, port in (("lyon", lyon), ("oslo", oslo), ("router-1", router))]
    made = Shell(tmp_path)("mesh", "init", "--sites", "lyon,oslo", "--routers", "1", *at)
    assert made.code == 0, made.err
    async with AsyncExitStack() as stack:
        for folder, port in (("routers/router-1", router), ("lyon", lyon), ("oslo", oslo)):
            await started(tmp_path / "mesh" / folder, port, stack)
        buses = {}
        for site, port in ((LYON, lyon), (OSLO, oslo)):
            identity = identity_of(tmp_path / "mesh" / site / "keys", site, "resolver")
            buses[site] = await nats.connect(f"nats://127.0.0.1:{port}", name="test", wait=False, identity=identity)
            stack.push_async_callback(buses[site].close)
            await ensure_streams(buses[site], site)
        await until_told(buses[LYON], LYON, OSLO)
        assert await inbox_of(buses[OSLO], OSLO) == [subjects.peer(OSLO, LYON, "ask", "hello")]
        assert (tmp_path / "mesh" / "lyon" / "store").is_dir()
