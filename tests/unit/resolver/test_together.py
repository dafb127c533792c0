"""Sites that decide together, message by message: nothing without consent, all or none, cut and healed."""

from __future__ import annotations

import pytest

from schemas.events import ResourceEvent
from schemas.identity import ResourceId, SiteName
from schemas.peers import Report
from tests.kit.manifests import deployment, mounts_secret, secret, without_uid
from tests.unit.resolver.virtual_mesh import VirtualMesh, three_sites, web
from tests.unit.resolver.world import World

OSLO = SiteName("oslo")
WEB = ResourceId("apps/Deployment/shop/web")


@pytest.fixture
def mesh() -> VirtualMesh:
    return three_sites()


def test_what_every_site_allows_is_done_at_every_site(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "lyon & oslo", manifests=(web(),))
    mesh.pump()
    assert mesh.verdict("lyon").decision == "allow", mesh.verdict("lyon")
    assert {step.site for step in mesh.verdict("lyon").plan} == {"lyon", "oslo"}
    assert mesh.verdict("oslo").decision == "allow"
    assert WEB in mesh["lyon"].cluster.objects
    assert WEB in mesh["oslo"].cluster.objects
    assert WEB not in mesh["nice"].cluster.objects
    assert {one.state for one in mesh["lyon"].stored_outcomes if one.site == "oslo"} == {"applied", "ready"}
    mesh.settle()
    assert not any(len(world.machine.holds) for world in mesh.worlds.values())
    assert not mesh["lyon"].machine.together.coordinator.following


def test_one_denial_denies_the_whole_and_nothing_is_done(mesh: VirtualMesh) -> None:
    mesh["oslo"].cluster.remove(ResourceId("Secret/shop/ca"))
    mesh["oslo"].see(ResourceEvent("delete", resource=ResourceId("Secret/shop/ca")))
    mesh.pump()
    mesh.enter("lyon", "create", "lyon & oslo", manifests=(web(),))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert verdict.decision == "deny"
    assert [(one.code, one.site) for one in verdict.reasons if one.severity == "deny"] == [("D113", "oslo")]
    assert not mesh["oslo"].verdicts
    assert WEB not in mesh["lyon"].cluster.objects
    assert not any(len(world.machine.holds) for world in mesh.worlds.values())


def test_a_site_that_is_cut_off_defers_the_whole_and_it_is_done_once_when_it_is_back(mesh: VirtualMesh) -> None:
    mesh.sever("nice")
    mesh.settle(6)
    mesh.enter("lyon", "delete", "lyon & nice", resources=("secret/ca",))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert (verdict.decision, verdict.waits_for[0].site) == ("defer", "nice")
    assert "last heard" in verdict.summary
    mesh.settle(4)
    assert verdict == mesh.verdict("lyon"), "nothing has changed, nothing new is said"
    mesh.mend()
    mesh.settle(2)
    assert mesh.verdict("lyon").decision == "allow"
    for name in ("lyon", "nice"):
        assert ResourceId("Secret/shop/ca") not in mesh[name].cluster.objects
        assert mesh[name].effects["i-1", ResourceId("Secret/shop/ca")] == 1


def released_at_oslo(mesh: VirtualMesh) -> World:
    """An intent of two sites; oslo's operation has left, and no executor has acted."""
    mesh.enter("lyon", "create", "lyon & oslo", manifests=(web(),), on_failure="stop")
    while not mesh["oslo"].operations:
        mesh.exchange()
    return mesh["oslo"]


def test_what_ended_while_a_site_was_without_a_resolver_is_told_and_decided_again(mesh: VirtualMesh) -> None:
    """Its executor meets a change of the world and says so to nobody; the next process reads it in the streams."""
    oslo = released_at_oslo(mesh)
    oslo.see(ResourceEvent("put", oslo.cluster.put(deployment("web", mounts_secret("ca"), app="web"))))
    oslo.execute(0)
    oslo.outcomes.clear()  # they stand in the stream, and are read from there
    assert [one.state for one in oslo.stored_outcomes] == ["conflict"]
    oslo.start()
    mesh.settle(6)
    told = [(one.site, one.revision, one.state) for one in mesh["lyon"].stored_outcomes]
    assert ("oslo", 1, "conflict") in told
    assert mesh.verdict("lyon").revision == 2


@pytest.mark.parametrize(("dead_s", "told"), [(0.0, True), (20.0, True), (3600.0, False)])
def test_what_was_done_while_a_site_was_without_a_resolver_is_told_at_once_by_the_next_one(
    mesh: VirtualMesh, dead_s: float, told: bool
) -> None:
    """Of what is older the entry site has asked meanwhile: a restart does not tell the history of a site."""
    oslo = released_at_oslo(mesh)
    oslo.execute(0)
    oslo.outcomes.clear()
    oslo.now_s += dead_s
    oslo.start()
    oslo.outcomes.clear()
    mesh.catches_up(oslo)
    mesh.collect()
    reports = [one for one in mesh.told if isinstance(one, Report) and one.sender == OSLO]
    assert [(one.over, one.outcomes[-1].state) for one in reports] == ([(True, "ready")] if told else [])


def test_a_verdict_on_another_site_alone_is_stored_in_the_name_of_the_entry_site(mesh: VirtualMesh) -> None:
    mesh.enter("nice", "create", "oslo", manifests=(web(),))
    mesh.pump()
    assert (mesh.verdict("nice").site, mesh.verdict("oslo").site) == ("nice", "oslo")
    assert WEB in mesh["oslo"].cluster.objects
    assert not mesh["nice"].effects


def test_the_next_choice_is_taken_when_the_first_site_denies(mesh: VirtualMesh) -> None:
    mesh["nice"].cluster.remove(ResourceId("Secret/shop/ca"))
    mesh["nice"].see(ResourceEvent("delete", resource=ResourceId("Secret/shop/ca")))
    mesh.pump()
    mesh.enter("nice", "create", "nice ; oslo", manifests=(web(),))
    mesh.pump()
    verdict = mesh.verdict("nice")
    assert verdict.decision == "allow"
    assert "N505" in {one.code for one in verdict.reasons}
    assert WEB in mesh["oslo"].cluster.objects
    assert WEB not in mesh["nice"].cluster.objects


@pytest.mark.parametrize("scope", ["lyon & oslo", "lyon"])
def test_the_verdict_on_the_whole_is_dated_by_the_clock_of_its_own_site(mesh: VirtualMesh, scope: str) -> None:
    """Sites whose clocks differ have answered; which of two intents of one site came first is told by its dates."""
    mesh["lyon"].ahead_s = 7200.0
    mesh.enter("oslo", "create", scope, manifests=(without_uid(secret("new")),), lifetime_s=86_400)
    mesh.settle()
    verdict, moment = mesh.verdict("oslo"), mesh["oslo"].moment
    assert verdict.decision == "allow", verdict
    assert abs((verdict.decided_at - moment.wall).total_seconds()) < 60
    assert verdict.decided_by == "resolver/oslo@test"
    assert verdict.valid_until > verdict.decided_at
    assert mesh.verdict("lyon").decided_by == "resolver/lyon@test", "each site has said so itself"
