"""The files that `cheops mesh init` writes, as a person starts them: nats-server -c server.conf, in each folder."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from cheops.sandbox.process import ChildProcess
from cheops.topology.folder import MeshFolder
from schemas import subjects
from schemas.identity import SiteName
from services.chassis.bus import nats
from services.chassis.bus.identity import identity_of
from services.chassis.bus.nats import NatsBus
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import BusUnavailableError, SettingsError
from tests.contract.mesh.world import LYON, OSLO, WAIT_S, inbox_of, until_told
from tests.kit.command import Shell
from tests.kit.ports import free_ports

PROGRAM = Path(sys.executable).parent / "nats-server"


async def started(folder: Path, port: int, stack: AsyncExitStack) -> None:
    child = ChildProcess(folder.name, [PROGRAM, "-c", "server.conf"], folder / "server.log", directory=folder)
    await stack.enter_async_context(child)

    async def answers() -> bool:
        with socket.create_connection(("127.0.0.1", port), 1.0):
            return True

    await child.wait_ready(answers, WAIT_S)


@dataclass(frozen=True, slots=True)
class Running:
    """Two sites and a router, started from their files."""

    folder: Path
    ports: dict[SiteName, int]

    async def connect(self, site: SiteName, keys: Path | None = None) -> NatsBus:
        identity = identity_of(keys or self.folder / site / "keys", site, "resolver")
        return await nats.connect(f"nats://127.0.0.1:{self.ports[site]}", name="test", wait=False, identity=identity)


@asynccontextmanager
async def running(directory: Path, *options: str) -> AsyncIterator[Running]:
    lyon, oslo, router = free_ports(3)
    at = [f"--at={name}=127.0.0.1:{port}" for name, port in (("lyon", lyon), ("oslo", oslo), ("router-1", router))]
    made = Shell(directory)("mesh", "init", "--sites", "lyon,oslo", "--routers", "1", *at, *options)
    assert made.code == 0, made.err
    async with AsyncExitStack() as stack:
        for folder, port in (("routers/router-1", router), ("lyon", lyon), ("oslo", oslo)):
            await started(directory / "mesh" / folder, port, stack)
        yield Running(directory / "mesh", {LYON: lyon, OSLO: oslo})


@pytest.mark.parametrize("options", [(), ("--tls",)], ids=["plain", "tls"])
async def test_servers_that_are_started_from_the_files_carry_messages_between_their_sites(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    async with running(tmp_path, *options) as mesh, AsyncExitStack() as stack:
        buses = {}
        for site in (LYON, OSLO):
            buses[site] = await mesh.connect(site)
            stack.push_async_callback(buses[site].close)
            await ensure_streams(buses[site], site)
        await until_told(buses[LYON], LYON, OSLO)
        assert await inbox_of(buses[OSLO], OSLO) == [subjects.peer(OSLO, LYON, "ask", "hello")]
        assert (mesh.folder / "lyon" / "store").is_dir()


async def test_with_tls_nobody_speaks_in_the_clear_and_a_server_of_another_authority_is_not_believed(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, "--tls") as mesh:
        stranger = tmp_path / "stranger"
        stranger.mkdir()
        shutil.copy(mesh.folder / LYON / "keys" / "resolver.nk", stranger)
        with pytest.raises(BusUnavailableError):
            await mesh.connect(LYON, stranger)
        other = MeshFolder(tmp_path / "other")
        other.init([LYON], 0, {}, tls=True)
        shutil.copy(other.keys_of(LYON) / "ca.pem", stranger)
        with pytest.raises(SettingsError, match="certificate"):
            await mesh.connect(LYON, stranger)


async def test_a_connection_with_tls_is_closed_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(tmp_path, "--tls") as mesh:
        await (await mesh.connect(LYON)).close()
        await asyncio.sleep(0)  # a turn: the transport hears of its end
    assert not caplog.records


def test_certificates_name_the_host_and_are_kept(tmp_path: Path) -> None:
    folder = MeshFolder(tmp_path / "mesh")
    folder.init([LYON], 0, {LYON: ("nats.lyon.example", 4222)}, tls=True)
    file = folder.path / LYON / "tls" / "cert.pem"
    before = file.read_bytes()
    folder.add(OSLO, {})
    assert file.read_bytes() == before
    names = x509.load_pem_x509_certificate(before).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert "nats.lyon.example" in names.value.get_values_for_type(x509.DNSName)
    for private in (folder.path / "ca" / "ca.key", folder.path / OSLO / "tls" / "key.pem"):
        assert private.stat().st_mode & 0o077 == 0
    folder.remove(OSLO)
    assert not (folder.path / OSLO).exists()
