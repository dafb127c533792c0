"""What a scope does not say stays where its set is: it goes along with its users, and leaves only with them."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.identity import ResourceId
from schemas.ties import PARTS, REPLICAS
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
