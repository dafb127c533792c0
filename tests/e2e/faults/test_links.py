"""Links between sites that are cut, cut one way, swallow everything or flap: faults 10 to 13 and 42."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cheops.drafts import Intent
from cheops.mesh import EnteredIntent
from cheops.sandbox.faults import Fault, Swallowed
from schemas import subjects
from schemas.identity import SiteName
from tests.e2e.faults.world import CONFIG_MAPS, LONG, LONGEST_S, LYON, NICE, OSLO, WAIT_S, Sites, settings
from tests.flow.executor_proxy import Answer, Forward
from tests.kit import oracles
from tests.kit.bed import witness
from tests.kit.waiting import lasting

pytestmark = pytest.mark.timeout(LONGEST_S)

BOTH = f"{LYON} & {NICE}"
ALONE_S = 3600.0 if LONG else 5.0
CHANGES = 50_000 if LONG else 500
BACKLOG = 20
FLAP_S = 2.0
FLAPS = 150 if LONG else 6  # down for two seconds, up for two: ten minutes
RECONNECT_S = 0.5  # REDIAL of cheops/topology/rendering.py
LONG_S = 9_000  # a test that is long


@asynccontextmanager
async def apart(sites: Sites, fault: Fault = Fault(cut=True)) -> AsyncIterator[None]:  # noqa: B008 – a frozen value
    """nice, cut off so until the end of the block; whole again after it."""
    await sites.bed.cut(NICE, fault)
    try:
        yield
    finally:
        await sites.whole()


@pytest.mark.faults
@pytest.mark.timeout(LONG_S if LONG else LONGEST_S)
async def test_fault_10_a_site_cut_off_works_alone_and_its_backlog_drains_in_order(sites: Sites) -> None:
    """Intents of both sites are committed when the link goes; nice carries its part out and cannot say so."""
    namespace = await sites.namespace("fault-10")
    go = asyncio.Event()

    async def wait(forward: Forward) -> Answer:
        await go.wait()
        return await forward()

    async with sites.executor_behind_a_proxy(NICE) as proxy:
        proxy.scripts.extend([wait] * BACKLOG)
        drafts = [Intent.apply([settings(f"s-{n}")], namespace=namespace, scope=BOTH) for n in range(BACKLOG)]
        intents = [await sites.publish(draft, LYON) for draft in drafts]
        for intent in intents:
            await sites.decided(intent.id, NICE, "allow")
        async with apart(sites):
            await sites.seen(LYON, NICE, "unreachable")
            go.set()
            for site in (LYON, NICE):
                await _change_much(sites, namespace, site)
            done = await sites.follow(Intent.apply([settings("alone")], namespace=namespace), NICE)
            assert done[-1].outcome is not None
            assert done[-1].outcome.state == "ready"
            await sites.converged(NICE)
            await oracles.eventually(_finished(sites, intents), lambda: "nice has not carried out its part")
            await lasting(ALONE_S)
            waiting = await _letters(sites)
            assert len(set(waiting)) == len(waiting) >= BACKLOG
            drained = asyncio.create_task(_arrivals(sites, waiting))
            await asyncio.sleep(0)
        assert await drained == waiting
    await oracles.eventually(_no_lag(sites), lambda: "letters wait still")
    for intent in intents:
        await oracles.o5_carried_out(sites.mesh, intent.id, LYON)
        await oracles.o4_one_effect(sites.mesh, intent.id, (LYON, NICE))
    await sites.converged()


async def _change_much(sites: Sites, namespace: str, site: SiteName) -> None:
    at_once = 8
    for first in range(0, CHANGES // 2, at_once):
        async with asyncio.TaskGroup() as tasks:
            for number in range(first, first + at_once):
                tasks.create_task(sites.make(site, namespace, settings(f"much-{number}")))


def _finished(sites: Sites, intents: list[EnteredIntent]) -> oracles.Question:
    async def finished() -> bool:
        return all([oracles.ended(await sites.mesh.show(intent.id, site=NICE)) for intent in intents])

    return finished


async def _letters(sites: Sites) -> list[bytes]:
    """What nice has to say to lyon, in order."""
    bus = await witness(sites.bed, NICE)
    stream = subjects.outbox_stream(NICE)
    found = [one.payload async for one in bus.scan(stream, subjects.outbox_filter(NICE, LYON))]
    await bus.close()
    return found


async def _arrivals(sites: Sites, expected: list[bytes]) -> list[bytes]:
    """Those letters as they come to lyon's server; one may come twice on the wire, it is stored once."""
    bus = await witness(sites.bed, LYON)
    found: list[bytes] = []
    async with bus.subscribe(subjects.peer_family(LYON, NICE)) as letters, asyncio.timeout(WAIT_S):
        async for one in letters:
            if one.payload in expected and one.payload not in found:
                found.append(one.payload)
            if len(found) == len(expected):
                break
    await bus.close()
    return found


