"""`python -m deploy.compiled.build` (`make compiled`): compile the rooms that compute most, with mypyc and Cython.

    sources ─▶ digest ─▶ is it there? ─▶ mypyc, C compiler, into a fresh folder ─▶ still the same digest? ─▶ rename

A module that stands beside itself in Cython (names.py and names.pyx) is compiled from there (docs/adr/0040).

Nothing needs it: without it the same sources run as they are (schemas/compiled.py, docs/adr/0022). What was
compiled of former sources is removed.
"""

from __future__ import annotations

import ast
import io
import os
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

from schemas.compiled import FOLDER, GROUP, ROOMS, ROOT, digest

STRUCTURES = frozenset(("Struct", "BaseModel"))  # classes that are made of annotations as Python runs


def main() -> int:
    wanted = digest()
    if (FOLDER / wanted).is_dir():
        print(f"compiled: {FOLDER / wanted} is there already")
        return 0
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if shutil.which(compiler) is None or not header.is_file():
        print(f"compiled: needs a C compiler ({compiler}) and {header}; without them the sources run as they are")
        return 1
    started_s = time.monotonic()
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix="building-") as folder:
        made = Path(folder) / "made"
        modules, beside = [*compilable()], [*in_cython()]
        _compile(modules, beside, Path(folder), made)
        if digest() != wanted:
            print("compiled: a source was changed meanwhile; make compiled again", file=sys.stderr)
            return 1
        for former in FOLDER.iterdir():
            if not former.name.startswith("building-"):
                shutil.rmtree(former)
        made.rename(FOLDER / wanted)
    taken_s = time.monotonic() - started_s
    print(f"compiled: {len(modules) + len(beside)} modules in {taken_s:.0f} s, into {FOLDER / wanted}")
    return 0


def compilable() -> Iterator[Path]:
    """The modules of the rooms, but those that define structures, and those that look for files beside them."""
    for room in ROOMS:
        for file in sorted((ROOT / room.replace(".", "/")).glob("*.py")):
            module = ast.parse(file.read_bytes())
            if file.name == "__init__.py" or file.with_suffix(".pyx").is_file():
                continue
            if not _defines_structures(module) and not _asks_where_it_is(module):
                yield file


def in_cython() -> Iterator[Path]:
    """The modules of the rooms that are written in Cython, too."""
    for room in ROOMS:
        yield from sorted((ROOT / room.replace(".", "/")).glob("*.pyx"))


def _defines_structures(module: ast.Module) -> bool:
    classes = (one for one in ast.walk(module) if isinstance(one, ast.ClassDef))
    return any(isinstance(base, ast.Name) and base.id in STRUCTURES for one in classes for base in one.bases)


def _asks_where_it_is(module: ast.Module) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "__file__" for one in ast.walk(module))


def _compile(modules: list[Path], beside: list[Path], scratch: Path, into: Path) -> None:
    from Cython.Build import cythonize
    from mypyc.build import mypycify
    from setuptools import Distribution, Extension

    os.chdir(ROOT)  # mypyc calls a module by its path from here
    options = ["--config-file=pyproject.toml", f"--cache-dir={scratch / 'cache'}"]
    paths = [str(one.relative_to(ROOT)) for one in modules]
    said = io.StringIO()  # it warns of each generator that it makes a list of
    try:
        with redirect_stdout(said):
            extensions = mypycify([*options, *paths], opt_level="3", group_name=GROUP, target_dir=str(scratch / "c"))
    except SystemExit:
        sys.stderr.write(said.getvalue())
        raise
    named = {str(one.relative_to(ROOT).with_suffix("")).replace("/", "."): str(one.relative_to(ROOT)) for one in beside}
    flags = ["-O3", "-fno-strict-aliasing"]  # numbers are read from bytes
    written = [Extension(name, [file], extra_compile_args=flags) for name, file in named.items()]
    extensions += cythonize(written, build_dir=str(scratch / "cython"), quiet=True)
    command = Distribution({"name": GROUP, "ext_modules": extensions}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(into), str(scratch / "objects")
    command.ensure_finalized()
    command.run()


if __name__ == "__main__":
    sys.exit(main())
