"""A file is whole or as it was before, also where a disk takes no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from cheops.private_files import write_private, write_whole
from tests.kit.full import files_of_at_most


def test_a_file_stays_as_it_is_where_the_disk_takes_no_more_and_the_error_names_it(tmp_path: Path) -> None:
    file = tmp_path / "mesh.json"
    write_whole(file, "{}")
    with files_of_at_most(10), pytest.raises(OSError, match=r"mesh\.json") as raised:
        write_whole(file, "x" * 100)
    assert raised.value.filename == str(file)
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {"mesh.json": "{}"}


def test_a_secret_is_its_owner_s_and_a_file_of_no_secrets_everybody_s_who_may(tmp_path: Path) -> None:
    write_private(tmp_path / "seed", "S")
    write_whole(tmp_path / "plan", "P")
    (tmp_path / "other").touch()
    modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    assert modes["seed"] == 0o600
    assert modes["plan"] == modes["other"]
