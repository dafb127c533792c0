"""What the runs of test_together_states.py have found among sites that decide together, one by one."""

from __future__ import annotations

import copy

import pytest

from schemas.events import ResourceEvent
from schemas.identity import ResourceId, SiteName
from schemas.intents import Verb
from schemas.peers import Ask
from services.resolver.signals import CancelSeen, Tick
from tests.kit.manifests import deployment, mounts_secret, secret, without_uid
from tests.unit.resolver.virtual_mesh import VirtualMesh, committed_but_cut, three_sites, web

LYON, OSLO = SiteName("lyon"), SiteName("oslo")
WEB = ResourceId("apps/Deployment/shop/web")
CA = ResourceId("Secret/shop/ca")


@pytest.fixture
def mesh() -> VirtualMesh:
    return three_sites()


def test_letters_of_an_intent_that_is_over_begin_nothing_when_they_come_again(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "delete", "lyon & oslo", resources=("secret/ca",))
    mesh.pump()
    before = list(mesh["oslo"].verdicts)
    for wire, payload in list(mesh.arrived):
        mesh.hand_over(wire, payload)
    mesh.pump()
    assert mesh["oslo"].verdicts == before
    assert mesh["oslo"].effects["i-1", CA] == 1
    assert not any(len(world.machine.holds) for world in mesh.worlds.values())


def test_letters_of_an_intent_that_is_over_begin_nothing_after_a_restart_either(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "delete", "lyon & oslo", resources=("secret/ca",))
    mesh.pump()
    again, before = list(mesh.arrived), list(mesh["oslo"].verdicts)
    mesh["oslo"].kill()
    mesh.pump()
    mesh["oslo"].cluster.put(without_uid(secret("ca")))
    mesh["oslo"].see(ResourceEvent("put", mesh["oslo"].cluster.state(CA)))
    mesh.pump()
    for wire, payload in again:
        mesh.hand_over(wire, payload)
    mesh.settle()
    assert mesh["oslo"].verdicts == before
    assert CA in mesh["oslo"].cluster.objects


def test_an_entry_site_that_is_killed_after_its_verdict_goes_on_with_its_own_part(mesh: VirtualMesh) -> None:
    """It judged its part anew, and its executor, which had done it, did not say so once more."""
    mesh.enter("oslo", "apply", "lyon & oslo", manifests=(without_uid(secret("ca")),))
    mesh.collect()
    mesh.arrive((OSLO, LYON))
    mesh.catches_up(mesh["lyon"])
    mesh.catches_up(mesh["oslo"])
    mesh.collect()
    mesh.arrive((LYON, OSLO))
    mesh["oslo"].execute(0)
    mesh["oslo"].kill()
    mesh.settle(5)
    assert mesh.verdict("oslo").decision == "allow"
    assert not any(len(world.machine.holds) for world in mesh.worlds.values())
    assert not mesh["oslo"].machine.together.coordinator.following


def test_a_commit_that_was_refused_is_not_carried_out_when_it_comes_again(mesh: VirtualMesh) -> None:
    """Its lease had ended and the world had changed; then it changes back, and a copy of the commit comes late."""
    mesh.enter("lyon", "create", "lyon & oslo", manifests=(web(),), on_failure="stop")
    committed_but_cut(mesh)
    oslo = mesh["oslo"]
    oslo.cluster.remove(CA)
    oslo.see(ResourceEvent("delete", resource=CA))
    mesh.pump()
    mesh.mend()
    mesh.settle(4)
    assert mesh.verdict("oslo").decision == "deny"
    assert mesh.verdict("lyon").decision == "deny"
    assert "done already at lyon" in " ".join(one.message for one in mesh.verdict("lyon").reasons)
    oslo.cluster.put(without_uid(secret("ca")))
    oslo.see(ResourceEvent("put", oslo.cluster.state(CA)))
    for restart in (False, True):
        if restart:
            oslo.kill()
        mesh.pump()
        for wire, payload in [one for one in mesh.arrived if b'"commit":true' in one[1]]:
            mesh.hand_over(wire, payload)
        mesh.settle(4)
        assert WEB not in oslo.cluster.objects
        assert len([one for one in oslo.verdicts if one.intent == "i-1"]) == 1


