"""Ctrl-C while the program is still being loaded."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3] / "pyproject.toml"
SCRIPT = """
import signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == {name!r}:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from {module} import {function}
sys.argv = ["cheops", "explain", "D310"]
{function}()
"""


@pytest.mark.parametrize("name", ["typer", "cheops.cli.main", "cheops.cli.serve", "schemas.codes"])
def test_an_interrupt_among_the_imports_ends_the_program_without_a_word(name: str) -> None:
    module, _, function = tomllib.loads(PROJECT.read_text())["project"]["scripts"]["cheops"].partition(":")
    script = SCRIPT.format(name=name, module=module, function=function)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")