def _no_lag(sites: Sites) -> oracles.Question:
    async def drained() -> bool:
        links = [await sites.mesh.links(site) for site in sites.apis]
        return not any(peer.outbox.count for one in links for peer in one.peers)

    return drained


@pytest.mark.faults
async def test_fault_11_of_the_same_created_at_both_sides_of_a_cut_one_wins_and_the_loser_is_recorded(
    sites: Sites,
) -> None:
    """One replica at lyon and nice, asked for at both while they do not hear each other."""
    namespace = await sites.namespace("fault-11")
    intents: dict[str, EnteredIntent] = {}
    async with apart(sites):
        for site, peer in ((LYON, NICE), (NICE, LYON)):
            await sites.seen(site, peer, "unreachable")
            draft = Intent.create([settings("same", made=site)], namespace=namespace, scope=BOTH)
            intents[site] = await sites.publish(draft, site)
            deferred = await sites.decided(intents[site].id, site, "defer", "allow", "deny")
            assert [one.code for one in deferred.verdicts[-1].reasons] == ["F501"]
    ends = {site: (await sites.decided(one.id, site, "allow", "deny")).verdicts[-1] for site, one in intents.items()}
    assert sorted(one.decision for one in ends.values()) == ["allow", "deny"], ends
    winner = next(site for site, one in ends.items() if one.decision == "allow")
    for site, one in intents.items():
        await oracles.o5_ended(sites.mesh, one.id, site)
        await oracles.o8_chained(sites.mesh, one.id, site)
    await sites.converged(LYON, NICE)
    for site in (LYON, NICE):
        found = await sites.apis[site].get(f"/api/v1/namespaces/{namespace}/configmaps/same")
        assert found.content["data"]["made"] == winner


@pytest.mark.faults
async def test_fault_11_of_two_changes_of_a_replica_at_both_sides_of_a_cut_the_later_stays_and_the_other_is_recorded(
    sites: Sites,
) -> None:
    """A set at lyon and nice; each adds a key while it does not hear the other, which is open for it (W503)."""
    namespace = await sites.namespace("fault-11-changed")
    made = await sites.follow(Intent.create([settings("same")], namespace=namespace, scope=BOTH), LYON)
    assert made[-1].verdict.decision == "allow"
    for site in (LYON, NICE):
        await sites.known(site, f"ConfigMap/{namespace}/same")
    intents: dict[SiteName, EnteredIntent] = {}
    async with apart(sites):
        for site, peer in ((LYON, NICE), (NICE, LYON)):
            await sites.seen(site, peer, "unreachable")
            draft = Intent.apply([settings("same", made=site)], namespace=namespace)
            intents[site] = await sites.publish(draft, site)
            allowed = await sites.decided(intents[site].id, site, "allow", "deny", "defer")
            assert [(one.code, one.site) for one in allowed.verdicts[-1].reasons] == [("W503", peer)]
            await oracles.o5_ended(sites.mesh, intents[site].id, site)

    async def are_told() -> bool:
        chains = [await sites.mesh.show(one.id, site=site) for site, one in intents.items()]
        return all("W503" not in {one.code for one in chain.verdicts[-1].reasons} for chain in chains)

    await oracles.eventually(are_told, lambda: "one of them stays open for a site")
    for site, one in intents.items():
        await oracles.o8_chained(sites.mesh, one.id, site)
    await sites.converged(LYON, NICE)
    for site in (LYON, NICE):
        found = await sites.apis[site].get(f"/api/v1/namespaces/{namespace}/configmaps/same")
        assert found.content["data"]["made"] == NICE, "nice's was decided later"
    lost = [one async for one in sites.mesh.alerts(site=LYON) if one.code == "A506" and namespace in str(one.resource)]
    assert [(one.site, intents[LYON].id in one.message) for one in lost] == [(LYON, True)]


