"""What a scope does not say stays where its set is: it goes along with its users, and leaves only with them."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import ResourceEvent
from schemas.identity import ResourceId
from schemas.ties import PART_OF, PARTS, REPLICA_SET, REPLICAS, SCOPE, SHARED_TO, with_words
from tests.kit.manifests import deployment, mounts_secret, namespace, secret, without_uid
from tests.unit.resolver.test_sets import body, do, words
from tests.unit.resolver.virtual_mesh import VirtualMesh

MALL = ResourceId("Namespace/mall")
CA, NEW = ResourceId("Secret/mall/ca"), ResourceId("Secret/mall/new")
WEB = ResourceId("apps/Deployment/mall/web")
EVERYWHERE = "lyon,nice,oslo"


def mall() -> dict[str, Any]:
    return without_uid(namespace("mall"))


def ca(*keys: str) -> dict[str, Any]:
    return without_uid(secret("ca", *(keys or ("crt",)), namespace="mall"))


def new(*keys: str) -> dict[str, Any]:
    return without_uid(secret("new", *(keys or ("crt",)), namespace="mall"))


def user(name: str = "web", replicas: int = 3) -> dict[str, Any]:
    pod = mounts_secret("ca", "crt")
    return without_uid(deployment(name, pod, app=name, replicas=replicas, namespace="mall"))


@pytest.fixture
def mesh() -> VirtualMesh:
    made = VirtualMesh(["lyon", "oslo", "nice", "rome"])
    made.settle()
    bundle = (mall(), ca(), user())
    assert do(made, "lyon", "apply", "lyon & oslo & nice", "i-0", manifests=bundle).decision == "allow"
    return made


@pytest.mark.parametrize("scope", ["lyon & oslo", "secret: lyon & oslo"])
@pytest.mark.parametrize("entry", ["lyon", "rome"])
def test_a_namespace_that_comes_along_with_a_bundle_stays_at_all_its_sites(
    mesh: VirtualMesh, scope: str, entry: str
) -> None:
    verdict = do(mesh, entry, "apply", scope, "i-1", manifests=(mall(), new()))
    assert (verdict.decision, [one.code for one in verdict.reasons if one.code == "N343"]) == ("allow", [])
    assert {(one.site, one.action) for one in verdict.plan if one.resource == NEW} == {
        ("lyon", "apply"),
        ("oslo", "apply"),
    }
    assert body(mesh, "nice", WEB) is not None
    assert {words(mesh, one, MALL)[REPLICAS] for one in ("lyon", "oslo", "nice")} == {EVERYWHERE}


def test_a_namespace_goes_along_to_a_site_that_is_new_to_it_and_stays_at_the_others(mesh: VirtualMesh) -> None:
    assert do(mesh, "lyon", "apply", "lyon & rome", "i-1", manifests=(mall(), new())).decision == "allow"
    assert {words(mesh, one, MALL)[REPLICAS] for one in mesh.worlds} == {"lyon,nice,oslo,rome"}


@pytest.mark.parametrize("entry", ["lyon", "rome"])
def test_what_two_bundles_have_in_common_stays_where_the_other_one_needs_it(mesh: VirtualMesh, entry: str) -> None:
    bundle = (ca("crt", "key"), user("cart"))
    verdict = do(mesh, entry, "apply", "lyon & oslo", "i-1", manifests=bundle)
    assert verdict.decision == "allow", verdict.summary
    found = {one: body(mesh, one, CA) for one in ("lyon", "oslo", "nice")}
    assert {one and tuple(sorted(one["data"])) for one in found.values()} == {("crt", "key")}
    assert {words(mesh, one, CA)[REPLICAS] for one in found} == {EVERYWHERE}
    assert body(mesh, "nice", ResourceId("apps/Deployment/mall/cart")) is None


def test_a_set_that_no_part_of_a_scope_names_stays_at_its_sites(mesh: VirtualMesh) -> None:
    verdict = do(mesh, "lyon", "apply", "deployment/wbe: lyon", "i-1", manifests=(user(replicas=5),))
    assert {(one.site, one.action) for one in verdict.plan} == {(one, "apply") for one in ("lyon", "oslo", "nice")}


def test_a_whole_that_no_part_of_a_scope_names_is_divided_as_before(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "apply", "lyon*2 % oslo", "i-1", manifests=(user("cart", 6),))
    verdict = do(mesh, "oslo", "apply", "secret: lyon", "i-2", manifests=(user("cart", 9),))
    assert verdict.decision == "allow"
    cart = ResourceId("apps/Deployment/mall/cart")
    assert {words(mesh, one, cart)[PARTS] for one in ("lyon", "oslo")} == {"lyon=6,oslo=3"}


@pytest.mark.parametrize("entry", ["lyon", "oslo", "rome"])
def test_a_bundle_that_leaves_a_site_takes_along_what_it_needs_but_not_what_others_live_in(
    mesh: VirtualMesh, entry: str
) -> None:
    do(mesh, "nice", "create", "nice", "i-1", manifests=(new(),))
    verdict = do(mesh, entry, "apply", "lyon & oslo", "i-2", manifests=(mall(), ca(), user()))
    assert verdict.decision == "allow", verdict.summary
    assert {one.resource for one in verdict.plan if (one.site, one.action) == ("nice", "delete")} == {CA, WEB}
    assert body(mesh, "nice", NEW) is not None
    assert {words(mesh, one, MALL)[REPLICAS] for one in ("lyon", "oslo", "nice")} == {EVERYWHERE}


def test_a_namespace_leaves_a_site_when_a_part_of_the_scope_says_so(mesh: VirtualMesh) -> None:
    scope = "lyon & oslo, namespace: lyon & oslo"
    verdict = do(mesh, "lyon", "apply", scope, "i-1", manifests=(mall(), ca(), user()))
    assert ("nice", "delete", MALL) in {(one.site, one.action, one.resource) for one in verdict.plan}


@pytest.mark.parametrize("entry", ["lyon", "oslo", "rome"])
def test_a_bundle_moves_with_its_namespace_which_stays_where_it_was_and_knows_all_its_sites(
    mesh: VirtualMesh, entry: str
) -> None:
    verdict = do(mesh, entry, "apply", "lyon & rome", "i-1", manifests=(mall(), ca(), user()))
    assert verdict.decision == "allow", verdict.summary
    assert {words(mesh, one, MALL)[REPLICAS] for one in mesh.worlds} == {"lyon,nice,oslo,rome"}
    for resource in (CA, WEB):
        assert {one for one in mesh.worlds if body(mesh, one, resource)} == {"lyon", "rome"}


def test_a_bundle_moves_though_its_namespace_is_gone_where_it_leaves(mesh: VirtualMesh) -> None:
    for resource in (WEB, CA, MALL):
        mesh["nice"].wipe(resource)
    mesh.pump()
    verdict = do(mesh, "lyon", "apply", "lyon & rome", "i-1", manifests=(mall(), ca(), user()))
    assert verdict.decision == "allow", verdict.summary
    assert {one for one in mesh.worlds if body(mesh, one, WEB)} == {"lyon", "rome"}


def test_a_move_is_the_same_after_a_kill_of_its_entry_site_that_has_nothing_of_the_set(mesh: VirtualMesh) -> None:
    mesh.enter("rome", "apply", "lyon & rome", "i-1", manifests=(mall(), ca(), user()))
    while not any(one.intent == "i-1" for one in mesh["rome"].verdicts):
        for world in mesh.worlds.values():
            mesh.catches_up(world)
        mesh.collect()
        mesh.arrive(next(wire for wire, waiting in mesh.wires.items() if waiting))
    mesh["rome"].kill()
    for waiting in mesh.wires.values():
        waiting.clear()
    mesh.pump()
    mesh.settle(90)
    assert {words(mesh, one, MALL)[REPLICAS] for one in mesh.worlds} == {"lyon,nice,oslo,rome"}
    assert {one for one in mesh.worlds if body(mesh, one, WEB)} == {"lyon", "rome"}


@pytest.fixture
def spread() -> VirtualMesh:
    made = VirtualMesh(["lyon", "oslo", "rome"])
    made.settle()
    assert do(made, "lyon", "apply", "lyon % oslo", "i-0", manifests=(mall(),)).decision == "allow"
    return made


@pytest.mark.parametrize("entry", ["lyon", "rome"])
@pytest.mark.parametrize(("scope", "then"), [("lyon", "lyon % oslo"), ("lyon & rome", "lyon % oslo % rome")])
def test_a_namespace_in_cross_that_comes_along_stays_in_cross(
    spread: VirtualMesh, entry: str, scope: str, then: str
) -> None:
    verdict = do(spread, entry, "apply", scope, "i-1", manifests=(mall(), new()))
    assert verdict.decision == "allow", verdict.summary
    assert {words(spread, one, MALL)[SCOPE] for one in ("lyon", "oslo")} == {then}
    assert REPLICA_SET not in words(spread, "lyon", MALL)


@pytest.mark.parametrize("entry", ["lyon", "rome"])
def test_what_is_divided_moves_with_its_namespace_in_cross(spread: VirtualMesh, entry: str) -> None:
    do(spread, "lyon", "apply", "lyon % oslo", "i-1", manifests=(ca(), user(replicas=4)))
    verdict = do(spread, entry, "apply", "lyon % rome", "i-2", manifests=(mall(), ca(), user(replicas=4)))
    assert verdict.decision == "allow", verdict.summary
    found = {words(spread, one, MALL)[SCOPE] for one in spread.worlds}
    assert found == {"lyon % oslo % rome"}
    assert {words(spread, one, MALL)[PARTS] for one in spread.worlds} == {"lyon,oslo,rome"}
    assert {words(spread, one, WEB)[PARTS] for one in ("lyon", "rome")} == {"lyon=2,rome=2"}
    assert body(spread, "oslo", WEB) is None


def test_a_site_that_lends_something_is_left_all_the_same() -> None:
    mesh = VirtualMesh(["lyon", "nice"])
    mesh.settle()
    for site in mesh.worlds:
        do(mesh, site, "apply", "", f"i-{site}", manifests=(mall(),))
    do(mesh, "nice", "apply", "", "i-1", manifests=(ca(),))
    other = without_uid(deployment("web", mounts_secret("new"), app="web", namespace="mall"))
    do(mesh, "nice", "apply", "nice & lyon", "i-2", manifests=(new(), other))
    verdict = do(mesh, "lyon", "apply", "deployment: lyon, secret/ca: nice", "i-3", manifests=(user(),))
    assert verdict.decision == "allow", verdict.summary
    assert words(mesh, "nice", CA)[SHARED_TO] == "lyon"
    assert body(mesh, "nice", WEB) is None
    assert REPLICAS not in words(mesh, "lyon", WEB)


RUBBISH = [
    {REPLICAS: "lyon,!!,oslo"},
    {REPLICAS: "lyon=oslo=3,,\n"},
    {REPLICAS: ""},
    {PARTS: "lyon,oslo", SCOPE: "all"},
    {PARTS: "lyon,oslo", SCOPE: "around(lyon, 1ms)"},
    {PARTS: "lyon,oslo", SCOPE: "lyon ; oslo"},
    {PARTS: "", SCOPE: "%"},
    {PARTS: f"lyon={'9' * 5_000},oslo=2", SCOPE: "%"},  # more digits than Python reads
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=lambda one: str(one)[:60])
@pytest.mark.parametrize("scope", ["", "secret/another: lyon", "lyon & oslo & nice"])
def test_whatever_somebody_writes_on_a_member_its_site_judges_on(
    mesh: VirtualMesh, rubbish: dict[str, str], scope: str
) -> None:
    for site in ("lyon", "oslo", "nice"):
        found = with_words(body(mesh, site, CA) or {}, {PART_OF: "x"} if PARTS in rubbish else None, rubbish)
        if PARTS in rubbish:
            del found["metadata"]["labels"][REPLICA_SET]
        mesh[site].cluster.put(found)
        mesh[site].see(ResourceEvent("put", mesh[site].cluster.state(CA)))
    mesh.pump()
    verdict = do(mesh, "lyon", "apply", scope, "i-1", manifests=(ca("crt", "key"),))
    assert verdict.decision == "allow", verdict.summary
    assert set((body(mesh, "lyon", CA) or {})["data"]) == {"crt", "key"}
