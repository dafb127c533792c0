"""From an intent to its effect, with a resolver, an executor or a nats-server that fails: faults 15, 16, 25-27, 30.

Faults 28 and 29 are shown by tests that were there before (table.py).
"""

from __future__ import annotations

import asyncio
import signal

import pytest

from cheops.drafts import Intent
from cheops.sandbox.process import ChildProcess
from schemas import envelope, subjects
from services.chassis.errors import TransientError
from tests.e2e.faults.world import LONG, LONGEST_S, LYON, NICE, WAIT_S, Sites, secret, settings, user_of
from tests.flow.executor_proxy import Answer, Forward
from tests.kit import oracles
from tests.kit.bed import witness
from tests.kit.waiting import eventually, lasting

pytestmark = pytest.mark.timeout(LONGEST_S)

STOPPED_S = 60.0 if LONG else 15.0  # either is more than the bound on evidence, 10 s
CHANGES = 200
BURST = 20
INTENTS = 30
RECOVERED = "recovered from the streams"
LOG_LINES = 2_000


@pytest.mark.faults
async def test_fault_15_a_resolver_that_stood_still_says_nothing_on_old_evidence(sites: Sites) -> None:
    """What was unused when it stopped is in use when it wakes; the question lies before it all the while."""
    namespace = await sites.namespace("fault-15", LYON)
    await sites.make(LYON, namespace, secret("ca"))
    await sites.known(LYON, f"Secret/{namespace}/ca")
    sites.service(LYON, "resolver").send_signal(signal.SIGSTOP)
    try:
        delete = await sites.publish(Intent.delete("secret/ca", namespace=namespace, bound_s=2.0), LYON)
        await sites.make(LYON, namespace, user_of("ca", "web"))
        for number in range(CHANGES):
            await sites.make(LYON, namespace, settings(f"s-{number}"))
        await lasting(STOPPED_S)
    finally:
        sites.service(LYON, "resolver").send_signal(signal.SIGCONT)
    chain = await sites.decided(delete.id, LYON, "deny", "allow")
    oracles.o7_no_guess(chain.verdicts)
    assert [one.decision for one in chain.verdicts if one.decision != "defer"] == ["deny"]
    await oracles.o6_replays(sites.mesh, delete.id, LYON)
    await sites.converged(LYON)
    await oracles.o3_nothing_broken(sites.mesh, LYON, namespace)


