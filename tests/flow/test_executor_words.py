"""Words of a set on an object that is otherwise left alone: written, written otherwise, let go of, taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.rehearsals import RehearsedChange
from schemas.ties import DECLARATION, REPLICA_SET, REPLICAS, SHARED_TO
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Bus
from tests.flow.executor_engines import Engine, engine, real_kubeconfig
from tests.flow.executor_proxy import FaultyProxy, lose_request, pass_on
from tests.flow.test_executor_service import executor, final, rehearse, send
from tests.flow.test_executor_undoing import keeping, one_key, undo
from tests.unit.executor.builders import config_map, operation

__all__ = ["engine", "one_key", "real_kubeconfig"]

OURS = (REPLICA_SET, REPLICAS, SHARED_TO)


@pytest.fixture
def bus() -> Bus:
    return MemoryBus()


@pytest.fixture
async def proxy(engine: Engine, tmp_path: Path) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(engine.kubeconfig, tmp_path / "proxied") as made:
        yield made


def words(namespace: str, replica_set: str, replicas: str, **more: str) -> dict[str, Any]:
    annotations = {REPLICAS: replicas, **({SHARED_TO: more["shared_to"]} if more else {})}
    metadata = {"name": "settings", "namespace": namespace, "labels": {REPLICA_SET: replica_set}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**metadata, "annotations": annotations}}


async def said(engine: Engine) -> dict[str, str]:
    found = await engine.get("configmaps", "settings")
    assert found is not None
    metadata = found["metadata"]
    both = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    return {name: text for name, text in both.items() if name in OURS or name == "team"}


@pytest.mark.parametrize("whose", ["ours", "somebody's"])
async def test_words_are_written_and_taken_back_and_all_else_stays(
    engine: Engine, bus: Bus, proxy: FaultyProxy, whose: str
) -> None:
    manifest = config_map(engine.namespace)
    manifest["metadata"]["labels"] = {"team": "shop"}
    async with executor(bus, proxy):
        if whose == "ours":
            first = operation("apply", manifest, intent="i0")
            await send(bus, first)
            await final(bus, first)
        else:
            await engine.write("configmaps", manifest)
        joins = keeping("annotate", words(engine.namespace, "s-1", "lyon,oslo", shared_to="nice"))
        await send(bus, joins)
        done = await final(bus, joins)
        assert (done.state, done.changed) == ("ready", True)
        assert await said(engine) == {
            "team": "shop",
            REPLICA_SET: "s-1",
            REPLICAS: "lyon,oslo",
            SHARED_TO: "nice",
        }
        back = undo(joins, done, "annotate")
        await send(bus, back)
        assert (await final(bus, back)).state == "ready"
    assert await said(engine) == {"team": "shop"}
    found = await engine.get("configmaps", "settings") or {}
    assert found["data"] == {"colour": "blue"}
    assert DECLARATION not in (found["metadata"].get("annotations") or {}), "of no set, nothing is declared"


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
async def test_words_that_were_written_or_taken_back_in_part_are_taken_back_whole(
    engine: Engine, bus: Bus, proxy: FaultyProxy, place: int
) -> None:
    """Two writes make them, three take them back; the connection is cut before one of them arrives."""
    await engine.write("configmaps", config_map(engine.namespace))
    joins = keeping("annotate", words(engine.namespace, "s-1", "lyon,oslo", shared_to="nice"))
    proxy.scripts += [*[pass_on] * place, lose_request]
    async with executor(bus, proxy):
        await send(bus, joins)
        done = await final(bus, joins)
        assert done.state == "ready"
        back = undo(joins, done, "annotate")
        await send(bus, back)
        assert (await final(bus, back)).state == "ready"
    assert not proxy.scripts
    assert await said(engine) == {}


async def test_an_apply_writes_over_words_that_were_marked_without_a_conflict(
    engine: Engine, bus: Bus, proxy: FaultyProxy
) -> None:
    manifest = words(engine.namespace, "s-1", "lyon,nice,oslo") | {"data": {"colour": "blue"}}
    async with executor(bus, proxy):
        first = operation("apply", manifest, intent="i0")
        await send(bus, first)
        await final(bus, first)
        leaves = operation("annotate", words(engine.namespace, "s-1", "nice,oslo"), intent="i1")
        await send(bus, leaves)
        assert (await final(bus, leaves)).state == "ready"
        assert (await said(engine))[REPLICAS] == "nice,oslo"
        alone = operation("annotate", words(engine.namespace, "", ""), intent="i2")
        await send(bus, alone)
        assert (await final(bus, alone)).state == "ready"
        assert await said(engine) == {}
        again = operation("apply", manifest, intent="i3")
        await send(bus, again)
        assert (await final(bus, again)).state == "ready"
        bare = operation("apply", config_map(engine.namespace), intent="i4")
        await send(bus, bare)
        assert (await final(bus, bare)).state == "ready"
    assert await said(engine) == {}


def original(namespace: str, sites: str | None, colour: str = "blue") -> dict[str, Any]:
    manifest = {**config_map(namespace), "data": {"colour": colour}}
    if sites is not None:
        manifest["metadata"] = {**manifest["metadata"], "annotations": {SHARED_TO: sites}}
    return manifest


@pytest.mark.parametrize("sites", ["lyon,nice", "nice", ""])
async def test_what_is_applied_with_another_word_of_who_shares_it_is_no_conflict_and_can_be_taken_back(
    engine: Engine, bus: Bus, proxy: FaultyProxy, sites: str
) -> None:
    """The word is there by a manager of its own, since it was marked."""
    async with executor(bus, proxy):
        first = operation("apply", original(engine.namespace, None), intent="i0")
        shared = operation("annotate", original(engine.namespace, "lyon"), intent="i3")
        for one in (first, shared):
            await send(bus, one)
            assert (await final(bus, one)).state == "ready"
        asked = RehearsedChange(
            resource=first.resource, action="apply", version="v1", manifest=original(engine.namespace, sites, "red")
        )
        (told,) = (await rehearse(bus, asked)).results
        assert (told.message, told.unchanged) == ("", False)
        anew = keeping("apply", original(engine.namespace, sites, "red"))
        await send(bus, anew)
        done = await final(bus, anew)
        assert (done.state, done.changed, done.message) == ("ready", True, "")
        assert await said_now(engine) == ({SHARED_TO: sites} if sites else {}, "red")
        back = undo(anew, done, "update")
        await send(bus, back)
        assert ((ended := await final(bus, back)).state, ended.message) == ("ready", "")
        assert await said_now(engine) == ({SHARED_TO: "lyon"}, "blue")
        bare = operation("apply", original(engine.namespace, None, "green"), intent="i4")
        await send(bus, bare)
        assert (await final(bus, bare)).state == "ready"
    assert await said_now(engine) == ({SHARED_TO: "lyon"}, "green")


async def said_now(engine: Engine) -> tuple[dict[str, str], str]:
    found = await engine.get("configmaps", "settings") or {}
    return await said(engine), found["data"]["colour"]