def test_a_part_that_was_stored_before_a_kill_is_not_taken_for_an_intent_of_its_own(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "delete", "lyon & oslo", resources=("secret/ca",))
    mesh.collect()
    mesh.arrive((LYON, OSLO))
    mesh.collect()
    mesh.arrive((OSLO, LYON))
    mesh.collect()
    mesh["oslo"].cut_after = 1  # the part is stored, the verdict is not
    mesh.arrive((LYON, OSLO))
    mesh.settle(4)
    assert mesh["oslo"].kills == 1
    assert [one.decision for one in mesh["oslo"].verdicts] == ["allow"]
    assert CA not in mesh["oslo"].cluster.objects


def test_a_part_whose_commit_is_read_long_after_the_kill_is_still_a_part(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "delete", "lyon & oslo", resources=("secret/ca",))
    mesh.collect()
    mesh.arrive((LYON, OSLO))
    mesh.collect()
    mesh.arrive((OSLO, LYON))
    mesh.collect()
    mesh["oslo"].cut_after = 1
    mesh.arrive((LYON, OSLO))
    mesh.sever("oslo")
    mesh.pass_time(300.0)
    assert not mesh["oslo"].verdicts
    mesh.mend()
    mesh.settle(60)
    assert {one.decision for one in mesh["oslo"].verdicts} == {"allow"}
    assert CA not in mesh["oslo"].cluster.objects


def test_a_forged_part_is_refused_at_once(mesh: VirtualMesh) -> None:
    world = mesh["oslo"]
    forged = mesh.intent("oslo", "delete", "", resources=("secret/ca",), entry="lyon")
    world.publish(forged)
    assert [one.code for one in mesh.verdict("oslo").reasons] == ["D010"]
    assert CA in world.cluster.objects


def test_an_entry_site_whose_clock_went_back_while_it_was_away_is_answered(mesh: VirtualMesh) -> None:
    mesh["lyon"].cluster.remove(CA)
    mesh["lyon"].see(ResourceEvent("delete", resource=CA))
    mesh.pump()
    mesh.sever("nice")
    mesh.settle(6)
    mesh.enter("lyon", "delete", "oslo & nice", resources=("secret/ca",))
    mesh.pump()
    mesh["lyon"].ahead_s = -3600.0
    mesh["lyon"].kill()
    mesh.mend()
    mesh.settle(6)
    assert mesh.verdict("lyon").decision == "allow"


def test_what_was_stopped_does_not_begin_after_a_restart(mesh: VirtualMesh) -> None:
    """lyon fails; oslo's second step, which waits for its first, is given up, and oslo knows that for good."""
    bundle = (without_uid(secret("new")), without_uid(deployment("web", mounts_secret("new"), app="web")))
    mesh.enter("lyon", "create", "lyon & oslo", manifests=bundle, on_failure="stop")
    while not (mesh["lyon"].operations and mesh["oslo"].operations):
        mesh.exchange()
    mesh["lyon"].execute(0, refuse=True)
    while mesh["lyon"].outcomes:
        mesh["lyon"].report()
    mesh.settle(4)
    ends = {one.step: one.state for one in mesh["lyon"].stored_outcomes}
    assert set(ends) == {step.id for step in mesh.verdict("lyon").plan}, "the end of each step is known"
    before = list(mesh["oslo"].operations)
    mesh["oslo"].kill()
    mesh["lyon"].kill()
    mesh.settle(4)
    assert mesh["oslo"].operations == before
    assert WEB not in mesh["oslo"].cluster.objects


