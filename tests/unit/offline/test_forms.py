"""What every API server refuses, read off a manifest alone; what it leaves out is never wrong there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cheops.forms.fields import EVERY, rules, wrong_with
from cheops.forms.schedules import is_schedule
from cheops.forms.words import FORMS
from schemas.documents import DocumentError, read_documents

ROOT = Path(__file__).parents[3]
CORPORA = ROOT.parent / "shared" / "corpora"
GOLDEN = "kubernetes-api"  # every field filled with a made-up word
KINDS = [one for one in rules()["kinds"] if one != EVERY]
POD: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
SECRET: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_out_is_never_wrong(kind: str) -> None:
    group, _, bare = kind.rpartition("/")
    name = "things.example.org" if bare == "CustomResourceDefinition" else "thing"
    templated = (
        ({"spec": None}, {"spec": {}}, {"spec": {"template": {"spec": {}}}}) if bare in ("Deployment", "Job") else ()
    )
    for spec in ({}, *templated):
        assert (
            wrong_with({"apiVersion": f"{group}/v1".strip("/"), "kind": bare, "metadata": {"name": name}, **spec}) == []
        )


@pytest.mark.parametrize("value", ["text", 5, [1], [None], {"a": None}, True, [[]]])
def test_whatever_stands_there_is_read_safely(value: Any) -> None:
    for kind, version in [(kind, version) for kind in KINDS for version in ("v1", "v1beta1")]:
        group, _, bare = kind.rpartition("/")
        head = {"apiVersion": f"{group}/{version}".strip("/"), "kind": bare}
        for body in (
            {"metadata": value},
            {"metadata": {"labels": value}},
            {"spec": value},
            {"spec": {"template": value}},
        ):
            assert all(one.isprintable() for one in wrong_with({**head, **body}))
        template = {"spec": {"containers": value, "volumes": value}}
        assert all(one.isprintable() for one in wrong_with({**head, "spec": {"template": template}, "rules": value}))


def test_each_mistake_is_named_with_its_place() -> None:
    container = {"name": "a", "imagePullPolicy": "Maybe", "ports": [{"containerPort": 0}]}
    assert wrong_with({**POD, "spec": {"containers": [container, {"name": "a"}]}}) == [
        "spec.containers[0].imagePullPolicy: 'Maybe' (expected Always, IfNotPresent, Never)",
        "spec.containers[0].ports[0].containerPort: 0 is less than 1",
        "spec.containers: name 'a' stands twice",
    ]


def test_a_field_that_nobody_knows_is_named_before_anything_else() -> None:
    container = {"name": "A", "imagePullPolcy": "Maybe", "env": [{"name": "N", "value": 5}]}
    assert wrong_with({**POD, "spec": {"containers": [container]}}) == [
        "spec.containers[0].imagePullPolcy: unknown field",
        "spec.containers[0].env[0].value: 5 (expected text)",
    ]


@pytest.mark.parametrize("text", ["", "eA==", "eA==\n", "e\nA=="])
def test_what_is_base64_to_an_api_server_is_so_here(text: str) -> None:
    assert wrong_with({**SECRET, "data": {"a": text}}) == []


@pytest.mark.parametrize("text", ["eA", "e A==", "eA===", "-_-_", "x"])
def test_what_is_no_base64_to_an_api_server_is_none_here(text: str) -> None:
    assert wrong_with({**SECRET, "data": {"a": text}}) == [f"data.a: {text!r} (expected base64)"]


@pytest.mark.parametrize("text", ["*/5 * * * *", "? 0-23/2 1,15 jan-mar mon", "@hourly", "@every 1h30m", "*-5 * * * *"])
def test_a_schedule_that_a_cluster_reads_is_one(text: str) -> None:
    assert is_schedule(text)


@pytest.mark.parametrize(
    "text", ["60 * * * *", "*/0 * * * *", "5-1 * * * *", "0 0 0 * *", "0 0 * * 7", "@reboot", "TZ=UTC 0 0 * * *", ""]
)
def test_a_schedule_that_a_cluster_cannot_read_is_none(text: str) -> None:
    assert not is_schedule(text)


def test_every_form_that_the_data_names_is_known() -> None:
    rows = [row for part in ("fragments", "kinds") for place in rules()[part].values() for row in place]
    named = {row[test] for row in rows for test in ("form", "keys") if test in row}
    assert named <= set(FORMS)
    assert {row["use"] for row in rows if "use" in row} == set(rules()["fragments"])


def test_kinds_of_others_are_theirs_to_say() -> None:
    assert wrong_with({"apiVersion": "example.org/v1", "kind": "Service", "spec": {"type": "Whatever"}}) == []


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of manifests are not beside this tree")
def test_manifests_that_people_use_are_not_refused() -> None:
    seen = 0
    for file in sorted(one for one in CORPORA.rglob("*.yaml") if GOLDEN not in one.parts):
        try:
            documents = read_documents(file)
        except DocumentError:
            continue  # templates
        for one in documents:
            if isinstance(one.body.get("metadata"), dict):
                assert wrong_with(one.body) == [], f"{one.file}:{one.line}"
                seen += 1
    assert seen > 100
