"""What an operation replaces is kept by the executor, and put back by it: exactly, once, never over somebody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.operations import Operation
from schemas.outcomes import Outcome
from schemas.verdicts import Action, Preconditions
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Bus
from services.executor.sealing import Keyring
from tests.flow.executor_engines import Engine, engine, real_kubeconfig
from tests.flow.executor_proxy import FaultyProxy, lose_answer, lose_request, pass_on, refuse
from tests.flow.test_executor_service import executor, final, outcomes, send, until
from tests.unit.executor.builders import config_map, deployment, operation, secret

__all__ = ["engine", "real_kubeconfig"]


@pytest.fixture
def bus() -> Bus:
    return MemoryBus()


@pytest.fixture
async def proxy(engine: Engine, tmp_path: Path) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(engine.kubeconfig, tmp_path / "proxied") as made:
        yield made


@pytest.fixture(autouse=True)
def one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """An executor that comes after a killed one has its key file."""
    shared = Keyring(None)
    monkeypatch.setattr("services.executor.service.Keyring", lambda _: shared)


def keeping(action: Action, manifest: dict[str, Any], **how: Any) -> Operation:
    return operation(action, manifest, **how).model_copy(update={"keep": True})


def undo(forward: Operation, done: Outcome, action: Action) -> Operation:
    conditions = Preconditions(uid=done.uid, left=done.left) if action != "create" else Preconditions(absent=True)
    made = operation(action, resource=forward.resource, revision=2, step="u1")
    return made.model_copy(update={"undoes": forward.id, "preconditions": conditions, "manifest": None})


async def test_an_update_is_put_back_exactly(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    first = operation("apply", deployment(engine.namespace), intent="i0")
    changed = deployment(engine.namespace, replicas=3)
    changed["metadata"]["labels"] = {"team": "shop"}
    async with executor(bus, proxy):
        await send(bus, first)
        await until(lambda: engine.get("deployments", "web", "/apis/apps/v1"))
        before = await engine.get("deployments", "web", "/apis/apps/v1")
        wanted = keeping("update", changed)
        await send(bus, wanted)

        async def applied() -> Outcome | None:
            mine = [one for one in await outcomes(bus) if one.operation == wanted.id and one.state != "begun"]
            return mine[-1] if mine else None

        done = await until(applied)
        assert done.former.startswith("cheops-kept:v1:")
        back = undo(wanted, done, "update")
        await send(bus, back)
        await until(lambda: _says(bus, back))
    after = await engine.get("deployments", "web", "/apis/apps/v1")
    assert before is not None
    assert after is not None
    assert after["spec"] == before["spec"]
    assert after["metadata"].get("labels") == before["metadata"].get("labels")


async def _says(bus: Bus, wanted: Operation) -> list[Outcome]:
    return [one for one in await outcomes(bus) if one.operation == wanted.id]


async def test_a_deleted_secret_is_made_again_and_nobody_could_read_it_meanwhile(
    engine: Engine, bus: Bus, proxy: FaultyProxy
) -> None:
    canary = "canary-of-what-was-kept"
    async with executor(bus, proxy):
        first = operation("apply", secret(engine.namespace, password=canary), intent="i0")
        await send(bus, first)
        made = await final(bus, first)
        gone = operation("delete", resource=first.resource, uid=made.uid).model_copy(update={"keep": True})
        await send(bus, gone)
        done = await final(bus, gone)
        before = await engine.get("secrets", "token")
        assert before is None
        back = undo(gone, done, "create")
        await send(bus, back)
        assert (await final(bus, back)).state == "ready"
    found = await engine.get("secrets", "token")
    assert found is not None
    assert list(found["data"]) == ["password"]
    stored = [one.payload async for one in bus.scan("OUTCOMES", "cheops.v1.outcome.>")]
    assert not any(canary.encode() in one or found["data"]["password"].encode() in one for one in stored)


async def test_a_deleted_job_is_made_again_though_its_selector_named_the_uid_that_it_had(
    engine: Engine, bus: Bus, proxy: FaultyProxy
) -> None:
    containers = [{"name": "main", "image": "registry.example/web:1"}]
    template = {"metadata": {"labels": {"app": "once"}}, "spec": {"restartPolicy": "Never", "containers": containers}}
    metadata = {"name": "once", "namespace": engine.namespace}
    spec = {"suspend": True, "template": template}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
    before = await engine.write("jobs", job)
    assert before["spec"]["selector"], "the API server has made one"
    resource = operation("apply", job).resource
    gone = operation("delete", resource=resource, uid=before["metadata"]["uid"]).model_copy(update={"keep": True})
    async with executor(bus, proxy):
        await send(bus, gone)
        back = undo(gone, await final(bus, gone), "create")
        await send(bus, back)
        said = await until(lambda: _says(bus, back))
    assert said[0].state in ("applied", "ready"), said[0].message
    after = await engine.get("jobs", "once", "/apis/batch/v1")
    assert after is not None
    assert after["spec"]["template"]["metadata"]["labels"]["app"] == "once"


@pytest.mark.parametrize("owner_is", ["there", "made again", "gone", "forbidden", "not served"])
async def test_what_is_made_again_is_owned_by_its_owner_as_it_is_now(
    engine: Engine, bus: Bus, proxy: FaultyProxy, owner_is: str
) -> None:
    """An owner of another uid is none: the garbage collector would take away at once what was put back."""
    first = await engine.write("configmaps", config_map(engine.namespace, "owner"))
    child = config_map(engine.namespace, "child")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": first["metadata"]["uid"]}
    child["metadata"]["ownerReferences"] = [reference]
    live = await engine.write("configmaps", child)
    resource = operation("apply", child).resource
    gone = operation("delete", resource=resource, uid=live["metadata"]["uid"]).model_copy(update={"keep": True})
    async with executor(bus, proxy):
        await send(bus, gone)
        done = await final(bus, gone)
        if owner_is in ("made again", "gone"):
            await engine.remove("configmaps", "owner")
        if owner_is == "made again":
            first = await engine.write("configmaps", config_map(engine.namespace, "owner"))
        refused = {"forbidden": refuse(403, "no", reason="Forbidden"), "not served": refuse(404, "404 page not found")}
        if owner_is in refused:  # the child is looked at, and then its owner, who is named as before
            proxy.reads += [pass_on, refused[owner_is]]
        back = undo(gone, done, "create")
        await send(bus, back)
        assert (await final(bus, back)).state == "ready"
        assert not proxy.reads
    after = await engine.get("configmaps", "child")
    assert after is not None
    named = [one["uid"] for one in after["metadata"].get("ownerReferences", ())]
    assert named == ([] if owner_is == "gone" else [first["metadata"]["uid"]])


async def test_what_a_finalizer_still_holds_is_made_again_once_it_is_gone(
    engine: Engine, bus: Bus, proxy: FaultyProxy
) -> None:
    """It is there, but not for long: taken for somebody else's, it would be gone with nobody to make it again."""
    held = config_map(engine.namespace)
    held["metadata"]["finalizers"] = ["example.com/hold"]
    live = await engine.write("configmaps", held)
    uid, resource = live["metadata"]["uid"], operation("apply", held).resource
    gone = operation("delete", resource=resource, uid=uid, ready_timeout_s=0.1).model_copy(update={"keep": True})
    async with executor(bus, proxy):
        await send(bus, gone)
        done = await final(bus, gone)
        assert (done.state, done.changed) == ("failed", True)
        back = undo(gone, done, "create")
        proxy.seen.clear()
        await send(bus, back)
        await until(lambda: _looked(proxy))
        assert not await _says(bus, back)
        await engine.write("configmaps", config_map(engine.namespace))  # whoever held it lets go
        assert (await final(bus, back)).state == "ready"
    after = await engine.get("configmaps", "settings")
    assert after is not None
    assert after["metadata"]["uid"] != uid
    assert after["data"] == {"colour": "blue"}