def test_what_was_done_is_named_even_when_the_entry_site_was_killed_meanwhile(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "lyon & oslo", manifests=(web(),), on_failure="stop")
    committed_but_cut(mesh)
    mesh["lyon"].kill()
    oslo = mesh["oslo"]
    oslo.cluster.remove(CA)
    oslo.see(ResourceEvent("delete", resource=CA))
    mesh.pump()
    mesh.mend()
    mesh.settle(10)
    assert mesh.verdict("lyon").decision == "deny"
    assert "done already at lyon" in " ".join(one.message for one in mesh.verdict("lyon").reasons)


def test_a_site_does_not_watch_for_ever_for_an_asker_that_has_forgotten(mesh: VirtualMesh) -> None:
    """Its cluster is not heard of any more, so nothing changes that would wake anybody."""
    oslo = mesh["oslo"]
    mesh.enter("lyon", "delete", "lyon & oslo", resources=("secret/ca",), bound_s=0.001)
    mesh.collect()
    oslo.now_s += 0.01
    mesh.arrive((LYON, OSLO))
    engagements = oslo.machine.together.participant.engagements
    assert [one.state for one in engagements.in_state("watching")] == ["watching"]
    mesh["lyon"].unacknowledged.clear()
    mesh["lyon"].kill()
    for _ in range(449):
        oslo.now_s += 2.0
        oslo.step(Tick())
    assert len(engagements) == 1
    oslo.now_s += 3.0
    oslo.step(Tick())
    assert len(engagements) == 0


def test_who_gave_way_is_woken_when_the_older_one_has_ended(mesh: VirtualMesh) -> None:
    """lyon holds for the younger, oslo asks for the older: without a word from lyon the younger waited for a clock."""
    mesh["oslo"].ahead_s = -60.0  # what is entered there is older
    mesh.enter("lyon", "delete", "lyon & nice", "younger", resources=("secret/ca",))
    mesh.enter("oslo", "delete", "lyon & oslo", "older", resources=("secret/ca",))
    mesh.pump()
    assert mesh.said("give-way") == 0, "both are at lyon itself"
    assert [one.decision for one in mesh["lyon"].verdicts if one.intent == "younger"][:1] == ["defer"]
    assert mesh.verdict("oslo", "older").decision == "allow"
    assert mesh.verdict("lyon", "younger").decision == "allow", "without time having passed"
    for name in ("lyon", "nice"):
        assert CA not in mesh[name].cluster.objects
    assert not any(len(world.machine.holds) for world in mesh.worlds.values())


def test_an_entry_site_that_is_killed_while_it_decides_again_hears_the_end_of_what_it_had_decided(
    mesh: VirtualMesh,
) -> None:
    """oslo had been asked anew, and answered nothing any more to the commit of before."""
    mesh.enter("lyon", "create", "lyon & oslo", manifests=(web(),), on_failure="stop")
    committed_but_cut(mesh)
    oslo = mesh["oslo"]
    oslo.cluster.remove(CA)
    oslo.see(ResourceEvent("delete", resource=CA))
    mesh.pump()
    mesh.mend()
    mesh.ping()
    for wire in ((LYON, OSLO), (OSLO, LYON), (LYON, OSLO)):  # the commit, its refusal, the next question
        mesh.collect()
        while mesh.wires[wire]:
            mesh.arrive(wire)
        mesh.catches_up(mesh.worlds[wire[1]])
    assert [one.revision for one in mesh.told if isinstance(one, Ask)] == [1, 2]
    mesh["lyon"].kill()
    mesh.settle(100, step_s=2.0)
    assert mesh.verdict("lyon").decision == "deny"
    assert not mesh["lyon"].machine.together.coordinator.following


