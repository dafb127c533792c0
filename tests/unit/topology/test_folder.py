"""The files of a mesh: what is written, what is kept, what has to be reloaded."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cheops.topology.folder import MeshFolder, Step
from services.chassis.errors import SettingsError
from tests.kit.command import Shell
from tests.kit.full import files_of_at_most


@pytest.fixture
def folder(tmp_path: Path) -> MeshFolder:
    made = MeshFolder(tmp_path / "mesh")
    made.init(["lyon", "oslo"], 2, {})
    return made


ABROAD = """
import sys
from pathlib import Path
from cheops.topology.folder import MeshFolder
made = MeshFolder(Path(sys.argv[1]))
made.init(["lyon", "oslo"], 1, {"lyon": ("m\\u00fcnchen.example", 0)})
assert made.plan().sites[0].host == "m\\u00fcnchen.example"
assert made.init(["lyon", "oslo"], 1, {"lyon": ("m\\u00fcnchen.example", 0)}) == []
"""


def test_a_mesh_is_written_as_it_is_read_whatever_the_encoding_of_the_system(tmp_path: Path) -> None:
    elsewhere = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", ABROAD, str(tmp_path / "mesh")], env=elsewhere, check=True, timeout=60)
    written = [file.read_bytes().decode() for file in (tmp_path / "mesh").rglob("server.conf")]
    assert any("münchen.example" in text for text in written)


def actions(steps: list[Step]) -> dict[str, str]:
    return {one.server: one.action for one in steps}


def seeds(folder: MeshFolder) -> dict[str, str]:
    return {str(file.relative_to(folder.path)): file.read_text() for file in folder.path.rglob("keys/*")}


def test_a_new_mesh_has_a_configuration_a_server_and_seeds_that_only_their_owner_reads(folder: MeshFolder) -> None:
    found = sorted(str(file.relative_to(folder.path)) for file in folder.path.rglob("server.conf"))
    assert found == [
        "lyon/server.conf",
        "oslo/server.conf",
        "routers/router-1/server.conf",
        "routers/router-2/server.conf",
    ]
    assert {one.parent.parent.name for one in folder.path.rglob("sealing.key")} == {"lyon", "oslo"}
    for file in folder.path.rglob("keys/*"):
        assert file.stat().st_mode & 0o077 == 0
    for file in folder.path.rglob("server.conf"):
        assert not any(seed.strip() in file.read_text() for seed in seeds(folder).values())


def test_what_git_takes_of_a_mesh_holds_no_secret(tmp_path: Path) -> None:
    made = MeshFolder(tmp_path / "mesh")
    made.init(["lyon", "oslo"], 1, {}, tls=True)
    git = ("git", "-c", "core.excludesFile=", "-C", str(tmp_path))
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    listed = subprocess.run([*git, "ls-files"], check=True, capture_output=True, text=True).stdout.split()
    configurations = [f"mesh/{one}/server.conf" for one in ("lyon", "oslo", "routers/router-1")]
    assert listed == ["mesh/.gitignore", *configurations[:1], "mesh/mesh.json", *configurations[1:]]


def test_init_again_with_a_further_site_keeps_keys_and_reloads_routers_only(folder: MeshFolder) -> None:
    before = seeds(folder)
    steps = folder.init(["lyon", "oslo", "nice"], None, {})
    assert actions(steps) == {"router-1": "reload", "router-2": "reload", "nice": "start"}
    assert before.items() <= seeds(folder).items()
    assert folder.init(["lyon", "oslo", "nice"], 2, {}) == []


def test_one_router_more_or_less_reloads_sites_only(folder: MeshFolder) -> None:
    more = folder.init(["lyon", "oslo"], 3, {})
    assert actions(more) == {"router-3": "start", "lyon": "reload", "oslo": "reload"}
    less = folder.init(["lyon", "oslo"], 1, {})
    assert actions(less) == {"router-2": "stop", "router-3": "stop", "lyon": "reload", "oslo": "reload"}


def test_add_and_remove_come_back_to_the_same_configurations(folder: MeshFolder) -> None:
    before = {file: file.read_text() for file in folder.path.rglob("*") if file.is_file()}
    folder.add("rome", {})
    assert actions(folder.remove("rome")) == {"router-1": "restart", "router-2": "restart", "rome": "stop"}
    after = {file: file.read_text() for file in folder.path.rglob("*") if file.is_file()}
    changed = [file.name for file in {*before, *after} if before.get(file) != after.get(file)]
    assert changed == ["mesh.json"]
    assert folder.plan().gone == ("rome",)


def test_a_site_that_is_added_again_is_not_gone(folder: MeshFolder) -> None:
    folder.add("rome", {})
    folder.remove("rome")
    folder.add("rome", {})
    assert folder.plan().gone == ()


def test_without_routers_an_added_site_dials_and_the_others_reload(tmp_path: Path) -> None:
    folder = MeshFolder(tmp_path / "direct")
    folder.init(["lyon", "oslo"], 0, {})
    assert actions(folder.add("nice", {})) == {"lyon": "reload", "oslo": "reload", "nice": "start"}
    assert actions(folder.remove("nice")) == {"lyon": "restart", "oslo": "restart", "nice": "stop"}


def test_revoking_a_role_reloads_its_site_and_revoking_a_link_restarts_who_accepts_it(folder: MeshFolder) -> None:
    before = seeds(folder)
    assert actions(folder.revoke("lyon", "client")) == {"lyon": "reload"}
    assert actions(folder.revoke("lyon", "link")) == {"router-1": "restart", "router-2": "restart", "lyon": "restart"}
    changed = {name for name, text in seeds(folder).items() if before[name] != text}
    assert changed == {"lyon/keys/client.nk", "lyon/keys/link.nk", "lyon/keys/link.conf"}


def test_what_a_server_has_stored_is_never_removed(folder: MeshFolder) -> None:
    stored = folder.path / "oslo" / "store" / "block"
    stored.parent.mkdir()
    stored.write_text("verdicts")
    folder.remove("oslo")
    assert stored.read_text() == "verdicts"
    assert not (folder.path / "oslo" / "keys").exists()


@pytest.mark.parametrize("name", ["ca", "routers", "router-1", "router-12"])
def test_no_site_is_called_as_another_folder_of_the_mesh_or_as_a_router(folder: MeshFolder, name: str) -> None:
    with pytest.raises(SettingsError, match=f"'{name}' is the .*, take another name"):
        folder.add(name, {})
    assert name not in folder.plan().names


def listening(folder: MeshFolder, server: str) -> list[str]:
    """Where its file says that it takes clients and links."""
    text = (folder.path / server / "server.conf").read_text()
    return re.findall(r'"listen": "(.*)"', text)


def test_where_a_server_listens_is_kept_by_whatever_changes_the_mesh_later(folder: MeshFolder) -> None:
    folder.init(["lyon", "oslo"], 2, {}, listening={"lyon": ("0.0.0.0", 0), "router-1": ("::", 7000)})
    changes: list[Callable[[], object]] = [
        lambda: folder.add("nice", {}, {"nice": ("10.0.0.7", 4300)}),
        lambda: folder.revoke("lyon", "client"),
        lambda: folder.init(["lyon", "rome"], None, {}),
        lambda: folder.remove("oslo"),
    ]
    for change in changes:
        change()
        assert listening(folder, "lyon") == ["0.0.0.0:4222"]
        assert listening(folder, "nice") == ["10.0.0.7:4300"]
        assert listening(folder, "routers/router-1") == ["127.0.0.1:-1", "[::]:7000"]
        assert listening(folder, "routers/router-2") == ["127.0.0.1:-1", "127.0.0.1:7423"]
    assert '"nats-leaf://127.0.0.1:7422"' in (folder.path / "lyon" / "server.conf").read_text()


def test_a_server_that_is_to_listen_elsewhere_is_restarted_and_nobody_else(folder: MeshFolder) -> None:
    there = {"lyon": ("0.0.0.0", 0), "router-2": ("0.0.0.0", 0)}
    assert actions(folder.init(["lyon"], None, {}, listening=there)) == {"router-2": "restart", "lyon": "restart"}
    assert folder.init(["lyon"], None, {}, listening=there) == []
    assert actions(folder.add("nice", {}, {"oslo": ("::", 0)}))["oslo"] == "restart"


def test_a_server_whose_store_had_no_bound_is_restarted_since_it_takes_none_by_a_reload(folder: MeshFolder) -> None:
    server = folder.path / "lyon" / "server.conf"
    server.write_text(re.sub(r'"max_file_store": \d+,\n *', "", server.read_text()))
    assert actions(folder.init(["lyon", "oslo"], 2, {})) == {"lyon": "restart"}
    assert actions(folder.init(["lyon", "oslo"], 2, {})) == {}


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="holds something else"):
        MeshFolder(tmp_path).init(["lyon"], 1, {})
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_plan_that_cannot_be_read_is_named_with_its_field(folder: MeshFolder) -> None:
    file = folder.path / "mesh.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "sites": 7}))
    with pytest.raises(SettingsError, match=r"mesh\.json.*sites"):
        folder.add("rome", {})


def test_on_the_command_line_bad_input_exits_2_and_says_what_was_expected(tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "mesh"))
    shell = Shell(tmp_path)
    assert shell("mesh", "init", "--sites", "lyon,oslo", *out).code == 0
    for words, said in (
        (("add", "lyon"), "is called 'lyon' already"),
        (("add", "Rome"), "not a site name"),
        (("remove", "rome"), "no site is called 'rome'"),
        (("revoke", "lyon", "--role", "king"), "no role is called 'king'"),
        (("init", "--sites", "lyon,lyon"), "a name stands twice: lyon"),
        (("init", "--sites", "lyon", "--at", "rome=here"), "--at: no server is called rome"),
        (("init", "--sites", "lyon", "--listen", "rome=0.0.0.0"), "--listen: no server is called rome"),
        (("add", "nice", "--listen", "nice"), "--listen 'nice': expected NAME=HOST or NAME=HOST:PORT"),
        (("init", "--sites", "lyon", "--routers", "-1"), "-1 routers"),
    ):
        found = shell("mesh", *words, *out)
        assert (found.code, said in found.err) == (2, True), found.err


@pytest.mark.parametrize(("size_bytes", "named"), [(10, "oslo/keys/watcher.nk"), (100, "a file of the mesh")])
def test_where_the_disk_is_full_the_mesh_stays_and_what_could_not_be_written_is_named(
    tmp_path: Path, size_bytes: int, named: str
) -> None:
    made = MeshFolder(tmp_path / "mesh")
    made.init(["lyon"], 0, {})
    before = made.plan()
    full = pytest.raises(SettingsError, match=rf"{named}: cannot be used \(File too large\)")
    with files_of_at_most(size_bytes), full:
        made.add("oslo", {})
    assert made.plan() == before


@pytest.mark.parametrize("size_bytes", [10, 100, 400, 1000])
def test_a_new_mesh_that_had_no_room_is_made_when_it_is_asked_for_again(tmp_path: Path, size_bytes: int) -> None:
    made = MeshFolder(tmp_path / "mesh")
    with files_of_at_most(size_bytes), pytest.raises(SettingsError, match="cannot be used"):
        made.init(["lyon"], 1, {}, tls=True)
    starts = actions(made.init(["lyon"], 1, {}, tls=True))
    assert starts == {"router-1": "start", "lyon": "start"}
    assert {one.name for one in made.path.rglob(".*")} == {".gitignore"}, "something is left of the first"
    assert made.plan().names == ("lyon",)