@pytest.mark.faults
async def test_fault_16_a_server_killed_in_a_burst_of_intents_of_two_sites_keeps_what_it_acknowledged(
    sites: Sites,
) -> None:
    namespace = await sites.namespace("fault-16")
    acknowledged: list[str] = []

    async def burst() -> None:
        for number in range(BURST):
            draft = Intent.apply([settings(f"s-{number}")], namespace=namespace, scope=f"{LYON} & {NICE}")
            intent = await sites.mesh.enter(draft, site=LYON)
            try:
                async with asyncio.timeout(WAIT_S):
                    await sites.mesh.publish(intent)
            except TransientError:
                continue
            acknowledged.append(intent.id)

    server = sites.bed.buses.server(LYON)
    sending = asyncio.create_task(burst())
    await eventually(lambda: len(acknowledged) >= BURST // 2, lambda: len(acknowledged), pause_s=0.01)
    server.kill()
    await server.start()
    await sending
    assert len(acknowledged) >= BURST // 2
    bus = await witness(sites.bed, LYON)
    stored = {subjects.last_name(one.subject) async for one in bus.scan("INTENTS", subjects.filters("INTENTS", LYON))}
    await bus.close()
    assert set(acknowledged) <= stored
    for intent in acknowledged:
        chain = await oracles.o5_carried_out(sites.mesh, intent, LYON)
        oracles.o7_no_guess(chain.verdicts)
        await oracles.o4_one_effect(sites.mesh, intent, (LYON, NICE))
    await sites.converged()


@pytest.mark.faults
async def test_fault_25_of_two_resolvers_of_a_site_one_wins_and_the_other_steps_down(sites: Sites) -> None:
    namespace = await sites.namespace("fault-25", LYON)
    first = sites.service(LYON, "resolver")
    try:
        await sites.bed.start_service(LYON, "resolver")  # one that was started by mistake leaves at once
        await oracles.eventually(_has_ended(sites), lambda: "the second resolver stays")
        assert "another resolver of lyon answers" in sites.service(LYON, "resolver").log_tail(100)
        assert first.running
        recovered = first.log_tail(LOG_LINES).count(RECOVERED)
        await sites.bed.start_service(LYON, "resolver", {"CHEOPS_TAKEOVER": "true"})
        second = sites.service(LYON, "resolver")

        async def has_recovered() -> bool:
            return second.log_tail(LOG_LINES).count(RECOVERED) > recovered

        await oracles.eventually(has_recovered, second.log_tail)
        intents = []
        for number in range(INTENTS):
            intents.append(await sites.publish(Intent.apply([settings(f"s-{number}")], namespace=namespace), LYON))
        for intent in intents:
            chain = await oracles.o5_carried_out(sites.mesh, intent.id, LYON)
            assert len({one.revision for one in chain.verdicts if one.decision == "allow"}) == 1
            await oracles.o4_one_effect(sites.mesh, intent.id, (LYON,))
        await oracles.eventually(_one_of(first, second), lambda: f"first {first.running}, second {second.running}")
    finally:
        first.kill()
    await sites.bed.start_services(LYON)
    await sites.converged(LYON)
    await oracles.o3_nothing_broken(sites.mesh, LYON, namespace)


def _has_ended(sites: Sites) -> oracles.Question:
    async def ended() -> bool:
        return not sites.service(LYON, "resolver").running

    return ended


def _one_of(first: ChildProcess, second: ChildProcess) -> oracles.Question:
    async def one() -> bool:
        return [first.running, second.running].count(True) == 1

    return one


async def test_fault_26_a_world_that_changes_between_verdict_and_execution_is_decided_again(sites: Sites) -> None:
    """Both objects are replaced by others of the same name when the executor's call is on its way."""
    namespace = await sites.namespace("fault-26", LYON)
    for name in ("changed", "deleted"):
        await sites.make(LYON, namespace, settings(name))
        await sites.known(LYON, f"ConfigMap/{namespace}/{name}")
    drafts = {
        "changed": Intent.update([settings("changed", more="v")], namespace=namespace),
        "deleted": Intent.delete("configmap/deleted", namespace=namespace),
    }
    async with sites.executor_behind_a_proxy(LYON) as proxy:
        for name, draft in drafts.items():

            async def change_first(forward: Forward, name: str = name) -> Answer | None:
                await sites.remove(LYON, namespace, "ConfigMap", name)
                await sites.make(LYON, namespace, settings(name, new="v"))
                return await forward()

            proxy.scripts.append(change_first)
            intent = await sites.publish(draft, LYON)
            chain = await oracles.o5_carried_out(sites.mesh, intent.id, LYON)
            first, second = [one.revision for one in chain.verdicts if one.decision == "allow"]
            assert {one.decision for one in chain.verdicts} <= {"allow", "defer"}, chain.verdicts
            ends = [one for one in chain.outcomes if one.state not in ("begun", "applied")]
            states = [(one.revision, one.state) for one in ends]
            assert states == [(first, "conflict"), (second, "ready" if name == "changed" else "done")]
            await oracles.o4_one_effect(sites.mesh, intent.id, (LYON,))
            await oracles.o8_chained(sites.mesh, intent.id, LYON)
    assert set(await sites.there(LYON, namespace, "ConfigMap")) == {"changed"}
    await sites.converged(LYON)
    await oracles.o3_nothing_broken(sites.mesh, LYON, namespace)


@pytest.mark.faults
async def test_fault_27_of_a_dependent_and_the_delete_of_its_dependency_one_is_refused(sites: Sites) -> None:
    """First the delete is in flight, then the creation; both at once: tests/flow/test_conflicting_intents.py."""
    namespace = await sites.namespace("fault-27", LYON)
    await sites.make(LYON, namespace, secret("first"), secret("second"))
    for name in ("first", "second"):
        await sites.known(LYON, f"Secret/{namespace}/{name}")
    delete, create = (
        [Intent.delete(f"secret/{name}", namespace=namespace) for name in ("first", "second")],
        [Intent.create([user_of(name, f"web-{name}")], namespace=namespace) for name in ("first", "second")],
    )
    async with sites.executor_behind_a_proxy(LYON) as proxy:
        for earlier, later in ((delete[0], create[0]), (create[1], delete[1])):
            held, release = asyncio.Event(), asyncio.Event()

            async def hold(forward: Forward, held: asyncio.Event = held, release: asyncio.Event = release) -> Answer:
                held.set()
                await release.wait()
                return await forward()

            proxy.scripts.append(hold)
            ahead = await sites.publish(earlier, LYON)
            try:
                await asyncio.wait_for(held.wait(), WAIT_S)
                behind = await sites.publish(later, LYON)
                meanwhile = await sites.decided(behind.id, LYON, "deny", "defer", "allow")
                assert meanwhile.verdicts[-1].decision != "allow"
            finally:
                release.set()
            done = await oracles.o5_carried_out(sites.mesh, ahead.id, LYON)
            assert [one.decision for one in done.verdicts if one.decision != "defer"] == ["allow"]
            refused = await sites.decided(behind.id, LYON, "deny")
            oracles.o7_no_guess(refused.verdicts)
            await oracles.o6_replays(sites.mesh, behind.id, LYON)
    await sites.converged(LYON)
    await oracles.o3_nothing_broken(sites.mesh, LYON, namespace)
    assert set(await sites.there(LYON, namespace, "Secret")) == {"second"}
    assert set(await sites.there(LYON, namespace, "Deployment")) == {"web-second"}


async def test_fault_30_an_intent_redelivered_later_gets_its_first_verdict_and_no_second_effect(sites: Sites) -> None:
    """Under another message id, as when the stream has forgotten the first one after its ten minutes."""
    namespace = await sites.namespace("fault-30")
    draft = Intent.create([settings("one")], namespace=namespace, scope=f"{LYON} & {NICE}")
    intent = await sites.publish(draft, LYON)
    first = await oracles.o5_carried_out(sites.mesh, intent.id, LYON)
    written = {site: await sites.there(site, namespace, "ConfigMap") for site in (LYON, NICE)}
    for site in (LYON, NICE):
        await sites.remove(site, namespace, "ConfigMap", "one")
        await sites.known(site, f"ConfigMap/{namespace}/one", there=False)
    bus = await witness(sites.bed, LYON)
    headers = envelope.headers("intent", "client/somebody", intent.id)
    await bus.publish(subjects.intent(LYON, intent.id), intent.to_json(), message_id="a-day-later", headers=headers)
    await bus.close()
    after = await sites.follow(Intent.create([settings("next")], namespace=namespace), LYON)  # it comes after it
    assert after[-1].outcome is not None
    again = await sites.mesh.show(intent.id, site=LYON)
    assert (again.verdicts, again.outcomes) == (first.verdicts, first.outcomes)
    for site in (LYON, NICE):
        assert "one" in written[site]
        assert "one" not in await sites.there(site, namespace, "ConfigMap")
    await oracles.o4_one_effect(sites.mesh, intent.id, (LYON, NICE))
    await sites.converged()
