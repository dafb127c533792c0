"""`cheops check` on what no API server would take: file, line and field are named, and the exit code is 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.command import Shell

SITE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop"
WORKLOAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: shop}\n"


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (MAP.replace("name: a", "name: Bad Name") + "}\n", ":3: metadata.name: 'Bad Name' cannot be a name"),
        (MAP.replace("name: a", "generateName: 5") + "}\n", ":3: metadata.name: 5 is not text (quote it)"),
        (MAP.replace("name: a", "name: no") + "}\n", ":3: metadata.name: False is not text (quote it)"),
        (MAP.replace("name: a", "generateName: A-") + "}\n", ":3: metadata.name: 'A-xxxxx' cannot be a name"),
        (MAP + ", labels: {a: 5}}\n", ":3: metadata.labels.a: 5 is not text (quote it)"),
        (MAP + ", annotations: [a]}\n", ":3: metadata.annotations: ['a'] (expected a mapping)"),
        (MAP + "}\ndata: {yes: no}\n", ":4: data.true: False is not text (quote it)"),
        (WORKLOAD + "spec: 5\n", ":4: spec: 5 (expected a mapping)"),
        (WORKLOAD + "spec: {template: {spec: {containers: {a: b}}}}\n", ": expected a list of mappings"),
    ],
)
def test_a_manifest_of_a_wrong_form_is_bad_input(tmp_path: Path, manifest: str, told: str) -> None:
    shell = Shell(tmp_path)
    (tmp_path / "lyon").mkdir()
    (tmp_path / "lyon" / "site.yaml").write_text(SITE)
    (tmp_path / "wrong.yaml").write_text(manifest)
    ran = shell("check", "--site", "lyon=lyon", "-f", "wrong.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err


def test_a_scope_in_json_is_the_scope_in_text(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    for name in ("lyon", "oslo"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "site.yaml").write_text(SITE)
    (tmp_path / "map.yaml").write_text(MAP + "}\n")
    words = ("check", "--site", "lyon=lyon", "--site", "oslo=oslo", "-f", "map.yaml", "--scope")
    ran = shell(*words, '{"configmap": "lyon & oslo"}')
    assert ran.code == 0
    assert "@ lyon & oslo: 2 steps" in ran.out
    assert shell(*words, '{"configmap": 5}').code == 2
    assert shell(*words, '{"configmap').code == 2
