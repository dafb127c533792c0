"""What the pages say is there, is there: paths, and commands that can be typed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cheops.cli.main import app

ROOT = Path(__file__).parents[3]
COMMAND = get_command(app)  # once: to put all commands together takes longer than one of them
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{name}.md" for name in ("architecture", "faults", "known-defects", "mesh", "metrics", "rules", "scale")),
    *(f"deploy/{name}/README.md" for name in ("ci", "controlplane", "image", "kind", "nats")),
)
PATH = re.compile(r"`((?:schemas|services|cheops|deploy|tests|docs)/[\w./-]*)(?:::\w+)?`|\]\(((?!https?:)[\w./-]+)\)")
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(((?!https?:)[^)\s]*)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
SET_BEFORE = re.compile(r"^((CHEOPS_\w+=\S*|…)\s+)+")
PROGRAM = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every line of a fenced block that starts with `cheops`, whatever is set before it."""
    blocks = (block for page in PAGES for block in FENCED.findall((ROOT / page).read_text()))
    lines = (SET_BEFORE.sub("", line.strip()) for block in blocks for line in block.replace("\\\n", " ").splitlines())
    return sorted({line for line in lines if line.startswith("cheops ")})


def test_every_verb_of_make_is_listed_by_its_help_and_is_no_file() -> None:
    makefile = (ROOT / "Makefile").read_text()
    verbs = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    listed = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    assert listed == verbs
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    assert sorted(phony[1].split()) == sorted(verbs)
    typed = re.compile(r"(?:^|`)make ([a-z]+)", re.MULTILINE)
    named = {verb for page in PAGES for verb in typed.findall((ROOT / page).read_text())}
    assert {"demo", "test", "lock"} <= named <= set(verbs)


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    folder = (ROOT / page).parent
    named = [(ROOT / ours if ours else folder / linked) for ours, linked in PATH.findall((ROOT / page).read_text())]
    assert [str(path.relative_to(ROOT)) for path in named if not path.exists()] == []


def test_every_link_of_every_page_leads_to_a_file_and_to_a_heading_of_it() -> None:
    pages = [page for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md") for page in ROOT.glob(pattern)]
    found = [(page, link) for page in pages for link in LINK.findall(page.read_text())]
    assert len(found) > 30
    for page, link in found:
        file, _, heading = link.partition("#")
        to = page.parent / file if file else page
        assert to.exists(), f"{page.relative_to(ROOT)}: {link}"
        if heading:
            there = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in HEADING.findall(to.read_text())}
            assert heading in there, f"{page.relative_to(ROOT)}: {link}"


@pytest.mark.parametrize("line", commands())
def test_every_command_in_a_page_can_be_typed(line: str) -> None:
    words = shlex.split(line.removesuffix(" &"), comments=True)[1:]
    words = [word for word in words[: words.index("|") if "|" in words else None] if word != "&"]
    command: Any = COMMAND
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    assert command.make_context("cheops", words).command is command, "its options and arguments are taken as they stand"


def test_a_type_checker_reads_the_program_of_the_first_page_and_finds_a_mistake_in_it(tmp_path: Path) -> None:
    (program,) = PROGRAM.findall((ROOT / "README.md").read_text())
    mistaken = program.replace("namespace=", "namespce=").replace(
        "import Intent, connect", "import Intent, conect as connect"
    )
    for name, text in (("program.py", program), ("mistaken.py", mistaken)):
        (tmp_path / name).write_text(text)
    read = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "program.py", "mistaken.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = [line for line in read.stdout.splitlines() if ": error: " in line]
    assert len(told) == 2, read.stdout + read.stderr
    assert "mistaken.py" in told[0], told[0]
    assert "has no attribute" in told[0], told[0]
    assert 'Unexpected keyword argument "namespce"' in told[1], told[1]