def test_revisions_are_stored_in_their_order_when_one_deferral_sets_another_intent_free(mesh: VirtualMesh) -> None:
    """Both end in one tick: the hold that the first lets go woke the second, whose next verdict overtook its first."""
    mesh.cut.add((LYON, OSLO))
    for name in ("i-1", "i-2"):
        mesh.enter("lyon", "delete", "lyon & oslo", name, resources=("secret/ca",))
    mesh.pass_time(6.0)
    mesh.pump()
    revisions = {name: [one.revision for one in mesh["lyon"].verdicts if one.intent == name] for name in ("i-1", "i-2")}
    assert revisions == {"i-1": [1], "i-2": [1, 2]}


TLS = mounts_secret("tls")


@pytest.fixture
def unknowing(mesh: VirtualMesh) -> VirtualMesh:
    """nice alone has tls; lyon, which does not know itself yet, defers what mounts it there."""
    nice = mesh["nice"]
    nice.see(ResourceEvent("put", nice.cluster.put(without_uid(secret("tls")))))
    mesh.pump()
    mesh["lyon"].kill()
    mesh.ping()
    mesh.enter("lyon", "create", "", manifests=(without_uid(deployment("web", TLS, app="web")),))
    assert (mesh.verdict("lyon").decision, mesh.verdict("lyon").reasons[0].code) == ("defer", "F502")
    return mesh


def test_what_a_site_decided_alone_and_then_asks_others_about_is_decided_once(unknowing: VirtualMesh) -> None:
    """Each answer woke it anew, and it asked again: two sites talked for ever."""
    unknowing.pump()
    verdict = unknowing.verdict("lyon")
    assert (verdict.decision, verdict.revision, [one.code for one in verdict.reasons]) == ("deny", 2, ["D113"])
    assert "secret/tls: nice" in verdict.remedies[0].command
    assert unknowing.said("ask") == 1


def test_what_is_given_up_while_others_are_asked_about_it_stays_given_up(unknowing: VirtualMesh) -> None:
    lyon = unknowing["lyon"]
    for _ in range(5):
        lyon.beat()
        unknowing.catches_up(lyon)
    unknowing.collect()
    assert unknowing.said("ask") == 1
    lyon.step(CancelSeen("i-1"))
    unknowing.settle(10)
    assert [one.decision for one in lyon.verdicts] == ["defer", "deny"]
    assert [one.code for one in unknowing.verdict("lyon").reasons] == ["D012"]


def test_a_site_that_was_away_and_has_no_replica_any_more_when_its_update_comes_is_told_of(mesh: VirtualMesh) -> None:
    """It allowed the update, and met nothing when it was done: all was denied, and nobody was told that it differs."""
    bundle = tuple(map(without_uid, (secret("tls"), deployment("web", TLS, app="web"))))
    mesh.enter("lyon", "create", "lyon & oslo", manifests=bundle)
    mesh.settle(3.0)
    mesh.sever("lyon")
    mesh.pass_time(6.0)
    mesh.enter("lyon", "update", "lyon & oslo", "i-2", manifests=bundle[1:])
    mesh.settle(1.0)
    assert [one.code for one in mesh.verdict("lyon", "i-2").reasons] == ["W503"]
    oslo = mesh["oslo"]
    oslo.cluster.remove(WEB)
    oslo.see(ResourceEvent("delete", resource=WEB))
    mesh.mend()
    mesh.settle_down(60.0, step_s=2.0)
    assert mesh.verdict("lyon", "i-2").decision == "deny"
    assert [(one.code, one.sites) for one in mesh["lyon"].alerts if one.cause == "i-2"] == [("A504", (OSLO,))]