@pytest.mark.parametrize("lets_go", [True, False])
async def test_an_executor_that_is_started_anew_while_a_finalizer_holds_makes_it_or_lets_it_expire(
    engine: Engine, bus: Bus, proxy: FaultyProxy, lets_go: bool
) -> None:
    """Nobody has made it while the old one is there, so the one before has not."""
    held = config_map(engine.namespace)
    held["metadata"]["finalizers"] = ["example.com/hold"]
    live = await engine.write("configmaps", held)
    gone = operation("delete", resource=operation("apply", held).resource, uid=live["metadata"]["uid"])
    gone = gone.model_copy(update={"ready_timeout_s": 0.1, "keep": True})
    async with executor(bus, proxy):
        await send(bus, gone)
        back = undo(gone, await final(bus, gone), "create")
        if not lets_go:
            back = back.model_copy(update={"expires_at": datetime.now(UTC) + timedelta(seconds=3)})
        proxy.seen.clear()
        await send(bus, back)
        await until(lambda: _looked(proxy))
    async with executor(bus, proxy):
        proxy.seen.clear()
        await until(lambda: _looked(proxy))
        if lets_go:
            await engine.write("configmaps", config_map(engine.namespace))
        assert (await final(bus, back)).state == ("ready" if lets_go else "expired")


