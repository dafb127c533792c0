"""Intents of several sites when one of them dies, or when two intents want each other's holds: faults 32 and 33."""

from __future__ import annotations

import asyncio

import pytest

from cheops.drafts import Intent
from schemas.outcomes import FINAL_STATES
from tests.e2e.faults.world import CONFIG_MAPS, LONGEST_S, LYON, NICE, OSLO, WAIT_S, Sites, secret, settings, user_of
from tests.flow.executor_proxy import Answer, Forward
from tests.kit import oracles

pytestmark = [pytest.mark.timeout(LONGEST_S), pytest.mark.faults]

EACH = 10  # resources at each of three sites: a plan of 30 steps
BEFORE = 2  # steps that nice has done when it dies
PAIRS = 10


async def test_fault_32_a_site_that_dies_in_the_middle_of_a_plan_is_named_and_goes_on_when_it_is_back(
    sites: Sites,
) -> None:
    """nice dies whole (services and nats-server) in the middle of its third call; the others finish their part.

    Undoing is not asked for here: what is committed is resumed. While nice is dead its steps have no outcome, and the
    stored plan names them, with their site.
    """
    namespace = await sites.namespace("fault-32")
    scope = f"{LYON} & {OSLO} & {NICE}"
    dying = asyncio.Event()

    async def through(forward: Forward) -> Answer:
        return await forward()

    async def hang(forward: Forward) -> Answer | None:
        dying.set()
        await asyncio.Event().wait()
        return None

    nice, living = sites.bed.sites[NICE], {site: sites.apis[site] for site in (LYON, OSLO)}
    async with sites.executor_behind_a_proxy(NICE) as proxy:
        proxy.scripts.extend([through] * BEFORE + [hang] * EACH)
        draft = Intent.create([settings(f"s-{n}") for n in range(EACH)], namespace=namespace, scope=scope)
        intent = await sites.publish(draft, LYON)
        await asyncio.wait_for(dying.wait(), WAIT_S)
        for service in nice.services.values():
            service.kill()
        sites.bed.buses.server(NICE).kill()

        async def others_are_done() -> bool:
            chain = await sites.mesh.show(intent.id, site=LYON)
            final = {one.step for one in chain.outcomes if one.state in FINAL_STATES}
            return final >= {step.id for step in chain.verdicts[-1].plan if step.site != NICE}

        await oracles.eventually(others_are_done, lambda: "the living sites do not finish")
        await sites.seen(LYON, NICE, "unreachable")
        chain = await sites.mesh.show(intent.id, site=LYON)
        plan = {step.id: step for step in chain.verdicts[-1].plan}
        assert len(plan) == 3 * EACH
        known = {one.step for one in chain.outcomes if one.state in FINAL_STATES}
        open_steps = [step for name, step in plan.items() if name not in known]
        assert {step.site for step in open_steps} == {NICE}
        assert EACH - BEFORE <= len(open_steps) <= EACH
        print(f"fault 32: {len(known)} of {len(plan)} steps final, {len(open_steps)} open, all at nice")
        await oracles.o10_nothing_written(sites.bed, living, CONFIG_MAPS)

        await sites.bed.buses.server(NICE).start()
    await sites.bed.start_services(NICE)
    await sites.whole()
    ended = await oracles.o5_carried_out(sites.mesh, intent.id, LYON)
    ready = {(one.site, one.resource) for one in ended.outcomes if one.state == "ready"}
    others = [one for one in ended.outcomes if one.state not in ("begun", "applied", "ready")]
    assert len(ready) == 3 * EACH, f"{ended.verdicts[-1].summary}: {others}"
    await oracles.o4_one_effect(sites.mesh, intent.id, (LYON, OSLO, NICE))
    await oracles.o8_chained(sites.mesh, intent.id, LYON)
    await sites.converged()
    await oracles.o10_nothing_written(sites.bed, sites.apis, CONFIG_MAPS)


async def test_fault_33_of_two_intents_that_wait_for_each_other_across_sites_one_is_denied_with_the_edge(
    sites: Sites,
) -> None:
    """A circle of waiting, not of dependencies: no edge leads from a site to another yet.

    One intent, entered at lyon, deletes a Secret at lyon and nice; the other, entered at nice at the same moment,
    creates what mounts it at both. Each can hold its own end first and then needs what the other holds.
    """
    namespace = await sites.namespace("fault-33")
    scope = f"{LYON} & {NICE}"
    for site in (LYON, NICE):
        for number in range(PAIRS):
            await sites.make(site, namespace, secret(f"ca-{number}"))
            await sites.known(site, f"Secret/{namespace}/ca-{number}")
    kept, gone = set(), set()
    for number in range(PAIRS):
        delete, create = await asyncio.gather(
            sites.publish(Intent.delete(f"secret/ca-{number}", namespace=namespace, scope=scope), LYON),
            sites.publish(
                Intent.create([user_of(f"ca-{number}", f"web-{number}")], namespace=namespace, scope=scope), NICE
            ),
        )
        ends = {}
        for intent, site in ((delete, LYON), (create, NICE)):
            chain = await sites.decided(intent.id, site, "allow", "deny")
            await oracles.o5_ended(sites.mesh, intent.id, site)
            oracles.o7_no_guess(chain.verdicts)
            ends[site] = chain.verdicts[-1]
        assert sorted(one.decision for one in ends.values()) == ["allow", "deny"], ends
        denied = next(one for one in ends.values() if one.decision == "deny")
        secret_name = f"Secret/{namespace}/ca-{number}"
        assert any(one.relation is not None and one.relation.target == secret_name for one in denied.reasons), denied
        (kept if ends[NICE].decision == "allow" else gone).add(f"ca-{number}")
    print(f"fault 33: {len(kept)} users won, {len(gone)} deletes won")
    await sites.converged(LYON, NICE)
    for site in (LYON, NICE):
        await oracles.o3_nothing_broken(sites.mesh, site, namespace)
        assert set(await sites.there(site, namespace, "Secret")) == kept
