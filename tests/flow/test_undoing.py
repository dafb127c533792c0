"""All or nothing over three sites, as somebody types it: a step fails at nice, and every site is as it was before."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.kit.command import TIMEOUT_S, Shell, api, sandbox
from tests.kit.waiting import eventually_seen

CORE = "/api/v1/namespaces/default"
SITES = ("lyon", "oslo", "nice")
SCOPE = "pod: nice, lyon & oslo & nice"
BEFORE = {"colour": "blue"}


def thing(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "default"}, **more}


BUNDLE = [
    thing("ConfigMap", "settings", data={"colour": "green", "size": "large"}),
    thing("Secret", "token", stringData={"key": "canary-of-an-undo"}),
    thing(  # nobody takes the gate away: it is never ready
        "Pod",
        "gated",
        spec={"schedulingGates": [{"name": "example.com/never"}], "containers": [{"name": "main", "image": "nginx"}]},
    ),
]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with sandbox(tmp_path_factory.mktemp("undoing"), *SITES) as made:
        (made.folder / "bundle.yaml").write_text(yaml.safe_dump_all(BUNDLE))
        (made.folder / "before.yaml").write_text(yaml.safe_dump(thing("ConfigMap", "settings", data=BEFORE)))
        yield made


def live(shell: Shell, site: str, path: str) -> dict[str, Any] | None:
    kubeconfig = yaml.safe_load((shell.folder / ".cheops" / "kubeconfig").read_text())
    server = next(one["cluster"]["server"] for one in kubeconfig["clusters"] if one["name"] == site)
    try:
        with urllib.request.urlopen(f"{server}{CORE}/{path}", timeout=TIMEOUT_S) as response:
            found: dict[str, Any] = json.load(response)
            return found
    except urllib.error.HTTPError as error:
        assert error.code == 404
        return None


def until_there(shell: Shell, site: str, path: str) -> None:
    eventually_seen(lambda: live(shell, site, path), f"{path} never came to {site}", TIMEOUT_S)


def test_a_step_that_fails_at_one_site_leaves_all_as_they_were(shell: Shell) -> None:
    made = shell("apply", "-f", "before.yaml", "--scope", "lyon & oslo & nice")
    assert made.code == 0, made.out + made.err
    entered = shell("apply", "-f", "bundle.yaml", "--scope", SCOPE, "--no-wait")
    intent = entered.out.strip()
    with shell.started("show", intent, "--follow") as following:
        until_there(shell, "nice", "pods/gated")
        for site in SITES:
            until_there(shell, site, "secrets/token")
        api(shell, "nice", "DELETE", f"{CORE}/pods/gated")
        out, err = following.communicate(timeout=TIMEOUT_S)
    assert following.returncode == 1, out + err
    for site in SITES:
        settings = live(shell, site, "configmaps/settings")
        assert settings is not None
        assert settings["data"] == BEFORE, site
        assert live(shell, site, "secrets/token") is None, site
    assert live(shell, "nice", "pods/gated") is None
    assert "removed by somebody else" in out
    assert "UNDO" in out
    for site in SITES:
        assert f"undo: delete Secret default/token @ {site}" in out
        assert f"undo: update ConfigMap default/settings @ {site}" in out
    again = shell("show", intent)
    assert again.code == 1
    *_, failed, undone = shell("show", intent, "-o", "json").body["verdicts"]  # what is in flight may defer it first
    assert (failed["decision"], undone["undoes"]) == ("allow", failed["revision"]), (
        failed["summary"],
        undone["summary"],
    )
    number = str(failed["revision"])
    refused = shell("replay", intent)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.endswith(f" rests on that alone: say --revision {number}\n")
    whole = shell("replay", intent, "--revision", number, "--site", "lyon")
    assert (whole.code, whole.out) == (2, "")
    assert whole.err.endswith(", each on its own evidence: say --site nice or --site oslo\n")
    part = shell("replay", intent, "--revision", number, "--site", "nice")
    assert part.code == 0, part.out + part.err


def test_what_was_left_says_so_where_it_is_asked_for(shell: Shell) -> None:
    entered = shell("apply", "-f", "bundle.yaml", "--scope", SCOPE, "--no-wait", "--on-failure", "stop")
    intent = entered.out.strip()
    for site in SITES:
        until_there(shell, site, "secrets/token")
    until_there(shell, "nice", "pods/gated")
    api(shell, "nice", "DELETE", f"{CORE}/pods/gated")
    followed = shell("show", intent, "--follow")
    assert followed.code == 5, followed.out + followed.err
    assert live(shell, "oslo", "secrets/token") is not None
