"""`python -m deploy.controlplane.build` (`make controlplane`): build the real control planes once.

    go.mod + go.sum of each family → is the stamp current? → `go build` into a fresh folder → rename → stamp

A family is one Go module here; its go.mod says the version and is the only place to change it. Nothing is built when
KUBEBUILDER_ASSETS names a folder: that one is used, and what it lacks is said. Two builds at once wait for each other.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cheops.sandbox.plane.assets import EVERYTHING, NEEDED, build_directory, foreign_directory, missing
from deploy.controlplane.families import FAMILIES, Family
from deploy.controlplane.go import BuildError, check_go, go_build
from deploy.controlplane.stamp import read_stamp, write_stamp


def main() -> int:
    try:
        return _report_foreign(foreign) if (foreign := foreign_directory()) else _build_missing(build_directory())
    except BuildError as error:
        print(f"controlplane: {error}", file=sys.stderr)
        return 1


def _report_foreign(directory: Path) -> int:
    absent = missing(directory, EVERYTHING)
    print(f"controlplane: KUBEBUILDER_ASSETS={directory} is used, nothing is built")
    if absent:
        print(f"controlplane: it has no {', '.join(absent)}; what needs them will say so")
    return 1 if set(absent) & set(NEEDED[:2]) else 0


def _build_missing(directory: Path) -> int:
    directory.mkdir(parents=True, exist_ok=True)
    with _only_one(directory / ".lock"):
        stale = [family for family in FAMILIES if not _is_current(family, directory)]
        if stale:
            check_go(max(family.go_version for family in stale))
        for family in stale:
            _build(family, directory)
    print(f"controlplane: {', '.join(EVERYTHING)} are in {directory}")
    return 0


def _is_current(family: Family, directory: Path) -> bool:
    return read_stamp(directory).get(family.name) == family.fingerprint and not missing(directory, family.programs)


def _build(family: Family, directory: Path) -> None:
    started_s = time.monotonic()
    print(f"controlplane: building {family.name} {family.version}: {', '.join(family.programs)}", flush=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=directory) as fresh:
        go_build(family, Path(fresh))
        write_stamp(directory, family.name, "")  # cut here, half is old and half is new: it must not look current
        for program in family.programs:
            os.replace(Path(fresh) / program, directory / program)
    write_stamp(directory, family.name, family.fingerprint)
    print(f"controlplane: {family.name} {family.version} took {time.monotonic() - started_s:.0f} s", flush=True)


@contextmanager
def _only_one(lock_file: Path) -> Iterator[None]:
    with lock_file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("controlplane: another build is at work here, waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in lock_file.parent.glob(".building-*"):  # of a build that was killed
            shutil.rmtree(left)
        yield


if __name__ == "__main__":
    sys.exit(main())
