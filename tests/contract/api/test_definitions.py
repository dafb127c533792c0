"""Custom resource definitions: served versions, schemas, pruning, defaults, subresources, and how they end."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.api.client import MERGE, STRATEGIC, Api, Content
from tests.contract.api.things import condition

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1},
        "colour": {"type": "string", "enum": ["red", "green"], "default": "green"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "port": {"x-kubernetes-int-or-string": True},
        "steps": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "run": {"type": "string"}},
            },
        },
    },
}
SCHEMA = {
    "type": "object",
    "properties": {"spec": SPEC, "status": {"type": "object", "properties": {"phase": {"type": "string"}}}},
}
_numbers = itertools.count()


def definition(group: str, **spec: Any) -> Content:
    version = {"served": True, "schema": {"openAPIV3Schema": SCHEMA}, "subresources": {"status": {}}}
    versions = [{"name": "v1", "storage": True, **version}, {"name": "v1beta1", "storage": False, **version}]
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]}
    body = {"group": group, "scope": "Namespaced", "names": names, "versions": versions, **spec}
    metadata = {"name": f"widgets.{group}"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": body,
    }


@dataclass(frozen=True, slots=True)
class Widgets:
    """A definition that is established, and a namespace to use it in."""

    group: str
    namespace: str

    @property
    def path(self) -> str:
        return f"/apis/{self.group}/v1/namespaces/{self.namespace}/widgets"

    def one(self, name: str, spec: Content | None = None, **parts: Any) -> Content:
        head = {"apiVersion": f"{self.group}/v1", "kind": "Widget", "metadata": {"name": name}}
        return {**head, "spec": {"size": 1} if spec is None else spec, **parts}


async def install(api: Api, group: str, namespace: str) -> Widgets:
    """The real server lets the first object of a definition wait for two seconds, so most tests share one."""
    created = await api.post(DEFINITIONS, definition(group))
    assert created.status in (201, 409), created.text
    await api.until(DEFINITIONS, f"widgets.{group}", lambda found: condition(found, "Established") == "True")
    await api.served(f"/apis/{group}/v1/widgets")
    return Widgets(group, namespace)


@pytest.fixture
async def widgets(api: Api, namespace: str) -> Widgets:
    """Not to be changed or deleted."""
    return await install(api, "shared.example.com", namespace)


@pytest.fixture
async def own_widgets(api: Api, namespace: str) -> AsyncIterator[Widgets]:
    group = f"n{next(_numbers)}.example.com"
    yield await install(api, group, namespace)
    await api.delete(f"{DEFINITIONS}/widgets.{group}")


async def test_a_definition_is_accepted_established_and_then_served_and_discovered(api: Api, widgets: Widgets) -> None:
    found = await api.get(f"{DEFINITIONS}/widgets.{widgets.group}")
    status = found.content["status"]
    assert condition(found.content, "NamesAccepted") == "True"
    assert status["acceptedNames"]["listKind"] == "WidgetList"
    assert status["storedVersions"] == ["v1"]
    group = await api.get(f"/apis/{widgets.group}")
    assert [one["version"] for one in group.content["versions"]] == ["v1", "v1beta1"]
    assert group.content["preferredVersion"]["version"] == "v1"
    resources = (await api.get(f"/apis/{widgets.group}/v1")).content["resources"]
    assert [one["name"] for one in resources] == ["widgets", "widgets/status"]
    assert resources[0]["shortNames"] == ["wd"]


async def test_unknown_fields_are_pruned_except_where_they_are_kept(api: Api, widgets: Widgets) -> None:
    spec = {"size": 1, "unknown": "x", "free": {"anything": {"goes": 1}}}
    created = await api.post(widgets.path, widgets.one("a", spec))
    assert created.status == 201, created.text
    assert created.content["spec"] == {"size": 1, "colour": "green", "free": {"anything": {"goes": 1}}}
    assert created.warnings == ['299 - "unknown field \\"spec.unknown\\""']
    assert created.metadata["generation"] == 1
    strict = await api.post(widgets.path, widgets.one("b", spec), fieldValidation="Strict")
    assert (strict.status, strict.reason) == (400, "BadRequest")
    assert 'strict decoding error: unknown field "spec.unknown"' in strict.message
    silent = await api.post(widgets.path, widgets.one("b", spec), fieldValidation="Ignore")
    assert (silent.status, silent.warnings) == (201, [])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "spec.size: Required value"),
        ({"size": 0}, "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
        ({"size": "1"}, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'),
        (
            {"size": 1, "colour": "blue"},
            'spec.colour: Unsupported value: "blue": supported values: "red", "green"',
        ),
    ],
)
async def test_what_the_schema_does_not_allow_is_422(api: Api, widgets: Widgets, spec: Content, message: str) -> None:
    refused = await api.post(widgets.path, widgets.one("a", spec))
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert refused.message == f'Widget.{widgets.group} "a" is invalid: {message}'
    assert refused.content["details"]["group"] == widgets.group


async def test_all_served_versions_show_the_same_object(api: Api, widgets: Widgets) -> None:
    created = await api.post(widgets.path, widgets.one("a"))
    other = await api.get(f"{widgets.path}/a".replace("/v1/", "/v1beta1/"))
    assert other.content["apiVersion"] == f"{widgets.group}/v1beta1"
    assert other.metadata["uid"] == created.metadata["uid"]
    assert other.version == created.version


async def test_the_status_is_a_part_of_its_own(api: Api, widgets: Widgets) -> None:
    created = await api.post(widgets.path, widgets.one("a", status={"phase": "Lost"}))
    assert "status" not in created.content
    patched = await api.patch(f"{widgets.path}/a/status", {"status": {"phase": "Ready"}, "spec": {"size": 9}})
    assert (patched.content["status"], patched.content["spec"]["size"]) == ({"phase": "Ready"}, 1)
    assert patched.metadata["generation"] == 1
    changed = await api.patch(f"{widgets.path}/a", {"status": {"phase": "No"}, "spec": {"size": 2}})
    assert (changed.content["status"], changed.metadata["generation"]) == ({"phase": "Ready"}, 2)


async def test_an_update_needs_a_version_and_strategic_patches_are_not_known(api: Api, widgets: Widgets) -> None:
    await api.post(widgets.path, widgets.one("a"))
    refused = await api.put(f"{widgets.path}/a", widgets.one("a"))
    assert refused.status == 422
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in refused.message
    assert (await api.patch(f"{widgets.path}/a", {"spec": {"size": 2}}, STRATEGIC)).status == 415
    assert (await api.patch(f"{widgets.path}/a", {"spec": {"size": 2}}, MERGE)).status == 200


async def test_applied_lists_merge_by_the_keys_of_the_schema(api: Api, widgets: Widgets) -> None:
    path = f"{widgets.path}/a"
    first = {"size": 1, "steps": [{"name": "one", "run": "x"}]}
    assert (await api.apply(path, widgets.one("a", first), "me")).status == 201
    second = widgets.one("a", {"steps": [{"name": "two", "run": "y"}]})
    merged = await api.apply(path, second, "you")
    assert [step["name"] for step in merged.content["spec"]["steps"]] == ["one", "two"]
    refused = await api.apply(path, widgets.one("a", {"steps": [{"name": "one", "run": "z"}]}), "you")
    assert refused.message == 'Apply failed with 1 conflict: conflict with "me": .spec.steps[name="one"].run'


async def test_a_version_that_is_no_longer_served_is_404(api: Api, own_widgets: Widgets) -> None:
    widgets = own_widgets
    path = f"{DEFINITIONS}/widgets.{widgets.group}"
    operations = [{"op": "replace", "path": "/spec/versions/1/served", "value": False}]
    assert (await api.patch(path, operations, "application/json-patch+json")).status == 200
    await api.served(f"/apis/{widgets.group}/v1beta1/widgets", code=404)
    await api.served(f"/apis/{widgets.group}/v1/widgets")


async def test_deleting_a_definition_deletes_its_objects_and_their_watches_hear_of_it(
    api: Api, own_widgets: Widgets
) -> None:
    widgets = own_widgets
    created = await api.post(widgets.path, widgets.one("a"))
    async with api.watch(widgets.path, resourceVersion=created.version) as events:
        deleted = await api.delete(f"{DEFINITIONS}/widgets.{widgets.group}")
        assert deleted.status == 200
        event = await anext(events)
    assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "a")
    await api.until_gone(DEFINITIONS, f"widgets.{widgets.group}")
    await api.served(f"/apis/{widgets.group}/v1/widgets", code=404)


async def test_a_definition_waits_for_the_finalizers_of_its_objects(api: Api, own_widgets: Widgets) -> None:
    widgets = own_widgets
    body = widgets.one("a")
    body["metadata"]["finalizers"] = ["example.com/wait"]
    await api.post(widgets.path, body)
    await api.delete(f"{DEFINITIONS}/widgets.{widgets.group}")
    name = f"widgets.{widgets.group}"
    ending = await api.until(DEFINITIONS, name, lambda found: condition(found, "Terminating") == "True")
    assert ending is not None
    assert ending["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    await api.until(widgets.path, "a", lambda found: "deletionTimestamp" in (found or {})["metadata"])
    refused = await api.post(widgets.path, widgets.one("b"))
    assert refused.status in (403, 405)
    await api.patch(f"{widgets.path}/a", {"metadata": {"finalizers": None}})
    await api.until_gone(DEFINITIONS, name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": {"plural": "gadgets", "kind": "Gadget"}}, 'must be spec.names.plural+"."+spec.group'),
        ({"scope": "Everywhere"}, 'spec.scope: Unsupported value: "Everywhere"'),
        ({"versions": []}, "must have exactly one version marked as storage version"),
    ],
)
async def test_definitions_that_cannot_be_are_422(api: Api, change: Content, message: str) -> None:
    refused = await api.post(DEFINITIONS, definition("bad.example.com", **change))
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert message in refused.message
