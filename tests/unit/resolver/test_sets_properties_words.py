"""Any sequence of scoped intents, cuts, kills, refusals: sets say who is of them, copies are where they are used.

What differs is named: an alert or a verdict says at which site, and why.
"""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.identity import ResourceId
from schemas.ties import PARTS, REPLICA_SET, REPLICAS, SHARED_FROM, SHARED_TO, sites_in
from tests.kit.examples import examples
from tests.kit.manifests import deployment, mounts_secret, secret, without_uid
from tests.unit.resolver.test_sets_properties import found, said, word
from tests.unit.resolver.virtual_mesh import VirtualMesh

SITES = ("lyon", "oslo", "nice")
NEW, CERT, FOREIGN = (ResourceId(f"Secret/shop/{name}") for name in ("new", "cert", "foreign"))
LOAD, USER = (ResourceId(f"apps/Deployment/shop/{name}") for name in ("load", "user"))
SITE = st.sampled_from(SITES)
WHERE = st.sampled_from(("", "lyon & oslo", "lyon & oslo & nice", "oslo & nice", "lyon & nice", "nice", "lyon"))
DIVIDED = st.sampled_from(
    ("", "lyon % oslo", "lyon % oslo {rebalance: true}", "lyon*2 % oslo % nice", "oslo % nice {prime: nice}")
)
BROUGHT = st.sampled_from(
    tuple(f"deployment: {a}, secret: {b}" for a in SITES for b in ("nice", f"nice & {a}") if b != a)
)
ACTIONS = st.one_of(
    st.tuples(st.just("apply"), SITE, WHERE, st.integers(0, 3)),
    st.tuples(st.just("divide"), SITE, DIVIDED, st.integers(0, 9)),
    st.tuples(st.just("delete new"), SITE, WHERE, st.just(0)),
    st.tuples(st.just("delete load"), SITE, st.sampled_from(("", "lyon", "oslo")), st.just(0)),
    st.tuples(st.just("use"), SITE, BROUGHT, st.just(0)),
    st.tuples(st.just("delete user"), SITE, st.sampled_from(("", *SITES)), st.just(0)),
    st.tuples(st.just("renew"), SITE, st.sampled_from(("", "nice")), st.integers(0, 3)),
    st.tuples(st.sampled_from(("cut", "kill", "mend", "refuse")), SITE, st.just(""), st.just(0)),
)
Action = tuple[str, str, str, int]
NAMED = {"delete new": "secret/new", "delete load": "deployment/load", "delete user": "deployment/user"}


def act(mesh: VirtualMesh, place: int, action: Action) -> None:
    what, site, scope, number = action
    name, keys = f"i-{place}", ["a", *(f"key-{one}" for one in range(number))]
    manifests = {
        "apply": lambda: secret("new", *keys),
        "renew": lambda: secret("cert", *keys),
        "divide": lambda: deployment("load", app="load", replicas=number),
        "use": lambda: deployment("user", mounts_secret("cert"), app="user"),
    }
    if what in manifests:
        mesh.enter(site, "apply", scope, name, manifests=(without_uid(manifests[what]()),))
    elif what in NAMED:
        mesh.enter(site, "delete", scope, name, resources=(NAMED[what],))
    elif what == "refuse":  # its API server does, from now on, or no more
        mesh[site].refuses ^= {NEW, CERT, LOAD, USER}
    elif what == "cut":
        mesh.sever(site)
    elif what == "kill":
        mesh[site].kill()
    else:
        mesh.mend()
    mesh.pump()
    mesh.settle(5 if what in ("cut", "mend") else 1)


def check_replicas(mesh: VirtualMesh, resource: ResourceId) -> None:
    """Each replica names the same sites, each of these has it, and it is the same there."""
    replicas = {name: one for name, one in found(mesh, resource).items() if word(one, REPLICA_SET)}
    for name, one in replicas.items():
        members = set(sites_in(word(one, REPLICAS)))
        others = {other for other in members if replicas.get(other, {}).get("data") != one["data"]}
        others |= {other for other in replicas if set(sites_in(word(replicas[other], REPLICAS))) != members}
        assert not others or said(mesh, resource, others | {name}), (name, members, others, _short(mesh, resource))


def check_parts(mesh: VirtualMesh) -> None:
    """Each part says what all of them are, and they are that."""
    parts = {name: one for name, one in found(mesh, LOAD).items() if word(one, PARTS)}
    for name, one in parts.items():
        numbers = dict(row.split("=") for row in word(one, PARTS).split(","))
        there = {other: str(body["spec"]["replicas"]) for other, body in parts.items()}
        wrong = {other for other in {*numbers, *there} if numbers.get(other) != there.get(other)}
        assert not wrong or said(mesh, LOAD, wrong | {name}), (name, numbers, there)


def check_copies(mesh: VirtualMesh) -> None:
    """A copy is exactly where something uses it; what it is a copy of says so."""
    for name, world in mesh.worlds.items():
        body = world.cluster.objects.get(CERT)
        uses = USER in world.cluster.objects
        assert body is not None or not uses, f"{name} uses what it does not have"
        origin = word(body, SHARED_FROM) if body else ""
        if body and origin:
            assert uses or said(mesh, CERT, {name}) or said(mesh, USER, {name}), f"a copy at {name} that nobody uses"
            original = mesh[origin].cluster.objects.get(CERT)
            assert original is not None, f"a copy at {name} of what is not at {origin}"
            assert name in sites_in(word(original, SHARED_TO)), f"{origin} does not know of the copy at {name}"


def _short(mesh: VirtualMesh, resource: ResourceId) -> dict[str, Any]:
    return {name: (word(one, REPLICAS), sorted(one["data"])) for name, one in found(mesh, resource).items()}


@settings(max_examples=examples(60))
@example([("apply", "lyon", "lyon & oslo", 1), ("delete new", "oslo", "lyon", 0), ("apply", "oslo", "", 2)])
@example(
    [("use", "lyon", "deployment: lyon, secret: nice", 0), ("renew", "nice", "", 2), ("delete user", "lyon", "", 0)]
)
@given(st.lists(ACTIONS, min_size=2, max_size=9))
def test_sets_say_who_is_of_them_and_copies_are_where_they_are_used(actions: list[Action]) -> None:
    mesh = VirtualMesh(SITES)
    for world in mesh.worlds.values():
        world.cluster.put(secret("foreign"))
    mesh["nice"].cluster.put(secret("cert", "a"))
    mesh.settle()
    before = found(mesh, FOREIGN)
    for place, action in enumerate(actions):
        act(mesh, place, action)
    mesh.mend()
    mesh.settle(90, 2.0)
    assert found(mesh, FOREIGN) == before
    check_replicas(mesh, NEW)
    check_replicas(mesh, CERT)
    check_parts(mesh)
    check_copies(mesh)
