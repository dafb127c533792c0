"""The words of a set on real objects: a site that goes is struck out, what is brought along joins, strangers' stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.flow.test_sets import live, settings, write
from tests.flow.test_sharing import WEB
from tests.kit.command import Ran, Shell, sandbox

SITES = ("lyon", "oslo", "nice")
KEY_PATH = "/api/v1/namespaces/default/secrets/edge-ca"
KEY = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "edge-ca", "namespace": "default"}}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with sandbox(tmp_path_factory.mktemp("words"), *SITES) as made:
        (made.folder / "web.yaml").write_text(yaml.safe_dump(WEB))
        yield made


def words(body: dict[str, Any] | None) -> dict[str, str]:
    """Labels and annotations of ours that say who is of a set."""
    metadata = (body or {"metadata": {}})["metadata"]
    found = {**metadata.get("labels", {}), **metadata.get("annotations", {})}
    return {name: text for name, text in found.items() if name in ("cheops.io/replicas", "cheops.io/replica-set")}


def done(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.out + ran.err
    return dict(ran.body)


def test_a_replica_that_was_deleted_at_one_site_is_not_brought_back_without_a_scope(shell: Shell) -> None:
    write(shell, mode="first")
    done(shell("apply", "-f", "settings.yaml", "--site", "lyon", "--scope", "lyon & oslo & nice", "-o", "json"))
    gone = done(shell("delete", "configmap/settings", "--site", "lyon", "--scope", "lyon", "-o", "json"))
    assert {(one["site"], one["action"]) for one in gone["plan"]} == {
        ("lyon", "delete"),
        ("oslo", "annotate"),
        ("nice", "annotate"),
    }
    assert {words(settings(shell, one))["cheops.io/replicas"] for one in ("oslo", "nice")} == {"nice,oslo"}
    assert (settings(shell, "oslo") or {})["data"] == {"mode": "first"}, "all else stays as it was declared"
    write(shell, mode="second")
    done(shell("apply", "-f", "settings.yaml", "--site", "oslo", "-o", "json"))
    assert settings(shell, "lyon") is None
    assert [(settings(shell, one) or {})["data"]["mode"] for one in ("oslo", "nice")] == ["second"] * 2
    done(shell("delete", "configmap/settings", "--site", "oslo", "--scope", "oslo", "-o", "json"))
    assert words(settings(shell, "nice")) == {}, "one alone is no set"
    done(shell("delete", "configmap/settings", "--site", "nice", "-o", "json"))


def test_what_is_brought_along_is_found_by_later_intents_without_a_scope(shell: Shell) -> None:
    (shell.folder / "key.yaml").write_text(yaml.safe_dump({**KEY, "stringData": {"crt": "one"}}))
    done(shell("apply", "-f", "key.yaml", "--site", "nice", "-o", "json"))
    scope = "deployment: lyon, secret: nice & lyon"
    done(shell("apply", "-f", "web.yaml", "--site", "lyon", "--scope", scope, "-o", "json"))
    assert words(live(shell, "lyon", KEY_PATH)) == words(live(shell, "nice", KEY_PATH))
    assert words(live(shell, "nice", KEY_PATH))["cheops.io/replicas"] == "lyon,nice"
    (shell.folder / "key.yaml").write_text(yaml.safe_dump({**KEY, "stringData": {"crt": "two"}}))
    done(shell("apply", "-f", "key.yaml", "--site", "nice", "-o", "json"))
    both = [(live(shell, one, KEY_PATH) or {})["data"] for one in ("lyon", "nice")]
    assert both == [{"crt": "dHdv"}] * 2
    done(shell("delete", "deployment/web", "--site", "lyon", "-o", "json"))
    done(shell("delete", "secret/edge-ca", "--site", "lyon", "-o", "json"))
    assert [live(shell, one, KEY_PATH) for one in SITES] == [None] * 3
