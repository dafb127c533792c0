"""Does what a verdict allows really work? Random manifests and deletes on a real control plane, a kubelet as the judge.

Whenever a write is allowed, its pods must reach Running; whenever anything is allowed, a rolling restart of everything
must still come up. The only way to fail is an allow that breaks, and there must be none.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cheops.drafts import Intent
from cheops.mesh import Mesh, connect
from cheops.sandbox.controlplane import ControlPlane, ControlPlaneMissingError
from cheops.sandbox.testbed import Testbed
from tests.contract.api.client import STRATEGIC, Api, Content
from tests.kit.controlplane import give_up
from tests.kit.kubelet import api_of, kubelet

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(1800)]

COMES_UP_S = 45.0  # a second or two on an idle machine
NAMES = ("one", "two")
KEYS = ("a", "b")
Kind = Literal["ConfigMap", "Secret"]
_numbers = itertools.count()


# ── the universe ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Use:
    """One reference of a pod template."""

    kind: Kind
    name: str
    how: Literal["env", "envFrom", "volume", "items", "projected"]
    key: str
    optional: bool


@dataclass(frozen=True)
class Put:
    """Apply a ConfigMap, Secret or ServiceAccount."""

    kind: Literal["ConfigMap", "Secret", "ServiceAccount"]
    name: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """Apply a Deployment."""

    name: str
    uses: tuple[Use, ...]
    account: str = ""
    replicas: int = 1
    with_needs: bool = False


@dataclass(frozen=True)
class Remove:
    """Delete whatever it is."""

    kind: Literal["ConfigMap", "Secret", "ServiceAccount", "Deployment"]
    name: str


names = st.sampled_from(NAMES)
kinds = st.sampled_from(("ConfigMap", "Secret"))
hows = st.sampled_from(("env", "envFrom", "volume", "items", "projected"))
uses = st.builds(Use, kinds, names, hows, st.sampled_from(KEYS), st.booleans())
puts = st.builds(Put, kinds, names, st.sets(st.sampled_from(KEYS), min_size=1).map(lambda found: tuple(sorted(found))))
accounts = st.builds(Put, st.just("ServiceAccount"), names)
runs = st.builds(
    Run,
    names,
    st.lists(uses, max_size=3).map(tuple),
    st.sampled_from(("", "", *NAMES)),
    st.sampled_from((1, 1, 0)),
    st.booleans(),
)
removes = st.builds(Remove, st.sampled_from(("ConfigMap", "Secret", "ServiceAccount", "Deployment")), names)
acts = st.lists(st.one_of(puts, runs, removes, puts, runs, removes, accounts), min_size=6, max_size=10)


def _manifests(act: Put | Run) -> list[Content]:
    if isinstance(act, Put):
        made: Content = {"apiVersion": "v1", "kind": act.kind, "metadata": {"name": act.name}}
        return [made if act.kind == "ServiceAccount" else {**made, "data": dict.fromkeys(act.keys, "eA==")}]
    needed = [_manifests(Put(use.kind, use.name, KEYS))[0] for use in act.uses] if act.with_needs else []
    unique = {(one["kind"], one["metadata"]["name"]): one for one in needed}
    return [*unique.values(), _deployment(act)]


def _deployment(act: Run) -> Content:
    env: list[Content] = []
    whole: list[Content] = []
    volumes: list[Content] = []
    for place, use in enumerate(act.uses):
        flag = {"optional": True} if use.optional else {}
        short = "secret" if use.kind == "Secret" else "configMap"
        if use.how == "env":
            source = {f"{short}KeyRef": {"name": use.name, "key": use.key, **flag}}
            env.append({"name": f"E{place}", "valueFrom": source})
        elif use.how == "envFrom":
            whole.append({f"{short}Ref": {"name": use.name, **flag}})
        elif use.how == "projected":
            volumes.append({"name": f"v{place}", "projected": {"sources": [{short: {"name": use.name, **flag}}]}})
        else:
            body: Content = {("secretName" if short == "secret" else "name"): use.name, **flag}
            if use.how == "items":
                body["items"] = [{"key": use.key, "path": "p"}]
            volumes.append({"name": f"v{place}", short: body})
    mounts = [{"name": one["name"], "mountPath": f"/{one['name']}"} for one in volumes]
    container = {"name": "main", "image": "x", "env": env, "envFrom": whole, "volumeMounts": mounts}
    pod: Content = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0}
    if act.account:
        pod["serviceAccountName"] = act.account
    labels = {"app": act.name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": act.name},
        "spec": {
            "replicas": act.replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            "strategy": {"type": "Recreate"},
        },
    }


# ── the world ───────────────────────────────────────────────────────────────────────────────────────────────────────


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


async def _play(bed: Testbed, sequence: list[Put | Run | Remove], tally: Tally) -> None:
    namespace = f"random-{next(_numbers)}"
    async with api_of(_plane(bed)) as api, connect(bed.context) as mesh, kubelet(api):
        await api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
        await api.until(f"/api/v1/namespaces/{namespace}/serviceaccounts", "default", lambda found: found is not None)
        await _until_known(mesh, namespace)
        for act in sequence:
            decision = await _do(mesh, act, namespace)
            tally.decisions[decision] = tally.decisions.get(decision, 0) + 1
            if decision == "allow":
                await _restart_all(api, namespace, f"after {act}")
                tally.restarts += 1
        await api.delete(f"/api/v1/namespaces/{namespace}")


async def _until_known(mesh: Mesh, namespace: str) -> None:
    async with asyncio.timeout(COMES_UP_S):
        while (
            await mesh.submit(Intent.read("serviceaccount/default", namespace=namespace), site="lyon")
        ).decision != "allow":
            await asyncio.sleep(0.1)


async def _do(mesh: Mesh, act: Put | Run | Remove, namespace: str) -> str:
    draft = (
        Intent.delete(f"{act.kind.lower()}/{act.name}", namespace=namespace)
        if isinstance(act, Remove)
        else Intent.apply(_manifests(act), namespace=namespace)
    )
    intent = await mesh.enter(draft, site="lyon")
    decision = "none"
    async with asyncio.timeout(2 * COMES_UP_S):
        async for progress in mesh.follow(intent):
            decision = progress.verdict.decision
            if progress.outcome is not None:
                said = f"{act}: {progress.outcome.action} {progress.outcome.resource}: {progress.outcome.message}"
                assert progress.outcome.state not in ("failed", "expired"), said
    return decision


async def _restart_all(api: Api, namespace: str, when: str) -> None:
    """`kubectl rollout restart` of every Deployment; each must come up."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    stamp = {"spec": {"template": {"metadata": {"annotations": {"restarted": str(next(_numbers))}}}}}
    for one in (await api.get(path)).content["items"]:
        await api.patch(f"{path}/{one['metadata']['name']}", stamp, STRATEGIC)
    async with asyncio.timeout(COMES_UP_S):
        while not all(_is_up(one) for one in (await api.get(path)).content["items"]):
            refused = await _complaints(api, namespace)
            assert not refused, f"{when}, a restart does not come up: {refused}"
            await asyncio.sleep(0.1)


def _is_up(deployment: Content) -> bool:
    wanted, status = deployment["spec"]["replicas"], deployment.get("status", {})
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
    return seen and counts == [wanted] * 3


async def _complaints(api: Api, namespace: str) -> list[str]:
    """What a kubelet or an admission plugin refuses and will go on refusing."""
    found: list[str] = []
    for pod in (await api.get(f"/api/v1/namespaces/{namespace}/pods")).content["items"]:
        if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") == "Pending":
            states: list[Any] = pod["status"].get("containerStatuses") or []
            found += [one["state"]["waiting"]["message"] for one in states if "waiting" in one["state"]]
    for rows in (await api.get(f"/apis/apps/v1/namespaces/{namespace}/replicasets")).content["items"]:
        conditions = rows.get("status", {}).get("conditions") or []
        if rows["spec"]["replicas"]:
            found += [one["message"] for one in conditions if one["type"] == "ReplicaFailure"]
    return found


# ── the tests ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _run(bed: Testbed, examples: int) -> Tally:
    tally = Tally()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(acts)
    def play(sequence: list[Put | Run | Remove]) -> None:
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