def test_what_one_site_has_lost_while_it_was_away_is_still_updated_at_the_other_that_was(mesh: VirtualMesh) -> None:
    """One of two had no replica any more when both came back: the other one was said to have left the set, too."""
    old, new = (without_uid(deployment("web", TLS, app="web", replicas=count)) for count in (1, 5))
    mesh.enter("lyon", "create", "lyon & oslo & nice", manifests=(without_uid(secret("tls")), old))
    mesh.settle(3.0)
    mesh.sever("lyon")
    mesh.pass_time(6.0)
    mesh.enter("lyon", "apply", "lyon & oslo & nice", "i-2", manifests=(new,))
    mesh.settle(1.0)
    oslo = mesh["oslo"]
    oslo.cluster.remove(WEB)
    oslo.see(ResourceEvent("delete", resource=WEB))
    mesh.pump()
    mesh.mend()
    mesh.settle_down(120.0, step_s=2.0)
    assert [(one.code, one.site) for one in mesh.verdict("lyon", "i-2").reasons] == [("N506", OSLO)]
    assert WEB not in oslo.cluster.objects
    assert mesh["nice"].cluster.objects[WEB]["spec"]["replicas"] == 5


def test_nothing_is_decided_between_an_undo_and_its_being_done_here(mesh: VirtualMesh) -> None:
    """In the step in which a restarted site knew itself, a deletion was decided after the undo that it breaks."""
    lyon = mesh["lyon"]
    there = [secret("tls"), *(deployment(name, TLS, app=name) for name in ("web", "cart"))]
    lyon.see(*(ResourceEvent("put", lyon.cluster.put(without_uid(one))) for one in there))
    mesh.pump()
    mesh.enter("lyon", "delete", "lyon ; oslo", resources=("deployment/cart", "deployment/web"))
    refused = next(place for place, one in enumerate(lyon.operations) if one.resource != WEB)
    lyon.execute(refused, refuse=True)
    lyon.execute(1 - refused)
    mesh.cut |= {(LYON, SiteName("nice")), (SiteName("nice"), LYON)}
    mesh.pass_time(70.0)
    resources = ("deployment/cart", "secret/tls")
    mesh.enter("lyon", "delete", "lyon & nice {min: 1}", "i-2", resources=resources)
    assert mesh.verdict("lyon", "i-2").decision == "defer"
    lyon.kill()
    mesh.settle_down(60.0, step_s=2.0)
    assert not lyon.cluster.broken
    assert WEB in lyon.cluster.objects


ENTRIES = pytest.mark.parametrize(("entry", "scope"), [("lyon", ""), ("lyon", "lyon ; oslo"), ("oslo", "lyon")])


@ENTRIES
def test_what_an_undo_puts_back_is_held_after_a_restart_too(mesh: VirtualMesh, entry: str, scope: str) -> None:
    """The next process did not know any more what it was: it held nothing, and what it needs was deleted."""
    lyon = mesh["lyon"]
    web_is_to_be_put_back(mesh, entry, scope)
    lyon.kill()
    mesh.pass_time()
    everything_but_operations(mesh)
    lyon.execute(2)
    mesh.enter("lyon", "delete", "", "i-2", resources=("secret/tls",))
    assert [one.code for one in mesh.verdict("lyon", "i-2").reasons] == ["F510", "N311"]
    mesh.settle_down(60.0, step_s=2.0)
    assert mesh.verdict("lyon", "i-2").decision == "deny"
    assert WEB in lyon.cluster.objects
    assert not lyon.cluster.broken


@ENTRIES
def test_what_an_undo_has_put_back_is_held_after_a_restart_until_it_is_seen(
    mesh: VirtualMesh, entry: str, scope: str
) -> None:
    """It is over, and what the next process is told of its site is from before it."""
    lyon = mesh["lyon"]
    web_is_to_be_put_back(mesh, entry, scope)
    lyon.execute(2)
    everything_but_operations(mesh)
    lyon.recent = {"i-1"}
    seen, lyon.cluster = lyon.cluster, copy.deepcopy(lyon.cluster)
    lyon.cluster.remove(WEB)
    lyon.cluster.version = seen.version - 1
    lyon.kill()
    mesh.pass_time()
    everything_but_operations(mesh)
    assert lyon.machine.graph.find(WEB) is None
    assert lyon.machine.holds.holds(WEB)
    lyon.cluster = seen
    lyon.see(ResourceEvent("put", seen.state(WEB)))
    mesh.pump()
    assert not lyon.machine.holds.holds(WEB)


