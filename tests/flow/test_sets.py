"""A replica set between three sites, as a person uses it: made, updated, cut, widened, narrowed, deleted."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.kit.command import TIMEOUT_S, Shell, sandbox
from tests.kit.waiting import eventually_seen

SITES = ("lyon", "oslo", "nice")
WAIT_S = 60.0


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with sandbox(tmp_path_factory.mktemp("sets"), *SITES) as made:
        yield made


def live(shell: Shell, site: str, path: str) -> dict[str, Any] | None:
    """Past Cheops: what a site's API server has."""
    kubeconfig = yaml.safe_load((shell.folder / ".cheops" / "kubeconfig").read_text())
    server = next(one["cluster"]["server"] for one in kubeconfig["clusters"] if one["name"] == site)
    try:
        with urllib.request.urlopen(f"{server}{path}", timeout=TIMEOUT_S) as response:
            found: dict[str, Any] = json.load(response)
            return found
    except urllib.error.HTTPError as error:
        assert error.code == 404, error
        return None


def settings(shell: Shell, site: str) -> dict[str, Any] | None:
    return live(shell, site, "/api/v1/namespaces/default/configmaps/settings")


def write(shell: Shell, **data: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "default"}}
    (shell.folder / "settings.yaml").write_text(yaml.safe_dump({**body, "data": data}))


def apply(shell: Shell, site: str, *options: str) -> dict[str, Any]:
    done = shell("apply", "-f", "settings.yaml", "--site", site, *options, "-o", "json")
    assert done.out, done.err
    return dict(done.body)


def codes(verdict: dict[str, Any]) -> set[str]:
    return {one["code"] for one in verdict["reasons"]}


def in_force(shell: Shell, intent: str) -> set[str]:
    """The codes of the last verdict on an intent."""
    return codes(shell("show", intent, "--site", "lyon", "-o", "json").body["verdicts"][-1])


def eventually(holds: Any, what: str) -> None:
    eventually_seen(holds, what, WAIT_S, pause_s=0.2)


def test_a_set_lives_through_updates_a_cut_and_new_scopes(shell: Shell) -> None:
    write(shell, mode="first")
    made = apply(shell, "lyon", "--scope", "lyon & oslo")
    assert made["decision"] == "allow", made
    assert [bool(settings(shell, one)) for one in SITES] == [True, True, False]

    again = apply(shell, "oslo")
    assert (again["decision"], again["plan"], codes(again)) == ("allow", [], {"N102"}), "the same is no work"
    write(shell, mode="second")
    assert {one["site"] for one in apply(shell, "oslo")["plan"]} == {"lyon", "oslo"}
    assert [(settings(shell, one) or {})["data"]["mode"] for one in ("lyon", "oslo")] == ["second"] * 2

    wider = apply(shell, "lyon", "--scope", "lyon & oslo & nice")
    assert wider["decision"] == "allow", wider
    names = {(settings(shell, one) or {})["metadata"]["labels"]["cheops.io/replica-set"] for one in SITES}
    assert len(names) == 1
    assert (settings(shell, "oslo") or {})["metadata"]["annotations"]["cheops.io/replicas"] == "lyon,nice,oslo"

    shell("sandbox", "cut", "nice")
    write(shell, mode="second", more="third")
    eventually(lambda: "W503" in codes(apply(shell, "lyon", "--preview")), "nice is never taken for unreachable")
    pending = apply(shell, "lyon")
    assert pending["decision"] == "allow", pending
    assert "more" in (settings(shell, "oslo") or {})["data"]
    assert "more" not in (settings(shell, "nice") or {})["data"]
    assert "W503" in in_force(shell, pending["intent"])
    assert "pending at nice" in shell("show", pending["intent"], "--site", "lyon").out
    same = apply(shell, "lyon")
    assert (codes(same), same["plan"]) == ({"N102", "W503"}, [])
    shell("sandbox", "heal", "nice")
    eventually(lambda: "more" in (settings(shell, "nice") or {})["data"], "nice never gets the update")
    for one in (pending, same):
        eventually(lambda intent=one["intent"]: "W503" not in in_force(shell, intent), "it stays open for nice")
    assert "A506" not in shell("alerts", "--site", "lyon").out, "what is as it was declared is not lost"

    stays = shell("delete", "configmap/settings", "--site", "lyon", "--scope", "lyon", "--preview", "-o", "json")
    assert "W340" in codes(stays.body)
    narrower = apply(shell, "lyon", "--scope", "lyon & oslo")
    assert {(one["site"], one["action"]) for one in narrower["plan"]} >= {("nice", "delete")}
    assert settings(shell, "nice") is None
    gone = shell("delete", "configmap/settings", "--site", "oslo")
    assert gone.code == 0, gone.out + gone.err
    assert [settings(shell, one) for one in SITES] == [None] * 3


def test_a_divided_deployment_is_divided_anew_by_an_update_without_scope(shell: Shell) -> None:
    template = {"metadata": {"labels": {"app": "load"}}, "spec": {"containers": [{"name": "load", "image": "load"}]}}
    spec = {"replicas": 4, "selector": {"matchLabels": {"app": "load"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "load", "namespace": "default"}}
    (shell.folder / "load.yaml").write_text(yaml.safe_dump({**body, "spec": spec}))
    made = shell("apply", "-f", "load.yaml", "--site", "lyon", "--scope", "lyon*3 % oslo", "-o", "json")
    assert made.body["decision"] == "allow", made.out
    (shell.folder / "load.yaml").write_text(yaml.safe_dump({**body, "spec": {**spec, "replicas": 8}}))
    shell("apply", "-f", "load.yaml", "--site", "oslo")
    path = "/apis/apps/v1/namespaces/default/deployments/load"
    assert [(live(shell, one, path) or {})["spec"]["replicas"] for one in ("lyon", "oslo")] == [6, 2]
    gone = shell("delete", "deployment/load", "--site", "oslo")
    assert gone.code == 0, gone.out + gone.err
    assert [live(shell, one, path) for one in SITES] == [None] * 3


def test_a_secret_of_a_set_travels_sealed_and_stays_the_same(shell: Shell) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "default"}}
    for text in ("one", "two"):
        (shell.folder / "key.yaml").write_text(yaml.safe_dump({**body, "stringData": {"key": text}}))
        done = shell(
            "apply", "-f", "key.yaml", "--site", "lyon", *(["--scope", "lyon & oslo"] if text == "one" else [])
        )
        assert done.code == 0, done.out + done.err
        found = [(live(shell, one, "/api/v1/namespaces/default/secrets/key") or {})["data"] for one in ("lyon", "oslo")]
        assert found == [{"key": base64.b64encode(text.encode()).decode()}] * 2
