"""A resolver that is killed and started again goes on from its snapshot, or says why not and has all listed again."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from schemas import subjects
from schemas.alerts import Alert
from schemas.events import ResourceEvent
from schemas.identity import ResourceId
from schemas.intents import Intent
from schemas.ties import DRIFT_FACT
from schemas.verdicts import Verdict
from services.resolver import preserving
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.service import ResolverService
from services.resolver.snapshots import CURRENT, Snapshots
from tests.kit.manifests import deployment, mounts_secret, secret, service, without_uid
from tests.kit.waiting import eventually
from tests.unit.resolver.naive_cluster import CATALOGUE
from tests.unit.resolver.test_service_kills import Site
from tests.unit.resolver.world import LYON, SURFACE

WAIT_S = 60.0


class Watched(Site):
    """A site whose watcher counts how often it is asked to list."""

    def __init__(self) -> None:
        super().__init__()
        self.listings = 0

    async def resync(self, received: Any) -> bytes:
        self.listings += 1
        return await super().resync(received)

    @asynccontextmanager
    async def resolver_at(self, folder: Path, made_by: str = "us") -> AsyncIterator[Machine]:
        machine = Machine(LYON, CATALOGUE, Policy(), "resolver/lyon@test")
        snapshots = Snapshots(folder, LYON, made_by)
        task = asyncio.create_task(
            ResolverService(LYON, self.bus, machine, snapshots=snapshots, snapshot_every_s=0.0).run()
        )
        try:
            yield machine
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def put(self, body: dict[str, Any]) -> None:
        await self.see(ResourceEvent("put", self.cluster.put(body)))

    async def delete(self, resource: str) -> None:
        state = self.cluster.state(ResourceId(resource))
        del self.cluster.objects[state.resource]
        await self.see(ResourceEvent("delete", resource=state.resource, uid=state.uid))


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preserving, "LOOK_S", 0.01)


async def until(true: Callable[[], bool]) -> None:
    await eventually(true, wait_s=WAIT_S, pause_s=0.01)


def kept_seq(folder: Path) -> int:
    return next((one.head.standing.seq for one in Snapshots(folder, LYON, "us").read()), 0)


async def known_and_kept(site: Watched, machine: Machine, folder: Path) -> None:
    await until(lambda: machine.evidence.synced and machine.evidence.seq == site.seq)
    await until(lambda: kept_seq(folder) == site.seq)


def equals_the_cluster(site: Watched, machine: Machine) -> bool:
    return {one.resource: one for one in machine.graph.resources()} == {
        one: site.cluster.state(one) for one in site.cluster.objects
    }


async def test_after_a_restart_nothing_is_listed_and_what_happened_meanwhile_is_known(tmp_path: Path) -> None:
    site = Watched()
    for body in (secret("ca"), service("flags"), deployment("web", mounts_secret("ca"))):
        site.cluster.put(body)
    async with site.running():
        async with site.resolver_at(tmp_path) as machine:
            await known_and_kept(site, machine, tmp_path)
            listings = site.listings
        await site.put(secret("other"))
        await site.delete("Service/shop/flags")
        async with site.resolver_at(tmp_path) as machine:
            await until(lambda: machine.evidence.synced)
            assert machine.evidence.seq == site.seq
            assert site.listings == listings
            assert equals_the_cluster(site, machine)
            assert machine.graph.dependents(ResourceId("Secret/shop/ca")).count == 1
            await site.put(secret("third"))
            await until(lambda: machine.evidence.seq == site.seq)
            assert equals_the_cluster(site, machine)


async def test_who_has_read_what_a_snapshot_holds_is_known_after_a_restart_and_another_is_asked_for_all(
    tmp_path: Path,
) -> None:
    site = Watched()
    site.read_by = "one"
    site.cluster.put(secret("ca"))
    async with site.running():
        async with site.resolver_at(tmp_path) as machine:
            await known_and_kept(site, machine, tmp_path)
            listings = site.listings
        await site.see(ResourceEvent("surface", surface=SURFACE, read_by="one"))
        async with site.resolver_at(tmp_path) as machine:
            await known_and_kept(site, machine, tmp_path)
            assert site.listings == listings
        site.read_by = "two"
        await site.see(ResourceEvent("surface", surface=SURFACE, read_by="two"))
        async with site.resolver_at(tmp_path) as machine:
            await known_and_kept(site, machine, tmp_path)
            assert site.listings == listings + 1
            assert equals_the_cluster(site, machine)


async def test_what_vanished_while_no_resolver_ran_is_alerted(tmp_path: Path) -> None:
    site = Watched()
    for body in (secret("ca"), deployment("web", mounts_secret("ca"))):
        site.cluster.put(body)
    async with site.running():
        async with site.resolver_at(tmp_path) as machine:
            await known_and_kept(site, machine, tmp_path)
        await site.delete("Secret/shop/ca")
        async with site.resolver_at(tmp_path):

            async def alerts() -> list[Alert]:
                stored = site.bus.scan("ALERTS", subjects.filters("ALERTS", LYON))
                return [Alert.from_json(one.payload) async for one in stored]

            raised = await eventually(alerts, "nothing is alerted", WAIT_S)
            assert "apps/Deployment/shop/web" in str(raised[0])


@pytest.mark.parametrize("harm", ["torn", "made by others", "stream emptied", "stream replaced"])
async def test_a_snapshot_that_cannot_be_used_is_named_and_everything_is_listed(tmp_path: Path, harm: str) -> None:
    site = Watched()
    site.cluster.put(secret("ca"))
    async with site.running():
        async with site.resolver_at(tmp_path) as machine:
            await known_and_kept(site, machine, tmp_path)
            listings = site.listings
        if harm == "torn":
            (tmp_path / CURRENT).write_bytes((tmp_path / CURRENT).read_bytes()[:-5])
            (tmp_path / "graph.former").unlink(missing_ok=True)
        stored = site.bus._streams["EVENTS"]  # what an operator or a lost disk does to a stream
        if harm.startswith("stream"):
            emptied(stored, replaced=harm == "stream replaced")
        with capture_logs() as logs:
            async with site.resolver_at(tmp_path, "others" if harm == "made by others" else "us") as machine:
                await until(lambda: machine.evidence.synced)
                assert equals_the_cluster(site, machine)
        assert site.listings > listings
        assert [one for one in logs if one["event"] == "snapshot refused"]


def emptied(stored: Any, replaced: bool) -> None:
    kept = {seq: dataclasses.replace(one, payload=b"another") for seq, one in stored.messages.items()}
    stored.messages.clear()
    stored.messages.update(kept if replaced else {})


async def test_a_drift_that_nobody_was_alerted_of_before_the_restart_is_alerted_after_it(tmp_path: Path) -> None:
    site = Watched()
    site.cluster.put(secret("ca"))
    async with site.running():
        async with site.resolver_at(tmp_path) as machine:
            await known_and_kept(site, machine, tmp_path)
        state = site.cluster.state(ResourceId("Secret/shop/ca"))
        await site.see(ResourceEvent("put", msgspec.structs.replace(state, facts={DRIFT_FACT: "metadata.labels"})))
        async with site.resolver_at(tmp_path) as machine:
            await known_and_kept(site, machine, tmp_path)
        stored = site.bus._streams["ALERTS"]
        stored.messages.clear()  # the process died before it could say so
        async with site.resolver_at(tmp_path) as machine:
            await until(lambda: machine.desk.drifts._raised)
            assert [one.code for one in machine.desk.drifts._raised.values()] == ["A507"]


async def test_what_was_done_and_not_seen_before_the_restart_lies_over_the_graph(tmp_path: Path) -> None:
    """The executor's outcome is stored, the watcher has not told of it: two intents must not both be allowed."""
    site = Watched()
    site.cluster.put(secret("ca"))
    async with site.running():
        async with site.resolver_at(tmp_path) as machine:
            await known_and_kept(site, machine, tmp_path)
        silent, site.see = site.see, nothing_seen  # type: ignore[method-assign]  # a watch that lags
        async with site.resolver_at(tmp_path) as machine:
            await ask(site, "i-made", "create", manifests=(without_uid(deployment("web", mounts_secret("ca"))),))
            await until(lambda: site.ledger != {} and not machine.docket.active and len(machine.holds) > 0)
        async with site.resolver_at(tmp_path) as machine:
            await until(lambda: machine.evidence.synced)
            assert len(machine.holds) > 0
            verdict = await ask(site, "i-gone", "delete", resources=(ResourceId("Secret/shop/ca"),))
            assert verdict.decision != "allow"
        site.see = silent  # type: ignore[method-assign]  # as above


async def nothing_seen(*events: ResourceEvent) -> None:
    pass


async def ask(site: Watched, name: str, verb: Any, **what: Any) -> Verdict:
    now = datetime.now(UTC)
    intent = Intent(id=name, site=LYON, verb=verb, created_at=now, expires_at=now + timedelta(hours=1), **what)
    await site.bus.publish(subjects.intent(LYON, name), intent.to_json(), message_id=name)

    async def verdicts() -> list[Verdict]:
        stored = site.bus.scan("VERDICTS", subjects.verdict(LYON, "*", name))
        return [Verdict.from_json(one.payload) async for one in stored]

    found: list[Verdict] = await eventually(verdicts, f"no verdict on {name}", WAIT_S, pause_s=0.01)
    return found[-1]
