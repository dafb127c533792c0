"""`rebalance: true`: the share of a lost site moves to the others and goes back; of two sides of a cut one moves."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import ResourceEvent
from schemas.identity import ResourceId, SiteName
from schemas.ties import PART_OF, PARTS, SCOPE
from services.resolver.shares import GRACE_S, LOOK_MAX, whole_of
from services.resolver.signals import EnterIntent
from tests.kit.manifests import deployment
from tests.unit.resolver.test_sets import WEB, body, do, forget_all, mesh, web, words
from tests.unit.resolver.virtual_mesh import VirtualMesh

__all__ = ["mesh"]
EVEN = "lyon % oslo % nice {rebalance: true}"
SITES = ("lyon", "oslo", "nice")
GONE_S = GRACE_S + 10.0


def numbers(mesh: VirtualMesh) -> dict[str, int]:
    found = {name: body(mesh, name, WEB) for name in mesh.worlds}
    return {name: one["spec"]["replicas"] for name, one in found.items() if one is not None}


def divide(mesh: VirtualMesh, scope: str = EVEN, number: int = 6) -> None:
    verdict = do(mesh, "lyon", "create", scope, "i-1", manifests=(web(number),))
    assert verdict.decision == "allow", verdict


def told(mesh: VirtualMesh, site: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.state, one.sites) for one in mesh[site].alerts if one.code == "A509"]


def moves(mesh: VirtualMesh) -> list[Any]:
    """The verdicts on what resolvers have entered for it themselves, at their entry sites."""
    return [
        one
        for world in mesh.worlds.values()
        for one in world.verdicts
        if one.intent.startswith("share-") and world.intents[one.intent].entry is None
    ]


def test_the_share_of_a_lost_site_moves_after_a_while_and_goes_back(mesh: VirtualMesh) -> None:
    divide(mesh)
    mesh.sever("nice")
    mesh.settle(GRACE_S - 5)
    assert numbers(mesh) == {"lyon": 2, "oslo": 2, "nice": 2}, "a site that is silent for a moment is not lost"
    mesh.settle(20)
    assert numbers(mesh) == {"lyon": 3, "oslo": 3, "nice": 2}, "nice may run still: nobody can know"
    assert words(mesh, "oslo", WEB)[PARTS] == "lyon=3,nice=0,oslo=3"
    assert told(mesh, "lyon") == [("raised", ("nice",))]
    mesh.mend()
    mesh.settle(15)
    assert numbers(mesh) == {"lyon": 2, "oslo": 2, "nice": 2}
    assert {words(mesh, name, WEB)[PARTS] for name in SITES} == {"lyon=2,nice=2,oslo=2"}
    assert told(mesh, "lyon") == [("raised", ("nice",)), ("healed", ("nice",))]
    assert told(mesh, "nice") == [("raised", ("lyon", "oslo")), ("healed", ("lyon", "oslo"))], "it was alone"
    assert (told(mesh, "oslo"), len(moves(mesh))) == ([], 2)


def test_the_verdicts_say_what_moves_and_that_more_runs_for_a_moment(mesh: VirtualMesh) -> None:
    divide(mesh)
    mesh.sever("nice")
    mesh.settle(GONE_S)
    mesh.mend()
    mesh.settle(15)
    there, back = ({one.message for one in verdict.reasons if one.code == "N346"} for verdict in moves(mesh))
    assert there == {"Deployment shop/web is divided anew: lyon=2, nice=2, oslo=2 becomes lyon=3, nice=0, oslo=3"}
    assert (
        "Deployment shop/web is divided anew: lyon=3, nice=0, oslo=3 becomes lyon=2, nice=2, oslo=2; "
        "until that is done what nice runs is more than was asked for"
    ) in back


@pytest.mark.parametrize("lost", SITES)
def test_whichever_site_is_lost_the_others_take_over_once(mesh: VirtualMesh, lost: str) -> None:
    divide(mesh, "lyon*2 % oslo % nice {rebalance: true}", 8)
    before = numbers(mesh)
    mesh.sever(lost)
    mesh.settle(GONE_S + 30)
    after = numbers(mesh)
    assert after[lost] == before[lost], "what is cut off does nothing"
    assert sum(number for name, number in after.items() if name != lost) == 8
    assert len(moves(mesh)) == 1
    mesh.mend()
    mesh.settle(20)
    assert numbers(mesh) == before


def test_two_halves_of_a_cut_never_both_take_over(mesh: VirtualMesh) -> None:
    """Of two sites the prime site's side may; the other one goes on with its own part and says so."""
    divide(mesh, "lyon % oslo {prime: oslo, rebalance: true}", 5)
    assert numbers(mesh) == {"lyon": 2, "oslo": 3}
    mesh.sever("lyon")
    mesh.settle(GONE_S)
    assert numbers(mesh) == {"lyon": 2, "oslo": 5}
    alert = next(one for one in mesh["lyon"].alerts if one.code == "A509")
    assert alert.message.endswith("stays where it is: lyon cannot know on which side of a cut they are")
    mesh.mend()
    mesh.settle(15)
    assert numbers(mesh) == {"lyon": 2, "oslo": 3}
    assert (told(mesh, "lyon")[-1], told(mesh, "oslo")[-1]) == (("healed", ("oslo",)), ("healed", ("lyon",)))


