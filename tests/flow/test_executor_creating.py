"""What is to be made anew is written without a look before: in every world that differs in nothing but requests.

Each world twice, with a name of its own: once the short way, once look, dry run and write. The same becomes of both.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from importlib import import_module
from typing import Any
from unittest import mock

import pytest

from schemas.operations import Operation
from schemas.ties import DECLARATION, PART_OF
from services.chassis.errors import TransientError
from services.chassis.kubernetes.connection import connect
from services.executor.kubernetes.adapter import KubernetesTarget
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.manifests import MARKER
from tests.flow.executor_engines import Engine, engine, real_kubeconfig
from tests.flow.test_executor_cluster import FreePermit, KeysOnly
from tests.unit.executor.builders import config_map, deployment, operation, secret

__all__ = ["engine", "real_kubeconfig"]

applying = import_module("services.executor.kubernetes.apply")
Body = dict[str, Any]
Before = Callable[[Engine, str, Body, Operation], Awaitable[None]]


def _unknown_field(body: Body) -> Body:
    return {**body, "colour": "blue"}


def _wrong_value(body: Body) -> Body:
    return {**body, "metadata": {**body["metadata"], "labels": {"a": "not a label!"}}}


def _elsewhere(body: Body) -> Body:
    return {**body, "metadata": {**body["metadata"], "namespace": "nowhere"}}


def _tied(body: Body) -> Body:
    return {**body, "metadata": {**body["metadata"], "labels": {PART_OF: "shop"}}}


BODIES: dict[str, Callable[[str, str], tuple[str, Body]]] = {
    "a ConfigMap": lambda space, name: ("configmaps", config_map(space, name)),
    "a Secret": lambda space, name: ("secrets", secret(space, name, a="b")),
    "a Deployment": lambda space, name: ("deployments", deployment(space, name)),
    "a part": lambda space, name: ("configmaps", _tied(config_map(space, name))),
    "an unknown field": lambda space, name: ("configmaps", _unknown_field(config_map(space, name))),
    "a wrong value": lambda space, name: ("configmaps", _wrong_value(config_map(space, name))),
    "no such namespace": lambda space, name: ("configmaps", _elsewhere(config_map(space, name))),
}


async def _nothing(engine: Engine, plural: str, body: Body, wanted: Operation) -> None:
    """The world that the verdict rests on."""


async def _another(engine: Engine, plural: str, body: Body, wanted: Operation) -> None:
    await engine.write(plural, {**body, "metadata": {**body["metadata"], "labels": {"by": "somebody"}}})


async def _marked(engine: Engine, plural: str, body: Body, wanted: Operation) -> None:
    marked = {**body, "metadata": {**body["metadata"], "annotations": {MARKER: wanted.id}}}
    await engine.write(plural, marked, "cheops")


async def _terminating(engine: Engine, plural: str, body: Body, wanted: Operation) -> None:
    held = {**body["metadata"], "finalizers": ["example.com/held"]}
    await engine.write(plural, {**body, "metadata": held})
    root = "/apis/apps/v1" if plural == "deployments" else "/api/v1"
    await engine.remove(plural, body["metadata"]["name"], root)


WORLDS: dict[str, Before] = {
    "nothing there": _nothing,
    "somebody's": _another,
    "ours": _marked,
    "being deleted": _terminating,
}
REFUSED_BEFORE = ("an unknown field", "a wrong value", "no such namespace")
CASES = [
    (body, before)
    for body, before in itertools.product(BODIES, WORLDS)
    if before == "nothing there" or body not in REFUSED_BEFORE
]


@pytest.fixture
async def target(engine: Engine) -> AsyncIterator[KubernetesTarget]:
    made = KubernetesTarget(KubernetesClient(await connect(engine.kubeconfig)), KeysOnly)
    yield made
    await made.close()


async def _become(engine: Engine, target: KubernetesTarget, case: tuple[str, str], how: Body, name: str) -> list[Any]:
    """The effect, what is there afterwards, and what a second try of the same operation says."""
    kind, before = case
    plural, body = BODIES[kind](engine.namespace, name)
    wanted = operation(how["action"], body, absent=how["absent"], intent=name)
    await WORLDS[before](engine, plural, body, wanted)
    said: list[Any] = []
    for permit in (FreePermit(), FreePermit(open=True)):
        try:
            effect = await target.apply(wanted, permit)
            if effect.state == "applied":  # a controller may be at work already, and through at the second try
                effect = replace(effect, state="ready", message="")
            said.append(replace(effect, uid="", resource_version="", left=""))
            said.append(bool(effect.uid))
        except TransientError as error:
            said.append(repr(error))
        said.append(permit.open)
    root = "/apis/apps/v1" if plural == "deployments" else "/api/v1"
    live = await engine.get(plural, name, root)
    if live is not None:
        said.append(_asked_for(live))
    return [json.loads(json.dumps(said, default=repr).replace(name, "NAME"))]


def _asked_for(live: Body) -> Body:
    """What people and we said of it, whatever controllers and the server have added since."""
    annotations = live["metadata"].get("annotations") or {}
    words = {name: name == DECLARATION or text for name, text in annotations.items() if "kubernetes.io" not in name}
    return {
        "words": words,
        "labels": live["metadata"].get("labels"),
        "finalizers": live["metadata"].get("finalizers"),
        **{name: live.get(name) for name in ("kind", "spec", "data")},
    }


@pytest.mark.parametrize("how", [{"action": "create", "absent": False}, {"action": "apply", "absent": True}])
async def test_the_short_way_comes_to_what_look_dry_run_and_write_come_to(
    engine: Engine, target: KubernetesTarget, how: Body
) -> None:
    for place, case in enumerate(CASES):
        short = await _become(engine, target, case, how, f"short-{place}")
        with mock.patch.object(applying, "makes_anew", return_value=False):
            plain = await _become(engine, target, case, how, f"plain-{place}")
        assert short == plain, case
