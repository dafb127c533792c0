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

SCHEMA = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.x.io"},
    "spec": {
        "group": "x.io",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": SCHEMA}],
    },
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


def _job(image: str, annotations: dict[str, str]) -> dict[str, Any]:
    spec = {"restartPolicy": "Never", "containers": [{"name": "m", "image": image}]}
    metadata = {"name": "migrate", "namespace": "shop", "annotations": annotations}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": {"spec": spec}}}


def _commit(repository: Path, *bodies: dict[str, Any]) -> None:
    _write(repository / "lyon", *bodies)
    for words in (["add", "."], [*IDENTITY, "commit", "-qm", "more"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True)


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


def test_what_is_let_go_of_goes_after_that_is_written(repository: Path) -> None:
    _write(repository / "lyon", _web("spare"), {**SECRET, "metadata": {"name": "spare", "namespace": "shop"}})
    plan = _check(repository, "-o", "json").body["plan"]
    assert [(one["action"], one["resource"], one["after"]) for one in plan] == [
        ("apply", "apps/Deployment/shop/web", []),
        ("delete", "Secret/shop/ca", ["1"]),
    ]


def test_a_namespace_goes_only_with_what_is_declared_in_it(repository: Path) -> None:
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    _commit(repository, shop, SECRET, _web("ca"))
    _write(repository / "lyon", SECRET, _web("ca"))
    done = _check(repository, "-o", "json")
    assert (done.code, [one["code"] for one in done.body["reasons"]]) == (3, ["D140"])
    assert "what is in it is still declared: Secret shop/ca and 1 more" in done.body["summary"]
    _write(repository / "lyon")
    assert _check(repository).code == 0


def test_a_definition_goes_only_with_what_is_of_its_kind(repository: Path) -> None:
    widget = {"apiVersion": "x.io/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}}
    _commit(repository, DEFINITION, widget)
    _write(repository / "lyon", widget)
    done = _check(repository, "-o", "json")
    assert (done.code, [one["code"] for one in done.body["reasons"]]) == (3, ["D001"])
    _write(repository / "lyon")
    assert _check(repository).code == 0


@pytest.mark.parametrize(
    "annotation",
    [
        {"helm.sh/resource-policy": "keep"},
        {"argocd.argoproj.io/sync-options": "Validate=false, Prune=false"},
        {"kustomize.toolkit.fluxcd.io/prune": "Disabled"},
    ],
)
def test_what_its_tool_keeps_is_not_removed(repository: Path, annotation: dict[str, str]) -> None:
    _commit(repository, {**SECRET, "metadata": {**SECRET["metadata"], "annotations": annotation}}, _web("ca"))
    _write(repository / "lyon", _web("ca"))
    done = _check(repository)
    assert done.code == 0
    assert "Secret shop/ca @ lyon is in the manifests no more, and stays" in done.err
    assert "nothing else changed since HEAD" in done.err


@pytest.mark.parametrize(
    ("annotations", "code"),
    [
        ({"helm.sh/hook": "pre-upgrade"}, 0),
        ({"helm.sh/hook": "pre-upgrade", "helm.sh/hook-delete-policy": "hook-succeeded,before-hook-creation"}, 0),
        ({"helm.sh/hook": "pre-upgrade", "helm.sh/hook-delete-policy": "hook-succeeded"}, 3),
        ({"argocd.argoproj.io/hook": "PreSync"}, 0),
        ({"argocd.argoproj.io/hook": "PreSync", "argocd.argoproj.io/hook-delete-policy": "HookSucceeded"}, 3),
        ({"argocd.argoproj.io/sync-options": "Force=true,Replace=true"}, 0),
        ({"argocd.argoproj.io/sync-options": "Replace=true"}, 3),
        ({"kustomize.toolkit.fluxcd.io/force": "enabled"}, 0),
        ({"kustomize.toolkit.fluxcd.io/force": "disabled"}, 3),
        ({}, 3),
    ],
)
def test_what_its_tool_makes_anew_has_no_fixed_fields(repository: Path, annotations: dict[str, str], code: int) -> None:
    _commit(repository, _job("v1", annotations))
    _write(repository / "lyon", _job("v2", annotations))
    assert _check(repository).code == code


def test_a_claim_is_not_made_anew_by_an_annotation(repository: Path) -> None:
    def claim(size: str) -> dict[str, Any]:
        annotations = {"kustomize.toolkit.fluxcd.io/force": "enabled"}
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        metadata = {"name": "data", "namespace": "shop", "annotations": annotations}
        return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}

    _commit(repository, claim("2Gi"))
    _write(repository / "lyon", claim("1Gi"))
    assert _check(repository).code == 3


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


def test_who_breaks_when_something_is_removed_is_annotated_at_its_line_though_it_was_not_written(
    repository: Path,
) -> None:
    spare = {**SECRET, "metadata": {"name": "spare", "namespace": "shop"}}
    _write(repository / "lyon", spare, _web("ca"))
    done = _check(repository, "-o", "github")
    lines = (repository / "lyon" / "all.yaml").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "secretName: ca" in text)
    assert done.code == 3
    assert f"::error file=lyon/all.yaml,line={line},title=D310 in use @ lyon::" in done.out


