"""Collaborations that compose, as a person writes them: three sites, each with a cluster and services of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.flow.test_sets import eventually, live
from tests.kit.command import Ran, Shell, sandbox

SITES = ("lyon", "oslo", "nice")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with sandbox(tmp_path_factory.mktemp("compositions"), *SITES) as made:
        yield made


def settings(namespace: str, **data: str) -> dict[str, Any]:
    metadata = {"name": "settings", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def web(namespace: str, replicas: int = 4) -> dict[str, Any]:
    """It reads its settings when it starts."""
    reads = [{"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}}]
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web", "env": reads}]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    metadata = {"name": "web", "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def apply(shell: Shell, *manifests: dict[str, Any], site: str = "lyon", scope: str = "") -> dict[str, Any]:
    (shell.folder / "bundle.yaml").write_text(yaml.safe_dump_all(manifests))
    scoped = ("--scope", scope) if scope else ()
    return done(shell("apply", "-f", "bundle.yaml", "--site", site, *scoped, "-o", "json"))


def done(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.out + ran.err
    return dict(ran.body)


def replicas(shell: Shell, namespace: str) -> list[int | None]:
    found = [live(shell, one, f"/apis/apps/v1/namespaces/{namespace}/deployments/web") for one in SITES]
    return [one["spec"]["replicas"] if one else None for one in found]


def modes(shell: Shell, namespace: str) -> list[str | None]:
    found = [live(shell, one, f"/api/v1/namespaces/{namespace}/configmaps/settings") for one in SITES]
    return [one["data"]["mode"] if one else None for one in found]


def test_settings_of_a_third_site_are_shared_to_each_replica_and_follow_their_original(shell: Shell) -> None:
    apply(shell, settings("default", mode="first"), site="nice")
    apply(shell, web("default"), scope="deployment: lyon & oslo, configmap: nice")
    assert replicas(shell, "default") == [4, 4, None]
    assert modes(shell, "default") == ["first"] * 3
    apply(shell, settings("default", mode="second"), site="nice")
    eventually(lambda: modes(shell, "default") == ["second"] * 3, "a copy does not follow")
    refused = shell("delete", "configmap/settings", "--site", "nice", "-o", "json")
    assert refused.code == 3
    assert {one["site"] for one in refused.body["reasons"] if one["severity"] == "deny"} == {"lyon", "oslo"}
    done(shell("delete", "deployment/web", "--site", "oslo", "-o", "json"))
    assert (replicas(shell, "default"), modes(shell, "default")) == ([None] * 3, [None, None, "second"])
    done(shell("delete", "configmap/settings", "--site", "nice", "-o", "json"))


def test_a_namespace_spans_the_sites_of_what_is_spread_in_it_and_goes_whole(shell: Shell) -> None:
    mall = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mall"}}
    made = apply(
        shell,
        *(mall, settings("mall", mode="first"), web("mall", 5)),
        scope="deployment: lyon*2 % oslo, configmap: lyon & oslo",
    )
    assert {one["site"] for one in made["plan"] if one["resource"] == "Namespace/mall"} == {"lyon", "oslo"}
    assert (replicas(shell, "mall"), modes(shell, "mall")) == ([4, 1, None], ["first", "first", None])
    whole = shell("get", "deployment/web", "-n", "mall", "--site", "oslo", "-o", "json").body["whole"]
    assert {one["site"]: one["desired"] for one in whole["parts"]} == {"lyon": 4, "oslo": 1}
    done(shell("delete", "namespace/mall", "--site", "lyon", "-o", "json"))
    eventually(lambda: replicas(shell, "mall") == [None] * 3, "the namespace stays at one of its sites")


def test_a_namespace_in_cross_holds_replicas_and_what_each_site_has_for_itself(shell: Shell) -> None:
    market = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "market"}}
    apply(shell, market, scope="namespace: lyon % oslo")
    apply(shell, settings("market", mode="one"), web("market", 2), site="oslo", scope="lyon & oslo")
    assert (replicas(shell, "market"), modes(shell, "market")) == ([2, 2, None], ["one", "one", None])
    for site in ("lyon", "oslo"):
        mine = settings("market", mode=site)
        mine["metadata"]["name"] = "own"
        apply(shell, mine, site=site)
    own = {"resource": "ConfigMap/market/own", "sites": ["lyon", "oslo"]}
    eventually(
        lambda: own in shell("get", "namespace/market", "--site", "lyon", "-o", "json").body["contents"],
        "what is in a namespace in cross is not read",
    )
    read = shell("get", "namespace/market", "--site", "lyon")
    assert "Namespace market: at 2 of 2 sites, the same" in read.out
    assert "in it at lyon and oslo: " in read.out
    done(shell("delete", "configmap/own", "-n", "market", "--site", "oslo", "-o", "json"))
    path = "/api/v1/namespaces/market/configmaps/own"
    assert [live(shell, one, path) is not None for one in SITES] == [True, False, False]
    done(shell("delete", "namespace/market", "--site", "oslo", "-o", "json"))
    gone = "/api/v1/namespaces/market"
    eventually(lambda: [live(shell, one, gone) for one in SITES] == [None] * 3, "it stays at one of its sites")


def test_what_cannot_be_spread_now_is_whole_elsewhere_and_it_is_said_why(shell: Shell) -> None:
    apply(shell, settings("default", mode="first"), scope="lyon & oslo & nice")
    shell("sandbox", "cut", "oslo")
    try:
        (shell.folder / "bundle.yaml").write_text(yaml.safe_dump(web("default")))
        scoped = ("apply", "-f", "bundle.yaml", "--site", "lyon", "--scope", "lyon % oslo ; nice", "-o", "json")
        eventually(lambda: shell(*scoped, "--preview").body["decision"] == "allow", "oslo is never taken for cut off")
        made = done(shell(*scoped))
        assert "N505" in {one["code"] for one in made["reasons"]}
    finally:
        shell("sandbox", "heal", "oslo")
    assert replicas(shell, "default") == [None, None, 4]
