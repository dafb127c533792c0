"""Secrets are sealed for one executor; after its key was renewed it opens what is under way with the older one."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey

from services.chassis.errors import SettingsError
from services.chassis.kubernetes.sealing import KEY_NAME_LEN, SEALED, SealError, opened, public_half, sealed
from services.executor.sealing import FILE, Keyring, renew

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def secret(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ca", "namespace": "shop"}, "data": data}


def test_what_was_sealed_before_a_key_was_renewed_is_opened_with_the_older_one(tmp_path: Path) -> None:
    """By the process that runs, and by the next one."""
    ring = Keyring(tmp_path)
    before = ring.public
    under_way = sealed(secret(crt="b2xk"), before)
    renewed = renew(tmp_path / FILE)
    assert ring.public == renewed != before
    fresh = sealed(secret(crt="bmV3"), ring.public)
    for one in (ring, Keyring(tmp_path)):
        assert one.open(under_way) == secret(crt="b2xk")
        assert one.open(fresh) == secret(crt="bmV3")
    assert under_way["data"]["crt"].startswith(f"{SEALED}{before[:KEY_NAME_LEN]}:")
    assert fresh["data"]["crt"].startswith(f"{SEALED}{renewed[:KEY_NAME_LEN]}:")


def test_a_key_that_is_taken_out_of_the_file_opens_nothing_any_more(tmp_path: Path) -> None:
    ring = Keyring(tmp_path)
    under_way = sealed(secret(crt="b2xk"), ring.public)
    renew(tmp_path / FILE)
    (tmp_path / FILE).write_text((tmp_path / FILE).read_text().splitlines()[0] + "\n\n")
    with pytest.raises(SealError, match="sealed for another key"):
        ring.open(under_way)


def test_keys_are_kept_newest_first_and_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    ring = Keyring(folder)
    names = [ring.public, *(renew(folder / FILE) for _ in range(3))]
    lines = (folder / FILE).read_text().split()
    assert [public_half(PrivateKey(bytes.fromhex(line))) for line in lines] == names[::-1]
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert [one.name for one in folder.iterdir()] == [FILE]
    assert all(ring.private(name[:KEY_NAME_LEN]) is not None for name in names)
    assert ring.private("0" * KEY_NAME_LEN) is None


@pytest.mark.parametrize("text", ["", "\n", "not hexadecimal\n", "abcd\n", "00" * 31 + "\n"])
def test_a_file_that_holds_no_keys_is_refused_and_never_written_over(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    ring = Keyring(tmp_path)
    with pytest.raises(SettingsError, match=FILE):
        _ = ring.public
    assert (tmp_path / FILE).read_text() == text


def test_without_a_file_a_key_lives_as_long_as_its_process() -> None:
    one, next_one = Keyring(None), Keyring(None)
    under_way = sealed(secret(crt="b2xk"), one.public)
    assert one.open(under_way) == secret(crt="b2xk")
    with pytest.raises(SealError):
        next_one.open(under_way)


@given(st.dictionaries(st.text("abcdefgh.-", min_size=1), st.text(max_size=200), max_size=5))
def test_every_value_is_sealed_and_opened_and_no_key_of_the_map_is(data: dict[str, str]) -> None:
    key = PrivateKey.generate()
    plain = {**secret(**data), "stringData": {"word": "plain"}, "type": "Opaque"}
    closed = sealed(plain, public_half(key))
    assert closed["data"].keys() == data.keys()
    values = [*closed["data"].values(), *closed["stringData"].values()]
    assert all(one.startswith(SEALED) for one in values)
    assert sealed(closed, public_half(PrivateKey.generate())) == closed, "what is sealed stays as it is"
    assert opened(closed, {public_half(key)[:KEY_NAME_LEN]: key}) == plain


@pytest.mark.parametrize("harm", ["", "!!!!", "AAAA", "another text"])
def test_what_was_changed_on_the_way_is_not_opened(harm: str) -> None:
    key = PrivateKey.generate()
    closed = sealed(secret(crt="b2xk"), public_half(key))
    closed["data"]["crt"] = f"{SEALED}{public_half(key)[:KEY_NAME_LEN]}:{harm}"
    with pytest.raises(SealError, match="cannot be opened"):
        opened(closed, {public_half(key)[:KEY_NAME_LEN]: key})


def test_what_kubectl_repeats_of_a_secret_is_left_out_and_other_kinds_stay_as_they_are() -> None:
    key = public_half(PrivateKey.generate())
    noted = secret(crt="b2xk")
    noted["metadata"]["annotations"] = {LAST_APPLIED: '{"data": {"crt": "b2xk"}}', "team": "web"}
    assert sealed(noted, key)["metadata"]["annotations"] == {"team": "web"}
    settings = {**secret(mode="open"), "kind": "ConfigMap"}
    assert sealed(settings, key) is settings
    with pytest.raises(SealError, match="no key"):
        sealed(secret(crt="b2xk"), "no key at all")
