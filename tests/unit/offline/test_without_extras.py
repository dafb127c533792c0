"""What `pip install cheops` brings is enough for what asks no cluster: so CI has it, and a hook of pre-commit."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

from cheops.demo.stage import MANIFESTS

SLOW = frozenset({"nats", "networkx"})  # with aiohttp half of what a check would import
NAMED = re.compile(r"([A-Za-z0-9._-]+)(?:\[([^]]*)\])?")
PROGRAM = """
import sys
from importlib.machinery import PathFinder
HIDDEN = {*sys.argv.pop(1).split(",")}
class Installed(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else PathFinder.find_spec(name, path, target)
sys.meta_path[:] = [Installed if one is PathFinder else one for one in sys.meta_path]
from cheops.__main__ import main
sys.exit(main())
"""


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def brought(name: str, extras: str, found: set[str]) -> set[str]:
    """Distributions that come along with one, whatever the machine."""
    wanted = {one.strip() for one in extras.split(",") if one.strip()}
    if plain(name) not in found or wanted:
        found.add(plain(name))
        try:
            rows = requires(name) or []
        except PackageNotFoundError:
            return found
        for row in rows:
            asked = re.search(r"extra == ['\"]([^'\"]+)['\"]", row)
            match = NAMED.match(row)
            if match and (asked is None or asked[1] in wanted):
                brought(match[1], match[2] or "", found)
    return found


def run(folder: Path, *words: str, without: frozenset[str] = frozenset()) -> subprocess.CompletedProcess[str]:
    there = brought("cheops", "", set())
    homes = packages_distributions()
    hidden = {module for module, names in homes.items() if there.isdisjoint(map(plain, names))}
    assert {"aiohttp", "kubernetes", "hypothesis"} <= hidden
    assert {"pydantic", "typer", "nats", "cheops"}.isdisjoint(hidden)
    command = [sys.executable, "-c", PROGRAM, ",".join(sorted(hidden | without)), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("check", "--site", "lyon=there", "--delete", "secret/edge-ca", "-n", "shop"), 3),
        (("order", "-f", "there"), 0),
        (("tree", "deployment/web", "-n", "shop", "-f", "there"), 0),
        (("mesh", "init", "--sites", "lyon,oslo"), 0),
    ],
)
def test_what_asks_no_cluster_needs_no_extra_nor_what_is_slow_to_import(
    tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "shop.yaml").write_bytes((MANIFESTS / "shop.yaml").read_bytes())
    done = run(tmp_path, *words, without=SLOW)
    assert (done.returncode, done.stderr) == (code, ""), done.stderr + done.stdout


def test_a_service_whose_extra_is_not_installed_says_which(tmp_path: Path) -> None:
    done = run(tmp_path, "serve", "watcher")
    assert (done.returncode, done.stdout) == (1, "")
    told = re.fullmatch(
        r"cheops: \w+ is not installed \(pip install 'cheops\[EXTRA\]', EXTRA one of (.*)\)\n", done.stderr
    )
    assert told is not None, done.stderr
    assert "watcher" in told[1].split(", ")
