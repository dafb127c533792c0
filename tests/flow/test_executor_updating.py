"""What a rehearsal has seen is written without another look: in every world that differs in nothing but requests.

Each world twice, with a name of its own: once as the rehearsal saw it, once look, dry run and write. The same becomes
of both, also when the world has changed between the rehearsal and the write.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import ResourceId
from schemas.operations import Operation
from schemas.ties import DECLARATION, PART_OF
from services.chassis.errors import TransientError
from services.chassis.kubernetes.connection import connect
from services.executor.kubernetes import seen as seeing
from services.executor.kubernetes.adapter import KubernetesTarget
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.manifests import MARKER
from services.executor.kubernetes.seen import Seen
from tests.flow.executor_engines import Engine, engine, real_kubeconfig
from tests.flow.executor_proxy import FaultyProxy, lose_answer, lose_request
from tests.flow.test_executor_cluster import FreePermit, KeysOnly, change
from tests.unit.executor.builders import config_map, operation, secret

__all__ = ["engine", "real_kubeconfig"]

Body = dict[str, Any]
Meanwhile = Callable[[Engine, str, Body, Operation], Awaitable[None]]
WAYS: list[Body] = [{"action": "update"}, {"action": "apply"}]


class Shapes(KeysOnly):
    """Nothing is fixed."""

    def fixed(self, old: Body, new: Body) -> tuple[str, ...]:
        return ()


class KeepingPermit(FreePermit):
    """It remembers what was to be kept."""

    def __init__(self, *, open: bool = False) -> None:
        super().__init__(open=open)
        self.kept: list[Body | None] = []

    async def keep(self, live: Body | None) -> None:
        self.kept.append(live)


def _more(body: Body, **metadata: Any) -> Body:
    return {**body, "metadata": {**body["metadata"], **metadata}}


# before → after
BODIES: dict[str, Callable[[str, str], tuple[str, Body, Body]]] = {
    "another value": lambda space, name: (
        "configmaps", config_map(space, name), config_map(space, name, colour="green")
    ),
    "a value less, another more": lambda space, name: (
        "configmaps", config_map(space, name, a="1", b="2"), config_map(space, name, b="2", c="3")
    ),
    "nothing": lambda space, name: ("configmaps", config_map(space, name), config_map(space, name)),
    "a Secret's value": lambda space, name: ("secrets", secret(space, name, a="b"), secret(space, name, a="c")),
    "a part": lambda space, name: (
        "configmaps",
        _more(config_map(space, name), labels={PART_OF: "shop"}),
        _more(config_map(space, name, colour="green"), labels={PART_OF: "shop"}),
    ),
    "an unknown field": lambda space, name: (
        "configmaps", config_map(space, name), {**config_map(space, name, colour="green"), "colour": "blue"}
    ),
    "a wrong value": lambda space, name: (
        "configmaps", config_map(space, name), _more(config_map(space, name), labels={"a": "not a label!"})
    ),
}  # fmt: skip


async def _as_it_was(engine: Engine, plural: str, body: Body, wanted: Operation) -> None:
    """The world that was rehearsed."""


async def _more_of_somebody(engine: Engine, plural: str, body: Body, wanted: Operation) -> None:
    await engine.write(plural, _more(_bare(body), labels={"by": "somebody"}))


async def _ours_is_somebodys(engine: Engine, plural: str, body: Body, wanted: Operation) -> None:
    await engine.write(plural, {**_bare(body), "data": dict.fromkeys(body.get("data") or {"a": ""}, "b3RoZXI=")})


async def _other_of_ours(engine: Engine, plural: str, body: Body, wanted: Operation) -> None:
    await engine.write(plural, _more(body, annotations={MARKER: "i9.1.s1", "by": "another"}), "cheops")


async def _done_already(engine: Engine, plural: str, body: Body, wanted: Operation) -> None:
    await engine.write(plural, _more(body, annotations={MARKER: wanted.id}), "cheops")


async def _gone(engine: Engine, plural: str, body: Body, wanted: Operation) -> None:
    await engine.remove(plural, body["metadata"]["name"])


async def _made_anew(engine: Engine, plural: str, body: Body, wanted: Operation) -> None:
    await engine.remove(plural, body["metadata"]["name"])
    await engine.write(plural, body, "cheops")


async def _being_deleted(engine: Engine, plural: str, body: Body, wanted: Operation) -> None:
    await engine.write(plural, _more(_bare(body), finalizers=["example.com/held"]))
    await engine.remove(plural, body["metadata"]["name"])


WORLDS: dict[str, Meanwhile] = {
    "as it was": _as_it_was,
    "more of somebody's": _more_of_somebody,
    "ours is somebody's": _ours_is_somebodys,
    "another operation of ours": _other_of_ours,
    "done already": _done_already,
    "gone": _gone,
    "made anew": _made_anew,
    "being deleted": _being_deleted,
}


def _bare(body: Body) -> Body:
    return {name: body[name] for name in ("apiVersion", "kind", "metadata")}


@pytest.fixture
async def target(engine: Engine) -> AsyncIterator[KubernetesTarget]:
    made = KubernetesTarget(KubernetesClient(await connect(engine.kubeconfig)), Shapes)
    yield made
    await made.close()


async def _become(engine: Engine, target: KubernetesTarget, case: tuple[str, str], how: Body, name: str) -> list[Any]:
    """The effects of two tries, what there is to be kept for an undo, and what is there afterwards."""
    kind, meanwhile = case
    plural, before, after = BODIES[kind](engine.namespace, name)
    live = await engine.write(plural, before, "cheops")
    wanted = operation(how["action"], after, intent=name, uid=live["metadata"]["uid"])
    await target.rehearse((change(after, how["action"]),))
    await WORLDS[meanwhile](engine, plural, before, wanted)
    found = await engine.get(plural, name)
    said: list[Any] = []
    for permit in (KeepingPermit(), KeepingPermit(open=True)):
        try:
            effect = await target.apply(wanted, permit)
            said += [replace(effect, uid="", resource_version="", left=""), bool(effect.uid)]
            if effect.changed and permit.kept and meanwhile != "done already":  # then whoever did it has kept it
                assert permit.kept[-1] == found
                said.append("kept")
        except TransientError as error:
            said.append(repr(error))
        said.append(permit.open)
    said.append(_asked_for(await engine.get(plural, name)))
    uids = [str(one["metadata"]["uid"]) for one in (live, found) if one is not None]
    text = json.dumps(said, default=repr).replace(name, "NAME")
    for uid in uids:
        text = text.replace(uid, "UID")
    return [json.loads(text)]


def _asked_for(live: Body | None) -> Body | None:
    """What people and we said of it."""
    if live is None:
        return None
    annotations = live["metadata"].get("annotations") or {}
    words = {name: name == DECLARATION or text for name, text in annotations.items()}
    return {"words": words, **{name: live["metadata"].get(name) for name in ("labels", "finalizers")}, **_data(live)}


def _data(live: Body) -> Body:
    return {"data": live.get("data")}


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("kind", BODIES)
async def test_what_was_rehearsed_comes_to_what_look_dry_run_and_write_come_to(
    engine: Engine, target: KubernetesTarget, kind: str, how: Body
) -> None:
    for place, meanwhile in enumerate(WORLDS):
        case = kind, meanwhile
        short = await _become(engine, target, case, how, f"short-{place}")
        with mock.patch.object(seeing.Seen, "take", return_value=None):
            plain = await _become(engine, target, case, how, f"plain-{place}")
        assert short == plain, case


@pytest.fixture
async def proxied(engine: Engine, tmp_path: Path) -> AsyncIterator[tuple[FaultyProxy, KubernetesTarget]]:
    async with FaultyProxy(engine.kubeconfig, tmp_path / "proxied") as proxy:
        target = KubernetesTarget(KubernetesClient(await connect(proxy.kubeconfig)), Shapes)
        yield proxy, target
        await target.close()


async def _rehearsed(engine: Engine, target: KubernetesTarget) -> Operation:
    live = await engine.write("configmaps", config_map(engine.namespace), "cheops")
    after = config_map(engine.namespace, colour="green")
    await target.rehearse((change(after),))
    return operation("apply", after, uid=live["metadata"]["uid"])


async def test_an_update_that_was_rehearsed_is_one_request(
    engine: Engine, proxied: tuple[FaultyProxy, KubernetesTarget]
) -> None:
    proxy, target = proxied
    wanted = await _rehearsed(engine, target)
    asked = len(proxy.seen)
    effect = await target.apply(wanted, FreePermit())
    assert (effect.state, effect.changed, proxy.applied) == ("ready", True, 1)
    assert len(proxy.seen) == asked + 1


@pytest.mark.parametrize("lost", [lose_answer, lose_request])
async def test_a_rehearsed_update_that_was_never_answered_is_still_one_effect(
    engine: Engine, proxied: tuple[FaultyProxy, KubernetesTarget], lost: Any
) -> None:
    proxy, target = proxied
    wanted, permit = await _rehearsed(engine, target), FreePermit()
    proxy.scripts.append(lost)
    with pytest.raises(TransientError):
        await target.apply(wanted, permit)
    assert permit.open
    effect = await target.apply(wanted, permit)
    assert (effect.state, effect.changed, proxy.applied) == ("ready", True, 1)
    live = await engine.get("configmaps", "settings")
    assert live is not None
    assert live["data"] == {"colour": "green"}


# ── what is remembered ──────────────────────────────────────────────────────────────────────────────────────────────


def _live(name: str, version: int, size: int) -> Body:
    body = config_map("shop", name, value="x" * size)
    return _more(body, resourceVersion=str(version), uid=f"u-{name}")


STEPS = st.lists(
    st.tuples(st.sampled_from(["remember", "take"]), st.integers(0, 4), st.integers(0, 2), st.integers(0, 400))
)


@given(STEPS, st.integers(0, 2_000))
def test_what_is_remembered_is_the_last_of_each_once_and_never_too_much(
    steps: list[tuple[str, int, int, int]], most: int
) -> None:
    kept, model = Seen(most), dict[ResourceId, tuple[Body, Body]]()
    for act, number, version, size in steps:
        name = ResourceId(f"ConfigMap/shop/c{number}")
        live, wanted = _live(f"c{number}", version, size), config_map("shop", f"c{number}", value=f"{version}")
        if act == "remember":
            kept.remember(name, wanted, live, {**live, "data": {"value": "other"}})
            model[name] = wanted, live
        else:
            found = kept.take(name, wanted)
            known, remembered = model.pop(name, ({}, {}))
            assert found in (None, remembered if known == wanted else None)
    assert kept._bytes == sum(len(one.live) for one in kept._seen.values()) <= most


def test_nothing_is_remembered_that_says_nothing_of_what_is_there() -> None:
    name, wanted, live = ResourceId("ConfigMap/shop/c"), config_map("shop", "c"), _live("c", 1, 1)
    other = {**live, "data": {"value": "other"}}
    for after in (live, _more(other, resourceVersion="2"), _more(other, resourceVersion="")):
        kept = Seen()
        kept.remember(name, wanted, live, after)
        assert kept.take(name, wanted) is None
    kept = Seen()
    kept.remember(name, wanted, live, other)
    kept.remember(name, wanted, {**live, "kind": "Secret"}, other)  # the last of it, and not to be remembered
    assert kept.take(name, wanted) is None
