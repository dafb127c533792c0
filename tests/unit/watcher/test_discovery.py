"""What a server says of itself → kinds: aggregated, one by one, and broken in parts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from schemas.identity import KindId
from services.chassis.errors import TransientError
from services.watcher.kubernetes.discovery import Discovered, discover
from services.watcher.kubernetes.transport import Transport
from tests.unit.watcher.scripted import Answer, ScriptedServer, connection_to, scripted, status

ALL = ["create", "delete", "get", "list", "watch"]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted() as made:
        yield made


async def look(server: ScriptedServer, previous: Discovered | None = None) -> Discovered:
    transport = Transport(await connection_to(server.url))
    try:
        return await discover(transport, previous)
    finally:
        await transport.close()


def document(body: dict[str, Any]) -> Answer:
    return Answer(json.dumps(body).encode())


def aggregated(name: str, *versions: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name} if name else {}, "versions": list(versions)}


def version(name: str, *resources: dict[str, Any], freshness: str = "Current") -> dict[str, Any]:
    return {"version": name, "resources": list(resources), "freshness": freshness}


def resource(plural: str, kind: str, verbs: list[str] | None = None, scope: str = "Namespaced") -> dict[str, Any]:
    made: dict[str, Any] = {"resource": plural, "scope": scope, "singularResource": kind.lower(), "shortNames": ["x"]}
    made |= {"responseKind": {"group": "", "version": "v1", "kind": kind}, "verbs": ALL if verbs is None else verbs}
    made["subresources"] = [{"subresource": "status", "verbs": ["get"]}]
    return made


def groups(*items: dict[str, Any]) -> Answer:
    return document({"kind": "APIGroupDiscoveryList", "items": list(items)})


CORE = groups(aggregated("", version("v1", resource("secrets", "Secret"), resource("nodes", "Node", scope="Cluster"))))


async def test_two_requests_tell_all_kinds_preferred_version_first(server: ScriptedServer) -> None:
    server.on("/api", "list", CORE)
    deployments = resource("deployments", "Deployment")
    server.on("/apis", "list", groups(aggregated("apps", version("v1", deployments), version("v1beta1", deployments))))
    found = await look(server)
    served = {entry.kind: entry for entry in found.served(frozenset())}
    assert len(server.asked) == 2
    assert served[KindId("apps/Deployment")].versions == ("v1", "v1beta1")
    assert served[KindId("Secret")].short_names == ("x",)
    assert not served[KindId("Node")].namespaced
    assert found.kinds[KindId("apps/Deployment")][0].path == "/apis/apps/v1/deployments"
    assert found.kinds[KindId("Secret")][0].path == "/api/v1/secrets"


async def test_what_cannot_be_listed_and_watched_or_is_excluded_is_named_as_not_watched(
    server: ScriptedServer,
) -> None:
    server.on("/api", "list", groups(aggregated("", version(
        "v1", resource("bindings", "Binding", ["create"]), resource("events", "Event"), resource("pods", "Pod")
    ))))  # fmt: skip
    server.on("/apis", "list", groups())
    served = (await look(server)).served(frozenset({KindId("Event")}))
    assert {entry.kind: entry.watched for entry in served} == {"Binding": False, "Event": False, "Pod": True}


async def test_a_stale_group_keeps_what_was_known_of_it_and_does_not_fail_the_rest(server: ScriptedServer) -> None:
    things = resource("things", "Thing")
    server.on("/api", "list", CORE, CORE)
    server.on("/apis", "list", groups(aggregated("example.com", version("v1", things))))
    server.on("/apis", "list", groups(aggregated("example.com", version("v1", freshness="Stale"))))
    before = await look(server)
    after = await look(server, before)
    assert after.kinds == before.kinds
    assert after.broken == {"example.com/v1": "its server does not answer"}


async def test_a_server_of_a_group_that_leaves_lists_empty_fails_nobody_else(server: ScriptedServer) -> None:
    """Go writes an empty list without `omitempty` as null: a resource without verbs, a group without versions."""
    bare = {"resource": "things", "responseKind": None, "scope": "Namespaced", "singularResource": "", "verbs": None}
    odd = {**resource("others", "Other"), "verbs": None, "shortNames": None}
    nothing = {"version": "v1", "resources": None, "freshness": "Current"}
    server.on("/api", "list", CORE)
    versionless = {"metadata": {"name": "b.io"}, "versions": None}
    odd_ones = aggregated("c.io", version("v1", bare, odd))
    server.on("/apis", "list", groups(aggregated("a.io", nothing), versionless, odd_ones))
    served = (await look(server)).served(frozenset())
    assert {one.kind: one.watched for one in served} == {"Secret": True, "Node": True, "c.io/Other": False}


async def test_an_older_server_may_leave_lists_empty_too(server: ScriptedServer) -> None:
    server.on("/api", "list", document({"kind": "APIVersions", "versions": ["v1"]}))
    server.on("/apis", "list", document({"kind": "APIGroupList", "groups": None}))
    bare = {"name": "things", "kind": "Thing", "namespaced": True, "verbs": None, "shortNames": None}
    server.on("/api/v1", "list", document({"kind": "APIResourceList", "resources": [bare]}))
    assert [(one.kind, one.watched) for one in (await look(server)).served(frozenset())] == [("Thing", False)]


def plain(*resources: tuple[str, str]) -> Answer:
    listed = [{"name": name, "kind": kind, "namespaced": True, "verbs": ALL} for name, kind in resources]
    return document({"kind": "APIResourceList", "resources": listed})


async def test_an_older_server_is_asked_for_one_group_version_after_the_other(server: ScriptedServer) -> None:
    versions = [{"version": "v1beta1"}, {"version": "v1"}]
    apps = {"name": "apps", "versions": versions, "preferredVersion": {"version": "v1"}}
    broken = {"name": "broken.io", "versions": [{"version": "v1"}], "preferredVersion": {"version": "v1"}}
    server.on("/api", "list", document({"kind": "APIVersions", "versions": ["v1"]}))
    server.on("/apis", "list", document({"kind": "APIGroupList", "groups": [apps, broken]}))
    server.on("/api/v1", "list", plain(("secrets", "Secret"), ("secrets/status", "Secret")))
    server.on("/apis/apps/v1", "list", plain(("deployments", "Deployment")))
    server.on("/apis/apps/v1beta1", "list", plain(("deployments", "Deployment")))
    server.on("/apis/broken.io/v1", "list", status(503, "no endpoints"))
    found = await look(server)
    served = {entry.kind: entry.versions for entry in found.served(frozenset())}
    assert served == {"Secret": ("v1",), "apps/Deployment": ("v1", "v1beta1")}
    assert found.broken == {"broken.io/v1": "503: no endpoints"}


@pytest.mark.parametrize("answer", [status(500, "no"), Answer(b"<html>"), Answer(b"[]")])
async def test_a_server_that_says_nothing_sensible_is_tried_again_later(server: ScriptedServer, answer: Answer) -> None:
    server.on("/api", "list", answer)
    with pytest.raises(TransientError):
        await look(server)
