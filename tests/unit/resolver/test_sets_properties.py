"""Any sequence of scoped intents, cuts and heals: replicas are equal or an alert says why, and parts add up."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.identity import ResourceId
from schemas.ties import PARTS, REPLICA_SET, REPLICAS, SCOPE
from tests.kit.examples import examples
from tests.kit.manifests import deployment, secret, without_uid
from tests.unit.resolver.virtual_mesh import VirtualMesh

SITES = ("lyon", "oslo", "nice")
NEW, LOAD = ResourceId("Secret/shop/new"), ResourceId("apps/Deployment/shop/load")
FOREIGN = ResourceId("Secret/shop/foreign")
WHERE = ("", "lyon & oslo", "lyon & oslo & nice", "oslo & nice", "nice")
DIVIDED = (
    "",
    "lyon % oslo",
    "lyon % oslo % nice {rebalance: true}",
    "lyon*2 % oslo % nice",
    "oslo % nice {prime: nice}",
)
SAID = ("N520", "W522", "W503")
SITE = st.sampled_from(SITES)
ACTIONS = st.one_of(
    st.tuples(st.just("apply"), SITE, st.sampled_from(WHERE), st.integers(0, 5)),
    st.tuples(st.just("divide"), SITE, st.sampled_from(DIVIDED), st.integers(0, 9)),
    st.tuples(st.just("delete"), SITE, st.sampled_from(("", "lyon & oslo & nice")), st.just(0)),
    st.tuples(st.just("cut"), SITE, st.just(""), st.just(0)),
    st.tuples(st.just("kill"), SITE, st.just(""), st.just(0)),
    st.tuples(st.just("mend"), SITE, st.just(""), st.just(0)),
)


def act(mesh: VirtualMesh, place: int, action: tuple[str, str, str, int]) -> None:
    what, site, scope, number = action
    name = f"i-{place}"
    if what == "apply":
        keys = ["a", *(f"key-{one}" for one in range(number))]
        mesh.enter(site, "apply", scope, name, manifests=(without_uid(secret("new", *keys)),))
    elif what == "divide":
        manifest = without_uid(deployment("load", app="load", replicas=number))
        mesh.enter(site, "apply", scope, name, manifests=(manifest,))
    elif what == "delete":
        mesh.enter(site, "delete", scope, name, resources=("secret/new",))
    elif what == "cut":
        mesh.sever(site)
    elif what == "kill":
        mesh[site].kill()
    else:
        mesh.mend()
    mesh.pump()
    mesh.settle(5 if what in ("cut", "mend") else 1)


def found(mesh: VirtualMesh, resource: ResourceId) -> dict[str, dict[str, Any]]:
    return {name: one.cluster.objects[resource] for name, one in mesh.worlds.items() if resource in one.cluster.objects}


def word(body: dict[str, Any], name: str) -> str:
    metadata = body["metadata"]
    return str({**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}.get(name, ""))


def said(mesh: VirtualMesh, resource: ResourceId, sites: set[str]) -> bool:
    """Somebody is told that one of these sites is not as it should be: an alert, what is open, or what was done before.

    Each names the site.
    """
    lines = [one.message for world in mesh.worlds.values() for one in world.alerts if one.resource == resource]
    latest = [one for world in mesh.worlds.values() for one in world.latest().values() if resource in one.targets]
    lines += [reason.message for one in latest for reason in one.reasons if reason.code in SAID]
    return any(name in line for name in sites for line in lines)


@settings(max_examples=examples(60))
@example(
    [("apply", "lyon", "lyon & oslo", 1), ("cut", "lyon", "", 0), ("apply", "lyon", "", 3), ("apply", "oslo", "", 2)]
)
@given(st.lists(ACTIONS, min_size=2, max_size=9))
def test_replicas_are_equal_parts_add_up_and_nothing_else_moves(actions: list[tuple[str, str, str, int]]) -> None:
    mesh = VirtualMesh(SITES)
    for world in mesh.worlds.values():
        world.cluster.put(secret("foreign"))
    mesh.settle()
    before = found(mesh, FOREIGN)
    for place, action in enumerate(actions):
        act(mesh, place, action)
    mesh.mend()
    mesh.settle(90, 2.0)
    assert found(mesh, FOREIGN) == before
    replicas = {name: one for name, one in found(mesh, NEW).items() if word(one, REPLICA_SET)}
    for name, one in replicas.items():
        members = word(one, REPLICAS).split(",")
        others = {other for other in members if replicas.get(other, {}).get("data") != one["data"]}
        assert not others or said(mesh, NEW, others | {name}), (name, members, found(mesh, NEW))
    parts = {name: one for name, one in found(mesh, LOAD).items() if word(one, PARTS)}
    for name, one in parts.items():
        numbers = dict(row.split("=") for row in word(one, PARTS).split(","))
        assert word(one, SCOPE)
        there = {other: str(body["spec"]["replicas"]) for other, body in parts.items()}
        wrong = {other for other in {*numbers, *there} if numbers.get(other) != there.get(other)}
        assert not wrong or said(mesh, LOAD, wrong | {name}), (name, numbers, there)
