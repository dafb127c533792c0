"""`make controlplane`: what is built, when it is built again, and what is said when it cannot be.

The compiler here is a script that writes the files a real one would: compiling takes minutes.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cheops.sandbox.plane.assets import EVERYTHING, ControlPlaneMissingError, find_assets, require
from deploy.controlplane.build import main
from deploy.controlplane.families import FAMILIES

FAKE_GO = """#!/bin/sh
if [ "$1" = env ]; then echo '{"GOVERSION": "@version@", "GOTOOLCHAIN": "local"}'; exit; fi
echo "$*" >> @calls@
echo "example.org/package" >&2
[ -e @broken@ ] && { echo "main.go:1: it does not compile" >&2; exit 1; }
shift
while [ "$1" != -o ]; do shift; done
target=$2
shift 2
for package in "$@"; do
    name=${package##*/}
    [ "$name" = . ] && name=etcd
    : > "$target$name"
    chmod +x "$target$name"
done
"""


class Workshop:
    """A compiler of a chosen version and the folder it builds into."""

    def __init__(self, directory: Path) -> None:
        self.target = directory / "built"
        self.calls = directory / "calls"
        self.broken = directory / "broken"
        self._programs = directory / "bin"
        self._programs.mkdir()
        self.install("go1.99.1")

    def install(self, version: str) -> None:
        text = (
            FAKE_GO.replace("@version@", version)
            .replace("@calls@", str(self.calls))
            .replace("@broken@", str(self.broken))
        )
        go = self._programs / "go"
        go.write_text(text)
        go.chmod(0o755)

    @property
    def path(self) -> str:
        return str(self._programs)

    def builds(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    workshop = Workshop(tmp_path)
    monkeypatch.setenv("PATH", f"{workshop.path}:/usr/bin:/bin")
    monkeypatch.setenv("CHEOPS_CONTROLPLANE_DIR", str(workshop.target))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return workshop


def test_everything_is_built_once_and_then_found(workshop: Workshop) -> None:
    assert find_assets() is None
    assert main() == 0
    assert find_assets() == require(EVERYTHING) == workshop.target
    assert workshop.builds() == len(FAMILIES)
    assert main() == 0
    assert workshop.builds() == len(FAMILIES)


def test_only_the_family_with_a_lost_program_is_built_again(workshop: Workshop) -> None:
    main()
    (workshop.target / "kubectl").unlink()
    assert main() == 0
    assert workshop.builds() == len(FAMILIES) + 1


def test_a_stamp_of_other_sources_is_not_believed(workshop: Workshop) -> None:
    main()
    stamp = workshop.target / "stamp.json"
    stamp.write_text(stamp.read_text().replace('"etcd": "v', '"etcd": "w'))
    assert main() == 0
    assert workshop.builds() == len(FAMILIES) + 1


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00"])
def test_a_damaged_stamp_means_building_again(workshop: Workshop, content: str) -> None:
    main()
    (workshop.target / "stamp.json").write_text(content)
    assert main() == 0
    assert workshop.builds() == 2 * len(FAMILIES)


def test_a_failed_build_says_what_the_compiler_said_and_leaves_nothing_half_done(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    workshop.broken.touch()
    assert main() == 1
    assert "go build of etcd failed:\nexample.org/package\nmain.go:1: it does not compile" in capsys.readouterr().err
    assert {path.name for path in workshop.target.iterdir()} == {".lock"}


def test_what_a_killed_build_left_is_swept(workshop: Workshop) -> None:
    (workshop.target / ".building-old").mkdir(parents=True)
    assert main() == 0
    assert not (workshop.target / ".building-old").exists()


def test_without_go_the_answer_says_how_to_get_it(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main() == 1
    assert re.search(
        r"no `go` on the PATH: install Go 1\.\d+\.\d+ or newer.*KUBEBUILDER_ASSETS", capsys.readouterr().err
    )


def test_a_go_that_is_too_old_is_named(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    workshop.install("go1.20.14")
    assert main() == 1
    assert re.search(r"go1\.20\.14 is too old: install Go 1\.", capsys.readouterr().err)


def test_a_foreign_folder_is_used_and_what_it_lacks_is_named(
    workshop: Workshop, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for program in ("etcd", "kube-apiserver", "kubectl"):
        shutil.copy2(workshop.target / program, foreign / program)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(foreign))
    assert main() == 0
    assert "it has no kube-controller-manager, kube-scheduler, kwok" in capsys.readouterr().out
    assert find_assets() == foreign
    with pytest.raises(ControlPlaneMissingError, match=r"no kwok in .*foreign: add it there, or unset KUBEBUILDER_ASS"):
        require(("kwok",))


def test_what_is_missing_is_named_with_the_way_to_get_it(workshop: Workshop) -> None:
    with pytest.raises(ControlPlaneMissingError, match=r"no etcd, kubectl in .*built: run `make controlplane`"):
        require(("etcd", "kubectl"))


def test_every_program_belongs_to_exactly_one_family_and_its_version_is_pinned() -> None:
    programs = [program for family in FAMILIES for program in family.programs]
    assert sorted(programs) == sorted(EVERYTHING)
    for family in FAMILIES:
        assert re.fullmatch(r"v\d+\.\d+\.\d+", family.version)
        assert f"{family.module} {family.version} h1:" in (family.directory / "go.sum").read_text()
