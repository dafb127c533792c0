"""Rules that come and go at a live site: of ConfigMaps (not there yet, broken, gone, after restarts) and of files."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cheops.cli.examining import OTHERWISE, mesh_findings
from cheops.drafts import Intent
from cheops.mesh import Mesh, connect
from cheops.sandbox.controlplane import ControlPlaneMissingError
from cheops.sandbox.testbed import Engine, Testbed
from schemas.identity import SiteName
from schemas.relations.carried import BYTES_MAX, HELD
from services.chassis.kubernetes import connection
from services.executor.kubernetes.client import KubernetesClient
from services.resolver.snapshots import CURRENT
from tests.kit.controlplane import give_up
from tests.kit.manifests import definition
from tests.kit.waiting import eventually

LYON = SiteName("lyon")
RULES = """area: mine
mounts:
  - kinds: [example.com/Widget]
    rules:
      - rule: widget.secret
        at: spec.tls
        to: {kind: Secret, name: secretName}
        phases: [S, L]
"""
CRD = definition("example.com", "Widget", "widgets")
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ca"}, "data": {"k": "eA=="}}
pytestmark = pytest.mark.timeout(300)


def widget(name: str, secret: str) -> dict[str, Any]:
    body = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name, "namespace": "default"}}
    return {**body, "spec": {"tls": {"secretName": secret}}}


def config_map(text: str, name: str = "widgets") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "labels": {"cheops.io/rules": "true"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"widgets.yaml": text}}


class World:
    """A site, and somebody who writes behind its back."""

    def __init__(self, bed: Testbed, mesh: Mesh, client: KubernetesClient) -> None:
        self.bed, self.mesh, self.client = bed, mesh, client

    async def write(self, body: dict[str, Any]) -> None:
        plural = {"ConfigMap": "configmaps", "Secret": "secrets", "Widget": "widgets"}.get(body["kind"], "")
        root = "/api/v1" if body["apiVersion"] == "v1" else f"/apis/{body['apiVersion']}"
        place = f"/namespaces/default/{plural}" if plural else "/customresourcedefinitions"
        path = f"{root}{place}/{body['metadata']['name']}"
        await self.client.apply(path, {"fieldManager": "somebody", "force": "true"}, body)

    async def remove(self, name: str) -> None:
        await self.client.delete(f"/api/v1/namespaces/default/configmaps/{name}", {})

    async def codes(self, draft: Intent) -> set[str]:
        verdict = await self.mesh.submit(draft, site=LYON)
        return {verdict.decision, *(one.code for one in verdict.reasons)}

    async def creating(self, *expected: str) -> None:
        """A widget whose secret is missing is created: until the verdict says so."""
        draft = Intent.create([widget("new", "absent")], namespace="default", preview=True)
        await self._until(draft, expected)

    async def deleting(self, *expected: str) -> None:
        """The secret of a widget that is there is deleted: until the verdict says so."""
        await self._until(Intent.delete("secret/ca", namespace="default", preview=True), expected)

    async def _until(self, draft: Intent, expected: tuple[str, ...]) -> None:
        seen: set[str] = set()

        async def said() -> bool:
            nonlocal seen
            seen = await self.codes(draft)
            return seen >= set(expected)

        await eventually(said, lambda: f"{expected}, last {seen}")

    async def restart(self, *services: str) -> None:
        await self.end(*services)
        await self.bed.start_services(LYON)
        await self.bed.wait_fresh()

    async def restart_with(self, service: str, environment: dict[str, str]) -> None:
        await self.end(service)
        await self.bed.start_service(LYON, service, environment)
        await self.bed.wait_fresh()

    async def doctor_says(self, *expected: str) -> None:
        """Until these findings are all that is wrong."""
        found: list[str] = []

        async def said() -> bool:
            found[:] = [text for good, text in await mesh_findings(self.bed.context) if not good]
            return found == [*expected]

        await eventually(said, lambda: f"the doctor says {found}")

    async def end(self, *services: str) -> None:
        for name in services:
            await self.bed.sites[LYON].services[name].stop(5.0)

    def log(self, service: str) -> str:
        return self.bed.sites[LYON].services[service].log_tail(400)


@pytest.fixture
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setenv("CHEOPS_RULES_NAMESPACE", "default")
    engine: Engine = getattr(request, "param", "embedded")
    try:
        bed = Testbed(tmp_path / "bed", [LYON], engine=engine, layout="apart")
    except ControlPlaneMissingError as error:
        give_up(error)
    async with bed, connect(bed.context) as mesh:
        client = KubernetesClient(await connection.connect(bed.sites[LYON].cluster.kubeconfig))
        made = World(bed, mesh, client)
        await made.write(CRD)
        await made.write(SECRET)

        async def served() -> bool:
            return "D001" not in await made.codes(
                Intent.create([widget("new", "x")], namespace="default", preview=True)
            )

        await eventually(served, "the definition is not served")
        await made.write(widget("clock", "ca"))
        await made.deleting("allow", "W310")
        yield made
        await client.close()
        for child in bed.sites[LYON].services.values():
            print(f"── {child.name}\n{child.log_tail(40)}")


@pytest.mark.parametrize("world", ["embedded", pytest.param("kube", marks=pytest.mark.controlplane)], indirect=True)
async def test_rules_hold_from_the_moment_a_config_map_is_there_until_it_is_gone(world: World) -> None:
    await world.creating("allow")
    await world.write(config_map(RULES))
    await world.creating("deny", "D110")
    await world.deleting("deny", "D310")
    await world.write(config_map(RULES.replace("[S, L]", "[Q]")))
    reason = "ConfigMap default/widgets:8: widgets.yaml: mounts.0.rules.0.phases.0"
    await eventually(lambda: "A505" in world.log("resolver") and reason in world.log("resolver"), "nobody is told")
    assert reason in world.log("watcher")
    assert HELD in world.log("resolver")
    await world.deleting("deny", "D310")
    await world.creating("deny", "D110")
    assert any(not good and reason in text for good, text in await mesh_findings(world.bed.context))
    await world.write(config_map(RULES))
    await world.deleting("deny", "D310")
    await eventually(lambda: "is refused any more" in world.log("resolver"), "nobody is told that it is good")
    await world.doctor_says()
    await world.remove("widgets")
    await world.deleting("allow", "W310")
    await world.creating("allow")


async def test_rules_outlive_their_services_and_what_changed_meanwhile_is_seen(world: World) -> None:
    kept = world.bed.directory / LYON / "graph"
    await world.write(config_map(RULES))
    await world.deleting("deny", "D310")
    await eventually((kept / CURRENT).exists, "no snapshot is written")
    await world.restart("watcher", "resolver")
    assert "snapshot restored" in world.log("resolver")
    begun = world.log("watcher").rpartition('"watching"')[2]
    assert begun.index("other rules of relationships are in force") < begun.index("the surface is known")
    await world.deleting("deny", "D310")
    await world.creating("deny", "D110")
    await world.end("resolver")
    shutil.rmtree(kept)
    await world.restart()
    await world.deleting("deny", "D310")
    await world.end("watcher")
    await world.remove("widgets")
    await world.restart()
    await world.deleting("allow", "W310")
    await world.end("watcher")
    await world.write(config_map(RULES))
    await world.restart()
    await world.deleting("deny", "D310")
    await world.end("watcher", "resolver", "executor")
    shutil.rmtree(kept, ignore_errors=True)
    await world.write(config_map("area: ["))
    await world.restart()
    await world.deleting("deny", "D310")
    await world.creating("deny", "D110")
    await world.remove("widgets")
    await world.deleting("allow", "W310")


async def test_what_is_bad_or_too_large_takes_no_other_rule_along_and_ends_no_service(world: World) -> None:
    await world.write(config_map("#" * (BYTES_MAX + 1), "large"))
    await world.write(config_map("- nothing\n", "bad"))
    await world.write(config_map(RULES))
    await world.deleting("deny", "D310")
    await world.write(config_map(RULES, "twin"))
    first = "(the first is in ConfigMap default/twin"
    await eventually(lambda: first in world.log("resolver"), "nobody is told of the twins")
    await world.deleting("deny", "D310")
    await world.remove("widgets")
    good = "no rule of ConfigMap default/widgets @ lyon is refused any more"
    await eventually(lambda: good in world.log("resolver"), "the other one is still a twin")
    await world.deleting("deny", "D310")
    for name, reason in (("large", "more than 256 KiB"), ("bad", "expected a Kubernetes object, a mapping")):
        assert f"ConfigMap default/{name}:1: " in world.log("watcher")
        assert reason in world.log("watcher")
    for child in world.bed.sites[LYON].services.values():
        child.ensure_running()


async def test_a_watcher_with_other_rule_files_tells_a_resolver_that_went_on_what_it_reads_otherwise(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(RULES)
    mine = {"CHEOPS_RULES": json.dumps([str(file)])}
    await world.restart_with("watcher", mine)
    await world.deleting("deny", "D310")
    await world.doctor_says(f"site lyon: {OTHERWISE}")
    await world.restart_with("resolver", mine)
    await world.restart_with("executor", mine)
    await world.creating("deny", "D110")
    await world.doctor_says()
    await world.restart_with("watcher", {})
    await world.deleting("allow", "W310")
    await world.doctor_says(f"site lyon: {OTHERWISE}")
