"""Drift by plain requests to the API servers, said by its own site; and `cheops heal`, as a person uses it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from services.chassis.kubernetes.declaration import declared_manifest
from services.chassis.kubernetes.sealing import SEALED
from tests.flow.test_sets import codes, eventually, live
from tests.kit.command import Shell, api, sandbox

SITES = ("lyon", "oslo", "nice")
MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CANARY = "canary-7d1f"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with sandbox(tmp_path_factory.mktemp("healing"), *SITES) as made:
        yield made


def thing(kind: str, name: str, api_version: str = "v1", **rest: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "default"}, **rest}


def deployment(name: str, replicas: int, **pod: Any) -> dict[str, Any]:
    container = {"name": name, "image": f"{name}:1"}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **pod}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return thing("Deployment", name, "apps/v1", spec=spec)


def apply(shell: Shell, scope: str, *bodies: dict[str, Any]) -> dict[str, Any]:
    (shell.folder / "bundle.yaml").write_text(yaml.safe_dump_all(bodies))
    done = shell("apply", "-f", "bundle.yaml", "--scope", scope, "-o", "json")
    assert done.code == 0, done.out + done.err
    return dict(done.body)


def change(shell: Shell, site: str, path: str, change_it: Any) -> None:
    """As kubectl edit does it."""
    found = live(shell, site, path)
    assert found is not None, path
    change_it(found)
    assert api(shell, site, "PUT", path, found) == 200


def drifted(shell: Shell) -> dict[tuple[str, str], str]:
    """What the alerts of drift say now: by site and resource."""
    lines = [json.loads(one) for one in shell("alerts", "-o", "json").lines]
    last = {one["id"]: one for one in lines if one["code"] == "A507"}
    return {
        (one["site"], one["resource"]): one["message"].partition(": ")[2]
        for one in last.values()
        if one["state"] == "raised"
    }


def heal(shell: Shell, *words: str) -> dict[str, Any]:
    done = shell("heal", *words, "-o", "json")
    assert done.code == 0, done.out + done.err
    return dict(done.body)


def where(verdict: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["site"], one["resource"]) for one in verdict["plan"]]


def test_replicas_that_somebody_changes_or_deletes_are_healed_by_one_command(shell: Shell) -> None:
    parts = [thing("ConfigMap", "mode", data={"a": "1"}), thing("Secret", "token", stringData={"key": CANARY})]
    apply(shell, "lyon & oslo", *parts, deployment("web", 2))
    assert shell("heal", "--all").out.strip() == "nothing to heal"
    nothing = heal(shell, "deployment/web")
    assert (nothing["plan"], codes(nothing)) == ([], {"N102"})
    assert nothing["summary"].endswith("nothing to heal")

    def scaled(body: dict[str, Any]) -> None:
        body["spec"]["replicas"] = 5
        body["spec"]["paused"] = True

    change(shell, "oslo", f"{DEPLOYMENTS}/web", scaled)
    change(shell, "oslo", f"{SECRETS}/token", lambda body: body["data"].update(key="b3RoZXI="))
    assert api(shell, "oslo", "DELETE", f"{MAPS}/mode") == 200
    eventually(lambda: len(drifted(shell)) == 3, "not every drift is said")
    assert drifted(shell) == {
        ("oslo", "apps/Deployment/default/web"): "spec.replicas is 5 (declared 2)",
        ("oslo", "Secret/default/token"): "data.key differs",
        ("oslo", "ConfigMap/default/mode"): "it is gone, and no intent has deleted it",
    }
    told = shell("alerts").out
    assert "DRIFTED A507" in told
    assert "help   cheops heal deployment/web -n default --site oslo" in told

    (shell.folder / "bundle.yaml").write_text(yaml.safe_dump(deployment("web", 3)))
    refused = shell("apply", "-f", "bundle.yaml", "-o", "json")
    assert (refused.code, codes(refused.body) & {"D150"}) == (3, {"D150"}), "somebody else owns spec.replicas now"
    assert refused.body["remedies"][0]["command"] == "cheops heal deployment/web -n default --site oslo"

    preview = shell("heal", "deployment/web", "--preview", "-o", "json")
    assert (preview.code, where(preview.body)) == (0, [("oslo", "apps/Deployment/default/web")])
    assert (live(shell, "oslo", f"{DEPLOYMENTS}/web") or {})["spec"]["replicas"] == 5

    one = heal(shell, "deployment/web", "--site", "nice")
    assert where(one) == [("oslo", "apps/Deployment/default/web")], "nice, which has none of it, asks the others"
    spec = (live(shell, "oslo", f"{DEPLOYMENTS}/web") or {})["spec"]
    assert (spec["replicas"], spec["paused"]) == (2, True), "what was not declared stays as it is"

    rest = heal(shell, "--all", "--site", "oslo")
    assert sorted(where(rest)) == [("oslo", "ConfigMap/default/mode"), ("oslo", "Secret/default/token")]
    assert (live(shell, "oslo", f"{MAPS}/mode") or {})["data"] == {"a": "1"}
    token = live(shell, "oslo", f"{SECRETS}/token")
    assert token is not None
    assert base64.b64decode(token["data"]["key"]).decode() == CANARY
    kept = declared_manifest(token)
    assert kept is not None
    assert kept["data"]["key"].startswith(SEALED), "what is kept on it is sealed for its own site's executor"
    eventually(lambda: not drifted(shell), "an alert is left")
    assert shell("heal", "--all", "-o", "json").body == {"schema": "healing/v1", "drifted": []}
    assert CANARY not in shell("show", rest["intent"], "--site", "oslo", "-o", "json").out


def test_a_part_gets_its_share_and_a_copy_its_original_again(shell: Shell) -> None:
    apply(shell, "oslo", thing("Secret", "edge", stringData={"crt": CANARY}))
    user = deployment("user", 1, volumes=[{"name": "edge", "secret": {"secretName": "edge"}}])
    words = ("apply", "-f", "bundle.yaml", "--scope", "deployment: lyon, secret: oslo", "--preview")
    (shell.folder / "bundle.yaml").write_text(yaml.safe_dump_all([user]))
    eventually(lambda: shell(*words).code == 0, "lyon never hears that oslo has the Secret")
    apply(shell, "deployment: lyon, secret: oslo", user)
    apply(shell, "lyon*3 % oslo", deployment("load", 8))

    change(shell, "lyon", f"{SECRETS}/edge", lambda body: body["data"].update(crt="b3RoZXI="))
    change(shell, "oslo", f"{DEPLOYMENTS}/load", lambda body: body["spec"].update(replicas=8))
    eventually(lambda: len(drifted(shell)) == 2, "not every drift is said")
    assert drifted(shell) == {
        ("lyon", "Secret/default/edge"): "data.crt differs",
        ("oslo", "apps/Deployment/default/load"): "spec.replicas is 8 (declared 2)",
    }
    heal(shell, "--all")
    assert (live(shell, "oslo", f"{DEPLOYMENTS}/load") or {})["spec"]["replicas"] == 2
    copy, original = live(shell, "lyon", f"{SECRETS}/edge"), live(shell, "oslo", f"{SECRETS}/edge")
    assert copy is not None
    assert original is not None
    assert copy["data"] == original["data"]
    eventually(lambda: not drifted(shell), "an alert is left")


def test_a_copy_follows_its_original_when_that_is_changed_past_us(shell: Shell) -> None:
    def renewed(body: dict[str, Any]) -> None:
        body["data"]["crt"] = base64.b64encode(b"renewed").decode()

    change(shell, "oslo", f"{SECRETS}/edge", renewed)
    wanted = base64.b64encode(b"renewed").decode()
    eventually(lambda: (live(shell, "lyon", f"{SECRETS}/edge") or {})["data"]["crt"] == wanted, "it does not follow")
    rows = [json.loads(one) for one in shell("verdicts", "--site", "oslo", "-o", "json").lines]
    followed = [one for one in rows if one["intent"].startswith("follow-")]
    assert {one["decision"] for one in followed} == {"allow"}
    assert [where(one) for one in followed if one["plan"]] == [[("lyon", "Secret/default/edge")]]
    assert drifted(shell) == {}


def test_what_cannot_be_healed_is_said_with_a_code(shell: Shell) -> None:
    api(shell, "lyon", "POST", MAPS, thing("ConfigMap", "mine", data={"a": "1"}))
    for words, code, said in (
        (("configmap/mine",), 3, "D630"),
        (("configmap/never",), 3, "D630"),
        (("frobnicator/web",), 3, "D001"),
        (("configmap/mine", "--scope", "lyon & mars"), 3, "D601"),
        ((), 2, "KIND/NAME"),
        (("configmap/mine", "--all"), 2, "KIND/NAME"),
    ):
        done = shell("heal", *words)
        assert (done.code, said in done.out + done.err) == (code, True), (words, done.out, done.err)
