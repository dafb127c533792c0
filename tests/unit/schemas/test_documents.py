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
