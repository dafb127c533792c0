"""What several sites have done together is taken back by each of them, cut, killed and mended in the middle."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import ResourceEvent
from schemas.identity import ResourceId
from tests.kit.manifests import deployment, mounts_secret, secret, service, without_uid
from tests.unit.resolver.virtual_mesh import VirtualMesh

CA = ResourceId("Secret/shop/ca")
WEB = ResourceId("apps/Deployment/shop/web")


@pytest.fixture
def mesh() -> VirtualMesh:
    made = VirtualMesh(["lyon", "oslo", "nice"])
    made.settle()
    return made


def shop() -> tuple[dict[str, Any], ...]:
    return without_uid(secret("ca")), without_uid(deployment("web", mounts_secret("ca"), app="web"))


def assert_nothing_is_left(mesh: VirtualMesh) -> None:
    for name, world in mesh.worlds.items():
        assert not {CA, WEB} & world.cluster.objects.keys(), name
        assert not world.machine.docket.active, name
        assert not list(world.machine.holds.rows()), name
        assert not world.machine.together.coordinator.following, name
        assert not world.cluster.broken, name
        assert all(times == 1 for times in (*world.effects.values(), *world.taken_back.values())), name


def test_a_step_that_fails_at_one_site_takes_back_what_all_have_done(mesh: VirtualMesh) -> None:
    mesh["nice"].refuses = {WEB}
    mesh.enter("lyon", "create", "lyon & oslo & nice", manifests=shop())
    mesh.settle(4)
    assert_nothing_is_left(mesh)
    whole = mesh.verdict("lyon")
    assert (whole.decision, whole.undoes) == ("allow", 1)
    assert {step.site for step in whole.plan} == {"lyon", "oslo", "nice"}
    for name in ("oslo", "nice"):
        assert mesh.verdict(name).undoes == 1, "each site has said so itself"
    ends = {one.step: one.state for one in mesh["lyon"].stored_outcomes if one.revision == 2}
    assert set(ends.values()) == {"done"}
    assert set(ends) == {step.id for step in whole.plan}
    assert not any(one.former not in (None, "", "kept") for one in mesh["lyon"].stored_outcomes if one.site != "lyon")


def test_what_a_site_uses_since_stays_there_and_is_named(mesh: VirtualMesh) -> None:
    mesh["nice"].refuses = {WEB}
    mesh.enter("lyon", "create", "oslo & nice", manifests=shop())
    oslo = mesh["oslo"]
    for _ in range(4):
        mesh.exchange()
    assert [one.resource for one in oslo.operations] == [CA]
    oslo.execute(0)
    oslo.see(ResourceEvent("put", oslo.cluster.put(deployment("user", mounts_secret("ca"), app="user"))))
    mesh.settle(4)
    assert CA in oslo.cluster.objects
    assert WEB not in oslo.cluster.objects
    assert CA not in mesh["nice"].cluster.objects
    said = [one for one in mesh["lyon"].stored_outcomes if one.site == "oslo" and one.state == "conflict"]
    assert "shop/user" in said[0].message
    assert [one.code for one in mesh.verdict("oslo").reasons] == ["W521", "W522"]


def test_what_a_site_warns_of_as_it_takes_its_part_back_stands_in_its_own_verdict(mesh: VirtualMesh) -> None:
    front, other = ResourceId("Service/shop/front"), ResourceId("Secret/shop/other")
    for name in ("oslo", "nice"):
        for body in (secret("ca"), secret("other"), service("front", "web"), deployment("web", app="web")):
            mesh[name].see(ResourceEvent("put", mesh[name].cluster.put(without_uid(body))))
    mesh.settle()
    mesh["nice"].refuses = {other}
    mesh.enter("lyon", "delete", "oslo & nice", resources=("service/front", "secret/other"))
    oslo = mesh["oslo"]
    for _ in range(4):
        mesh.exchange()
    for place in range(len(oslo.operations)):
        oslo.execute(place)
    oslo.wipe(WEB)
    mesh.settle(4)
    assert front in oslo.cluster.objects
    said = [(one.code, one.resource) for one in mesh.verdict("oslo").reasons]
    assert said == [("W521", None), ("W110", front)]
    assert [one.code for one in mesh.verdict("nice").reasons] == ["W521"]


@pytest.mark.parametrize("cut", ["lyon", "oslo", "nice"])
def test_a_site_that_is_cut_off_takes_its_part_back_when_it_returns(mesh: VirtualMesh, cut: str) -> None:
    mesh["nice"].refuses = {WEB}
    mesh.enter("lyon", "create", "lyon & oslo & nice", manifests=shop())
    mesh.collect()
    for wire, waiting in mesh.wires.items():
        while waiting:
            mesh.arrive(wire)
    mesh.sever(cut)
    mesh.settle(10)
    mesh.mend()
    mesh.settle(40, 2.0)
    assert_nothing_is_left(mesh)


def test_stop_and_continue_hold_for_several_sites(mesh: VirtualMesh) -> None:
    mesh["nice"].refuses = {CA}
    mesh.enter("lyon", "create", "oslo & nice", "i-1", manifests=shop(), on_failure="continue")
    mesh.settle(4)
    assert {CA, WEB} <= mesh["oslo"].cluster.objects.keys()
    assert WEB not in mesh["nice"].cluster.objects
    assert mesh.verdict("lyon").revision == 1
    ends = {(one.site, one.resource): one.state for one in mesh["lyon"].stored_outcomes}
    assert ends["nice", WEB] == "expired", "every step's end is named"
    assert not mesh["lyon"].machine.together.coordinator.following
    mesh["lyon"].refuses = {WEB}
    mesh.enter("nice", "create", "lyon", "i-2", manifests=shop(), on_failure="stop")
    mesh.settle(4)
    assert CA in mesh["lyon"].cluster.objects
    assert mesh.verdict("nice", "i-2").undoes is None


def test_each_resolver_may_be_killed_at_any_of_its_effects(mesh: VirtualMesh) -> None:
    kills = 0
    for victim in ("lyon", "oslo", "nice"):
        for dies_at in range(24):
            again = VirtualMesh(["lyon", "oslo", "nice"])
            again.settle()
            again["nice"].refuses = {WEB}
            _dies(again, victim, dies_at)
            again.enter("lyon", "create", "lyon & oslo & nice", manifests=shop())
            again.settle(80, 2.0)
            kills += again[victim].kills
            try:
                assert_nothing_is_left(again)
            except AssertionError as error:
                raise AssertionError(f"{victim} killed at {dies_at}") from error
    assert kills > 30


def test_the_entry_site_takes_its_own_part_back_whenever_it_is_killed_after_the_denial() -> None:
    """nice has made the same meanwhile: decided again, the whole is denied."""
    kills = 0
    for dies_at in range(12):
        mesh = VirtualMesh(["lyon", "nice"])
        mesh.settle()
        lyon, nice = mesh["lyon"], mesh["nice"]
        _dies(mesh, "lyon", dies_at)
        mesh.enter("lyon", "create", "lyon & nice", manifests=(without_uid(secret("ca")),))
        while not nice.operations:
            mesh.pass_time(0.5)
            mesh.collect()
            for wire in list(mesh.wires):
                while mesh.wires[wire]:
                    mesh.arrive(wire)
            for world in mesh.worlds.values():
                mesh.catches_up(world)
        nice.see(ResourceEvent("put", nice.cluster.put(secret("ca"))))
        mesh.settle(80, 2.0)
        kills += lyon.kills
        assert CA not in lyon.cluster.objects, dies_at
        assert CA in nice.cluster.objects, dies_at
        assert {*lyon.taken_back.values()} == {1}, dies_at
    assert kills >= 10


@pytest.mark.parametrize("is_made_again", [False, True])
def test_what_was_deleted_and_is_not_seen_to_be_gone_yet_comes_back_or_is_named(is_made_again: bool) -> None:
    mesh = VirtualMesh(["lyon", "oslo"])
    lyon = mesh["lyon"]
    for name in ("ca", "other"):
        lyon.cluster.put(secret(name))
    mesh.settle()
    mesh.enter("lyon", "delete", "lyon ; oslo", resources=("secret/ca", "secret/other"))
    refused = next(place for place, one in enumerate(lyon.operations) if one.resource != CA)
    lyon.execute(refused, refuse=True)
    lyon.execute(1 - refused)
    if is_made_again:
        lyon.see(ResourceEvent("put", lyon.cluster.put(secret("ca"))))
        while lyon.batches:
            lyon.deliver()
    while lyon.outcomes:  # else they are heard before the watcher's word
        lyon.report()
    mesh.settle(4)
    assert CA in lyon.cluster.objects
    assert ("W522" in {one.code for one in mesh.verdict("lyon").reasons}) == is_made_again
    assert not lyon.machine.together.coordinator.following
    assert not list(lyon.machine.holds.rows())


def _dies(mesh: VirtualMesh, victim: str, at: int) -> None:
    world = mesh[victim]
    step, carry_out, left = world.step, world.carry_out, [at]

    def counted(effect: Any) -> None:
        left[0] -= 1
        carry_out(effect)

    def mortal(signal: Any) -> bool:
        world.cut_after = left[0] if left[0] >= 0 and not world.kills else None
        return step(signal)

    world.carry_out, world.step = counted, mortal  # type: ignore[method-assign]  # it counts, and dies once


def test_an_update_that_is_taken_back_is_open_for_no_site_any_more(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "lyon & oslo & nice", "i-1", manifests=shop())
    mesh.settle(4)
    mesh.sever("nice")
    mesh.settle(6)
    mesh["oslo"].refuses = {WEB}
    secret_, workload = shop()
    both = (
        {**secret_, "data": {"new": "eA==", **secret_["data"]}},
        {**workload, "spec": {**workload["spec"], "replicas": 3}},
    )
    mesh.enter("lyon", "apply", "", "i-2", manifests=both)
    mesh.settle(4)
    first = next(one for one in mesh["lyon"].verdicts if one.intent == "i-2")
    assert [one.site for one in first.reasons if one.code == "W503"] == ["nice"]
    undone = mesh.verdict("lyon", "i-2")
    assert undone.undoes == first.revision
    mesh.mend()
    mesh.settle(40, 2.0)
    assert mesh.verdict("lyon", "i-2") == undone, "the last word on it stays that it was taken back"
    assert not [one for one in mesh["lyon"].alerts if one.code in ("A504", "A506")]
