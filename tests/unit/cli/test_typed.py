"""Only the command that is typed is put together, and it is what it is among all the others."""

from __future__ import annotations

from typing import Any

import pytest
import typer.main
from click.testing import CliRunner
from typer.main import get_command

from cheops.cli.main import app
from cheops.cli.typed import as_typed
from tests.unit.cli.test_help import CHEOPS, commands

EVERY = list(commands(CHEOPS))


def said(command: Any, words: tuple[str, ...]) -> tuple[int, str]:
    """Exit code and all output."""
    ran = CliRunner(env={"COLUMNS": "90"}).invoke(command, words, prog_name="cheops")
    return ran.exit_code, ran.output


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_what_is_typed_is_there_alone_and_says_the_same(words: tuple[str, ...]) -> None:
    narrow = get_command(as_typed(app, words))
    assert list(commands(narrow)) == [words]
    for rest in ("--help", "--no-such-option"):
        assert said(narrow, (*words, rest)) == said(CHEOPS, (*words, rest))


@pytest.mark.parametrize(
    "words",
    [(), ("--help",), ("--version",), ("aply",), ("sandbox",), ("sandbox", "--help"), ("sandbox", "upp")],
    ids=" ".join,
)
def test_what_names_no_command_is_told_of_all_there_are(words: tuple[str, ...]) -> None:
    assert said(get_command(as_typed(app, words)), words) == said(CHEOPS, words)


def test_the_program_puts_no_other_command_together(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = typer.main.get_command_from_info

    def counted(**info: Any) -> Any:
        made.append(info["command_info"])
        return real(**info)

    monkeypatch.setattr(typer.main, "get_command_from_info", counted)
    app(["sandbox", "up", "--help"], standalone_mode=False, prog_name="cheops")
    assert len(made) == 1