def test_everybody_alone_moves_nothing(mesh: VirtualMesh) -> None:
    divide(mesh)
    for name in SITES:
        mesh.sever(name)
    mesh.cut = set(mesh.wires)
    mesh.settle(GONE_S + 60)
    assert numbers(mesh) == {"lyon": 2, "oslo": 2, "nice": 2}
    assert not moves(mesh)


def test_a_site_that_hears_the_lost_one_does_not_consent(mesh: VirtualMesh) -> None:
    """lyon and nice do not hear each other, oslo hears both: nobody is lost, and both are told so."""
    divide(mesh)
    mesh.cut = {wire for wire in mesh.wires if set(wire) == {"lyon", "nice"}}
    mesh.settle(GONE_S + 90)
    assert numbers(mesh) == {"lyon": 2, "oslo": 2, "nice": 2}
    refused = [one for verdict in moves(mesh) for one in verdict.reasons if one.code == "D631"]
    assert refused
    assert refused[0].message.endswith("is heard at oslo: its share of Deployment shop/web stays there")
    mesh.mend()
    mesh.settle(15)
    assert numbers(mesh) == {"lyon": 2, "oslo": 2, "nice": 2}


def test_the_next_site_takes_its_turn_when_the_first_does_nothing(mesh: VirtualMesh) -> None:
    divide(mesh)
    mesh["lyon"].machine.vigil.shares.grace_s = 10_000.0
    mesh.sever("nice")
    mesh.settle(GONE_S + 20)
    assert numbers(mesh) == {"lyon": 3, "oslo": 3, "nice": 2}


@pytest.mark.parametrize("everything_is_lost", [False, True])
def test_it_goes_on_after_a_restart_and_after_the_loss_of_all_streams(
    mesh: VirtualMesh, everything_is_lost: bool
) -> None:
    divide(mesh)
    mesh.sever("nice")
    mesh.settle(GONE_S)
    for name in ("lyon", "oslo"):
        mesh[name].kill()
    if everything_is_lost:
        forget_all(mesh)
    mesh.settle(GONE_S)
    assert numbers(mesh) == {"lyon": 3, "oslo": 3, "nice": 2}
    mesh.mend()
    mesh.settle(20)
    assert numbers(mesh) == {"lyon": 2, "oslo": 2, "nice": 2}