@pytest.mark.parametrize("swallow", [pytest.param("in", marks=pytest.mark.faults), "out"])
async def test_fault_12_while_one_hears_and_is_not_heard_nothing_that_needs_both_is_allowed(
    sites: Sites, swallow: Swallowed
) -> None:
    """The first intents are entered before anybody has noticed, the next when everybody has."""
    namespace = await sites.namespace(f"fault-12-{swallow}")
    entered: list[tuple[EnteredIntent, SiteName]] = []
    async with apart(sites, Fault(swallow=swallow)):
        for turn in ("unnoticed", "noticed"):
            for site, peer in ((LYON, NICE), (NICE, LYON)):
                if turn == "noticed":
                    await sites.seen(site, peer, "unreachable")
                draft = Intent.apply([settings(f"{turn}-{site}")], namespace=namespace, scope=BOTH)
                entered.append((await sites.publish(draft, site), site))
        for intent, site in entered:
            chain = await sites.decided(intent.id, site, "defer", "allow", "deny")
            oracles.o7_no_guess(chain.verdicts, unheard=NICE if site == LYON else LYON)
        for site in (LYON, NICE):
            assert await sites.there(site, namespace, "ConfigMap") == {}
        local = await sites.follow(Intent.apply([settings("local")], namespace=namespace), NICE)
        assert local[-1].outcome is not None
    for intent, site in entered:
        await sites.decided(intent.id, site, "allow")
        await oracles.o5_ended(sites.mesh, intent.id, site)
        await oracles.o4_one_effect(sites.mesh, intent.id, (LYON, NICE))
    await sites.converged(LYON, NICE)


@pytest.mark.faults
@pytest.mark.timeout(LONG_S if LONG else LONGEST_S)
async def test_fault_13_a_link_that_flaps_is_tried_a_bounded_number_of_times_and_disturbs_nobody(sites: Sites) -> None:
    namespace = await sites.namespace("fault-13")
    quiet_s = await oracles.p99_s(sites.mesh, (LYON, OSLO))
    made, started_s = _links_made(sites), time.monotonic()
    entered = []
    for flap in range(FLAPS):
        await sites.bed.cut(NICE)
        await lasting(FLAP_S)
        draft = Intent.apply([settings(f"s-{flap}")], namespace=namespace, scope=BOTH)
        entered.append(await sites.publish(draft, LYON))
        aside = Intent.apply([settings(f"aside-{flap}")], namespace=namespace, scope=f"{LYON} & {OSLO}")
        decided = await sites.decided((await sites.publish(aside, LYON)).id, LYON, "allow")
        oracles.o7_no_guess(decided.verdicts, unheard=NICE)
        await sites.bed.heal(NICE)
        await lasting(FLAP_S)
    await oracles.o9_others_go_on(sites.mesh, (LYON, OSLO), quiet_s)
    await sites.whole()
    reconnects, took_s, routers = _links_made(sites) - made, time.monotonic() - started_s, 2
    print(f"fault 13: {reconnects} links made or tried in {FLAPS} flaps, {took_s:.0f} s")
    assert routers <= reconnects <= routers * (took_s / RECONNECT_S + FLAPS)
    for intent in entered:
        await oracles.o5_carried_out(sites.mesh, intent.id, LYON)
        await oracles.o4_one_effect(sites.mesh, intent.id, (LYON, NICE))
    await sites.converged()


def _links_made(sites: Sites) -> int:
    """By nice's server, in its own words."""
    log = sites.bed.buses.server(NICE).process.log_file.read_text(errors="replace")
    return log.count("Leafnode connection created")


async def test_fault_42_what_was_deferred_for_a_cut_is_decided_once_by_itself_when_it_is_healed(sites: Sites) -> None:
    namespace = await sites.namespace("fault-42")
    async with apart(sites):
        await sites.seen(LYON, NICE, "unreachable")
        intent = await sites.publish(Intent.create([settings("one")], namespace=namespace, scope=BOTH), LYON)
        deferred = await sites.decided(intent.id, LYON, "defer", "allow", "deny")
        assert [(one.code, one.site) for one in deferred.verdicts[-1].reasons] == [("F501", NICE)]
        assert NICE in {one.site for one in deferred.verdicts[-1].waits_for}
        await oracles.o5_ended(sites.mesh, intent.id, LYON)
    chain = await oracles.o5_carried_out(sites.mesh, intent.id, LYON)
    await oracles.o4_one_effect(sites.mesh, intent.id, (LYON, NICE))
    for site in (LYON, NICE):
        assert set(await sites.there(site, namespace, "ConfigMap")) == {"one"}
    await sites.converged()
    await oracles.o10_nothing_written(sites.bed, sites.apis, CONFIG_MAPS)
    again = await sites.mesh.show(intent.id, site=LYON)
    assert [one.decision for one in again.verdicts if one.decision != "defer"] == ["allow"]
    assert again.verdicts[-1] == chain.verdicts[-1]
