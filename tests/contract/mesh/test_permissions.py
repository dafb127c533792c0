"""Who may say and hear what, on a real nats-server: exactly what the table says, and the server refuses the rest.

The table is written by hand from what each service is for, so that a permission too many fails as well as one too few.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import nats as bare
import pytest

from cheops.sandbox.servers import Servers
from cheops.topology.folder import MeshFolder
from cheops.topology.keys import public_key
from schemas import subjects
from services.chassis.bus import nats
from services.chassis.bus.identity import Identity
from services.chassis.bus.nats import NatsBus
from services.chassis.errors import CheopsError, PermanentError, SettingsError, TransientError
from tests.contract.mesh.world import LYON, WAIT_S, until, user
from tests.kit.waiting import eventually

R = "cheops.v1"
SAYS = {
    f"{R}.event.lyon": {"watcher"},
    f"{R}.heartbeat.lyon": {"watcher"},
    f"{R}.rules.lyon": {"watcher"},
    f"{R}.rules.oslo": set(),
    f"{R}.intent.lyon.i-1": {"client", "resolver"},
    f"{R}.part.lyon.i-1": {"resolver"},
    f"{R}.part.oslo.i-1": set(),
    f"{R}.verdict.lyon.allow.i-1": {"resolver"},
    f"{R}.operation.lyon.i-1.1": {"resolver"},
    f"{R}.outcome.lyon.i-1.1": {"executor", "resolver"},
    f"{R}.alert.lyon.D310": {"resolver"},
    f"{R}.dead.INTENTS": {"resolver", "executor"},
    f"{R}.outbox.lyon.oslo.ask.i-1": {"resolver"},
    f"{R}.peer.oslo.lyon.ask.i-1": {"resolver"},
    f"{R}.peer.lyon.oslo.ask.i-1": {"resolver"},  # what it unpacks for itself, out of another's parcel
    f"{R}.peer.lyon.oslo.ping.1": set(),  # in the name of another
    f"{R}.peer.nice.oslo.ask.i-1": set(),
    f"{R}.event.oslo": set(),
    f"{R}.intent.oslo.i-1": set(),
    f"{R}.verdict.oslo.allow.i-1": set(),
    f"{R}.api.watcher.lyon.status": {"watcher", "resolver"},
    f"{R}.api.resolver.lyon.preview": {"client", "resolver"},
    f"{R}.api.resolver.=2A.status": {"client"},
    f"{R}.api.executor.lyon.rehearse": {"resolver"},
    "$JS.API.STREAM.CREATE.VERDICTS": {"watcher", "resolver", "executor"},
    "$JS.API.STREAM.CREATE.OTHER": set(),
    "$JS.API.STREAM.UPDATE.VERDICTS": {"resolver"},
    "$JS.API.STREAM.DELETE.VERDICTS": set(),
    "$JS.API.STREAM.PURGE.VERDICTS": set(),
    "$JS.API.STREAM.MSG.DELETE.VERDICTS": set(),
    "$JS.API.STREAM.MSG.GET.EVENTS": {"watcher", "resolver", "client"},
    "$JS.API.DIRECT.GET.RULES": {"watcher", "resolver", "executor"},
    "$JS.API.DIRECT.GET.OPERATIONS": {"resolver", "executor"},
    "$JS.API.DIRECT.GET.VERDICTS": {"resolver", "client"},
    "$JS.API.STREAM.MSG.GET.DEAD": {"resolver"},
    "$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.resolver-lyon": {"resolver"},
    "$JS.API.CONSUMER.MSG.NEXT.OPERATIONS.executor-lyon": {"executor"},
    "$JS.API.CONSUMER.MSG.NEXT.INBOX-lyon.resolver-lyon": {"resolver"},
    "$JS.ACK.INTENTS.resolver-lyon.1.1.1.1.0": {"resolver"},
    "$JS.ACK.OPERATIONS.executor-lyon.1.1.1.1.0": {"executor"},
    "$JS.ACK.INTENTS.other.1.1.1.1.0": set(),
    "_INBOX.lyon.resolver.x": set(),
    "_INBOX.lyon.client.x": set(),
    "anything": set(),
}
HEARS = {
    f"{R}.event.lyon": set(),  # who needs events reads the stream
    f"{R}.heartbeat.lyon": {"resolver"},
    f"{R}.intent.lyon.>": set(),
    f"{R}.verdict.lyon.*.*": {"client"},
    f"{R}.operation.lyon.>": set(),
    f"{R}.outcome.lyon.*.*": {"client"},
    f"{R}.alert.*.*": {"client"},
    f"{R}.peer.lyon.*.ping.*": {"resolver"},
    f"{R}.peer.oslo.*.ping.*": set(),
    f"{R}.api.watcher.lyon.resync": {"watcher"},
    f"{R}.api.resolver.lyon.preview": {"resolver"},
    f"{R}.api.resolver.=2A.status": {"resolver"},
    f"{R}.api.executor.lyon.rehearse": {"executor"},
    "_INBOX.lyon.watcher.x": {"watcher"},
    "_INBOX.lyon.resolver.x": {"resolver"},
    "_INBOX.lyon.executor.x": {"executor"},
    "_INBOX.lyon.client.x": {"client"},
    "_INBOX.lyon.auditor.x": {"auditor"},
    "$SYS.SERVER.*.CLIENT.AUTH.ERR": {"auditor"},
    "$SYS.>": set(),
    "_INBOX.>": set(),
    "$JS.>": set(),
    f"{R}.>": set(),
    ">": set(),
}
LAST = "nobody.may.do.this"
ROLES = ("watcher", "resolver", "executor", "auditor", "client")


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    folder = MeshFolder(tmp_path / "mesh")
    folder.init([LYON], 0, {})
    async with Servers(folder, sync="2m") as made:
        yield made


async def refused(servers: Servers, role: str, *, hearing: bool) -> set[str]:
    """What the server refuses of the table, by its own words."""
    said: list[str] = []

    async def note(error: Exception) -> None:
        said.append(str(error))

    seed = servers.folder.keys_of(LYON) / f"{role}.nk"
    client = await bare.connect(servers.sites[LYON].url, nkeys_seed=str(seed), error_cb=note, allow_reconnect=False)
    try:
        table = HEARS if hearing else SAYS
        for subject in (*table, LAST):
            await (client.subscribe(subject) if hearing else client.publish(subject, b""))
        # The server answers in order.
        await eventually(lambda: any(LAST in one for one in said), lambda: said, WAIT_S, pause_s=0.02)
        words = "subscription to" if hearing else "publish to"
        return {subject for subject in table if any(f'{words} "{subject.lower()}"' in one.lower() for one in said)}
    finally:
        await client.close()


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_say_what_it_is_for_and_nothing_else(servers: Servers, role: str) -> None:
    assert await refused(servers, role, hearing=False) == {name for name, roles in SAYS.items() if role not in roles}


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_hear_what_it_is_for_and_nothing_else(servers: Servers, role: str) -> None:
    assert await refused(servers, role, hearing=True) == {name for name, roles in HEARS.items() if role not in roles}


async def test_who_has_no_key_or_the_key_of_another_site_is_refused_with_a_hint(
    servers: Servers, tmp_path: Path
) -> None:
    elsewhere = MeshFolder(tmp_path / "other")
    elsewhere.init([LYON], 0, {})
    stranger = Identity(elsewhere.keys_of(LYON) / "client.nk", "_INBOX.lyon.client")
    for identity in (None, stranger):
        with pytest.raises(SettingsError, match="CHEOPS_NATS_KEYS"):
            await nats.connect(servers.sites[LYON].url, name="test", wait=False, identity=identity)


async def test_the_key_of_a_link_opens_no_connection_of_a_client(servers: Servers) -> None:
    link = Identity(servers.folder.keys_of(LYON) / "link.nk", "_INBOX.lyon.link")
    with pytest.raises(SettingsError):
        await nats.connect(servers.sites[LYON].url, name="test", wait=False, identity=link)


async def _given_up(bus: NatsBus) -> bool:
    """It says that it is over, so that whoever runs it starts it again, with the renewed key."""
    try:
        await bus.emit("cheops.v1.intent.lyon.i-1", b"")
    except PermanentError as error:
        return "refuses this key" in str(error)
    except TransientError:
        pass
    return False


async def test_a_revoked_role_is_put_out_at_once_and_the_renewed_key_works(servers: Servers, tmp_path: Path) -> None:
    stolen = tmp_path / "client.nk"
    stolen.write_bytes((servers.folder.keys_of(LYON) / "client.nk").read_bytes())
    async with user(servers, LYON, "client") as revoked:
        await servers.take(servers.folder.revoke(LYON, "client"))
        assert await until(lambda: _given_up(revoked)) < WAIT_S
    thief = Identity(stolen, "_INBOX.lyon.client")
    with pytest.raises(SettingsError, match="refuses these credentials"):
        await nats.connect(servers.sites[LYON].url, name="thief", wait=False, identity=thief)
    async with user(servers, LYON, "client") as renewed, user(servers, LYON, "watcher") as other:
        assert renewed.connected
        assert other.connected


async def test_the_auditor_hears_who_was_refused_with_which_key_and_from_where(
    servers: Servers, tmp_path: Path
) -> None:
    elsewhere = MeshFolder(tmp_path / "other")
    elsewhere.init([LYON], 0, {})
    stranger = Identity(elsewhere.keys_of(LYON) / "client.nk", "_INBOX.lyon.client")
    async with user(servers, LYON, "auditor") as auditor, auditor.subscribe(subjects.REFUSALS) as refusals:
        with pytest.raises(SettingsError):
            await nats.connect(servers.sites[LYON].url, name="thief", wait=False, identity=stranger)
        async with asyncio.timeout(WAIT_S):
            said = json.loads((await anext(aiter(refusals))).payload)
    assert said["client"]["user"] == public_key(stranger.seed())
    assert (said["client"]["name"], said["client"]["host"]) == ("thief", "127.0.0.1")


async def test_a_mesh_that_was_made_before_there_were_auditors_has_them_after_a_reload(tmp_path: Path) -> None:
    folder = MeshFolder(tmp_path / "mesh")
    folder.init([LYON], 0, {})
    without = json.loads((folder.path / "mesh.json").read_text())
    del without["sites"][0]["keys"]["auditor"]
    (folder.path / "mesh.json").write_text(json.dumps(without))
    async with Servers(folder, sync="2m") as made:
        with pytest.raises(SettingsError):
            async with user(made, LYON, "auditor"):
                pass
        steps = folder.init([LYON], 0, {})
        assert [one.action for one in steps] == ["reload"]
        await made.take(steps)

        async def known() -> bool:
            try:
                async with user(made, LYON, "auditor") as auditor, user(made, LYON, "client") as client:
                    return auditor.connected and client.connected
            except CheopsError:
                return False  # a reload takes a moment, in which connections are ended, too

        assert await until(known) < WAIT_S
