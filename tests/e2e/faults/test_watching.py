"""The way of events, from a cluster to its resolver: faults 1, 2, 8, 9, 38."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import Any

import pytest

from schemas import subjects
from schemas.batches import decode_batch
from schemas.events import EventBatch, ResourceEvent
from services.watcher.telling.teller import encode_batch
from tests.e2e.faults.world import LONGEST_S, LYON, WAIT_S, Sites, secret, settings, user_of
from tests.kit import oracles
from tests.kit.bed import witness
from tests.kit.holding import Cut, HoldingProxy

pytestmark = pytest.mark.timeout(LONGEST_S)

EVENT = subjects.event(LYON)
TIMES = 10
BATCHES = 50


async def _assert_nothing_missed_or_doubled(sites: Sites, namespace: str, *, arrives: bool) -> None:
    """The watcher dies while one event is under way; more happens while nobody watches."""
    await sites.make(LYON, namespace, settings("before"))
    await sites.known(LYON, f"ConfigMap/{namespace}/before")
    async with HoldingProxy(sites.bed.buses.server(LYON).url) as proxy, asyncio.timeout(WAIT_S):
        await sites.replaced(LYON, "watcher", CHEOPS_NATS_URL=proxy.url)
        await sites.converged(LYON)
        proxy.hold(Cut(EVENT, 1, arrives=arrives))
        await sites.make(LYON, namespace, settings("under-way"))
        await proxy.reached()
        sites.service(LYON, "watcher").kill()
        await sites.remove(LYON, namespace, "ConfigMap", "before")
        await sites.make(LYON, namespace, settings("unwatched"))
    await sites.bed.start_service(LYON, "watcher")
    await sites.known(LYON, f"ConfigMap/{namespace}/unwatched")
    await sites.converged(LYON)
    await sites.known(LYON, f"ConfigMap/{namespace}/under-way")
    await sites.known(LYON, f"ConfigMap/{namespace}/before", there=False)


async def test_fault_01_a_watcher_killed_between_an_event_and_its_publication_misses_nothing(sites: Sites) -> None:
    await _assert_nothing_missed_or_doubled(sites, await sites.namespace("fault-1", LYON), arrives=False)


async def test_fault_02_a_watcher_killed_after_publishing_before_it_knows_doubles_nothing(sites: Sites) -> None:
    await _assert_nothing_missed_or_doubled(sites, await sites.namespace("fault-2", LYON), arrives=True)


@pytest.mark.faults
async def test_fault_08_resources_in_every_order_end_in_the_same_edges(sites: Sites) -> None:
    """A Deployment, its Secret, its ConfigMap and its ServiceAccount in all 24 orders, a namespace each."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}}
    user: dict[str, Any] = user_of("ca", "web")
    pod = user["spec"]["template"]["spec"]
    pod["serviceAccountName"] = "runner"
    pod["containers"][0]["envFrom"] = [{"configMapRef": {"name": "mode"}}]
    made = []
    for number, order in enumerate(permutations((user, secret("ca"), settings("mode"), account))):
        namespace = await sites.namespace(f"fault-8-{number}", LYON)
        for one in order:
            await sites.make(LYON, namespace, one)
        made.append(namespace)
    await sites.converged(LYON)
    for namespace in made:
        found = await sites.mesh.dependencies("deployment/web", namespace=namespace, site=LYON)
        needs = {str(edge.target) for edge in found.edges if edge.source == f"apps/Deployment/{namespace}/web"}
        wanted = {f"{kind}/{namespace}/{name}" for kind, name in _NEEDED}
        assert wanted <= needs, namespace
        await oracles.o3_nothing_broken(sites.mesh, LYON, namespace)


_NEEDED = (("Secret", "ca"), ("ConfigMap", "mode"), ("ServiceAccount", "runner"))


async def test_fault_09_every_event_ten_times_changes_nothing(sites: Sites) -> None:
    """The watcher is away meanwhile: it would take the repetitions for another watcher, and leave."""
    namespace = await sites.namespace("fault-9", LYON)
    await sites.make(LYON, namespace, secret("ca"), user_of("ca", "web"), settings("gone"))
    await sites.known(LYON, f"ConfigMap/{namespace}/gone")
    await sites.remove(LYON, namespace, "ConfigMap", "gone")
    await sites.known(LYON, f"ConfigMap/{namespace}/gone", there=False)
    sites.service(LYON, "watcher").kill()
    before, cursor = await _held(sites), (await sites.mesh.status(LYON)).evidence
    bus = await witness(sites.bed, LYON)
    stored = [one async for one in bus.scan("EVENTS", EVENT)][-BATCHES:]
    for time in range(TIMES):
        for one in stored:
            await bus.publish(EVENT, one.payload, message_id=f"again-{time}-{one.stream_seq}")
    await bus.close()
    await sites.bed.start_service(LYON, "watcher")
    await sites.converged(LYON)
    after = (await sites.mesh.status(LYON)).evidence
    assert after.epoch > cursor.epoch, "the watcher that followed numbers anew"
    assert await _held(sites) == before


async def _held(sites: Sites) -> dict[str, Any]:
    """The graph's states, without what controllers touch all the time: of a Deployment, its status and version."""
    states = [one async for one in sites.mesh.states(kinds=["configmaps", "secrets", "deployments"], site=LYON)]
    return {
        one.resource: (one.uid, one.labels, one.references) if one.resource.startswith("apps/Deployment/") else one
        for one in states
    }


async def test_fault_38_a_site_registered_again_with_epoch_0_is_refused(sites: Sites) -> None:
    """Somebody publishes as a new watcher of lyon would that begins its numbers at 0: nothing of it is believed.

    A takeover that is meant takes an epoch above ours: tests/e2e/test_real_takeover.py.
    """
    namespace = await sites.namespace("fault-38", LYON)
    await sites.make(LYON, namespace, settings("true"))
    await sites.known(LYON, f"ConfigMap/{namespace}/true")
    sites.service(LYON, "watcher").kill()
    before, resyncs = await _held(sites), (await sites.mesh.status(LYON)).resyncs
    bus = await witness(sites.bed, LYON)
    last = [one async for one in bus.scan("EVENTS", EVENT)][-1]
    known = decode_batch(last.payload)
    assert known.epoch > 0
    true = before[f"ConfigMap/{namespace}/true"]
    lies = (ResourceEvent("delete", resource=true.resource, uid=true.uid, resource_version="999999"),)
    for epoch in (0, known.epoch - 1):
        false = EventBatch("event/v1", LYON, epoch, 1, "", lies)
        await bus.publish(EVENT, encode_batch(false), message_id=f"false-{epoch}")
    await bus.close()
    await sites.bed.start_service(LYON, "watcher")
    await sites.converged(LYON)
    assert await _held(sites) == before
    assert (await sites.mesh.status(LYON)).evidence.epoch > known.epoch
    assert (await sites.mesh.status(LYON)).resyncs <= resyncs + 2
