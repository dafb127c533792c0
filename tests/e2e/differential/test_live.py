"""Every verdict of a live resolver, on a universe of what pods use; it has the API server rehearse each write.

Whenever a write is allowed, its pods must reach Running; whenever anything is allowed, a rolling restart of everything
must still come up. The only way to fail is an allow that breaks, and there must be none.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given

from cheops.drafts import Intent
from cheops.mesh import Mesh, connect
from cheops.sandbox.controlplane import ControlPlane, ControlPlaneMissingError
from cheops.sandbox.testbed import Testbed
from tests.e2e.differential.cluster import COMES_UP_S, restarted
from tests.e2e.differential.universe import Act, Remove, acts, always_the_same, called, manifests
from tests.kit.controlplane import give_up
from tests.kit.kubelet import api_of, kubelet
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(1800)]

_numbers = itertools.count()


@dataclass
class Tally:
    """What was counted over all examples."""

    decisions: dict[str, int] = field(default_factory=dict)
    restarts: int = 0


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    directory = tmp_path_factory.mktemp("differential")
    try:
        made = Testbed(directory, ["lyon"], engine="kube", run_pods=False)
    except ControlPlaneMissingError as error:
        give_up(error)
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


def _plane(bed: Testbed) -> ControlPlane:
    plane = bed.sites[next(iter(bed.sites))].cluster
    assert isinstance(plane, ControlPlane)
    return plane


async def _play(bed: Testbed, sequence: list[Act], tally: Tally) -> None:
    namespace = f"random-{next(_numbers)}"
    async with api_of(_plane(bed)) as api, connect(bed.context) as mesh, kubelet(api):
        await api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
        await api.until(f"/api/v1/namespaces/{namespace}/serviceaccounts", "default", lambda found: found is not None)
        await _until_known(mesh, namespace)
        for act in sequence:
            decision = await _do(mesh, act, namespace)
            tally.decisions[decision] = tally.decisions.get(decision, 0) + 1
            if decision == "allow":
                refused = await restarted(api, namespace)
                assert not refused, f"after {act}, a restart does not come up: {refused}"
                tally.restarts += 1
        await api.delete(f"/api/v1/namespaces/{namespace}")


async def _until_known(mesh: Mesh, namespace: str) -> None:
    async def known() -> bool:
        read = Intent.read("serviceaccount/default", namespace=namespace)
        return (await mesh.submit(read, site="lyon")).decision == "allow"

    await eventually(known, f"lyon does not know {namespace}", COMES_UP_S)


async def _do(mesh: Mesh, act: Act, namespace: str) -> str:
    intent = await mesh.enter(_draft(act, namespace), site="lyon")
    decision = "none"
    async with asyncio.timeout(2 * COMES_UP_S):
        async for progress in mesh.follow(intent):
            decision = progress.verdict.decision
            if progress.outcome is not None:
                said = f"{act}: {progress.outcome.action} {progress.outcome.resource}: {progress.outcome.message}"
                assert progress.outcome.state not in ("failed", "expired"), said
    return decision


def _draft(act: Act, namespace: str) -> Intent:
    if not isinstance(act, Remove):
        return Intent.apply(manifests(act, namespace), namespace=namespace)
    name = f"{act.kind.lower()}/{called(act.kind, act.name, namespace)}"
    return Intent.delete(name, namespace=namespace, cascade="dependents" if act.with_dependents else "none")


def _run(bed: Testbed, examples: int) -> Tally:
    tally = Tally()

    @always_the_same(examples)
    @given(acts)
    def play(sequence: list[Act]) -> None:
        asyncio.run(_play(bed, sequence, tally))

    play()
    return tally


def test_nothing_that_is_allowed_breaks_what_runs(bed: Testbed) -> None:
    tally = _run(bed, examples=8)
    print(f"decisions {tally.decisions}, {tally.restarts} restarts of everything, 0 that broke")
    assert tally.decisions.get("allow", 0) > 5, "the check would show nothing"


@pytest.mark.soak
def test_nothing_that_is_allowed_breaks_what_runs_at_length(bed: Testbed) -> None:
    tally = _run(bed, examples=60)
    print(f"decisions {tally.decisions}, {tally.restarts} restarts of everything, 0 that broke")
    assert tally.decisions.get("deny", 0) > 20, "the check would show nothing"
