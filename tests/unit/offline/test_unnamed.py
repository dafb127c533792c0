"""`cheops check` on what leaves its name to the API server: it is made anew each time, and needs what it needs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit.command import Ran, Shell

SITE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n"
JOB = """apiVersion: batch/v1
kind: Job
metadata: {generateName: migrate-, namespace: shop}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: "app:1"}]}}}
"""
NEEDY = JOB.replace('image: "app:1"', 'image: "app:1", envFrom: [{configMapRef: {name: settings}}]')
IDENTITY = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]


def _since(folder: Path, before: str, after: str) -> Ran:
    if shutil.which("git") is None:
        pytest.skip("git is not installed here")
    (folder / "lyon").mkdir()
    file = folder / "lyon" / "all.yaml"
    file.write_text(SITE + before)
    for words in (["init", "-q"], ["add", "."], [*IDENTITY, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    file.write_text(SITE + after)
    return Shell(folder)("check", "--since", "HEAD", "--site", "lyon=lyon")


def _with_file(folder: Path, job: str) -> Ran:
    (folder / "lyon").mkdir()
    (folder / "lyon" / "site.yaml").write_text(SITE)
    (folder / "job.yaml").write_text(job)
    return Shell(folder)("check", "--site", "lyon=lyon", "-f", "job.yaml")


def test_it_is_made_under_a_name_that_nobody_has(tmp_path: Path) -> None:
    ran = _with_file(tmp_path, JOB)
    assert ran.code == 0
    assert "Job shop/migrate-xxxxx" in ran.out


def test_what_it_needs_has_to_be_there(tmp_path: Path) -> None:
    ran = _with_file(tmp_path, NEEDY)
    assert "ConfigMap shop/settings is missing, Job shop/migrate-xxxxx needs it" in ran.out


def test_another_content_is_no_change_of_one_that_was_made_before(tmp_path: Path) -> None:
    ran = _since(tmp_path, JOB, JOB.replace("app:1", "app:2"))
    assert ran.code == 0
    assert "apply Job shop/migrate-xxxxx @ lyon  if absent" in ran.out


def test_its_manifest_takes_nothing_away_when_it_goes(tmp_path: Path) -> None:
    ran = _since(tmp_path, JOB, "")
    assert ran.code == 0
    assert "migrate" not in ran.out


def test_two_of_one_beginning_are_two(tmp_path: Path) -> None:
    ran = _with_file(tmp_path, f"{JOB}---\n{JOB}")
    assert ran.code == 0
    assert "apply Job shop/migrate-xxxxx @ lyon" in ran.out
    assert "apply Job shop/migrate-xxxx2 @ lyon" in ran.out


def test_two_that_a_site_has_are_no_twins_and_the_second_is_seen_to_change(tmp_path: Path) -> None:
    ran = _since(tmp_path, f"{JOB}---\n{JOB}", f"{JOB}---\n{JOB.replace('app:1', 'app:2')}")
    assert ran.code == 0
    assert "stands twice" not in ran.out + ran.err
    assert "apply Job shop/migrate-xxxx2 @ lyon  if absent" in ran.out
    assert "migrate-xxxxx" not in ran.out