async def _looked(proxy: FaultyProxy) -> bool:
    """It was looked for, and once more."""
    return sum(one.path.endswith("/settings") for one in proxy.seen) > 1


async def test_a_key_that_a_step_added_to_a_secret_goes_again(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    async with executor(bus, proxy):
        first = operation("apply", secret(engine.namespace, user="a"), intent="i0")
        await send(bus, first)
        await final(bus, first)
        wanted = keeping("update", secret(engine.namespace, user="b", password="c"))
        await send(bus, wanted)
        back = undo(wanted, await final(bus, wanted), "update")
        await send(bus, back)
        assert (await final(bus, back)).state == "ready"
    found = await engine.get("secrets", "token")
    assert found is not None
    assert found["data"] == {"user": "YQ=="}


@pytest.mark.parametrize("action", ["update", "delete"])
async def test_what_somebody_has_changed_since_is_left_as_it_is(
    engine: Engine, bus: Bus, proxy: FaultyProxy, action: Action
) -> None:
    async with executor(bus, proxy):
        if action == "update":
            first = operation("apply", config_map(engine.namespace), intent="i0")
            await send(bus, first)
            await final(bus, first)
        wanted = keeping("apply", config_map(engine.namespace, colour="green"))
        await send(bus, wanted)
        done = await final(bus, wanted)
        await engine.write("configmaps", config_map(engine.namespace, theirs="yes"))
        back = undo(wanted, done, action)
        await send(bus, back)
        ended = await final(bus, back)
    assert (ended.state, ended.changed) == ("conflict", False)
    assert "changed by somebody since" in ended.message
    found = await engine.get("configmaps", "settings")
    assert found is not None
    assert found["data"]["theirs"] == "yes"


@pytest.mark.parametrize("fault", [lose_request, lose_answer], ids=["before", "after"])
async def test_an_executor_killed_at_its_write_has_kept_what_it_replaced(
    engine: Engine, bus: Bus, proxy: FaultyProxy, fault: Any
) -> None:
    wanted = keeping("update", config_map(engine.namespace, colour="green"))
    async with executor(bus, proxy):
        first = operation("apply", config_map(engine.namespace), intent="i0")
        await send(bus, first)
        await final(bus, first)
    async with executor(bus, proxy):
        proxy.scripts.append(fault)
        await send(bus, wanted)
        await until(lambda: _says(bus, wanted))
    async with executor(bus, proxy):
        done = await final(bus, wanted)
        assert done.former
        if done.state == "ready":
            back = undo(wanted, done, "update")
            await send(bus, back)
            assert (await final(bus, back)).state == "ready"
    found = await engine.get("configmaps", "settings")
    assert found is not None
    assert found["data"] == {"colour": "blue"}