def test_an_update_while_a_site_is_lost_is_divided_over_those_that_are_there(mesh: VirtualMesh) -> None:
    divide(mesh)
    mesh.sever("nice")
    mesh.settle(GONE_S)
    updated = do(mesh, "oslo", "apply", "", "i-2", manifests=(web(12),))
    assert updated.decision == "allow", updated
    mesh.settle(30)
    assert numbers(mesh) == {"lyon": 6, "oslo": 6, "nice": 2}
    mesh.mend()
    mesh.settle(60)
    assert numbers(mesh) == {"lyon": 4, "oslo": 4, "nice": 4}
    assert not [one for world in mesh.worlds.values() for one in world.alerts if one.code in ("A504", "A506")]


def test_a_site_that_comes_back_empty_gets_its_part_again(mesh: VirtualMesh) -> None:
    divide(mesh)
    mesh.sever("nice")
    mesh["nice"].wipe(WEB)
    mesh.settle(GONE_S)
    mesh.mend()
    mesh.settle(15)
    assert numbers(mesh) == {"lyon": 2, "oslo": 2, "nice": 2}


def test_a_site_is_lost_a_second_time_while_another_one_still_is() -> None:
    mesh = VirtualMesh(["lyon", "oslo", "nice", "bern", "rome"])
    mesh.settle()
    plain = web(10)
    plain["spec"]["template"]["spec"]["volumes"] = []
    do(mesh, "lyon", "create", "lyon % oslo % nice % bern % rome {rebalance: true}", "i-1", manifests=(plain,))
    mesh.sever("nice")
    mesh.settle(GONE_S)
    mesh.sever("nice", "rome")
    mesh.settle(GONE_S)
    found = numbers(mesh)
    assert {name: found[name] for name in ("lyon", "oslo", "bern")} == {"lyon": 4, "oslo": 3, "bern": 3}
    assert told(mesh, "lyon")[-1] == ("raised", ("nice", "rome"))
    mesh.cut = {wire for wire in mesh.wires if ("nice" in wire)}
    mesh.settle(15)
    found = numbers(mesh)
    assert sum(found[name] for name in found if name != "nice") == 10
    assert found["rome"] == 2
    mesh.mend()
    mesh.settle(15)
    assert set(numbers(mesh).values()) == {2}


def test_a_person_who_knows_moves_what_the_mesh_may_not(mesh: VirtualMesh) -> None:
    """The machine room of the prime site is under water; only a person can say that. Here the person is wrong."""
    divide(mesh, "lyon % oslo {rebalance: true}", 4)
    mesh.sever("lyon")
    mesh.settle(GONE_S)
    assert numbers(mesh) == {"lyon": 4, "oslo": 2}
    scope = "oslo {rebalance: true}"
    moved = do(mesh, "oslo", "apply", scope, "i-2", resources=("deployment/web",), heal=True, on_failure="stop")
    assert moved.decision == "allow", moved
    assert numbers(mesh) == {"lyon": 4, "oslo": 4}
    mesh.settle(GONE_S)
    assert numbers(mesh) == {"lyon": 4, "oslo": 4}
    mesh.mend()
    mesh.settle(40)
    assert numbers(mesh) == {"lyon": 2, "oslo": 2}


@pytest.mark.parametrize("lost", [False, True])
def test_a_part_that_has_drifted_is_healed_and_no_share_moves_by_that(mesh: VirtualMesh, lost: bool) -> None:
    divide(mesh, number=6)
    if lost:
        mesh.sever("nice")
        mesh.settle(GONE_S + 30)
    before = numbers(mesh)
    mesh["lyon"].edit(WEB, "spec", "replicas", value=9)
    mesh.settle()
    what: dict[str, Any] = {"resources": ("deployment/web",), "heal": True, "on_failure": "continue"}
    healed = do(mesh, "oslo", "apply", "lyon" if lost else "", "i-2", **what)
    assert healed.decision == "allow", healed
    assert numbers(mesh) == before


