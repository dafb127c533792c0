"""What an apply makes of an object that is there, when no API server can be asked."""

from __future__ import annotations

import json
from typing import Any

from cheops.offline.merging import LAST_APPLIED, merged, same_content

Body = dict[str, Any]


def _settings(**data: str) -> Body:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}


def _applied_with(live: Body, before: Body) -> Body:
    metadata = {**live["metadata"], "annotations": {LAST_APPLIED: json.dumps(before)}}
    return {**live, "metadata": metadata}


def _workload(*containers: Body, **spec: Any) -> Body:
    template = {"spec": {"containers": list(containers), **spec}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": template}}


def test_in_a_directory_what_the_manifest_leaves_out_goes() -> None:
    assert merged(_settings(a="1", b="2"), _settings(a="1"))["data"] == {"a": "1"}


def test_what_was_not_applied_by_the_manifest_stays() -> None:
    live = _applied_with(_settings(a="1", b="set by somebody else"), _settings(a="1"))
    assert merged(live, _settings(a="2"))["data"] == {"a": "2", "b": "set by somebody else"}


def test_what_was_applied_before_and_is_left_out_now_goes() -> None:
    live = _applied_with(_settings(a="1", b="2", c="3"), _settings(a="1", b="2"))
    assert merged(live, _settings(a="1"))["data"] == {"a": "1", "c": "3"}


def test_an_unreadable_annotation_counts_as_none() -> None:
    live = _settings(a="1", b="2")
    live["metadata"]["annotations"] = {LAST_APPLIED: "{"}
    assert merged(live, _settings(a="1"))["data"] == {"a": "1"}


def test_containers_merge_by_name_and_those_of_others_stay() -> None:
    mine, sidecar = {"name": "web", "image": "web:1"}, {"name": "proxy", "image": "proxy:1"}
    live = _applied_with(_workload({**mine, "imagePullPolicy": "Always"}, sidecar), _workload(mine))
    made = merged(live, _workload({"name": "web", "image": "web:2"}))["spec"]["template"]["spec"]["containers"]
    assert made == [{"name": "web", "image": "web:2", "imagePullPolicy": "Always"}, sidecar]


def test_an_item_that_was_applied_and_is_left_out_goes() -> None:
    one, two = {"name": "one", "secret": {"secretName": "a"}}, {"name": "two", "secret": {"secretName": "b"}}
    live = _workload({"name": "web"}, volumes=[one, two])
    made = merged(live, _workload({"name": "web"}, volumes=[two]))
    assert made["spec"]["template"]["spec"]["volumes"] == [two]


def test_lists_without_a_merge_key_are_replaced() -> None:
    live, wanted = _workload({"name": "web", "args": ["a", "b"]}), _workload({"name": "web", "args": ["c"]})
    assert merged(live, wanted)["spec"]["template"]["spec"]["containers"][0]["args"] == ["c"]


def test_null_takes_a_field_away() -> None:
    live = _applied_with({**_settings(a="1"), "immutable": True}, _settings(a="1"))
    assert "immutable" not in merged(live, {**_settings(a="1"), "immutable": None})


def test_status_identity_and_owners_are_not_the_manifests_to_change() -> None:
    live = _settings(a="1") | {"status": {"phase": "Bound"}}
    live["metadata"] |= {"uid": "u", "ownerReferences": [{"uid": "o"}], "finalizers": ["x/y"]}
    made = merged(live, _settings(a="2"))
    assert (made["status"], made["metadata"]["uid"]) == ({"phase": "Bound"}, "u")
    assert (made["metadata"]["ownerReferences"], made["metadata"]["finalizers"]) == ([{"uid": "o"}], ["x/y"])


def test_the_same_content_ignores_what_servers_set() -> None:
    live = _settings(a="1") | {"status": {"x": 1}}
    live["metadata"] |= {"uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"}
    assert same_content(live, _settings(a="1"))
    assert not same_content(live, _settings(a="2"))
