"""Settings of services: every variable can be read on a page, and a bad one is named in a line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cheops.site import SiteSettings
from schemas.identity import KindId
from services.chassis.errors import SettingsError
from services.chassis.settings import ServiceSettings, mistyped, read_settings
from services.executor.__main__ import ExecutorSettings
from services.resolver.__main__ import ResolverSettings
from services.watcher.__main__ import WatcherSettings
from tests.kit.command import Shell


@pytest.fixture(autouse=True)
def _lyon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEOPS_SITE", "lyon")


@pytest.mark.parametrize("text", ["mine.yaml, other.yaml", '["mine.yaml", "other.yaml"]'])
@pytest.mark.parametrize("model", [WatcherSettings, ResolverSettings, ExecutorSettings])
def test_rule_files_are_named_with_commas_or_as_a_json_list(
    monkeypatch: pytest.MonkeyPatch, model: type[WatcherSettings | ResolverSettings | ExecutorSettings], text: str
) -> None:
    monkeypatch.setenv("CHEOPS_RULES", text)
    assert read_settings(model).rules == (Path("mine.yaml"), Path("other.yaml"))


def test_kinds_that_are_not_watched_are_named_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEOPS_EXCLUDE", "Event,apps/ReplicaSet")
    assert read_settings(WatcherSettings).exclude == (KindId("Event"), KindId("apps/ReplicaSet"))


def test_each_variable_that_cannot_be_used_is_named_with_what_was_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEOPS_PEERS", "A B")
    monkeypatch.setenv("CHEOPS_METRICS_PORT", "high")
    monkeypatch.setenv("CHEOPS_RULES", '["mine.yaml"')
    with pytest.raises(SettingsError) as caught:
        read_settings(ResolverSettings)
    ports, rules, peers = str(caught.value).split("; ")
    assert ports == "CHEOPS_METRICS_PORT: expected a whole number"
    assert rules.startswith("CHEOPS_RULES: neither a,b nor a JSON list")
    assert peers == "CHEOPS_PEERS: expected a DNS label: a-z, 0-9 and '-', at most 63"


@pytest.mark.parametrize(
    ("variable", "value"), [("CHEOPS_PEERS", "A B"), ("CHEOPS_GATE_PORT", "0"), ("CHEOPS_ACTING_MAX", "0")]
)
def test_what_one_of_a_sites_three_services_cannot_use_is_a_line_and_exit_code_2(
    tmp_path: Path, variable: str, value: str
) -> None:
    done = Shell(tmp_path, "lyon")("serve", "site", **{variable: value})
    assert done.code == 2
    assert f"{variable}: " in done.out + done.err
    assert "Traceback" not in done.out + done.err


def test_the_page_of_a_service_names_all_its_settings(tmp_path: Path) -> None:
    models: dict[str, list[type[ServiceSettings]]] = {
        "watcher": [WatcherSettings],
        "resolver": [ResolverSettings],
        "executor": [ExecutorSettings],
        "site": [WatcherSettings, ResolverSettings, ExecutorSettings],
    }
    for service, read in models.items():
        page = Shell(tmp_path)("serve", service, "--help").out
        names = {f"CHEOPS_{field.upper()}" for model in read for field in model.model_fields}
        assert names <= set(page.split()), service


def test_a_variable_that_looks_like_a_setting_is_told_and_what_others_read_is_not() -> None:
    models = (WatcherSettings, ResolverSettings, ExecutorSettings, SiteSettings)
    others = {
        "CHEOPS_CONTEXT",
        "CHEOPS_COMPILED",
        "CHEOPS_CONTROLPLANE_DIR",
        "CHEOPS_SINCE",
        "CHEOPS_POLICY_FILE",
        "HOME",
    }
    settings = {f"CHEOPS_{name.upper()}" for model in models for name in model.model_fields}
    for model in models:
        assert mistyped([model], settings | others) == [], model
    typed = ("CHEOPS_SNAPSHOT", "CHEOPS_PEER", "CHEOPS_PEERS", "CHEOPS_POLCY")
    assert mistyped([ResolverSettings], typed) == [
        ("CHEOPS_PEER", "CHEOPS_PEERS"),
        ("CHEOPS_POLCY", "CHEOPS_POLICY"),
        ("CHEOPS_SNAPSHOT", "CHEOPS_SNAPSHOTS"),
    ]


def test_a_service_says_at_its_start_which_variable_sets_nothing() -> None:
    program = """
from services.chassis import lifecycle
from services.chassis.settings import ServiceSettings

async def run(settings):
    pass

lifecycle.main("any", ServiceSettings, run)
"""
    environment = {**os.environ, "CHEOPS_NATS_KEY": "/keys"}
    of_a_site = subprocess.run(
        [sys.executable, "-m", "cheops", "serve", "site"], capture_output=True, text=True, check=False,
        env={**environment, "CHEOPS_PEER": "oslo", "CHEOPS_KUBECONFIG": "/nowhere"},
    )  # fmt: skip
    first, second, *_ = map(json.loads, of_a_site.stderr.splitlines()[:2])
    assert (first["like"], second["like"]) == ("CHEOPS_NATS_KEYS", "CHEOPS_PEERS")
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    said = json.loads(ran.stderr)
    assert (said["level"], said["variable"], said["like"]) == ("warning", "CHEOPS_NATS_KEY", "CHEOPS_NATS_KEYS")
