"""`cheops relations` and `cheops rules`: what a person and a program get, and how bad input is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cheops.cli.failures import explained
from cheops.cli.main import app

Ran = tuple[int, str, str]
Cheops = Callable[..., Ran]
POD = """apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {volumes: [{name: ca, secret: {secretName: edge-ca, items: [{key: crt, path: crt}]}}]}
"""
RULES = """area: mine
mounts:
  - kinds: [example.com/Widget]
    rules:
      - rule: widget.secret
        at: spec
        to: {kind: Secret, name: secret}
        phases: [L]
        missing: it stops
---
examples:
  widget.secret:
    - object: {kind: example.com/Widget, spec: {secret: ca}}
      finds: [{target: Secret/shop/ca, path: spec.secret}]
      not_found: {spec.secret: ""}
"""


@pytest.fixture
def cheops(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cheops:
    monkeypatch.delenv("COLUMNS", raising=False)  # a pipe: nothing is cut

    def run(*words: str) -> Ran:
        code = explained(lambda: app(list(words), standalone_mode=False, prog_name="cheops"))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_relations_prints_one_json_object_a_line(cheops: Cheops, tmp_path: Path) -> None:
    code, out, err = cheops("relations", "-f", written(tmp_path / "pod.yaml", POD), "-o", "json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert {row["schema"] for row in rows} == {"relation/v1"}
    assert [row["target"] for row in rows if row["rule"] == "podspec.volume.secret"] == ["Secret/shop/edge-ca"]


def test_relations_says_in_words_what_is_not_there(cheops: Cheops, tmp_path: Path) -> None:
    code, out, _ = cheops("relations", "-f", written(tmp_path / "pod.yaml", POD))
    assert code == 0
    assert "→ Secret shop/edge-ca key:crt [not here]   spec.volumes[0].secret.secretName (reliance SL)" in out
    empty = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: edge-ca, namespace: shop}\n"
    _, out, _ = cheops("relations", "-f", written(tmp_path / "pod.yaml", POD + empty))
    assert "key:crt [without that part]" in out


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (POD.replace("name: web", 'name: "a\\0b"'), 3, "not a resource identity"),
        (POD.replace("name: web", "name: a/b/c"), 3, "not a resource identity"),
        (POD.replace("v1", "a/b/c"), 1, "apiVersion: 'a/b/c' (expected VERSION or GROUP/VERSION)"),
        (POD.replace("kind: Pod", "kind: [Pod]"), 2, "kind: ['Pod'] is not text (quote it)"),
        ("apiVersion: v1\nkind: Pod\nmetadata: [web]\n", 3, "metadata: a list (expected a mapping)"),
        ("apiVersion: v1\nkind: List\nitems: {a: b}\n", 3, "items: a mapping (expected a list of objects)"),
        ("apiVersion: v1\nkind: List\n", 1, "items: missing (expected a list of objects)"),
        (POD.replace("kind: Pod\n", ""), 1, "kind: missing"),
        (POD + "  x: [", 5, "expected"),
    ],
)
def test_bad_manifests_are_told_by_file_and_line(
    cheops: Cheops, tmp_path: Path, text: str, line: int, words: str
) -> None:
    file = written(tmp_path / "pod.yaml", text)
    code, out, err = cheops("relations", "-f", file)
    assert (code, out) == (2, "")
    assert words in err
    assert err.startswith(f"cheops: {file}:{line}: ")


def test_own_rules_add_edges(cheops: Cheops, tmp_path: Path) -> None:
    widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: shop}\nspec: {secret: ca}\n"
    file, rules = written(tmp_path / "widget.yaml", widget), written(tmp_path / "rules.yaml", RULES)
    assert "widget.secret" not in cheops("relations", "-f", file, "-o", "json")[1]
    assert '"target": "Secret/shop/ca"' in cheops("relations", "-f", file, "--with", rules, "-o", "json")[1]


def test_rules_are_printed_once_each_with_what_they_mean(cheops: Cheops, tmp_path: Path) -> None:
    code, out, _ = cheops("relations", "--rules")
    assert code == 0
    assert out.count("podspec.volume.secret ") == 1
    assert "volumes[*].secret.secretName; without it: the mount fails" in out
    _, out, _ = cheops("relations", "--rules", "--with", written(tmp_path / "rules.yaml", RULES))
    assert "widget.secret" in out


def test_rules_are_rows_for_programs(cheops: Cheops, tmp_path: Path) -> None:
    words = ("relations", "--rules", "--with", written(tmp_path / "rules.yaml", RULES), "-o")
    code, out, err = cheops(*words, "json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert len({row["rule"] for row in rows}) == len(rows) > 100
    assert next(row for row in rows if row["rule"] == "widget.secret") == {
        "schema": "rule/v1",
        "rule": "widget.secret",
        "kinds": ["example.com/Widget"],
        "target": "Secret",
        "relation": "reliance",
        "phases": ["L"],
        "at": ["spec"],
        "field": "spec.secret",
        "parts": [],
        "optional": False,
        "soft": False,
        "confidence": "declared",
        "missing": "it stops",
    }
    assert yaml.load(cheops(*words, "yaml")[1], yaml.CSafeLoader) == rows


def test_rules_check_and_test_accept_a_good_file(cheops: Cheops, tmp_path: Path) -> None:
    file = written(tmp_path / "rules.yaml", RULES)
    assert cheops("rules", "check", file) == (0, f"{file}: 1 rule, 1 example; 0 rules without one\n", "")
    assert cheops("rules", "test", file) == (0, "1 of 1 example holds\n", "")


def test_rules_test_fails_when_an_example_does_not_hold(cheops: Cheops, tmp_path: Path) -> None:
    file = written(tmp_path / "rules.yaml", RULES.replace("path: spec.secret}", "path: spec.other}"))
    code, out, _ = cheops("rules", "test", file)
    assert code == 1
    assert "not found: path=spec.other target=Secret/shop/ca" in out
    assert "0 of 1 example holds" in out


def test_rules_test_says_that_a_file_carries_no_examples_and_that_is_no_failure(cheops: Cheops, tmp_path: Path) -> None:
    file = written(tmp_path / "rules.yaml", RULES.partition("---")[0])
    assert cheops("rules", "test", file) == (0, "", f"cheops: {file}: carries no examples\n")
    other = written(tmp_path / "other.yaml", RULES.replace("widget", "gadget").replace("Widget", "Gadget"))
    assert cheops("rules", "test", file, other) == (
        0,
        "1 of 1 example holds\n",
        f"cheops: {file}: carries no examples\n",
    )


def test_a_bad_rule_file_is_told_by_file_line_and_reason(cheops: Cheops, tmp_path: Path) -> None:
    file = written(tmp_path / "rules.yaml", RULES.replace("phases: [L]", "phases: [Q]"))
    for command in ("check", "test"):
        code, _, err = cheops("rules", command, file)
        assert code == 2
        assert err.startswith(f"cheops: {file}:8: mounts.0.rules.0.phases")


WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: shop}\nspec: {secret: ca}\n"
LABELLED = 'metadata: {name: mine, namespace: cheops, labels: {cheops.io/rules: "true"}}\n'


def config_map(rules: str, head: str = LABELLED) -> str:
    lines = "".join(f"    {line}\n" for line in rules.splitlines())
    return f"apiVersion: v1\nkind: ConfigMap\n{head}data:\n  widgets.yaml: |\n{lines}"


def test_rules_that_a_config_map_carries_add_edges_everywhere_where_manifests_are_asked(
    cheops: Cheops, tmp_path: Path
) -> None:
    file, rules = written(tmp_path / "widget.yaml", WIDGET), written(tmp_path / "map.yaml", config_map(RULES))
    assert "widget.secret" not in cheops("relations", "-f", file, "-o", "json")[1]
    assert '"target": "Secret/shop/ca"' in cheops("relations", "-f", file, "--with", rules, "-o", "json")[1]
    assert "Secret shop/ca" in cheops("missing", "-f", file, "--with", rules)[1]
    assert "Secret shop/ca" in cheops("tree", "widget/w", "-n", "shop", "-f", file, "--with", rules)[1]
    why = cheops("why", "widget/w", "secret/ca", "-n", "shop", "-f", file, "--with", rules)
    assert (why[0], "Secret shop/ca" in why[1]) == (0, True)
    (tmp_path / "site").mkdir()
    written(tmp_path / "site" / "other.yaml", WIDGET.replace("name: w,", "name: other,").replace("secret: ca", ""))
    site = f"lyon={tmp_path / 'site'}"
    allowed = cheops("check", "--site", site, "-f", file)
    denied = cheops("check", "--site", site, "-f", file, "--with", rules)
    assert (allowed[0], denied[0]) == (0, 3), allowed[1] + denied[1]
    assert "DENY D110" in denied[1]
    assert cheops("tree", "widget/w", "--with", rules)[0] == 2, "a site has the rules of its services"


def test_rules_of_a_config_map_are_checked_and_tried_as_files_are(cheops: Cheops, tmp_path: Path) -> None:
    file = written(tmp_path / "map.yaml", config_map(RULES))
    assert cheops("rules", "check", file) == (
        0,
        f"{file} data[widgets.yaml]: 1 rule, 1 example; 0 rules without one\n",
        "",
    )
    assert cheops("rules", "test", file) == (0, "1 of 1 example holds\n", "")


def test_what_is_wrong_in_a_config_map_is_told_by_the_line_of_its_manifest(cheops: Cheops, tmp_path: Path) -> None:
    bad = config_map(RULES.replace("phases: [L]", "phases: [Q]"))
    file = written(tmp_path / "map.yaml", bad)
    line = next(number for number, text in enumerate(bad.splitlines(), 1) if "[Q]" in text)
    for command in ("check", "test"):
        code, _, err = cheops("rules", command, file)
        assert code == 2
        assert err.startswith(f"cheops: {file}:{line}: data[widgets.yaml]: mounts.0.rules.0.phases"), err
    no_example = config_map(RULES.replace("  widget.secret:\n    - object", "  widget.other:\n    - object"))
    line = next(number for number, text in enumerate(no_example.splitlines(), 1) if "widget.other" in text)
    _, _, err = cheops("rules", "test", written(tmp_path / "map.yaml", no_example))
    assert err.startswith(f"cheops: {file}:{line}: data[widgets.yaml]: no rule of this file is called"), err
    quoted = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": {"cheops.io/rules": "true"}}})
    whole = {**json.loads(quoted), "data": {"w": RULES.replace("phases: [L]", "phases: [Q]")}}
    _, _, err = cheops("rules", "check", written(tmp_path / "map.json", json.dumps(whole, indent=1)))
    assert ":10: data[w], its line 8: mounts.0.rules.0.phases" in err, err


def test_a_manifest_that_carries_no_rules_is_refused_as_one(cheops: Cheops, tmp_path: Path) -> None:
    for text in (config_map(RULES, "metadata: {name: mine}\n"), POD):
        code, _, err = cheops("rules", "check", written(tmp_path / "map.yaml", text))
        assert code == 2
        assert "neither rules nor a ConfigMap with the label cheops.io/rules=true in it" in err
