"""Which sites a resolver knows is a list of names in an environment variable."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.relations.rule_file import RuleError
from services.chassis.errors import SettingsError
from services.resolver.__main__ import ResolverSettings, gone, run


@pytest.mark.parametrize(
    ("given", "peers"), [("", ()), ("oslo", ("oslo",)), (" oslo, nice ,", ("oslo", "nice")), ("a-1,b", ("a-1", "b"))]
)
def test_peers_are_names_with_commas_between(
    given: str, peers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHEOPS_SITE", "lyon")
    monkeypatch.setenv("CHEOPS_PEERS", given)
    assert ResolverSettings().peers == peers


def test_a_peer_that_is_no_site_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEOPS_SITE", "lyon")
    monkeypatch.setenv("CHEOPS_PEERS", "oslo,*")
    with pytest.raises(ValidationError, match="peers"):
        ResolverSettings()


def test_a_site_cannot_be_told_that_it_is_gone_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEOPS_SITE", "lyon")
    monkeypatch.setenv("CHEOPS_GONE", "rome,lyon")
    with pytest.raises(SettingsError, match="CHEOPS_GONE: lyon is this site"):
        gone(ResolverSettings())
    monkeypatch.setenv("CHEOPS_GONE", "rome")
    assert gone(ResolverSettings()) == {"rome"}


@pytest.mark.parametrize("name", ["CHEOPS_POLICY", "CHEOPS_RULES"])
async def test_a_file_that_cannot_be_read_is_told_before_anybody_waits_for_a_bus(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHEOPS_SITE", "lyon")
    monkeypatch.setenv("CHEOPS_NATS_URL", "nats://127.0.0.1:1")
    monkeypatch.setenv(name, str(tmp_path / "nowhere.yaml"))
    async with asyncio.timeout(30):
        with pytest.raises((SettingsError, RuleError), match=r"nowhere\.yaml"):
            await run(ResolverSettings())
