"""Where the manifests of a site stood in git: behind links, in submodules, at another place, or not here at all."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit.command import Ran, Shell

WHO = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "protocol.file.allow=always"]
SECRET = '{apiVersion: v1, kind: Secret, metadata: {name: ca, namespace: shop}, stringData: {k: ""}}\n'
POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: w, image: w}], volumes: [{name: v, secret: {secretName: ca}}]}
"""
NAMESPACE = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"
IN_USE = "D310 mounted by Pod shop/web @ lyon"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *WHO, "-C", str(folder), *words], check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "-qm", "more")


def started(folder: Path, *site: str) -> Path:
    """A repository with the three manifests in each `site`."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed here")
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    for name in site:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file, text in (("ca", SECRET), ("web", POD), ("shop", NAMESPACE)):
            (folder / name / f"{file}.yaml").write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "-qm", "first", "--allow-empty")
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return started(tmp_path / "repository", "lyon")


def check(folder: Path, *sites: str, since: str = "HEAD", **environment: str) -> Ran:
    given = [word for one in sites or ("lyon",) for word in ("--site", f"lyon={one}")]
    return Shell(folder)("check", "--since", since, *given, **environment)


def test_a_manifest_that_is_a_link_is_what_it_led_to_then(repository: Path) -> None:
    (repository / "shared").mkdir()
    (repository / "lyon" / "ca.yaml").rename(repository / "shared" / "ca.yaml")
    (repository / "lyon" / "ca.yaml").symlink_to("./../again/ca.yaml")
    (repository / "again").symlink_to("shared")
    commit(repository)
    assert "nothing changed since HEAD" in check(repository).err
    (repository / "shared" / "ca.yaml").write_text(SECRET.replace("name: ca", "name: ca2"))
    assert IN_USE in check(repository).out


def test_a_site_behind_a_link_is_what_the_link_led_to_then(repository: Path) -> None:
    (repository / "current").symlink_to("lyon")
    commit(repository)
    shutil.copytree(repository / "lyon", repository / "next")
    (repository / "next" / "ca.yaml").unlink()
    (repository / "current").unlink()
    (repository / "current").symlink_to("next")
    assert IN_USE in check(repository, "current").out


def test_a_link_of_ones_own_leads_into_the_repository(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to(repository / "lyon")
    assert "nothing changed since HEAD" in check(tmp_path, "mine").err


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/srv/x.yaml", "a link that leads out of the repository (/srv/x.yaml)"),
        ("../../x.yaml", "a link that leads out of the repository"),
        ("gone.yaml", "a link to nothing"),
        ("more.yaml", "a link in a circle"),
        ("web.yaml/x", "a link to nothing"),
    ],
)
def test_a_link_that_cannot_be_followed_in_git_is_told(repository: Path, target: str, said: str) -> None:
    link = repository / "lyon" / "more.yaml"
    link.symlink_to(target)
    commit(repository)
    link.unlink()
    done = check(repository)
    assert (done.code, done.err) == (2, f"cheops: --since HEAD: lyon/more.yaml: {said}\n")


def test_a_link_to_a_folder_holds_no_manifests_as_in_the_working_tree(repository: Path) -> None:
    (repository / "lyon" / "again").symlink_to(".")
    (repository / "lyon" / "again.yaml").symlink_to(".")
    commit(repository)
    assert "nothing changed since HEAD" in check(repository).err


def test_names_that_are_no_utf_8_or_have_spaces_are_read(repository: Path) -> None:
    for number, name in enumerate((b"a\xff.yaml", b'a "b"\t.yaml', b"a\nb.yaml")):
        text = f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: m{number}, namespace: shop}}}}"
        (repository / "lyon" / os.fsdecode(name)).write_text(text)
    commit(repository)
    assert check(repository).err == "cheops: nothing changed since HEAD\n"


def test_a_name_that_git_takes_for_a_pattern_is_a_name(tmp_path: Path) -> None:
    repository = started(tmp_path / "repository", ":(lyon)")
    assert check(repository, ":(lyon)").err == "cheops: nothing changed since HEAD\n"


def test_a_path_that_never_was_is_bad_input_and_not_a_change_of_nothing(repository: Path) -> None:
    done = check(repository, "lyno")
    assert (done.code, done.err) == (2, "cheops: --site lyon=lyno: neither there now nor at HEAD\n")


def test_a_site_may_go_with_the_folders_above_it(tmp_path: Path) -> None:
    repository = started(tmp_path / "repository", "clusters/eu/lyon")
    shutil.rmtree(repository / "clusters")
    done = check(repository, "clusters/eu/lyon")
    assert done.code == 0
    assert "delete 3 resources @ lyon" in done.out


def test_who_moves_a_site_is_told_to_name_its_former_place_too(repository: Path) -> None:
    (repository / "sites").mkdir()
    (repository / "lyon").rename(repository / "sites" / "lyon")
    new = "cheops: sites/lyon was not there then: all of it is new at lyon"
    assert f"{new} (moved? name its former place, too: --site lyon=PATH)" in check(repository, "sites/lyon").err
    both = check(repository, "lyon", "sites/lyon")
    assert (both.code, both.err) == (0, f"{new}\ncheops: nothing changed since HEAD\n")


def test_a_byte_order_mark_and_other_ends_of_lines_are_no_change(repository: Path) -> None:
    web = repository / "lyon" / "web.yaml"
    web.write_bytes(b"\xef\xbb\xbf" + web.read_bytes().replace(b"\n", b"\r\n"))
    assert "nothing changed since HEAD" in check(repository).err


def test_a_shallow_clone_is_said_to_be_one(repository: Path, tmp_path: Path) -> None:
    (repository / "lyon" / "more.yaml").write_text("")
    commit(repository)
    git(tmp_path, "clone", "-q", "--depth", "1", repository.as_uri(), "shallow")
    done = check(tmp_path / "shallow", since="HEAD~1")
    assert done.code == 2
    assert "no commit is called 'HEAD~1' (this clone is shallow: git fetch --unshallow" in done.err


def test_what_a_sparse_checkout_leaves_out_is_not_gone(repository: Path) -> None:
    (repository / "oslo").mkdir()
    (repository / "oslo" / "shop.yaml").write_text(NAMESPACE)
    commit(repository)
    git(repository, "sparse-checkout", "set", "oslo")
    done = check(repository)
    assert done.code == 2
    assert "lyon: lyon/ca.yaml is not checked out here (git sparse-checkout add)" in done.err
    done = check(repository, "lyon/ca.yaml")
    assert done.code == 2
    assert "lyon/ca.yaml is not checked out here (git sparse-checkout add)" in done.err


def test_a_hook_in_a_linked_working_tree_compares_its_own_folder(repository: Path, tmp_path: Path) -> None:
    """git gives such a hook GIT_DIR: then each folder would count as the top of the repository."""
    shutil.copytree(repository / "lyon", repository / "oslo")
    commit(repository)
    git(repository, "worktree", "add", str(tmp_path / "linked"))
    done = check(tmp_path / "linked", GIT_DIR=str(repository / ".git" / "worktrees" / "linked"))
    assert (done.code, done.err) == (0, "cheops: nothing changed since HEAD\n")


@pytest.fixture
def around(tmp_path: Path) -> Path:
    """A repository whose folder `lyon` is a submodule, which has lost a Secret since."""
    inner = started(tmp_path / "inner", ".")
    around = started(tmp_path / "around")
    git(around, "submodule", "add", inner.as_uri(), "lyon")
    commit(around)
    (around / "lyon" / "ca.yaml").unlink()
    commit(around / "lyon")
    return around


def test_a_submodule_is_what_the_repository_around_it_recorded(around: Path) -> None:
    for site in ("lyon", ".", "lyon/ca.yaml"):
        done = check(around, site)
        assert done.code == (0 if site == "lyon/ca.yaml" else 3), site
        assert "delete Secret shop/ca @ lyon" in done.out
    commit(around)
    assert "nothing changed since HEAD" in check(around).err


def test_a_link_may_lead_into_a_submodule(around: Path) -> None:
    commit(around)
    (around / "shop.yaml").symlink_to("lyon/shop.yaml")
    (around / "web").symlink_to("lyon")
    commit(around)
    for site in ("shop.yaml", "web", "web/shop.yaml"):
        assert "nothing changed since HEAD" in check(around, site).err


def test_in_a_submodule_revisions_are_its_own(around: Path) -> None:
    assert "nothing changed since HEAD" in check(around / "lyon", ".").err
    assert IN_USE in check(around / "lyon", ".", since="HEAD~1").out


def test_a_submodule_that_is_not_here_is_not_taken_for_empty(around: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", around.as_uri(), "without")
    done = check(tmp_path / "without")
    said = "lyon: the submodule lyon is not checked out here (git submodule update --init)"
    assert (done.code, done.err) == (2, f"cheops: --since HEAD: {said}\n")
    assert said in check(tmp_path / "without", ".").err
