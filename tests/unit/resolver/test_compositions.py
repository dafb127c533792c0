"""Collaborations compose: shared to replicas, spread or else elsewhere, a namespace that spans sites."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.identity import ResourceId
from schemas.ties import PART_OF, PARTS, REPLICA_SET, REPLICAS, SCOPE, SHARED_FROM, SHARED_TO
from tests.kit.manifests import deployment, mounts_secret, namespace, secret, without_uid
from tests.unit.resolver.test_sets import body, do, words
from tests.unit.resolver.virtual_mesh import VirtualMesh

CA, USER = ResourceId("Secret/shop/ca"), ResourceId("apps/Deployment/shop/user")
MALL = ResourceId("Namespace/mall")
SITES = ("lyon", "oslo", "nice")


@pytest.fixture
def mesh() -> VirtualMesh:
    made = VirtualMesh(SITES)
    made["nice"].cluster.put(secret("ca", "crt"))
    made.settle()
    return made


def user(replicas: int = 4, **where: str) -> dict[str, Any]:
    return without_uid(deployment("user", mounts_secret("ca"), app="user", replicas=replicas, **where))


def load(replicas: int) -> dict[str, Any]:
    return without_uid(deployment("load", app="load", replicas=replicas, namespace="mall"))


def replicas(mesh: VirtualMesh, resource: ResourceId) -> list[int | None]:
    found = [body(mesh, one, resource) for one in SITES]
    return [one["spec"]["replicas"] if one else None for one in found]


def keys(mesh: VirtualMesh, site: str) -> set[str]:
    return set((body(mesh, site, CA) or {"data": {}})["data"])


@pytest.mark.parametrize("in_the_bundle", [False, True])
def test_a_secret_of_a_third_site_is_shared_to_every_replica_of_its_user(
    mesh: VirtualMesh, in_the_bundle: bool
) -> None:
    manifests = (user(), without_uid(secret("ca", "crt"))) if in_the_bundle else (user(),)
    verdict = do(mesh, "lyon", "apply", "deployment: lyon & oslo, secret: nice", "i-1", manifests=manifests)
    assert verdict.decision == "allow", verdict
    assert replicas(mesh, USER) == [4, 4, None]
    assert {words(mesh, one, USER)[REPLICAS] for one in ("lyon", "oslo")} == {"lyon,oslo"}
    assert {words(mesh, one, CA)[SHARED_FROM] for one in ("lyon", "oslo")} == {"nice"}
    assert words(mesh, "nice", CA)[SHARED_TO] == "lyon,oslo"

    changed = do(mesh, "nice", "apply", "", "i-2", manifests=(without_uid(secret("ca", "crt", "key")),))
    assert changed.decision == "allow", changed
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == keys(mesh, "nice") == {"crt", "key"}
    refused = do(mesh, "nice", "delete", "", "i-3", resources=("secret/ca",))
    assert refused.decision == "deny"
    assert {one.site for one in refused.reasons if one.severity == "deny"} == {"lyon", "oslo"}

    assert do(mesh, "oslo", "delete", "", "i-4", resources=("deployment/user",)).decision == "allow"
    assert replicas(mesh, USER) == [None] * 3
    assert body(mesh, "lyon", CA) is body(mesh, "oslo", CA) is None
    assert SHARED_TO not in words(mesh, "nice", CA)


def test_what_is_spread_over_two_sites_goes_to_a_third_where_one_of_them_cannot_be_heard(mesh: VirtualMesh) -> None:
    for site in ("lyon", "oslo"):
        do(mesh, site, "create", "", f"ca-{site}", manifests=(without_uid(secret("ca")),))
    spread = do(mesh, "lyon", "create", "lyon % oslo ; nice", "i-1", manifests=(user(),))
    assert spread.decision == "allow", spread
    assert replicas(mesh, USER) == [2, 2, None]
    assert words(mesh, "oslo", USER)[PARTS] == "lyon=2,oslo=2"
    assert do(mesh, "lyon", "delete", "", "i-2", resources=("deployment/user",)).decision == "allow"
    mesh.sever("oslo")
    mesh.settle(6)
    whole = do(mesh, "lyon", "create", "lyon % oslo ; nice", "i-3", manifests=(user(),))
    assert whole.decision == "allow", whole
    assert [one.message.startswith("lyon & oslo is not taken") for one in whole.reasons if one.code == "N505"] == [True]
    assert replicas(mesh, USER) == [None, None, 4]
    assert {PART_OF, REPLICA_SET} & set(words(mesh, "nice", USER)) == set()


def test_a_namespace_spans_the_sites_of_what_is_spread_in_it_and_its_replicas_do_not_clash(mesh: VirtualMesh) -> None:
    """The same name at both sites is one replica of one set, not two things in one namespace."""
    bundle = (
        without_uid(namespace("mall")),
        without_uid(secret("ca", "crt", namespace="mall")),
        without_uid(secret("own", "crt", namespace="mall")),
        user(5, namespace="mall"),
    )
    scope = "secret/own: oslo, deployment: lyon*2 % oslo, secret: lyon & oslo"
    verdict = do(mesh, "lyon", "create", scope, "i-1", manifests=bundle)
    assert verdict.decision == "allow", verdict
    inside = {kind: ResourceId(f"{kind}/mall/{name}") for kind, name in (("apps/Deployment", "user"), ("Secret", "ca"))}
    assert replicas(mesh, inside["apps/Deployment"]) == [4, 1, None]
    assert {words(mesh, one, MALL)[REPLICAS] for one in ("lyon", "oslo")} == {"lyon,oslo"}
    assert {words(mesh, one, inside["Secret"])[REPLICAS] for one in ("lyon", "oslo")} == {"lyon,oslo"}
    own = ResourceId("Secret/mall/own")
    assert [body(mesh, one, own) is not None for one in SITES] == [False, True, False]

    again = do(mesh, "oslo", "create", "lyon & oslo", "i-2", manifests=(without_uid(secret("own", namespace="mall")),))
    assert again.decision == "deny", "what is at oslo already is not made once more"
    assert {(one.code, one.site) for one in again.reasons if one.severity == "deny"} == {("D101", "oslo")}
    assert do(mesh, "lyon", "delete", "", "i-3", resources=("namespace/mall",)).decision == "allow"
    assert body(mesh, "lyon", MALL) is body(mesh, "oslo", MALL) is None


def spanning(mesh: VirtualMesh, scope: str = "namespace: lyon % oslo") -> None:
    verdict = do(mesh, "lyon", "create", scope, "i-0", manifests=(without_uid(namespace("mall")),))
    assert verdict.decision == "allow", verdict


@pytest.mark.parametrize("scope", ["namespace: lyon % oslo", "lyon % oslo"])
def test_a_namespace_in_cross_is_one_place_at_each_of_its_sites(mesh: VirtualMesh, scope: str) -> None:
    spanning(mesh, scope)
    found = {name: words(mesh, name, MALL) for name in ("lyon", "oslo")}
    assert {(one[PARTS], one[SCOPE], REPLICA_SET in one) for one in found.values()} == {
        ("lyon,oslo", "lyon % oslo", False)
    }
    assert found["lyon"][PART_OF] == found["oslo"][PART_OF]
    assert body(mesh, "nice", MALL) is None


def test_replicas_in_a_namespace_in_cross_are_one_each_and_do_not_clash(mesh: VirtualMesh) -> None:
    """At both sites the name is that of one replica of one set; made once more, it is what is there."""
    spanning(mesh)
    bundle = (without_uid(secret("ca", "crt", namespace="mall")), user(3, namespace="mall"))
    made = do(mesh, "oslo", "create", "lyon & oslo", "i-1", manifests=bundle)
    assert made.decision == "allow", made
    here = ResourceId("apps/Deployment/mall/user")
    assert replicas(mesh, here) == [3, 3, None]
    assert {words(mesh, one, here)[REPLICAS] for one in ("lyon", "oslo")} == {"lyon,oslo"}
    again = do(mesh, "lyon", "apply", "", "i-2", manifests=(user(4, namespace="mall"),))
    assert (again.decision, replicas(mesh, here)) == ("allow", [4, 4, None])
    spread = do(mesh, "lyon", "create", "lyon % oslo", "i-3", manifests=(load(5),))
    assert spread.decision == "allow", spread
    assert replicas(mesh, ResourceId("apps/Deployment/mall/load")) == [3, 2, None]


def test_two_things_of_one_name_at_two_sites_of_a_namespace_in_cross_stay_two(mesh: VirtualMesh) -> None:
    spanning(mesh)
    own = ResourceId("Secret/mall/own")
    for site, key in (("lyon", "a"), ("oslo", "b")):
        mine = without_uid(secret("own", key, namespace="mall"))
        assert do(mesh, site, "create", "", f"i-{site}", manifests=(mine,)).decision == "allow"
    assert [set((body(mesh, one, own) or {})["data"]) for one in ("lyon", "oslo")] == [{"a"}, {"b"}]
    changed = do(mesh, "lyon", "apply", "", "i-1", manifests=(without_uid(secret("own", "c", namespace="mall")),))
    assert changed.decision == "allow"
    assert set((body(mesh, "oslo", own) or {})["data"]) == {"b"}, "the one at oslo is another one"
    refused = do(
        mesh, "lyon", "create", "lyon & oslo", "i-2", manifests=(without_uid(secret("own", namespace="mall")),)
    )
    assert {one.code for one in refused.reasons if one.severity == "deny"} == {"D101"}
    assert do(mesh, "oslo", "delete", "", "i-3", resources=("Secret/mall/own",)).decision == "allow"
    assert [body(mesh, one, own) is not None for one in ("lyon", "oslo")] == [True, False]


def test_a_namespace_in_cross_is_applied_widened_left_and_deleted_as_one(mesh: VirtualMesh) -> None:
    spanning(mesh)
    labelled = without_uid(namespace("mall"))
    labelled["metadata"]["labels"] = {"team": "web"}
    assert do(mesh, "oslo", "apply", "", "i-1", manifests=(labelled,)).decision == "allow"
    assert {(words(mesh, one, MALL)["team"], words(mesh, one, MALL)[PARTS]) for one in ("lyon", "oslo")} == {
        ("web", "lyon,oslo")
    }
    wider = do(mesh, "oslo", "apply", "lyon % oslo % nice", "i-2", manifests=(labelled,))
    assert wider.decision == "allow", wider
    assert {words(mesh, one, MALL)[PARTS] for one in SITES} == {"lyon,nice,oslo"}
    left = do(mesh, "lyon", "delete", "nice", "i-3", resources=("namespace/mall",))
    assert left.decision == "allow", left
    assert body(mesh, "nice", MALL) is None
    assert words(mesh, "lyon", MALL)[PARTS] == "lyon,oslo"
    assert words(mesh, "lyon", MALL)[SCOPE] == "lyon % oslo"
    assert do(mesh, "oslo", "delete", "", "i-4", resources=("namespace/mall",)).decision == "allow"
    assert [body(mesh, one, MALL) for one in SITES] == [None] * 3


def test_a_namespace_in_cross_that_is_gone_at_one_site_is_healed(mesh: VirtualMesh) -> None:
    spanning(mesh)
    mesh["oslo"].wipe(MALL)
    mesh.settle(3)
    how = {"heal": True, "on_failure": "continue"}
    healed = do(mesh, "lyon", "apply", "", "i-1", resources=("namespace/mall",), **how)
    assert healed.decision == "allow", healed
    assert words(mesh, "oslo", MALL)[PARTS] == "lyon,oslo"


def test_of_a_namespace_no_share_can_move(mesh: VirtualMesh) -> None:
    scope = "namespace: lyon % oslo {rebalance: true}"
    verdict = do(mesh, "lyon", "create", scope, "i-1", manifests=(without_uid(namespace("mall")),))
    assert [one.code for one in verdict.reasons] == ["D620"]


def test_what_has_one_name_in_two_namespaces_is_of_two_sets(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "apply", "lyon & oslo", "i-0", manifests=(without_uid(namespace("mall")),))
    mine, theirs = without_uid(secret("own", "a")), without_uid(secret("own", "a", namespace="mall"))
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(mine,))
    do(mesh, "lyon", "create", "lyon", "i-2", manifests=(theirs,))
    both = (without_uid(secret("own", "a", "b")), without_uid(secret("own", "a", "b", namespace="mall")))
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=both).decision == "allow"
    found = {one: ResourceId(f"Secret/{one}/own") for one in ("shop", "mall")}
    there = {one: [name for name in SITES if body(mesh, name, resource)] for one, resource in found.items()}
    assert there == {"shop": ["lyon", "oslo"], "mall": ["lyon"]}
