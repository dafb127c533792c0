"""Folders with a kustomization, as kubectl's own kustomize builds them, and charts, which helm renders."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit.command import Ran, Shell
from tests.kit.controlplane import kubectl_program

IDENTITY = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
POD = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
    - {name: main, image: web, env: [{name: MODE, valueFrom: {configMapKeyRef: {name: settings, key: mode}}}]}
"""
NAMESPACE = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}"
SETTINGS = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {mode: fast}}"
BASE = "resources: [web.yaml, settings.yaml]\n"
OVERLAY = "apiVersion: kustomize.config.k8s.io/v1beta1\nresources: [../base]\nnamespace: shop\nnamePrefix: p-\n"


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kubectl of the control plane comes first."""
    monkeypatch.setenv("PATH", f"{Path(kubectl_program()).parent}{os.pathsep}{os.environ['PATH']}")


def written(folder: Path, **files: str) -> Path:
    """`folder/name.yaml` for each; a base of two objects, and an overlay of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture
def overlay(tmp_path: Path, tools: None) -> Path:
    written(tmp_path / "base", kustomization=BASE, web=POD, settings=SETTINGS)
    written(tmp_path / "shop", shop=NAMESPACE)
    return written(tmp_path / "lyon", kustomization=OVERLAY)


def check(folder: Path, *words: str) -> Ran:
    return Shell(folder)("check", *words, "-o", "json")


def test_a_folder_with_a_kustomization_is_what_it_builds(overlay: Path) -> None:
    done = check(overlay.parent, "--site", "lyon=shop", "-k", "lyon")
    assert (done.code, done.body["decision"]) == (0, "allow")
    assert {step["resource"] for step in done.body["plan"]} == {"ConfigMap/shop/p-settings", "Pod/shop/p-web"}


def test_a_site_may_be_one_and_what_depends_on_it_is_found(overlay: Path) -> None:
    done = check(overlay.parent, "--site", "lyon=lyon", "--delete", "configmap/p-settings", "-n", "shop")
    assert [one["code"] for one in done.body["reasons"]] == ["D311"]


def test_what_kustomize_refuses_is_said_with_the_kustomization(overlay: Path) -> None:
    written(overlay, kustomization="resources: [gone.yaml]\n")
    done = check(overlay.parent, "--site", "lyon=shop", "-f", "lyon")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("cheops: lyon/kustomization.yaml:1: k")
    assert "gone.yaml" in done.err
    assert done.err.count("\n") == 1


def test_a_built_object_that_is_wrong_is_told_of_the_kustomization(overlay: Path) -> None:
    written(
        overlay.parent / "base", settings="{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: [a]}"
    )
    done = check(overlay.parent, "--site", "lyon=shop", "-f", "lyon")
    assert (done.code, done.err) == (2, "cheops: lyon/kustomization.yaml:1: data: ['a'] (expected a mapping)\n")


def test_without_a_tool_that_builds_nothing_is_guessed(overlay: Path) -> None:
    done = Shell(overlay.parent)("check", "--site", "lyon=shop", "-f", "lyon", PATH=str(overlay))
    assert done.code == 2
    assert "lyon/kustomization.yaml:1: neither kustomize nor kubectl is on the PATH" in done.err


def test_an_object_of_flux_in_a_file_of_that_name_is_an_object(tmp_path: Path) -> None:
    flux = "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: apps, namespace: shop}}"
    folder = written(tmp_path / "flux", kustomization=flux)
    done = Shell(tmp_path)("check", "--site", f"lyon={folder}", "--read", "kustomization/apps", "-n", "shop")
    assert done.code == 0, done.err


def test_a_chart_is_for_helm_to_render(tmp_path: Path) -> None:
    written(tmp_path / "web", Chart="{apiVersion: v2, name: web, version: 0.1.0}")
    written(tmp_path / "web" / "templates", web="{{ .Values.web }}")
    done = Shell(tmp_path)("check", "--site", "lyon=web", "--delete", "secret/ca")
    wanted = "cheops: web/Chart.yaml:1: a Helm chart is rendered first (helm template web | cheops … -f -)\n"
    assert (done.code, done.err) == (2, wanted)


def test_a_change_in_a_base_is_a_change_of_the_site_that_builds_on_it(overlay: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed here")
    repository = overlay.parent
    for words in (["init", "-q"], ["add", "."], [*IDENTITY, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True)
    done = check(repository, "--since", "HEAD", "--site", "lyon=lyon")
    assert (done.code, done.err) == (0, "cheops: nothing changed since HEAD\n")
    written(repository / "base", settings=SETTINGS.replace("mode", "speed"))
    done = check(repository, "--since", "HEAD", "--site", "lyon=lyon")
    assert (done.code, [one["code"] for one in done.body["reasons"]]) == (3, ["D211", "N230"])
    assert done.body["reasons"][0]["resource"] == "Pod/shop/p-web"
    told = subprocess.run(
        ["git", "-C", str(repository), "status", "--porcelain"], capture_output=True, check=True
    ).stdout
    assert told == b" M base/settings.yaml\n", "the repository is as it was"
    written(repository / "oslo", kustomization=OVERLAY)
    done = check(repository, "--since", "HEAD", "--site", "oslo=oslo")
    assert (done.code, [one["code"] for one in done.body["reasons"]]) == (3, ["D112", "D140"]), "a site that is new"


@pytest.fixture
def repository(overlay: Path) -> Path:
    """The overlay and its base in git."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed here")
    for words in (["init", "-q"], ["add", "."], [*IDENTITY, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(overlay.parent), *words], check=True)
    return overlay.parent


def test_a_base_that_moved_with_those_who_build_on_it_is_no_change(repository: Path) -> None:
    (repository / "base").rename(repository / "common")
    written(repository / "lyon", kustomization=OVERLAY.replace("../base", "../common"))
    done = check(repository, "--since", "HEAD", "--site", "lyon=lyon")
    assert (done.code, done.err) == (0, "cheops: nothing changed since HEAD\n")


def test_a_folder_that_is_gone_was_what_kustomize_built_of_it(repository: Path) -> None:
    (repository / "lyon").rename(repository / "nice")
    done = check(repository, "--since", "HEAD", "--site", "lyon=lyon", "--site", "lyon=nice")
    assert (done.code, done.err.splitlines()[-1]) == (0, "cheops: nothing changed since HEAD")


def test_what_could_not_be_built_then_is_told_of_then(repository: Path) -> None:
    (repository / "base").rename(repository / "common")
    for words in (["add", "."], [*IDENTITY, "commit", "-qm", "broken"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True)
    (repository / "common").rename(repository / "base")
    done = check(repository, "--since", "HEAD", "--site", "lyon=lyon")
    assert done.code == 2
    assert done.err.startswith("cheops: lyon/kustomization.yaml at HEAD:1: ")
    assert f"'{repository}/base'" in done.err
    assert "cheops-since" not in done.err
