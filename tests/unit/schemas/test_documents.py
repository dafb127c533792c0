"""Large JSON is read as JSON: the same objects, and the same faults told, as when it is read as YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas import documents
from schemas.documents import DocumentError, parse, read_documents

ITEMS = [
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{place}"}, "data": {"a": "=", "b": "2020-01-01"}}
    for place in range(5)
]
LIST = {"apiVersion": "v1", "kind": "List", "items": ITEMS}


@pytest.fixture(params=[0, documents.LARGE_LEN], ids=["as JSON", "as YAML"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LARGE_LEN", request.param)


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("body", [LIST, ITEMS[0]])
def test_the_objects_are_the_same(body: dict[str, Any]) -> None:
    wanted = body.get("items", [body])
    assert [one.body for one in parse(json.dumps(body).encode(), "big.json")] == wanted
    assert [one.body for one in parse(json.dumps(body, indent=2).encode(), "big.json")] == wanted


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('{"kind": "A",\n "kind": "B"}', 2, "stands twice"),
        ('{"kind": "A",\n "metadata": [1, }', 2, "expected"),
        ('{"kind": "A"}\n---\n[]', 3, "expected a Kubernetes object"),
        ("{" + '"a": {' * 200 + "}" * 201, 1, "nested deeper"),
        ('{"kind": "List", "items": [1]}', 1, "items[0]"),
    ],
)
def test_the_faults_are_told_with_their_line(text: str, line: int, words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text.encode(), "big.json")
    assert words in caught.value.reason
    assert caught.value.line == line


@pytest.mark.usefixtures("_either_way")
def test_the_items_of_a_list_call_are_what_their_list_says() -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"metadata": {"name": "c"}}]}
    found = [one.body for one in parse(json.dumps(body).encode(), "raw.json")]
    assert found == [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}]


def test_a_kustomization_in_a_folder_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("apiVersion: kustomize.config.k8s.io/v1beta1\nresources: [c.yaml]\n")
    (tmp_path / "c.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n")
    assert [one.body["kind"] for one in read_documents(tmp_path)] == ["ConfigMap"]


@pytest.mark.parametrize("target", ["nowhere.yaml", "b.yaml"])
def test_a_link_to_nowhere_is_told_and_not_taken_for_an_empty_place(tmp_path: Path, target: str) -> None:
    (tmp_path / "a.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n")
    (tmp_path / "b.yaml").symlink_to(target)
    with pytest.raises(DocumentError, match=r"b\.yaml: cannot be read"):
        read_documents(tmp_path)


def test_the_mark_of_a_file_that_somebody_edits_is_none_of_the_manifests(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n")
    (tmp_path / ".#a.yaml").symlink_to("ann@host.4711:1700000000")
    assert len(read_documents(tmp_path)) == 1


def test_a_name_that_no_system_takes_is_told_as_one_that_cannot_be_read() -> None:
    with pytest.raises(DocumentError, match=r"cannot be read \(File name too long\)"):
        read_documents(Path("a" * 5_000))


@pytest.mark.usefixtures("_either_way")
def test_objects_of_json_stand_one_after_the_other_as_jq_prints_them() -> None:
    text = "\n".join(json.dumps(one) for one in ITEMS) + "\n\n" + json.dumps(ITEMS[0], indent=2)
    found = parse(text.encode(), "items.json")
    assert [one.body for one in found] == [*ITEMS, ITEMS[0]]
    assert [one.line for one in found] == [*range(1, len(ITEMS) + 1), len(ITEMS) + 2]


def test_a_character_that_yaml_does_not_take_is_told_with_its_line() -> None:
    with pytest.raises(DocumentError) as caught:
        parse('# é\nkind: "a\x07"\n'.encode(), "bell.yaml")
    assert str(caught.value) == "bell.yaml:2: not text (it holds the character #x0007)"


@pytest.mark.parametrize(
    ("written", "read"), [("!!timestamp soon", "soon"), ("!!binary aGVsbG8=", "hello"), ("2001-12-14", "2001-12-14")]
)
def test_what_json_has_no_words_for_is_text(written: str, read: str) -> None:
    assert parse(f"data: {written}".encode(), "tagged.yaml")[0].body == {"data": read}
