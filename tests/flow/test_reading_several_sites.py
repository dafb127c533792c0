"""Reads over three sites, as somebody types them: the nearest, all of them compared, the parts of one added up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.kit.command import Ran, Shell, api, sandbox

SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "default"},
    "data": {"colour": "green"},
}
LOAD: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "load", "namespace": "default"},
    "spec": {
        "replicas": 5,
        "selector": {"matchLabels": {"app": "load"}},
        "template": {
            "metadata": {"labels": {"app": "load"}},
            "spec": {"containers": [{"name": "load", "image": "nginx"}]},
        },
    },
}
SPREAD = "lyon*2 % oslo % nice"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with sandbox(tmp_path_factory.mktemp("reading"), "lyon", "oslo", "nice") as made:
        (made.folder / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
        (made.folder / "load.yaml").write_text(yaml.safe_dump(LOAD))
        assert _done(made("apply", "-f", "settings.yaml", "--scope", "oslo & nice"))
        assert _done(made("apply", "-f", "load.yaml", "--scope", SPREAD))
        yield made


def _done(ran: Ran) -> bool:
    assert ran.code == 0, ran.out + ran.err
    return True


def test_one_replica_is_read_and_it_is_said_which_and_how_far_it_is(shell: Shell) -> None:
    read = shell("get", "configmap/settings", "-n", "default", "--scope", "oslo & nice")
    assert _done(read)
    (found,) = yaml.safe_load_all(read.out)
    assert found["data"] == SETTINGS["data"]
    assert read.err.startswith(("read at oslo, ", "read at nice, "))
    assert "ms away" in read.err


def test_a_replica_is_read_without_a_scope_and_it_is_said_which(shell: Shell) -> None:
    read = shell("get", "configmap/settings", "-n", "default", "--site", "nice")
    assert _done(read)
    assert yaml.safe_load(read.out)["data"] == SETTINGS["data"]
    assert read.err.startswith("read at nice")


def test_what_is_spread_is_added_up_without_a_scope(shell: Shell) -> None:
    whole = shell("get", "deployment/load", "-n", "default", "--site", "oslo")
    assert _done(whole)
    assert whole.lines[0] == "Deployment default/load: 5 of 5 ready at 3 sites"
    body = shell("get", "deployment/load", "-n", "default", "--site", "nice", "-o", "json").body
    assert {one["site"]: one["desired"] for one in body["whole"]["parts"]} == {"lyon": 3, "oslo": 1, "nice": 1}


def test_all_replicas_are_compared_by_what_was_declared(shell: Shell) -> None:
    same = shell("get", "configmap/settings", "-n", "default", "--scope", "oslo & nice", "--all")
    assert _done(same)
    assert same.lines[0] == "ConfigMap default/settings: at 2 of 2 sites, the same"
    changed = {**SETTINGS, "data": {"colour": "pink"}}
    api(shell, "oslo", "PUT", "/api/v1/namespaces/default/configmaps/settings", changed)
    differ = shell("get", "configmap/settings", "-n", "default", "--all", "-o", "json")
    assert _done(differ)
    assert differ.body["differences"] == {"data.colour": {"nice": "green", "oslo": "pink"}}
    where = {one["site"]: one["object"] is not None for one in differ.body["copies"]}
    assert where == {"lyon": False, "oslo": True, "nice": True}


def test_every_site_is_held_to_the_age_that_was_asked_for(shell: Shell) -> None:
    scope = ("--scope", "oslo & nice")
    assert _done(shell("get", "configmap/settings", "-n", "default", *scope, "--all", "--bound", "77s"))
    assert _done(shell("get", "deployment/load", "-n", "default", "--bound", "2m"))
    held: dict[float, set[str]] = {}
    for verdict in map(json.loads, shell("verdicts", "-o", "json").lines):
        for one in verdict["evidence"]:
            held.setdefault(one["bound_s"], set()).add(one["site"])
    assert (held[77.0], held[120.0]) == ({"oslo", "nice"}, {"lyon", "oslo", "nice"})


def test_the_parts_of_one_add_up_and_the_part_of_a_site_that_is_cut_off_is_named(shell: Shell) -> None:
    whole = shell("get", "deployment/load", "-n", "default", "--scope", SPREAD)
    assert _done(whole)
    assert whole.lines[0] == "Deployment default/load: 5 of 5 ready at 3 sites"
    assert _done(shell("sandbox", "cut", "nice"))
    for _ in range(20):  # until lyon has missed it
        part = shell("get", "deployment/load", "-n", "default", "--scope", SPREAD, "-o", "json")
        if part.body["whole"]["unknown"]:
            break
    assert part.code == 4
    assert part.body["whole"]["unknown"] == ["nice"]
    assert (part.body["whole"]["desired"], part.body["whole"]["ready"]) == (4, 4)
    by_its_words = shell("get", "deployment/load", "-n", "default", "--site", "lyon")
    assert by_its_words.code == 4
    assert by_its_words.lines[0] == "Deployment default/load: 4 of 4 ready at 2 sites; the part at nice is unknown"
    assert _done(shell("sandbox", "heal", "nice"))