def web_is_to_be_put_back(mesh: VirtualMesh, entry: str, scope: str) -> None:
    """Of two Deployments one was deleted and one was not: the undo is decided, and its operation has not begun."""
    lyon = mesh["lyon"]
    there = [secret("tls"), *(deployment(name, TLS, replicas=count) for name, count in (("web", 1), ("cart", 0)))]
    lyon.see(*(ResourceEvent("put", lyon.cluster.put(without_uid(one))) for one in there))
    mesh.pump()
    mesh.enter(entry, "delete", scope, resources=("deployment/cart", "deployment/web"))
    everything_but_operations(mesh)
    refused = next(place for place, one in enumerate(lyon.operations) if one.resource != WEB)
    lyon.execute(refused, refuse=True)
    lyon.execute(1 - refused)
    everything_but_operations(mesh)
    assert [one.undoes for one in mesh.verdict("lyon").plan] == [lyon.operations[1 - refused].id]


def everything_but_operations(mesh: VirtualMesh) -> None:
    """Letters arrive, and watchers and outcomes are heard, until nothing is said any more."""
    for _ in range(10):
        mesh.exchange()
        for world in mesh.worlds.values():
            while world.outcomes:
                world.report()


def too_late(mesh: VirtualMesh, verb: Verb = "delete") -> None:
    """What oslo is asked waits there for longer than lyon does, though oslo is heard all the while."""
    mesh.enter("lyon", verb, "lyon & oslo", resources=("secret/ca",))
    for _ in range(12):
        mesh.pass_time()
        mesh.catches_up(mesh["lyon"])
        mesh.collect()
    verdict = mesh.verdict("lyon")
    assert (verdict.decision, [one.code for one in verdict.reasons if one.severity == "defer"]) == ("defer", ["F501"])


def test_an_answer_that_comes_too_late_wakes_the_intent_that_waited_for_it(mesh: VirtualMesh) -> None:
    too_late(mesh)
    mesh.pump()
    assert mesh.verdict("lyon").decision == "allow"
    assert mesh["oslo"].effects["i-1", CA] == 1
    mesh.settle()
    assert not any(len(world.machine.holds) for world in mesh.worlds.values())


def test_a_late_denial_wakes_too_and_a_late_answer_of_what_is_given_up_wakes_nothing(mesh: VirtualMesh) -> None:
    mesh["oslo"].cluster.put(web())
    mesh["oslo"].see(ResourceEvent("put", mesh["oslo"].cluster.state(WEB)))
    mesh.catches_up(mesh["oslo"])
    too_late(mesh)
    mesh.pump()
    assert mesh.verdict("lyon").decision == "deny"
    asked = mesh.said("ask")
    for wire, payload in [*mesh.arrived]:
        mesh.hand_over(wire, payload)
    mesh.pump()
    assert mesh.said("ask") == asked


def test_a_site_that_always_answers_too_late_is_asked_once_more_at_once_and_then_after_a_pause(
    mesh: VirtualMesh,
) -> None:
    too_late(mesh)
    for _ in range(30):  # of six seconds each, for which every letter to oslo waits
        waiting = len(mesh.wires[LYON, OSLO])
        for _ in range(12):
            mesh.pass_time()
            mesh.catches_up(mesh["lyon"])
            mesh.collect()
        for _ in range(waiting):
            mesh.arrive((LYON, OSLO))
        mesh.catches_up(mesh["oslo"])
        mesh.collect()
        while mesh.wires[OSLO, LYON]:
            mesh.arrive((OSLO, LYON))
    assert mesh.verdict("lyon").decision == "defer"
    asked = [one for one in mesh.told if isinstance(one, Ask) and one.receiver == OSLO]
    assert len(asked) == 2 * 3, "at first, after half a minute, and after a minute"
