"""What `--help` says: a sentence, whole; arguments without types; examples as they are typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from typing import Any

import pytest
from click.testing import CliRunner
from typer.main import get_command

from cheops.cli.main import app
from schemas import compiled

CHEOPS = get_command(app)  # built once: every invocation of the app builds all commands anew
FAMILIES = ["Intents:", "Verdicts:", "Dependencies:", "Offline:", "The mesh:"]


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that can be typed."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name)


@cache
def page(*words: str, width: int = 80) -> str:
    """A help page, on a terminal of so many columns."""
    ran = CliRunner(env={"COLUMNS": str(width)}).invoke(CHEOPS, [*words, "--help"], prog_name="cheops")
    assert ran.exit_code == 0
    return ran.stdout


@pytest.mark.parametrize("words", list(commands(CHEOPS)), ids=" ".join)
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


@pytest.mark.parametrize("width", [40, 60, 79])
@pytest.mark.parametrize("words", [(), *commands(CHEOPS)], ids=" ".join)
def test_a_page_is_as_narrow_as_its_terminal_and_breaks_nothing_that_is_typed(
    words: tuple[str, ...], width: int
) -> None:
    text, wide = page(*words, width=width), page(*words, width=400)
    long = [line for line in text.splitlines() if len(line) > width]
    assert all(line.startswith((" ", "Usage")) and is_typed(line) for line in long), long
    for typed in re.findall(r"^ +((?:CHEOPS_\w+=\S+ )*cheops .*?)(?:   .*)?$", wide, re.MULTILINE):
        assert f" {typed}\n" in f"{text}\n" or f" {typed}  " in text
    assert set(re.findall(r"--[a-z-]+|[a-z]+/[a-z-]+|CHEOPS_\w+", wide)) == set(
        re.findall(r"--[a-z-]+|[a-z]+/[a-z-]+|CHEOPS_\w+", text)
    )


def is_typed(line: str) -> bool:
    """An example, or an option with the words that it takes."""
    return "cheops " in line or line.strip().startswith("-")


def test_the_page_of_a_service_names_its_settings() -> None:
    text = page("serve", "resolver")
    assert "\nSettings (environment variables):\n  CHEOPS_" in text


def test_what_has_to_be_said_stands_without_braces() -> None:
    assert page("rules", "check").startswith("Usage: cheops rules check [OPTIONS] FILE...\n")
    assert page("plan").startswith("Usage: cheops plan [OPTIONS] [ID]\n")


def test_the_version_is_printed_without_a_command() -> None:
    ran = CliRunner().invoke(CHEOPS, ["--version"], prog_name="cheops")
    assert (ran.exit_code, ran.stdout) == (0, f"cheops {version('cheops')} ({compiled.found()})\n")
