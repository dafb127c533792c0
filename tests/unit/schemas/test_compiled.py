"""Compiled code runs when it is of these very sources, and never else; whoever asks which code runs is told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from deploy.compiled.build import compilable, in_cython
from schemas import compiled
from services.resolver.graph.store import BELONGINGS, Graph
from tests.unit.resolver.world import LYON

ASKED = "from schemas import compiled; import services.resolver.graph.numbers as one; {rest}"
TOLD = "print(compiled.found(), one.__file__.endswith('.py'))"
MODULES = "schemas.relations.extract, services.resolver.judge.decide, services.watcher.telling.following"
CLOSURE = f"import {MODULES}, services.watcher.telling.batching, sys; print(*sys.modules)"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of all that runs, without anything built."""
    for name in ("schemas", "services"):
        shutil.copytree(compiled.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def _built(tree: Path) -> Path:
    folder = tree / compiled.FOLDER.name / compiled.digest(tree)
    folder.mkdir(parents=True)
    return folder


def _ran(tree: Path, switch: str, code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tree)!r}); {code}"]
    environment = {"PATH": "", compiled.SWITCH: switch}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "source",
    [
        "services/resolver/graph/numbers.py",
        "services/watcher/source.py",
        "services/watcher/telling/teller.pyx",
        "services/watcher/telling/native/writing.pxi",
        "schemas/native/weights.pxi",
    ],
)
def test_what_was_built_is_found_until_a_source_says_something_else(tree: Path, source: str) -> None:
    assert compiled.find(tree) == ("not built", None)
    folder = _built(tree)
    assert compiled.find(tree) == ("runs", folder)
    changed = tree / source
    before = changed.read_text()
    changed.write_text(before + "# said otherwise\n")
    assert compiled.find(tree) == ("of other sources", None)
    changed.write_text(before)
    assert compiled.find(tree) == ("runs", folder)


def test_a_source_that_comes_or_goes_is_a_change_too(tree: Path) -> None:
    _built(tree)
    more = tree / "schemas/more.py"
    more.write_text("")
    assert compiled.find(tree).state == "of other sources"
    more.unlink()
    (tree / "schemas/batches.py").unlink()
    assert compiled.find(tree).state == "of other sources"


def test_it_is_not_used_where_it_is_switched_off(tree: Path) -> None:
    _built(tree)
    assert compiled.find(tree, "0") == ("switched off", None)


def test_where_none_is_there_the_sources_run_unless_it_is_demanded(tree: Path) -> None:
    assert _ran(tree, "", ASKED.format(rest=TOLD)).stdout == "pure Python, compiled code: not built True\n"
    demanded = _ran(tree, "1", ASKED.format(rest=TOLD))
    assert demanded.returncode == 1
    assert "CHEOPS_COMPILED=1, and compiled code is not built (make compiled)" in demanded.stderr


def test_code_that_this_machine_cannot_load_is_left_alone(tree: Path) -> None:
    (_built(tree) / (compiled.LIBRARY + EXTENSION_SUFFIXES[0])).write_bytes(b"of another machine")
    assert _ran(tree, "", ASKED.format(rest=TOLD)).stdout == "pure Python, compiled code: cannot be loaded True\n"


def test_whatever_the_rooms_import_is_in_the_digest() -> None:
    loaded = _ran(compiled.ROOT, "0", CLOSURE).stdout.split()
    ours = {one for one in loaded if one.split(".")[0] in ("cheops", "schemas", "services")}
    covered = tuple(source.replace("/", ".") for source in compiled.SOURCES)
    assert len(ours) > 40
    assert {one for one in ours if not one.startswith(covered)} == {"services"}


def test_modules_that_define_structures_are_left_as_they_are() -> None:
    names = {one.stem for one in compilable()}
    assert {"numbers", "going", "at_once", "store", "reading", "decide", "extract", "by_name", "walking"} <= names
    assert {"following", "batching"} <= names
    assert names.isdisjoint({"kept", "view", "findings", "case", "written", "rule", "run", "__init__"})


def test_modules_that_stand_beside_themselves_in_cython_are_compiled_from_there() -> None:
    known = {"names", "quick", "stating", "ledger", "teller"}
    assert {one.stem for one in in_cython()} == known
    assert {one.stem for one in compilable()}.isdisjoint(known)


def test_modules_that_look_for_files_beside_them_are_left_as_they_are() -> None:
    assert {one.stem for one in compilable()}.isdisjoint({"ambient", "compiled", "loader", "surface"})


def test_a_graph_that_becomes_another_takes_over_all_that_it_has() -> None:
    assert {*BELONGINGS} == {*vars(Graph(LYON))}, "compiled classes have no __dict__, so store.py names them"
