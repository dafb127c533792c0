"""What an image installs is pinned as what was tested."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PINNED: Final = re.compile(r"^([a-z0-9.-]+)==([^ ;\\]+)", re.MULTILINE)
WANTED: Final = re.compile(r"^([A-Za-z0-9_.-]+)")


def pins(file: Path) -> set[tuple[str, str]]:
    return {(name, version) for name, version in PINNED.findall(file.read_text())}


def test_an_image_has_the_very_versions_that_the_tests_ran_with() -> None:
    image = pins(ROOT / "deploy" / "image" / "requirements.lock")
    assert image < pins(ROOT / "requirements.lock"), "make lock"


def test_an_image_has_all_that_a_site_imports() -> None:
    there = {name for name, _ in pins(ROOT / "deploy" / "image" / "requirements.lock")}
    wanted = [one for one in requires("cheops") or () if "extra ==" not in one or re.search("'(sandbox|cel)'", one)]
    names = {match[1].lower().replace("_", "-") for match in map(WANTED.match, wanted) if match}
    assert len(names) > 10
    assert names <= there, f"make lock: {names - there}"
