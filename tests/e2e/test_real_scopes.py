"""Online Boutique over three real clusters by one command: replicated, shared, divided; updated, cut off, deleted."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cheops.sandbox.plane.assets import EVERYTHING, ControlPlaneMissingError, require
from tests.kit.command import Ran, Shell, sandbox
from tests.kit.controlplane import KUBECTL_TIMEOUT_S, give_up

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
    until_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < until_s, what
        time.sleep(0.2)  # between two looks at a world of other processes; the bound above decides


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
    gone = shell("delete", "-f", "boutique.yaml", *NAMESPACE)
    assert gone.code == 0, gone.out + gone.err
    eventually(lambda: names(shell) == before, "something is left behind")
    left = live(shell, "oslo", "secret/edge")
    assert left["data"] == original["data"]
    assert {"annotations", "labels"} & left["metadata"].keys() == set(), "a word of ours is left behind"