@pytest.mark.parametrize("scope", ["lyon % oslo", "lyon & oslo"])
def test_nothing_moves_that_does_not_say_so(mesh: VirtualMesh, scope: str) -> None:
    divide(mesh, scope, 4)
    before = numbers(mesh)
    mesh.sever("oslo")
    mesh.settle(GONE_S + 30)
    asked = do(
        mesh,
        "lyon",
        "apply",
        "lyon {rebalance: true}",
        "i-2",
        resources=("deployment/web",),
        heal=True,
        on_failure="stop",
    )
    assert [one.code for one in asked.reasons] == ["D600"]
    assert numbers(mesh) == before
    assert not told(mesh, "lyon")


@pytest.mark.parametrize(
    ("scope", "parts"),
    [
        ("lyon % oslo", "lyon=1,oslo=1"),
        ("lyon % oslo {rebalance: true}", "lyon=1"),
        ("lyon % oslo {rebalance: true}", "lyon=1,oslo=x"),
        ("(lyon & nice) % oslo {rebalance: true}", "lyon=1,nice=1,oslo=1"),
        ("lyon % ", "lyon=1"),
        (None, None),
    ],
)
def test_words_that_somebody_has_written_on_an_object_move_nothing(scope: object, parts: object) -> None:
    assert whole_of(scope, parts) is None


def test_of_any_two_sides_of_a_cut_at_most_one_may_move() -> None:
    for text, sites in (("a % b", "ab"), ("a % b % c", "abc"), ("a % b % c % d {prime: c}", "abcd")):
        options = "{rebalance: true}" if "{" not in text else ""
        scope = f"{text} {options}".replace("c}", "c, rebalance: true}").strip()
        whole = whole_of(scope, ",".join(f"{name}=1" for name in sites))
        assert whole is not None
        for chosen in range(2 ** len(sites)):
            side = [SiteName(name) for place, name in enumerate(sites) if chosen >> place & 1]
            other = [SiteName(name) for name in sites if name not in side]
            assert not (whole.may_move(side) and whole.may_move(other))
            assert whole.may_move(side) or whole.may_move(other), "and one of two sides may"


def test_what_is_divided_by_two_numbers_is_not_offered(mesh: VirtualMesh) -> None:
    """A Job's completions cannot be changed once it is there."""
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "load", "namespace": "shop"},
        "spec": {
            "completions": 4,
            "parallelism": 2,
            "template": {"spec": {"containers": [{"name": "a", "image": "b"}]}},
        },
    }
    verdict = do(mesh, "lyon", "create", EVEN, "i-1", manifests=(job,))
    assert "D620" in {one.code for one in verdict.reasons}


def test_many_wholes_have_their_turns_and_none_is_forgotten() -> None:
    mesh = VirtualMesh(["lyon", "oslo", "nice"])
    mesh.settle()
    shares = mesh["lyon"].machine.vigil.shares
    names = [f"web-{number}" for number in range(LOOK_MAX + 40)]
    for name in names:
        one = deployment(name, app=name, replicas=2)
        one["metadata"] |= {
            "labels": {PART_OF: "a"},
            "annotations": {PARTS: "lyon=2,nice=2,oslo=2", SCOPE: "lyon % oslo % nice {rebalance: true}"},
        }
        mesh["lyon"].see(ResourceEvent("put", mesh["lyon"].cluster.put(one)))
    mesh.sever("nice")
    moved: set[str] = set()
    for _ in range(int(GONE_S) + 20):
        for world in mesh.worlds.values():
            world.now_s += 1.0
            world.beat()
        mesh.ping()
        while mesh["lyon"].batches:
            mesh["lyon"].deliver()
        found = shares.due(mesh["lyon"].machine.graph, mesh["lyon"].moment)
        moved |= {one.intent.resources[0] for one in found if isinstance(one, EnterIntent)}
    seen = {one for row in mesh["lyon"].intents.values() for one in row.resources} | moved
    assert {ResourceId(f"apps/Deployment/shop/{name}") for name in names} <= seen
