"""Online Boutique over three real clusters by one command: replicated, shared, divided; updated, cut off, deleted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cheops.sandbox.plane.assets import EVERYTHING, ControlPlaneMissingError, require
from tests.kit.command import Ran, Shell, sandbox
from tests.kit.controlplane import KUBECTL_TIMEOUT_S, give_up
from tests.kit.waiting import eventually_seen

ROOT = Path(__file__).parents[2]
BOUTIQUE = ROOT.parent / "shared" / "corpora" / "online-boutique" / "kubernetes-manifests.yaml"
SITES = ("lyon", "oslo", "nice")
SCOPE = (
    "deployment/frontend: lyon & oslo & nice, deployment/loadgenerator: lyon % oslo*2 % nice, secret/edge: oslo, lyon"
)
NAMESPACE = ("-n", "boutique")
KINDS = "deployments,replicasets,pods,services,endpointslices,serviceaccounts,configmaps,secrets"
WAIT_S = 120.0
pytestmark = [
    pytest.mark.controlplane,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not BOUTIQUE.exists(), reason="the corpora are not beside the repository"),
]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    try:
        require(EVERYTHING)
    except ControlPlaneMissingError as error:
        give_up(error)
    with sandbox(tmp_path_factory.mktemp("scopes"), *SITES, engine="kube") as made:
        yield made


def kubectl(shell: Shell, site: str, *words: str) -> str:
    """Past Cheops."""
    kubeconfig = shell.folder / ".cheops" / "kubeconfig"
    command = [str(require(EVERYTHING) / "kubectl"), f"--kubeconfig={kubeconfig}", f"--context={site}", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=KUBECTL_TIMEOUT_S, check=True).stdout


def live(shell: Shell, site: str, resource: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl(shell, site, "get", resource, *NAMESPACE, "-o", "json"))
    return found


def names(shell: Shell) -> dict[str, list[str]]:
    """Everything that is in the namespace, at each site."""
    return {site: sorted(kubectl(shell, site, "get", KINDS, *NAMESPACE, "-o", "name").split()) for site in SITES}


def eventually(holds: Callable[[], bool], what: str) -> None:
    eventually_seen(holds, what, WAIT_S, pause_s=0.2)


def boutique(shell: Shell, image: str, load: int) -> None:
    """As it is published, but: its front end mounts a Secret that oslo has; who makes load are many."""
    documents = [one for one in yaml.safe_load_all(BOUTIQUE.read_text()) if one]
    deployments = {one["metadata"]["name"]: one["spec"] for one in documents if one["kind"] == "Deployment"}
    pod = deployments["frontend"]["template"]["spec"]
    pod["containers"][0]["image"] = image
    pod["volumes"] = [{"name": "edge", "secret": {"secretName": "edge"}}]
    deployments["loadgenerator"]["replicas"] = load
    (shell.folder / "boutique.yaml").write_text(yaml.safe_dump_all(documents))


def apply(shell: Shell, *options: str) -> dict[str, Any]:
    ran: Ran = shell("apply", "-f", "boutique.yaml", *NAMESPACE, *options, "-o", "json")
    assert ran.code == 0, ran.out + ran.err
    return dict(ran.body)


def images(shell: Shell) -> list[str]:
    found = [live(shell, one, "deployment/frontend")["spec"]["template"]["spec"] for one in SITES]
    return [one["containers"][0]["image"] for one in found]


def load(shell: Shell) -> list[int]:
    """Ready pods of the part of each site."""
    return [live(shell, one, "deployment/loadgenerator")["status"].get("readyReplicas", 0) for one in SITES]


def drifted(shell: Shell) -> dict[tuple[str, str], str]:
    """What the alerts of drift say now: by site and resource."""
    rows = [json.loads(one) for one in shell("alerts", "-o", "json").lines]
    last = {one["id"]: one for one in rows if one["code"] == "A507"}
    return {
        (one["site"], one["resource"].replace("boutique/", "")): one["message"].partition(": ")[2]
        for one in last.values()
        if one["state"] == "raised"
    }


def somebody_drifts_and_it_is_healed(shell: Shell) -> None:
    """By plain kubectl: a replica gets another image, a part another size, one is deleted, a copy another value."""
    assert drifted(shell) == {}, "nobody has changed anything yet"
    assert shell("heal", "--all").out.strip() == "nothing to heal"
    kubectl(shell, "lyon", "set", "image", "deployment/frontend", "server=frontend:rogue", *NAMESPACE)
    kubectl(shell, "oslo", "scale", "deployment/loadgenerator", "--replicas=7", *NAMESPACE)
    kubectl(shell, "nice", "delete", "deployment/loadgenerator", *NAMESPACE)
    kubectl(shell, "nice", "patch", "secret/edge", "-p", '{"stringData": {"tls.crt": "rogue"}}', *NAMESPACE)
    eventually(lambda: len(drifted(shell)) == 4, "not every drift is said")
    image = "spec.template.spec.containers[name=server].image"
    assert drifted(shell) == {
        ("lyon", "apps/Deployment/frontend"): f"{image} differs",
        ("oslo", "apps/Deployment/loadgenerator"): "spec.replicas is 7 (declared 4)",
        ("nice", "apps/Deployment/loadgenerator"): "it is gone, and no intent has deleted it",
        ("nice", "Secret/edge"): "data.tls.crt differs",
    }
    healed: Ran = shell("heal", "--all", "-o", "json")
    assert healed.code == 0, healed.out + healed.err
    found = {(one["site"], one["resource"].replace("boutique/", "")) for one in healed.body["plan"]}
    assert found >= {
        ("lyon", "apps/Deployment/frontend"),
        ("oslo", "apps/Deployment/loadgenerator"),
        ("nice", "apps/Deployment/loadgenerator"),
        ("nice", "Secret/edge"),
    }
    assert images(shell) == ["frontend:3"] * 3
    eventually(lambda: load(shell) == [3, 4, 2], "a part is not what was asked for")
    eventually(lambda: drifted(shell) == {}, "an alert is left")


def somebody_renews_the_original_and_the_copies_follow(shell: Shell) -> dict[str, Any]:
    kubectl(shell, "oslo", "patch", "secret/edge", "-p", '{"stringData": {"tls.crt": "renewed"}}', *NAMESPACE)
    original = live(shell, "oslo", "secret/edge")
    copies = ("lyon", "nice")
    wanted = original["data"]
    eventually(
        lambda: [live(shell, one, "secret/edge")["data"] for one in copies] == [wanted] * 2, "a copy does not follow"
    )
    return original


def test_online_boutique_is_spread_over_three_sites_updated_through_a_cut_and_deleted_whole(shell: Shell) -> None:
    for site in SITES:
        kubectl(shell, site, "create", "namespace", "boutique")
        kubectl(shell, site, "wait", "--for=create", "serviceaccount/default", "configmap/kube-root-ca.crt", *NAMESPACE)
    kubectl(shell, "oslo", "create", "secret", "generic", "edge", "--from-literal=tls.crt=canary", *NAMESPACE)
    before, original = names(shell), live(shell, "oslo", "secret/edge")
    boutique(shell, "frontend:1", 7)
    words = ("apply", "-f", "boutique.yaml", *NAMESPACE, "--scope", SCOPE, "--preview")
    eventually(lambda: shell(*words).code == 0, "not every site knows its namespace, or oslo its Secret")

    done = apply(shell, "--scope", SCOPE)
    assert {one["state"] for one in done["outcomes"]} == {"ready"}
    assert (images(shell), load(shell)) == (["frontend:1"] * 3, [3, 3, 1])
    copies = [live(shell, one, "secret/edge") for one in ("lyon", "nice")]
    assert [one["data"] for one in copies] == [original["data"]] * 2
    assert {one["metadata"]["labels"]["cheops.io/shared-from"] for one in copies} == {"oslo"}

    boutique(shell, "frontend:2", 9)
    assert {one["site"] for one in apply(shell)["plan"]} == set(SITES), "no scope means all of what is there"
    assert (images(shell), load(shell)) == (["frontend:2"] * 3, [3, 4, 2])

    shell("sandbox", "cut", "nice")
    boutique(shell, "frontend:3", 9)
    eventually(lambda: "W503" in shell("apply", "-f", "boutique.yaml", *NAMESPACE, "--preview").out, "nice is heard")
    assert {one["site"] for one in apply(shell)["plan"]} == {"lyon", "oslo"}
    assert images(shell) == ["frontend:3", "frontend:3", "frontend:2"]
    shell("sandbox", "heal", "nice")
    eventually(lambda: images(shell) == ["frontend:3"] * 3, "nice never gets what it was owed")

    eventually(lambda: load(shell) == [3, 4, 2], "pods are not ready again")
    somebody_drifts_and_it_is_healed(shell)
    original = somebody_renews_the_original_and_the_copies_follow(shell)
    gone = shell("delete", "-f", "boutique.yaml", *NAMESPACE)
    assert gone.code == 0, gone.out + gone.err
    eventually(lambda: names(shell) == before, "something is left behind")
    left = live(shell, "oslo", "secret/edge")
    assert left["data"] == original["data"]
    assert {"annotations", "labels"} & left["metadata"].keys() == set(), "a word of ours is left behind"