def test_every_result_of_sarif_has_a_place_since_code_hosts_refuse_the_whole_file_without(repository: Path) -> None:
    shutil.rmtree(repository / "lyon")
    run = _check(repository, "--unreachable", "lyon", "-o", "sarif").body["runs"][0]
    places = [one["locations"][0]["physicalLocation"] for one in run["results"]]
    assert places
    assert {one["artifactLocation"]["uri"] for one in places} == {"lyon/all.yaml"}


def test_an_annotation_is_in_the_manifest_of_the_site_that_it_is_about(repository: Path) -> None:
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    _write(repository / "lyon", SECRET, _web("spare"))
    _write(repository / "oslo", shop, SECRET, _web("gone"))
    done = _check(repository, "--site", "oslo=oslo", "-o", "github")
    errors = [one for one in done.out.splitlines() if one.startswith("::error")]
    assert sorted(one.split(",")[0] for one in errors) == ["::error file=lyon/all.yaml", "::error file=oslo/all.yaml"]


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


def _settings(**data: str) -> dict[str, Any]:
    metadata = {"name": "settings", "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _reads(name: str, key: str) -> dict[str, Any]:
    env = [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": key}}}]
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "m", "image": "i", "env": env}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
    }


def test_who_goes_in_a_change_misses_nothing_that_the_change_takes_away(repository: Path) -> None:
    """A key goes with its only reader; while the reader stays, it is missed."""
    _write(repository / "lyon", _settings(old="1", new="2"), _reads("web", "old"))
    subprocess.run(["git", "-C", str(repository), *IDENTITY, "commit", "-qam", "second"], check=True)
    _write(repository / "lyon", _settings(new="2"), _reads("server", "new"))
    assert _check(repository).code == 0
    _write(repository / "lyon", _settings(new="2"), _reads("web", "old"), _reads("server", "new"))
    missed = _check(repository)
    assert missed.code == 3
    assert "D211" in missed.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-f", "lyon"), "-f"),
        (("-n", "shop"), "--namespace"),
        (("--scope", "lyon"), "--scope"),
        (("--cascade", "dependents", "--delete", "secret/ca"), "--delete and --cascade"),
        (("--latency", "lyon:oslo=8ms"), "--latency"),
    ],
)
def test_what_a_change_in_git_says_itself_is_refused_and_not_passed_over(
    repository: Path, words: tuple[str, ...], told: str
) -> None:
    done = _check(repository, *words)
    assert done.code == 2
    assert done.err == f"cheops: --since says what is to be judged, and where: without {told}\n"


def test_a_change_is_judged_by_the_version_that_the_sites_serve(repository: Path) -> None:
    """Resources of devices are served from 1.34 on."""
    device = {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": "gpu"}, "spec": {}}
    _write(repository / "lyon", device, *yaml.safe_load_all((repository / "lyon" / "all.yaml").read_text()))
    assert _check(repository).code == 0
    assert "D001" in _check(repository, "--kubernetes", "1.30").out
    assert _check(repository, "--kubernetes", "0.1").err.startswith("cheops: --kubernetes: ")


def test_hidden_folders_hold_no_manifests(repository: Path) -> None:
    """A workflow of a code host is none, nor what a sandbox keeps: a site may be the whole repository."""
    (repository / ".github" / "workflows").mkdir(parents=True)
    (repository / ".github" / "workflows" / "check.yaml").write_text("on: push\n")
    _commit(repository, SECRET, _web("ca"))
    shell = Shell(repository)
    assert shell("check", "--since", "HEAD", "--site", "lyon=.").err == "cheops: nothing changed since HEAD\n"
    assert shell("missing", "-f", ".").code == 0
    assert shell("missing", "-f", ".github").code == 2, "a folder that is named is read"
