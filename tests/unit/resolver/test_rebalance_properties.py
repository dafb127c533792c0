"""Any sequence of partitions, restarts, updates: where most sites are a whole adds up, elsewhere nothing moves."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.identity import SiteName
from schemas.ties import PARTS, SCOPE
from services.resolver.shares import GRACE_S, whole_of
from tests.kit.examples import examples
from tests.kit.manifests import Manifest, deployment, without_uid
from tests.unit.resolver.test_sets import WEB, words
from tests.unit.resolver.virtual_mesh import VirtualMesh

SITES = ("lyon", "oslo", "nice", "bern")
OVER_S = GRACE_S + 30.0  # lost, said, and moved
SCOPES = (
    "lyon % oslo % nice % bern {rebalance: true}",
    "lyon*2 % oslo % nice {rebalance: true}",
    "oslo % bern {prime: bern, rebalance: true}",
    "lyon % oslo*3 % nice % bern {prime: nice, rebalance: true}",
)
STEPS = st.one_of(
    st.tuples(st.just("part"), st.lists(st.integers(0, 2), min_size=len(SITES), max_size=len(SITES))),
    st.tuples(st.just("kill"), st.lists(st.integers(0, len(SITES) - 1), min_size=1, max_size=2)),
    st.tuples(st.just("wait"), st.lists(st.integers(1, 70), min_size=1, max_size=1)),
    st.tuples(st.just("update"), st.lists(st.integers(6, 14), min_size=1, max_size=1)),  # no share is taken away whole
)
Step = tuple[str, list[int]]


def web(number: int) -> Manifest:
    return without_uid(deployment("web", app="web", replicas=number))


def part(mesh: VirtualMesh, sides: list[int]) -> None:
    """Only those on one side hear each other."""
    of = dict(zip(map(SiteName, SITES), sides, strict=True))
    mesh.cut = {wire for wire in mesh.wires if of[wire[0]] != of[wire[1]]}


def on(side: int, sides: list[int], members: Sequence[SiteName]) -> list[SiteName]:
    """The members on one side."""
    return [SiteName(name) for name, of in zip(SITES, sides, strict=True) if of == side and name in members]


def numbers(mesh: VirtualMesh, *sites: str) -> dict[str, int]:
    there = {name: mesh[name].cluster.objects.get(WEB) for name in sites}
    return {name: one["spec"]["replicas"] for name, one in there.items() if one is not None}


@settings(max_examples=examples(40))
@example(SCOPES[0], 8, [("part", [0, 0, 1, 1]), ("part", [0, 1, 1, 1]), ("part", [0, 0, 0, 1])])
@example(SCOPES[1], 7, [("part", [0, 1, 2, 0]), ("wait", [70]), ("part", [0, 0, 1, 0]), ("kill", [0, 1])])
@given(st.sampled_from(SCOPES), st.integers(0, 9), st.lists(STEPS, min_size=1, max_size=6))
def test_of_two_sides_at_most_one_moves_and_it_adds_up_where_most_sites_are(
    scope: str, total: int, steps: list[Step]
) -> None:
    mesh = VirtualMesh(SITES)
    mesh.settle()
    mesh.enter("lyon", "create", scope, "i-1", manifests=(web(total),))
    mesh.pump()
    mesh.settle()
    whole = whole_of(words(mesh, SITES[1], WEB)[SCOPE], words(mesh, SITES[1], WEB)[PARTS])
    assert whole is not None
    sides = [0] * len(SITES)
    for place, (what, given_) in enumerate(steps):
        before = numbers(mesh, *whole.sites)
        if what == "part":
            sides = given_
            part(mesh, sides)
            mesh.settle(OVER_S, 1.0)
        elif what == "kill":
            for one in given_:
                mesh[SITES[one]].kill()
            mesh.settle(5)
        elif what == "update":
            most = next((side for side in set(sides) if whole.may_move(on(side, sides, whole.sites))), None)
            if most is None:
                continue
            total = given_[0]
            mesh.enter(on(most, sides, whole.sites)[-1], "apply", "", f"u-{place}", manifests=(web(total),))
            mesh.pump()
            mesh.settle(OVER_S, 1.0)
        else:
            mesh.settle(float(given_[0]), 1.0)
        for side in set(sides):
            mine = on(side, sides, whole.sites)
            found = numbers(mesh, *mine)
            if whole.may_move(mine):
                assert sum(found.values()) == total, (what, mine, numbers(mesh, *SITES))
            else:
                assert found == {name: before[name] for name in mine}, "who may not move anything moves nothing"
    mesh.mend()
    mesh.settle(60, 1.0)
    last = whole_of(words(mesh, whole.sites[0], WEB)[SCOPE], words(mesh, whole.sites[0], WEB)[PARTS])
    assert last is not None
    assert numbers(mesh, *SITES) == dict(last.without(())), "all have their own shares again"
    assert sum(last.numbers.values()) == total
    assert len({words(mesh, name, WEB)[PARTS] for name in whole.sites}) == 1
    raised = [one.state for world in mesh.worlds.values() for one in world.alerts if one.code == "A509"]
    assert raised.count("raised") == raised.count("healed"), "no alert is left"
