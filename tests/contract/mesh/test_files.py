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

from cheops.sandbox.faults import FaultProxy
from cheops.sandbox.process import ChildProcess
from cheops.topology.folder import MeshFolder
from cheops.topology.rendering import as_text, site_configuration
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


@pytest.mark.parametrize("options", [(), ("--tls",)], ids=["plain", "tls"])
async def test_servers_behind_nat_listen_at_their_own_addresses_and_are_reached_at_others(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    shell, own = Shell(tmp_path), dict(zip(("lyon", "oslo", "router-1"), free_ports(3), strict=True))
    async with AsyncExitStack() as stack:
        translated = {name: await stack.enter_async_context(FaultProxy("127.0.0.1", own[name])) for name in own}
        at = [f"--at={name}=localhost:{proxy.port}" for name, proxy in translated.items()]
        listen = [f"--listen={name}=127.0.0.1:{port}" for name, port in own.items()]
        made = shell("mesh", "init", "--sites", "lyon", "--routers", "1", *at[::2], *listen[::2], *options)
        assert made.code == 0, made.err
        assert shell("mesh", "add", "oslo", at[1], listen[1]).code == 0
        for folder, name in (("routers/router-1", "router-1"), ("lyon", "lyon"), ("oslo", "oslo")):
            await started(tmp_path / "mesh" / folder, own[name], stack)
        buses = {}
        for site in (LYON, OSLO):
            identity = identity_of(tmp_path / "mesh" / site / "keys", site, "resolver")
            url = f"nats://localhost:{translated[site].port}"
            buses[site] = await nats.connect(url, name="test", wait=False, identity=identity)
            stack.push_async_callback(buses[site].close)
            await ensure_streams(buses[site], site)
        await until_told(buses[LYON], LYON, OSLO)
        assert await inbox_of(buses[OSLO], OSLO) == [subjects.peer(OSLO, LYON, "ask", "hello")]
        assert translated["router-1"].connections == 2


@pytest.mark.parametrize(("listen", "reached"), [("0.0.0.0", "127.0.0.2"), ("::", "::1"), ("[::]", "127.0.0.3")])
async def test_a_server_that_listens_at_every_address_is_reached_at_any(
    tmp_path: Path, listen: str, reached: str
) -> None:
    port, links = free_ports(2)
    words = ("--sites", "lyon", "--routers", "0", f"--at=lyon=192.0.2.7:{port}", f"--listen=lyon={listen}")
    assert Shell(tmp_path)("mesh", "init", *words).code == 0
    folder = MeshFolder(tmp_path / "mesh")
    (site,) = folder.plan().sites
    elsewhere = site.model_copy(update={"links_port": links})  # where no other test's server listens
    text = as_text(site_configuration(folder.plan().model_copy(update={"sites": (elsewhere,)}), elsewhere), "Lyon.")
    (folder.path / LYON / "server.conf").write_text(text)
    async with AsyncExitStack() as stack:
        await started(folder.path / LYON, port, stack)
        for where in ((reached, port), (reached, links)):
            socket.create_connection(where, WAIT_S).close()


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


def test_certificates_name_the_address_that_a_server_listens_at_besides_the_one_that_others_reach(
    tmp_path: Path,
) -> None:
    folder = MeshFolder(tmp_path / "mesh")
    addresses = {LYON: ("nats.lyon.example", 4222), OSLO: ("nats.oslo.example", 4222)}
    folder.init([LYON, OSLO], 0, addresses, tls=True, listening={LYON: ("10.0.0.5", 0), OSLO: ("0.0.0.0", 0)})
    found = {}
    for site in (LYON, OSLO):
        certificate = x509.load_pem_x509_certificate((folder.path / site / "tls" / "cert.pem").read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [addresses[site][0], "localhost"]
        found[site] = [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    assert found == {LYON: ["10.0.0.5", "127.0.0.1"], OSLO: ["127.0.0.1"]}


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
