"""Which server is meant, and as whom: arguments, environment, file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cheops.contexts import load_context, read_context
from cheops.lines import Lines, NoSiteError
from schemas.identity import SiteName
from services.chassis.errors import SettingsError

SERVERS = {
    "lyon": {"nats_url": "nats://127.0.0.1:1", "keys": "keys/lyon"},
    "oslo": {"nats_url": "nats://127.0.0.1:2", "keys": "/elsewhere"},
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "context.json"
    made.write_text(json.dumps({"sites": ["lyon", "oslo"], "servers": SERVERS}))
    for name in ("CHEOPS_NATS_URL", "CHEOPS_NATS_KEYS", "CHEOPS_SITE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CHEOPS_CONTEXT", str(made))
    return made


def test_each_site_has_its_server_and_relative_keys_are_beside_the_file(file: Path) -> None:
    context = load_context()
    assert context.servers["lyon"].keys == str(file.parent / "keys" / "lyon")
    assert context.servers["oslo"].keys == "/elsewhere"
    assert context.where == "nats://127.0.0.1:1, nats://127.0.0.1:2"


def test_a_server_that_is_named_stands_for_all_and_keeps_the_key_that_the_file_knows(file: Path) -> None:
    context = load_context("nats://127.0.0.1:2", "oslo")
    assert (context.servers, context.keys, context.where) == ({}, "/elsewhere", "nats://127.0.0.1:2")
    assert load_context("nats://127.0.0.1:3").keys == ""


def test_the_environment_names_server_keys_and_site(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEOPS_NATS_URL", "nats://127.0.0.1:3")
    monkeypatch.setenv("CHEOPS_NATS_KEYS", "/mine")
    monkeypatch.setenv("CHEOPS_SITE", "nice")
    context = load_context()
    assert (context.nats_url, context.keys, context.site, context.servers) == (
        "nats://127.0.0.1:3",
        "/mine",
        "nice",
        {},
    )


def test_a_wrong_field_is_named_with_its_file(file: Path) -> None:
    file.write_text(json.dumps({"servers": {"lyon": {"url": "nats://127.0.0.1"}}}))
    with pytest.raises(SettingsError, match=r"context\.json.*servers"):
        read_context(file)


async def test_a_site_without_a_server_is_no_site_and_a_key_needs_a_site(file: Path) -> None:
    with pytest.raises(NoSiteError, match=r"no site is called 'rome' \(there are lyon, oslo\)"):
        await Lines(load_context()).to(SiteName("rome"))
    with pytest.raises(NoSiteError, match="CHEOPS_SITE"):
        await Lines(load_context("nats://127.0.0.1:2")).all()


async def test_a_missing_key_is_named(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"client\.nk"):
        await Lines(load_context()).to(SiteName("lyon"))


def test_a_folder_that_is_gone_and_a_home_that_nobody_knows_hold_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for name in ("HOME", "CHEOPS_CONTEXT", "CHEOPS_NATS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)  # as in a container that runs as any user
    assert load_context().origin == "defaults"
