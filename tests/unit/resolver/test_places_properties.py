"""Any sequence of intents, cuts and kills around a namespace in cross: it says where it is, and nothing clashes."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.identity import ResourceId
from schemas.ties import PARTS, REPLICA_SET, REPLICAS, sites_in
from tests.kit.examples import examples
from tests.kit.manifests import namespace, secret, without_uid
from tests.unit.resolver.test_sets_properties import found, said, word
from tests.unit.resolver.virtual_mesh import VirtualMesh

SITES = ("lyon", "oslo", "nice")
MALL, SAME, OWN = ResourceId("Namespace/mall"), ResourceId("Secret/mall/same"), ResourceId("Secret/mall/own")
SITE = st.sampled_from(SITES)
SPREAD = st.sampled_from(("", "namespace: lyon % oslo", "lyon % oslo % nice", "oslo*2 % nice"))
ACTIONS = st.one_of(
    st.tuples(st.just("spread"), SITE, SPREAD, st.integers(0, 2)),
    st.tuples(st.just("replicate"), SITE, st.sampled_from(("", "lyon & oslo", "oslo & nice")), st.integers(0, 2)),
    st.tuples(st.just("own"), SITE, st.just(""), st.integers(0, 2)),
    st.tuples(st.just("delete"), SITE, st.sampled_from(("", "lyon", "nice")), st.just(0)),
    st.tuples(st.just("delete own"), SITE, st.just(""), st.just(0)),
    st.tuples(st.sampled_from(("cut", "kill", "mend")), SITE, st.just(""), st.just(0)),
)
Action = tuple[str, str, str, int]


def act(mesh: VirtualMesh, place: int, action: Action) -> None:
    what, site, scope, number = action
    name, keys = f"i-{place}", ["a", *(f"key-{one}" for one in range(number))]
    mall = without_uid(namespace("mall"))
    mall["metadata"]["labels"] = {"team": f"t-{number}"}
    manifests = {
        "spread": mall,
        "replicate": without_uid(secret("same", *keys, namespace="mall")),
        "own": without_uid(secret("own", *keys, namespace="mall")),
    }
    if what in manifests:
        mesh.enter(site, "apply", scope, name, manifests=(manifests[what],))
    elif what == "delete":
        mesh.enter(site, "delete", scope, name, resources=("namespace/mall",))
    elif what == "delete own":
        mesh.enter(site, "delete", scope, name, resources=(OWN,))
    elif what == "cut":
        mesh.sever(site)
    elif what == "kill":
        mesh[site].kill()
    else:
        mesh.mend()
    mesh.pump()
    mesh.settle(5 if what in ("cut", "mend") else 1)


def check_members(mesh: VirtualMesh, resource: ResourceId) -> None:
    """Each names the same sites, and each of these has it, the same."""
    members = {name: one for name, one in found(mesh, resource).items() if word(one, PARTS) or word(one, REPLICA_SET)}
    for name, one in members.items():
        sites = set(sites_in(word(one, PARTS) or word(one, REPLICAS)))
        others = sites - members.keys()
        others |= {other for other in members if _content(members[other]) != _content(one)}
        assert not others or said(mesh, resource, others | {name}), (resource, name, sites, others)


def _content(body: dict[str, Any]) -> tuple[object, ...]:
    return body.get("data"), word(body, "team"), word(body, PARTS), word(body, REPLICAS)


@settings(max_examples=examples(60))
@example([("spread", "lyon", "lyon % oslo % nice", 0), ("cut", "nice", "", 0), ("delete", "lyon", "", 0)])
@example([("spread", "lyon", "namespace: lyon % oslo", 0), ("own", "lyon", "", 1), ("own", "oslo", "", 2)])
@given(st.lists(ACTIONS, min_size=2, max_size=8))
def test_a_namespace_in_cross_is_the_same_place_at_all_its_sites_and_names_in_it_are_their_sites(
    actions: list[Action],
) -> None:
    mesh = VirtualMesh(SITES)
    mesh.settle()
    for place, action in enumerate(actions):
        before = found(mesh, OWN)
        act(mesh, place, action)
        if action[0] in ("own", "delete own"):
            touched = {name for name in SITES if found(mesh, OWN).get(name) != before.get(name)}
            assert touched <= {action[1]} or "cut" in {one[0] for one in actions}, (
                "what is at another site is another one"
            )
    mesh.mend()
    mesh.settle(90, 2.0)
    check_members(mesh, MALL)
    check_members(mesh, SAME)
