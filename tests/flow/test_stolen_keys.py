"""Keys in wrong hands: a revoked one is refused, what rested on it is not believed; nobody speaks for another site."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cheops.drafts import Intent
from cheops.mesh import Mesh, connect
from cheops.sandbox.buses import SiteBuses
from cheops.sandbox.testbed import Testbed
from cheops.topology.keys import public_key
from schemas import subjects
from schemas.identity import SiteName
from schemas.peers import Ask, Part
from services.chassis.bus import nats
from services.chassis.bus.identity import Identity
from services.chassis.errors import SettingsError, TransientError
from tests.kit.bed import witness
from tests.kit.waiting import eventually

LYON, OSLO, NICE = SiteName("lyon"), SiteName("oslo"), SiteName("nice")
WAIT_S = 60.0


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Testbed]:
    async with Testbed(tmp_path / "bed", [LYON, OSLO, NICE], layout="apart") as made:
        yield made


async def test_a_revoked_watcher_is_put_out_and_nothing_is_allowed_on_what_it_said(
    bed: Testbed, tmp_path: Path
) -> None:
    """Fault 40."""
    assert isinstance(bed.buses, SiteBuses)
    stolen = tmp_path / "watcher.nk"
    shutil.copy(bed.buses.folder.keys_of(LYON) / "watcher.nk", stolen)
    await bed.buses.servers.take(bed.buses.folder.revoke(LYON, "watcher"))
    await eventually(lambda: not bed.sites[LYON].services["watcher"].running, "the watcher runs still", WAIT_S)
    with pytest.raises(SettingsError, match="refuses these credentials"):
        await nats.connect(bed.nats_url, name="thief", wait=False, identity=Identity(stolen, "_INBOX.lyon.watcher"))
    async with connect(bed.context) as mesh:
        await eventually(lambda: _alerted(mesh, public_key(stolen.read_text().strip())), "nobody is told", WAIT_S)

        async def stale() -> bool:
            return (await mesh.status(LYON)).state != "fresh"

        async def allowed() -> bool:
            return (await mesh.show(deferred.intent)).verdicts[-1].decision == "allow"

        await eventually(stale, "lyon is called fresh still", WAIT_S)
        deferred = await mesh.submit(Intent.delete("configmap/unused", namespace="default"), site=LYON)
        assert deferred.decision == "defer"
        await bed.start_services(LYON)  # with the renewed key
        await bed.wait_fresh()
        await eventually(allowed, "what was deferred is never allowed", WAIT_S)


async def _alerted(mesh: Mesh, key: str) -> bool:
    """That somebody tries the revoked key: the watcher that has not heard yet, and the thief."""
    return ("A510", key) in [(one.code, one.cause) async for one in mesh.alerts(site=LYON)]


async def test_what_a_site_asks_in_the_name_of_another_is_never_heard(bed: Testbed) -> None:
    """Fault 41: nice, with everything that its administrator may do, wants oslo to believe that lyon asks."""
    now = datetime.now(UTC)
    part = Part(
        id="i-lie",
        site=OSLO,
        entry=LYON,
        verb="delete",
        resources=("configmap/kube-root-ca.crt",),
        created_at=now,
        expires_at=now + timedelta(minutes=5),
    )
    ask = Ask(sender=LYON, receiver=OSLO, intent="i-lie", round=1, age=1, part=part)
    liar = await witness(bed, NICE)
    there = await witness(bed, OSLO)
    try:
        with pytest.raises(TransientError):
            await liar.publish(
                subjects.peer(OSLO, LYON, "ask", "i-lie"), ask.to_json(), message_id="lie", timeout_s=2.0
            )
        honest = ask.model_copy(update={"sender": NICE, "part": part.model_copy(update={"entry": NICE})})
        async with (
            there.subscribe(subjects.outbox_filter(OSLO, LYON)) as to_lyon,
            there.subscribe(subjects.outbox_filter(OSLO, NICE)) as to_nice,
            asyncio.timeout(WAIT_S),
        ):
            await liar.emit(subjects.peer(OSLO, NICE, "ask", "i-lie"), honest.to_json())  # later, on the same links
            assert subjects.parts((await anext(to_nice)).subject)[3:] == ("answer", "i-lie")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(to_lyon), 0.5)
    finally:
        await liar.close()
        await there.close()
