"""What `--help` says: a sentence, whole; arguments without types; examples as they are typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from cheops.cli.main import app
from schemas import compiled

FAMILIES = ["Intents:", "Verdicts:", "Dependencies:", "Offline:", "The mesh:"]


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that can be typed."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name)


def page(*words: str) -> str:
    """A help page, on a terminal of 80 columns."""
    ran = CliRunner(env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"}).invoke(app, [*words, "--help"], prog_name="cheops")
    assert ran.exit_code == 0
    return ran.stdout


@pytest.mark.parametrize("words", list(commands(get_command(app))), ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    text = page(*words)
    assert text.startswith(f"Usage: cheops {' '.join(words)}")
    sentence = text.split("\n\n")[1].strip()
    assert sentence[0].isupper() or sentence.startswith(("Bus", "Cluster"))
    assert "<str>" not in text
    assert "list[str]" not in text
    assert "\nExamples:\n  " in text
    assert f" cheops {' '.join(words)}" in text.split("Examples:")[1]


def test_the_first_page_stands_in_families_and_cuts_no_sentence() -> None:
    text = page()
    assert [line for line in text.splitlines() if re.match(r"\w[\w ]*:$", line)] == ["Options:", *FAMILIES]
    assert "..." not in text.replace("[ARGS]...", "")
    assert "Exit codes: 0 allow or done" in text


def test_the_version_is_printed_without_a_command() -> None:
    ran = CliRunner().invoke(app, ["--version"], prog_name="cheops")
    assert (ran.exit_code, ran.stdout) == (0, f"cheops {version('cheops')} ({compiled.found()})\n")
