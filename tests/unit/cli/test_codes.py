"""`cheops explain CODE`: every code that the sources can say is one that it knows, with any letter in force."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

import cheops
import services
from cheops.cli.main import app
from schemas.codes import CODES, Code, find

SAID = re.compile(r'"([DFWNA]\d{3})"')
COMMAND = get_command(app)  # once: to put all commands together takes longer than one of them
ROOTS = [Path(next(iter(one.__path__))) for one in (cheops, services)]


def said() -> set[str]:
    """The codes that stand as words in the sources."""
    return {code for root in ROOTS for path in root.rglob("*.py") for code in SAID.findall(path.read_text())}


def test_every_code_in_the_sources_is_known() -> None:
    assert {code for code in said() if find(code) is None} == set()
    assert len(said()) > 40


@pytest.mark.parametrize("code", CODES, ids=[f"{one.letter}{one.number}" for one in CODES])
def test_a_code_is_explained_by_letter_and_number_and_by_number(code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"{code.letter}{code.number}"
    for words in (text, text.lower()):
        COMMAND(["explain", words], standalone_mode=False)
        out = capsys.readouterr().out
        assert text in out
        assert code.title in out
