"""`cheops mesh`: what is to be done after each change is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from cheops.cli.main import app
from services.executor.sealing import FILE, Keyring


def ran(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        app(list(words))
    return int(ended.value.code or 0)


def test_a_new_key_for_secrets_asks_for_nothing_and_says_what_it_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mesh = tmp_path / "mesh"
    assert ran("mesh", "init", "--sites", "lyon,oslo", "--out", str(mesh)) == 0
    keys = mesh / "lyon" / "keys"
    before = Keyring(keys).public
    capsys.readouterr()
    assert ran("mesh", "revoke", "lyon", "--role", "sealing", "--out", str(mesh)) == 0
    assert capsys.readouterr().out.startswith("Secrets for lyon are sealed with a new key from now on")
    assert Keyring(keys).public != before
    assert len((keys / FILE).read_text().split()) == 2
