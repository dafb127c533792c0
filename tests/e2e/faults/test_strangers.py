"""Who speaks another version, or in another's name: faults 39 and 41."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import nats
import pytest

from schemas import subjects
from schemas.batches import decode_batch
from schemas.events import EventBatch as Batch
from schemas.events import ResourceEvent, ResourceState, batch_hash
from schemas.identity import ResourceId, SiteName
from schemas.intents import Intent
from schemas.peers import Answer, Ask, Part, Refuse
from services.chassis.bus.nats import NatsBus
from services.chassis.bus.nats import connect as connect_bus
from services.chassis.errors import TransientError
from services.watcher.telling.teller import encode_batch
from tests.e2e.faults.world import LONGEST_S, LYON, NICE, OSLO, WAIT_S, Sites, settings
from tests.kit import oracles
from tests.kit.bed import witness

pytestmark = pytest.mark.timeout(LONGEST_S)


async def _as_resolver(sites: Sites, site: SiteName) -> NatsBus:
    """A second connection with a resolver's key; close it."""
    identity = sites.bed.identity(site, "resolver")
    return await connect_bus(sites.bed.buses.server(site).url, name="stranger", wait=False, identity=identity)


def _ask(intent: str) -> dict[str, object]:
    """lyon asks nice to read something."""
    now = datetime.now(UTC)
    part = Part(
        id=intent,
        site=NICE,
        verb="read",
        resources=("namespace/default",),
        created_at=now,
        expires_at=now + timedelta(hours=1),
        entry=LYON,
    )
    ask = Ask(sender=LYON, receiver=NICE, intent=intent, round=1, age=1, part=part)
    body: dict[str, object] = json.loads(ask.to_json())
    return body


async def test_fault_39_peers_and_watchers_of_other_versions_are_understood_or_refused_in_words(sites: Sites) -> None:
    """Message by message, there being one release only: a field of the next minor version is tolerated; a body of
    the next major version is answered with a refusal that says what would be understood.
    """
    newer = {**_ask("i-minor"), "patience": {"s": 5}, "part": {**_ask("i-minor")["part"], "hurry": 1}}  # type: ignore[dict-item]
    stranger = {**_ask("i-major"), "schema": "ask/v2"}
    lyon, ear = await _as_resolver(sites, LYON), await witness(sites.bed, LYON)
    try:
        async with ear.subscribe(subjects.peer_family(LYON, NICE)) as letters, asyncio.timeout(WAIT_S):
            for name, body in (("i-minor", newer), ("i-major", stranger)):
                subject = subjects.peer(NICE, LYON, "ask", name)
                await lyon.publish(subject, json.dumps(body).encode(), message_id=f"fault-39-{name}")
            told: dict[str, bytes] = {}
            while len(told) < 2:
                letter = await anext(letters)
                _, _, _, what, intent = subjects.parts(letter.subject)
                if intent in ("i-minor", "i-major"):
                    told[what] = letter.payload
    finally:
        await lyon.close()
        await ear.close()
    assert Answer.from_json(told["answer"]).verdict.decision == "allow"
    refused = Refuse.from_json(told["refuse"])
    assert "unknown version 'ask/v2' (expected 'ask/v1')" in refused.reason
    assert "ask/v1" in refused.speaks
    await _a_watcher_of_another_minor_version(sites)


async def _a_watcher_of_another_minor_version(sites: Sites) -> None:
    """Its next batch, with fields that this resolver does not know."""
    sites.service(LYON, "watcher").kill()
    bus = await witness(sites.bed, LYON)
    stored = await bus.last("EVENTS", subjects.event(LYON))
    assert stored is not None
    last = decode_batch(stored.payload)
    name = ResourceId("ConfigMap/default/from-the-next-version")
    event = ResourceEvent("put", ResourceState(name, uid="u-39", resource_version="1"))
    seq, chain = last.seq + len(last.events), batch_hash(stored.payload)
    body = json.loads(encode_batch(Batch("event/v1", LYON, last.epoch, seq, chain, (event,))))
    body["weather"] = "fair"
    body["events"][0]["mood"] = body.setdefault("traits", {}).setdefault("1", {})["mood"] = ["good"]
    await bus.publish(subjects.event(LYON), json.dumps(body).encode(), message_id="fault-39-event")
    await bus.close()
    await sites.known(LYON, name)
    await sites.bed.start_service(LYON, "watcher")
    await sites.known(LYON, name, there=False)  # the real one lists, and it is not there
    await sites.converged(LYON)


async def test_fault_41_what_a_site_says_in_another_sites_name_is_refused(sites: Sites) -> None:
    """With the keys that nice has: its resolver's, and its server's own administrator's."""
    namespace = await sites.namespace("fault-41", LYON, OSLO)
    await sites.make(LYON, namespace, settings("one"))
    await sites.known(LYON, f"ConfigMap/{namespace}/one")
    lies = {
        subjects.event(LYON): encode_batch(Batch("event/v1", LYON, 999, 1, "", (ResourceEvent("surface"),))),
        subjects.intent(LYON, "i-lie"): _intent(LYON).to_json(),
        subjects.verdict(LYON, "allow", "i-lie"): b"{}",
        subjects.outcome(LYON, "i-lie", "1"): b"{}",
        subjects.peer(OSLO, LYON, "ask", "i-lie"): b"{}",
    }
    assert await _refused(sites, list(lies)) == set(lies)
    before = {site: await _inbox(sites, site) for site in (LYON, OSLO)}
    owner = await witness(sites.bed, NICE)
    try:
        for subject, payload in lies.items():
            if subject.startswith(subjects.peer(OSLO, LYON, "ask", "")[:-2]):
                with pytest.raises(TransientError):
                    await owner.publish(subject, payload, message_id=f"lie-{subject}", timeout_s=1.0)
            await owner.emit(subject, payload)
    finally:
        await owner.close()
    for site in (LYON, OSLO):
        assert "i-lie" not in " ".join(await _inbox(sites, site)), before
        told = [one.intent async for one in sites.mesh.verdicts(site=site, stored=True, follow=False)]
        assert "i-lie" not in told
    assert (await sites.mesh.status(LYON)).evidence.epoch < 999
    await sites.converged()
    await oracles.o1_nothing_lost(sites.bed, sites.mesh, LYON)


def _intent(site: SiteName) -> Intent:
    now = datetime.now(UTC)
    return Intent(
        id="i-lie",
        site=site,
        verb="delete",
        resources=("configmap/one",),
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )


async def _refused(sites: Sites, wanted: list[str]) -> set[str]:
    """What nice's server refuses its own resolver to publish, in the server's words."""
    said: list[str] = []

    async def note(error: Exception) -> None:
        said.append(str(error).lower())

    identity = sites.bed.identity(NICE, "resolver")
    assert identity is not None
    url = sites.bed.buses.server(NICE).url
    client = await nats.connect(url, nkeys_seed=str(identity.seed_file), error_cb=note, allow_reconnect=False)
    try:
        for subject in (*wanted, "nobody.may"):
            await client.publish(subject, b"")

        async def last_is_refused() -> bool:
            return any("nobody.may" in one for one in said)

        await oracles.eventually(last_is_refused, lambda: said)
    finally:
        await client.close()
    return {subject for subject in wanted if any(f'publish to "{subject.lower()}"' in one for one in said)}


async def _inbox(sites: Sites, site: SiteName) -> list[str]:
    bus = await witness(sites.bed, site)
    family = subjects.peer_family(site, SiteName("*"))
    found = [one.subject async for one in bus.scan(subjects.inbox_stream(site), family)]
    await bus.close()
    return found
