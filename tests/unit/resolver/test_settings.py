"""Which sites a resolver knows is a list of names in an environment variable."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.chassis.errors import SettingsError
from services.resolver.__main__ import ResolverSettings, gone


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
