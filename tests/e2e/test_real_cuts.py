"""Killed at an exact point between verdict and outcome: each step has one effect, not two, not none. O4."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cheops.drafts import Intent
from cheops.mesh import EnteredIntent
from schemas.outcomes import Outcome
from tests.e2e.conftest import LYON, WAIT_S, World
from tests.flow.executor_proxy import Answer, FaultyProxy, Forward
from tests.kit.holding import Cut, HoldingProxy
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(300)]

VERDICT, OPERATION = f"cheops.v1.verdict.{LYON}", f"cheops.v1.operation.{LYON}"
CUTS = {
    "before the verdict is stored": Cut(VERDICT, 1, arrives=False),
    "after the verdict is stored, before that is known": Cut(VERDICT, 1, arrives=True),
    "between the verdict and the first operation": Cut(OPERATION, 1, arrives=False),
    "after the first operation is stored, before that is known": Cut(OPERATION, 1, arrives=True),
    "between two operations": Cut(OPERATION, 3, arrives=False),
    "after the last operation is stored, before that is known": Cut(OPERATION, 5, arrives=True),
}


@pytest.mark.parametrize("where", CUTS)
async def test_a_resolver_that_is_killed_goes_on_and_does_each_step_once(world: World, where: str) -> None:
    namespace = await world.namespace(f"exact-{list(CUTS).index(where)}")
    manifests = [_settings(f"one-{number}") for number in range(5)]
    intent = await world.mesh.enter(Intent.create(manifests, namespace=namespace), site=LYON)
    try:
        async with HoldingProxy(world.bed.nats_url, CUTS[where]) as proxy, asyncio.timeout(WAIT_S):
            world.service("resolver").kill()
            await world.bed.start_service(LYON, "resolver", {"CHEOPS_NATS_URL": proxy.url})
            await world.bed.wait_fresh(WAIT_S)
            await world.mesh.publish(intent)
            await proxy.reached()
            world.service("resolver").kill()
    finally:
        world.service("resolver").kill()
        await world.bed.start_service(LYON, "resolver")
    await _until_over(world, intent, steps=5)
    chain = await world.mesh.show(intent.id)
    decided = [
        one.decision for one in chain.verdicts if one.decision != "defer"
    ]  # it is not known at once what is there
    assert decided == ["allow"], [one.summary for one in chain.verdicts]
    await _assert_written_once(world, namespace, [one for one in chain.outcomes if one.state == "ready"])
    await world.converged()


async def test_an_executor_killed_after_the_api_call_and_before_the_outcome_writes_nothing_twice(world: World) -> None:
    """A creation, a change and a deletion have taken effect when it dies, and nobody has heard of it."""
    namespace = await world.namespace("unheard")
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for name in ("changed", "deleted"):
        await world.api.post(path, _settings(name))
        await world.known(f"ConfigMap/{namespace}/{name}")
    drafts = [
        Intent.create([_settings("created")], namespace=namespace),
        Intent.apply([_settings("changed", more="v")], namespace=namespace),
        Intent.delete("configmap/deleted", namespace=namespace),
    ]
    intents = [await world.mesh.enter(draft, site=LYON) for draft in drafts]
    try:
        async with FaultyProxy(world.site.cluster.kubeconfig, world.bed.directory / "proxied") as proxy:
            dead = asyncio.Event()

            async def lose_executor(forward: Forward) -> Answer | None:
                await forward()
                if proxy.applied == len(drafts):
                    world.service("executor").kill()
                    dead.set()
                await dead.wait()
                return None

            proxy.scripts.extend([lose_executor] * len(drafts))
            world.service("executor").kill()
            await world.bed.start_service(LYON, "executor", {"CHEOPS_KUBECONFIG": str(proxy.kubeconfig)})
            for intent in intents:
                await world.mesh.publish(intent)
            await asyncio.wait_for(dead.wait(), WAIT_S)
            before = (await world.api.get(path)).content["items"]
            await world.bed.start_service(LYON, "executor", {"CHEOPS_KUBECONFIG": str(proxy.kubeconfig)})
            for intent in intents:
                await _until_over(world, intent, steps=1)
            assert proxy.applied == len(drafts), [one for one in proxy.seen if one.writes]
    finally:
        world.service("executor").kill()
        await world.bed.start_service(LYON, "executor")
    assert (await world.api.get(path)).content["items"] == before
    outcomes = [(await world.mesh.show(intent.id)).outcomes[-1] for intent in intents]
    assert [one.state for one in outcomes] == ["ready", "ready", "done"]
    await _assert_written_once(world, namespace, outcomes[:2])
    await world.converged()


async def _until_over(world: World, intent: EnteredIntent, steps: int) -> None:
    """Every step has ended well, in whatever revision."""

    async def over() -> bool:
        outcomes = await _outcomes(world, intent)
        return len({one.step for one in outcomes if one.state in ("ready", "done")}) == steps

    # An intent that its reader took to the grave comes again after 30 s.
    await eventually(over, f"{intent.id} does not end well", WAIT_S + 30, pause_s=0.1)


async def _outcomes(world: World, intent: EnteredIntent) -> tuple[Outcome, ...]:
    return (await world.mesh.show(intent.id, site=LYON)).outcomes


async def _assert_written_once(world: World, namespace: str, outcomes: list[Outcome]) -> None:
    """The version that the outcome names is the object's: nobody has written it again since."""
    assert outcomes
    listed = await world.api.get(f"/api/v1/namespaces/{namespace}/configmaps")
    versions = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in listed.content["items"]}
    written = {one.resource.rpartition("/")[2]: one.resource_version for one in outcomes}
    assert written == {name: versions[name] for name in written}


def _settings(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v", **data}}
