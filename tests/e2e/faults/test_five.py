"""A plan of thirty steps over five sites, one of which dies in the middle: fault 32, resumed and undone.

The five are started for these two alone: embedded API servers, a nats-server and services at each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from cheops.drafts import Intent
from cheops.mesh import Chain, EnteredIntent
from cheops.sandbox.testbed import Testbed
from schemas.identity import SiteName
from schemas.outcomes import FINAL_STATES
from tests.e2e.faults.world import CONFIG_MAPS, LONGEST_S, LYON, NICE, WAIT_S, Sites, settings, sites_of
from tests.flow.executor_proxy import Answer, Forward
from tests.kit import oracles
from tests.kit.bed import made_whole

pytestmark = [pytest.mark.timeout(2 * LONGEST_S), pytest.mark.faults]

FIVE = tuple(map(SiteName, ("lyon", "oslo", "nice", "rome", "bern")))
EACH = 6  # resources at each site: a plan of 30 steps
BEFORE = 2  # steps that nice has done when it dies
SCOPE = " & ".join(FIVE)


@pytest.fixture(scope="module")
def five_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    made = Testbed(tmp_path_factory.mktemp("five"), list(FIVE), layout="apart")
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


@pytest.fixture
async def five(five_sites: Testbed) -> AsyncIterator[Sites]:
    async with sites_of(five_sites) as made:
        await made_whole(five_sites)
        await made.whole()
        yield made


async def dies_in_the_middle(sites: Sites, namespace: str, meanwhile: Callable[[], Awaitable[None]]) -> EnteredIntent:
    """nice's services and nats-server end in its third call; then something happens; then it is back."""
    dying = asyncio.Event()

    async def through(forward: Forward) -> Answer:
        return await forward()

    async def hang(forward: Forward) -> Answer | None:
        dying.set()
        await asyncio.Event().wait()
        return None

    async with sites.executor_behind_a_proxy(NICE) as proxy:
        proxy.scripts.extend([through] * BEFORE + [hang] * EACH)
        draft = Intent.create([settings(f"s-{n}") for n in range(EACH)], namespace=namespace, scope=SCOPE)
        intent = await sites.publish(draft, LYON)
        await asyncio.wait_for(dying.wait(), WAIT_S)
        for service in sites.bed.sites[NICE].services.values():
            service.kill()
        sites.bed.buses.server(NICE).kill()

        async def others_are_done() -> bool:
            chain = await sites.mesh.show(intent.id, site=LYON)
            steps = {step.id for step in chain.verdicts[-1].plan if step.site != NICE}
            return final(chain) >= steps if steps else False

        await oracles.eventually(others_are_done, lambda: "the living sites do not finish")
        chain = await sites.mesh.show(intent.id, site=LYON)
        assert len(chain.verdicts[-1].plan) == len(FIVE) * EACH
        open_steps = [step for step in chain.verdicts[-1].plan if step.id not in final(chain)]
        assert {step.site for step in open_steps} == {NICE}, "every step's state is named: those of nice are open"
        print(f"fault 32: {len(final(chain))} of {len(FIVE) * EACH} steps final, {len(open_steps)} open, all at nice")
        await meanwhile()
        await sites.bed.buses.server(NICE).start()
    await sites.bed.start_services(NICE)
    await sites.whole()
    return intent


def final(chain: Chain) -> set[str]:
    return {one.step for one in chain.outcomes if one.state in FINAL_STATES}


async def test_fault_32_of_a_plan_over_five_sites_what_was_open_at_the_dead_one_is_done_when_it_is_back(
    five: Sites,
) -> None:
    namespace = await five.namespace("fault-32-resumed")

    async def nothing() -> None:
        return

    intent = await dies_in_the_middle(five, namespace, nothing)
    ended = await oracles.o5_carried_out(five.mesh, intent.id, LYON)
    good = {(one.site, one.resource) for one in ended.outcomes if one.state == "ready"}
    assert len(good) == len(FIVE) * EACH
    await oracles.o4_one_effect(five.mesh, intent.id, FIVE)
    await oracles.o8_chained(five.mesh, intent.id, LYON)
    await five.converged()
    await oracles.o10_nothing_written(five.bed, five.apis, CONFIG_MAPS)


async def test_fault_32_of_a_plan_over_five_sites_all_is_undone_where_the_dead_one_cannot_go_on(five: Sites) -> None:
    """Its namespace is deleted while it is dead: what is open there is not possible any more."""
    namespace = await five.namespace("fault-32-undone")

    async def its_namespace_goes() -> None:
        reply = await five.apis[NICE].delete(f"/api/v1/namespaces/{namespace}")
        assert reply.status in (200, 202), reply.text

        async def is_gone() -> bool:
            return (await five.apis[NICE].get(f"/api/v1/namespaces/{namespace}")).status == 404

        await oracles.eventually(is_gone, lambda: "the namespace stays")

    intent = await dies_in_the_middle(five, namespace, its_namespace_goes)

    told: list[str] = []

    async def is_undone() -> bool:
        chain = await five.mesh.show(intent.id, site=LYON)
        last = chain.verdicts[-1]
        ends = [f"{one.step}@{one.site} {one.state}" for one in chain.outcomes if one.revision == last.revision]
        told[:] = [f"{last.revision}: {last.summary}", f"{len(last.plan)} steps", *ends]
        back = {one.step for one in chain.outcomes if one.revision == last.revision and one.state in FINAL_STATES}
        return last.undoes is not None and back >= {step.id for step in last.plan}

    def said() -> object:
        return f"it is not undone: {told}"

    await oracles.eventually(is_undone, said)
    chain = await five.mesh.show(intent.id, site=LYON)
    for site in FIVE:
        left = {} if site == NICE else await five.there(site, namespace, "ConfigMap")
        assert left == {}, f"{site}: {left}"
    taken_back = {step.site for step in chain.verdicts[-1].plan}
    assert taken_back >= set(FIVE) - {NICE}
    print(f"fault 32: {len(chain.verdicts[-1].plan)} steps back, at {', '.join(sorted(taken_back))}")
    await oracles.o8_chained(five.mesh, intent.id, LYON)
    await five.converged()
    await oracles.o10_nothing_written(five.bed, five.apis, CONFIG_MAPS)
