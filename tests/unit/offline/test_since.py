"""What a change in git does to the sites, as the action and the hook ask it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit.command import Ran, Shell

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
IDENTITY = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "ca", "namespace": "shop"},
    "stringData": {"k": ""},
}


def _web(secret: str) -> dict[str, Any]:
    spec = {"containers": [{"name": "w", "image": "w"}], "volumes": [{"name": "v", "secret": {"secretName": secret}}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template},
    }


def _write(folder: Path, *bodies: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "all.yaml").write_text(yaml.safe_dump_all(bodies))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A site in git: a Deployment, the Secret that it mounts, and one that nobody mounts."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed here")
    spare = {**SECRET, "metadata": {"name": "spare", "namespace": "shop"}}
    _write(tmp_path / "lyon", SECRET, spare, _web("ca"))
    for words in (["init", "-q"], ["add", "."], [*IDENTITY, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    return tmp_path


def _check(repository: Path, *words: str, since: str = "HEAD") -> Ran:
    return Shell(repository)("check", "--since", since, "--site", "lyon=lyon", *words)


def test_nothing_changed_is_allowed_and_said(repository: Path) -> None:
    done = _check(repository)
    assert (done.code, done.out) == (0, "")
    assert "nothing changed since HEAD" in done.err


def test_a_kustomization_below_a_site_is_no_object_of_it(repository: Path) -> None:
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["all.yaml"],
    }
    below = repository / "lyon" / "apps"
    _write(below, {**SECRET, "metadata": {"name": "below", "namespace": "shop"}})
    (below / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    for words in (["add", "."], [*IDENTITY, "commit", "-qm", "second"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True)
    done = _check(repository)
    assert (done.code, done.err) == (0, "cheops: nothing changed since HEAD\n")


def test_removing_what_is_used_is_denied_and_removing_the_rest_is_not(repository: Path) -> None:
    _write(repository / "lyon", _web("ca"), SECRET)
    assert _check(repository).code == 0
    _write(repository / "lyon", _web("ca"))
    done = _check(repository, "-o", "json")
    verdict = done.body
    assert (done.code, verdict["decision"]) == (3, "deny")
    assert [reason["code"] for reason in verdict["reasons"] if reason["severity"] == "deny"] == ["D310"]


def test_removing_what_the_same_change_lets_go_of_is_allowed(repository: Path) -> None:
    _write(repository / "lyon", _web("spare"), {**SECRET, "metadata": {"name": "spare", "namespace": "shop"}})
    assert _check(repository).code == 0


def test_moving_an_object_to_another_file_is_no_change(repository: Path) -> None:
    bodies = list(yaml.safe_load_all((repository / "lyon" / "all.yaml").read_text()))
    (repository / "lyon" / "all.yaml").write_text(yaml.safe_dump_all(bodies[:1]))
    (repository / "lyon" / "more.yaml").write_text(yaml.safe_dump_all(bodies[1:]))
    assert "nothing changed" in _check(repository).err


def test_an_annotation_stands_at_the_line_of_the_broken_reference(repository: Path) -> None:
    _write(repository / "lyon", SECRET, _web("gone"))
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "CHEOPS_SITES": "lyon=lyon\n",
        "CHEOPS_SINCE": "HEAD",
    }
    script = ROOT / "deploy" / "ci" / "check.sh"
    done = subprocess.run(
        ["bash", str(script)], cwd=repository, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    lines = (repository / "lyon" / "all.yaml").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "secretName: gone" in text)
    assert done.returncode == 3, done.stderr
    assert f"::error file=lyon/all.yaml,line={line},title=D110 missing dependency @ lyon::" in done.stdout


def test_sarif_names_rule_level_and_place(repository: Path) -> None:
    _write(repository / "lyon", SECRET, _web("gone"))
    run = _check(repository, "-o", "sarif").body["runs"][0]
    (result,) = [one for one in run["results"] if one["level"] == "error"]
    place = result["locations"][0]["physicalLocation"]
    assert (result["ruleId"], place["artifactLocation"]["uri"]) == ("D110", "lyon/all.yaml")
    assert "D110" in {rule["id"] for rule in run["tool"]["driver"]["rules"]}


def test_an_unknown_revision_is_bad_input(repository: Path) -> None:
    done = _check(repository, since="nope")
    assert (done.code, done.out) == (2, "")
    assert "no commit is called 'nope'" in done.err


def test_the_action_and_the_hook_call_what_is_there() -> None:
    action = yaml.safe_load((ROOT / "deploy" / "ci" / "action.yml").read_text())
    assert action["runs"]["using"] == "composite"
    assert action["runs"]["steps"][-1]["run"].endswith('bash "$GITHUB_ACTION_PATH/check.sh"')
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    program, *words = hook["entry"].split()
    done = subprocess.run(
        [str(BIN / program), words[0], "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert words[1] in done.stdout
