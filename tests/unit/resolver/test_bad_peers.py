"""Peers that answer nonsense, for others, late, never; that decide what is not theirs; that flood. Said, never a hang.

lyon is the site under test and behaves as it should; oslo says whatever a test lets it say.
"""

from __future__ import annotations

from typing import Any

import pytest

from schemas.identity import ResourceId, SiteName
from schemas.outcomes import Outcome
from schemas.peers import Answer, Ask, Decide, GiveWay, Part, PeerMessage, Refuse, Report, Tell, Wake
from schemas.verdicts import Step, Verdict
from services.resolver.across.order import AHEAD_MAX_MS, COUNTER_BITS
from services.resolver.docket import WAITING_MAX
from services.resolver.signals import PeerSeen
from tests.kit.manifests import secret, without_uid
from tests.unit.resolver.virtual_mesh import VirtualMesh

LYON, OSLO, NICE = SiteName("lyon"), SiteName("oslo"), SiteName("nice")
CA = ResourceId("Secret/shop/ca")
FROM_OSLO = {"sender": OSLO, "receiver": LYON, "intent": "i-1"}
TIMEOUT_S = 6.0


@pytest.fixture
def mesh() -> VirtualMesh:
    made = VirtualMesh([LYON, OSLO, NICE])
    for world in made.worlds.values():
        world.cluster.put(without_uid(secret("ca")))
    made.settle()
    return made


def tell(mesh: VirtualMesh, message: PeerMessage) -> list[PeerMessage]:
    """oslo says it to lyon; what lyon says then."""
    mesh.collect()
    told = len(mesh.told)
    mesh[LYON].step(PeerSeen(message))
    mesh.collect()
    return mesh.told[told:]


def untouched(mesh: VirtualMesh) -> None:
    """Nothing was done, nothing is held, nothing is waited for."""
    for world in mesh.worlds.values():
        assert not world.effects
        assert not len(world.machine.holds)
        assert not world.machine.together.coordinator.rounds
        assert not world.machine.together.coordinator.following


def asked(mesh: VirtualMesh, scope: str = "lyon & oslo", **what: Any) -> Ask:
    """lyon wants a deletion and has asked oslo, which has not read it."""
    mesh.enter(LYON, "delete", scope, resources=("secret/ca",), **what)
    mesh.collect()
    return next(one for one in mesh.told if isinstance(one, Ask) and one.receiver == OSLO)


def silenced(mesh: VirtualMesh) -> None:
    """What oslo would say itself does not count: a test speaks for it."""
    for wire in ((LYON, OSLO), (OSLO, LYON)):
        mesh.wires[wire].clear()


def allowed(mesh: VirtualMesh, ask: Ask, **instead: Any) -> Answer:
    """What oslo would rightly answer, but for `instead` in the verdict."""
    world = mesh[OSLO]
    mine = {"id": "1", "site": OSLO, "action": "delete", "resource": CA}
    verdict = world.machine.preview(ask.part, world.moment)
    assert verdict.decision == "allow", verdict
    made = verdict.model_copy(update={"plan": (Step(**mine),), **instead})
    return Answer(round=ask.round, verdict=made, held=True, lease_s=60.0, **FROM_OSLO)


def part(mesh: VirtualMesh, **instead: Any) -> Part:
    """A deletion at lyon that oslo asks for."""
    intent = mesh.intent(LYON, "delete", "", resources=("secret/ca",))
    return Part(**{**intent.model_dump(by_alias=True), "entry": OSLO, **instead})


def ask(mesh: VirtualMesh, round_number: int = 1, **instead: Any) -> Ask:
    return Ask(round=round_number, age=1, part=part(mesh, **instead), **FROM_OSLO)


def reasons(mesh: VirtualMesh) -> list[str]:
    return [one.code for one in mesh.verdict(LYON).reasons]


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "nonsense",
    [
        {"intent": "i-2"},
        {"site": NICE},
        {"verb": "create"},
        {"plan": (Step(id="1", site=LYON, action="delete", resource=CA),)},
        {"plan": (Step(id="1", site=OSLO, action="delete", resource=CA, after=("7",)),)},
        {"plan": (Step(id="1", site=OSLO, action="delete", resource=CA),) * 2},
        {"plan": (Step(id="1", site=OSLO, action="create", resource=CA),)},
    ],
    ids=["another intent", "another site", "another verb", "my steps", "after nothing", "twice", "a write"],
)
def test_an_answer_to_something_else_counts_as_none_and_says_so(mesh: VirtualMesh, nonsense: dict[str, Any]) -> None:
    question = asked(mesh)
    silenced(mesh)
    said = tell(mesh, allowed(mesh, question, **nonsense))
    assert [one.what for one in said if isinstance(one, Refuse)] == ["answer"]
    assert [one.commit for one in said if isinstance(one, Decide)] == [False], "what it may hold is let go"
    assert (mesh.verdict(LYON).decision, reasons(mesh)) == ("defer", ["F501"])
    assert "does not answer what it was asked" in mesh.verdict(LYON).summary
    untouched(mesh)


def test_an_answer_without_evidence_of_its_own_is_no_allow(mesh: VirtualMesh) -> None:
    question = asked(mesh)
    silenced(mesh)
    tell(mesh, allowed(mesh, question, evidence=()))
    assert reasons(mesh) == ["F501"]
    untouched(mesh)


def test_a_second_answer_changes_nothing(mesh: VirtualMesh) -> None:
    question = asked(mesh, "oslo & nice")
    silenced(mesh)
    good = allowed(mesh, question)
    denied = good.model_copy(update={"verdict": good.verdict.model_copy(update={"decision": "deny", "plan": ()})})
    tell(mesh, good)
    assert not tell(mesh, denied)
    silenced(mesh)
    mesh.pump()
    assert mesh.verdict(LYON).decision == "allow"


def test_an_answer_of_a_site_that_was_not_asked_is_let_go(mesh: VirtualMesh) -> None:
    question = asked(mesh, "oslo")
    silenced(mesh)
    answer = allowed(mesh, question)
    said = tell(mesh, answer.model_copy(update={"sender": NICE}))
    assert [(one.commit, one.receiver) for one in said if isinstance(one, Decide)] == [(False, NICE)]
    assert "i-1" in mesh[LYON].machine.together.coordinator.rounds


def test_an_answer_after_its_deadline_is_let_go_and_asked_for_anew_once(mesh: VirtualMesh) -> None:
    question = asked(mesh)
    silenced(mesh)
    mesh.settle(TIMEOUT_S)
    assert (mesh.verdict(LYON).decision, reasons(mesh)) == ("defer", ["F501"])
    said = tell(mesh, allowed(mesh, question))
    assert [one.commit for one in said if isinstance(one, Decide)] == [False]
    assert [one.round > question.round for one in said if isinstance(one, Ask) and one.receiver == OSLO] == [True]
    silenced(mesh)
    mesh.settle(TIMEOUT_S)
    assert (mesh.verdict(LYON).decision, reasons(mesh)) == ("defer", ["F501"])
    (again,) = tell(mesh, allowed(mesh, question))
    assert isinstance(again, Decide), "who is always late is not asked at once each time"
    untouched(mesh)


def test_no_answer_is_a_defer_that_names_the_site_and_its_time_ends_as_any(mesh: VirtualMesh) -> None:
    asked(mesh, lifetime_s=40.0)
    for _ in range(60):
        mesh.collect()
        silenced(mesh)
        mesh.pass_time(1.0)
    mesh.collect()
    silenced(mesh)
    named = {(one.decision, one.waits_for[0].site) for one in mesh[LYON].verdicts if one.decision == "defer"}
    assert named == {("defer", OSLO)}
    assert (mesh.verdict(LYON).decision, reasons(mesh)) == ("deny", ["D012"])
    mesh.settle(70)
    untouched(mesh)


def test_a_peer_that_cannot_read_a_commit_is_not_waited_for(mesh: VirtualMesh) -> None:
    mesh.enter(LYON, "delete", "oslo", resources=("secret/ca",), lifetime_s=40.0)
    for _ in range(90):
        mesh.collect()
        waiting = mesh.wires[LYON, OSLO]
        commits = [one for one in waiting if b'"commit":true' in one]
        for one in commits:
            waiting.remove(one)
            mesh[LYON].step(PeerSeen(Refuse(what="decide", reason="unknown version", **FROM_OSLO)))
        mesh.pass_time(1.0)
        mesh.collect()
        while mesh.wires[LYON, OSLO] and b'"commit":true' not in mesh.wires[LYON, OSLO][0]:
            mesh.arrive((LYON, OSLO))
        mesh.collect()
        while mesh.wires[OSLO, LYON]:
            mesh.arrive((OSLO, LYON))
    assert len(mesh[LYON].verdicts) <= 6, "revisions are bounded"
    assert any("not taken at oslo" in one.message for one in mesh[LYON].stored_outcomes)
    mesh.settle(70)
    untouched(mesh)


# ── who decides what ────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_decides_for_another_entry_site(mesh: VirtualMesh) -> None:
    tell(mesh, ask(mesh))
    assert len(mesh[LYON].machine.holds) == 1
    stranger = {**FROM_OSLO, "sender": NICE}
    for commit in (True, False):
        said = tell(mesh, Decide(round=1, commit=commit, part=part(mesh, entry=NICE), **stranger))
        assert [one.what for one in said if isinstance(one, Refuse)] == ["decide"]
    assert len(mesh[LYON].machine.holds) == 1, "it is held for who asked"
    assert not mesh[LYON].operations


def test_a_part_for_another_site_is_refused(mesh: VirtualMesh) -> None:
    for instead in ({"site": NICE}, {"entry": NICE}, {"id": "i-2"}):
        assert [type(one) for one in tell(mesh, ask(mesh, **instead))] == [Refuse]
    commit = Decide(round=1, commit=True, part=part(mesh, site=NICE), **FROM_OSLO)
    assert [type(one) for one in tell(mesh, commit)] == [Refuse]
    untouched(mesh)


def test_an_intent_that_was_entered_here_is_not_a_peers_to_ask_or_to_decide(mesh: VirtualMesh) -> None:
    mesh.enter(LYON, "delete", "", resources=("secret/none",))
    mesh.pump()
    for message in (ask(mesh), Decide(round=1, commit=True, part=part(mesh), **FROM_OSLO)):
        said = tell(mesh, message)
        assert [type(one) for one in said] == [Refuse]
    assert CA in mesh[LYON].cluster.objects


def test_a_commit_that_was_never_asked_for_is_judged_here_and_refused_when_it_is_not_right(mesh: VirtualMesh) -> None:
    wrong = (Step(id="1", site=LYON, action="delete", resource=ResourceId("Secret/shop/other")),)
    said = tell(mesh, Decide(round=1, commit=True, part=part(mesh), plan=wrong, **FROM_OSLO))
    reports = [one for one in said if isinstance(one, Report)]
    assert [(one.over, one.refused is not None) for one in reports] == [(True, True)]
    assert mesh.verdict(LYON).decision == "deny"
    assert not mesh[LYON].operations
    assert not len(mesh[LYON].machine.holds)


def test_a_commit_of_steps_that_were_not_consented_to_is_refused_though_the_part_is_held(mesh: VirtualMesh) -> None:
    tell(mesh, ask(mesh))
    wrong = (Step(id="1", site=LYON, action="delete", resource=ResourceId("Namespace/shop")),)
    said = tell(mesh, Decide(round=1, commit=True, part=part(mesh), plan=wrong, **FROM_OSLO))
    assert [one.refused is not None for one in said if isinstance(one, Report)] == [True]
    assert not mesh[LYON].operations
    assert not len(mesh[LYON].machine.holds)


def test_a_commit_without_a_part_and_without_a_hold_is_refused(mesh: VirtualMesh) -> None:
    assert [type(one) for one in tell(mesh, Decide(round=1, commit=True, **FROM_OSLO))] == [Refuse]
    untouched(mesh)


# ── reports ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_report_of_steps_that_are_not_its_own_is_refused_and_not_stored(mesh: VirtualMesh) -> None:
    question = asked(mesh)
    silenced(mesh)
    tell(mesh, allowed(mesh, question))
    verdict = mesh.verdict(LYON)
    stored = len(mesh[LYON].stored_outcomes)
    for site, step in ((LYON, "1"), (OSLO, "1"), (OSLO, "9")):
        said = tell(mesh, Report(revision=1, outcomes=(ended(verdict, site, step),), over=True, **FROM_OSLO))
        assert [one.what for one in said if isinstance(one, Refuse)] == ["report"]
    stranger = {**FROM_OSLO, "sender": NICE}
    assert [type(one) for one in tell(mesh, Report(revision=1, over=True, **stranger))] == [Refuse]
    assert len(mesh[LYON].stored_outcomes) == stored
    assert mesh[LYON].machine.together.coordinator.following.knows("i-1")


def ended(verdict: Verdict, site: SiteName, step: str) -> Outcome:
    return Outcome(
        operation=f"i-1.1.{step}",
        intent="i-1",
        revision=1,
        step=step,
        site=site,
        action="delete",
        resource=CA,
        state="done",
        at=verdict.decided_at,
    )


def test_words_about_intents_that_nobody_knows_are_ignored(mesh: VirtualMesh) -> None:
    for message in (
        Report(revision=1, over=True, **FROM_OSLO),
        Tell(revision=1, stop=True, **FROM_OSLO),
        Wake(round=7, **FROM_OSLO),
        GiveWay(round=7, older="i-2", **FROM_OSLO),
        Refuse(what="ask", reason="what?", **FROM_OSLO),
        Refuse(what="nonsense", reason="what?", **FROM_OSLO),
        Decide(round=7, commit=False, **FROM_OSLO),
    ):
        assert not tell(mesh, message), message
    untouched(mesh)


# ── too much ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_flood_of_asks_is_bounded_and_each_is_answered(mesh: VirtualMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.resolver.across.participant.WAITING_MAX", 50)
    assert WAITING_MAX == 10_000
    mesh[LYON].cluster.remove(CA)
    answers = []
    for number in range(80):
        name = f"f-{number}"
        mine = part(mesh, id=name, resources=[f"secret/none-{number}"], bound_s=0.001)  # it waits for fresher evidence
        mesh[LYON].now_s += 0.01
        said = tell(mesh, Ask(round=1, age=number, part=mine, **{**FROM_OSLO, "intent": name}))
        answers += [one.verdict for one in said if isinstance(one, Answer)]
    assert len(answers) == 80
    assert {one.decision for one in answers} == {"defer"}
    assert sum("F510" in {reason.code for reason in one.reasons} for one in answers) == 30
    assert len(mesh[LYON].machine.together.participant.engagements) == 50


def test_stamps_from_the_far_future_do_not_take_our_clock_along(mesh: VirtualMesh) -> None:
    far = 1 << 62
    tell(mesh, ask(mesh, far).model_copy(update={"age": far}))
    clock = mesh[LYON].machine.together.coordinator.clock
    now = mesh[LYON].moment.wall
    ahead_ms = (clock.stamp(now) >> COUNTER_BITS) - now.timestamp() * 1000
    assert ahead_ms <= AHEAD_MAX_MS
    assert not tell(mesh, Wake(round=far, **FROM_OSLO))


def test_a_peer_that_always_knows_a_later_round_does_not_keep_us_asking(mesh: VirtualMesh) -> None:
    asked(mesh, lifetime_s=100.0)
    for _ in range(80):
        mesh.collect()
        asks = [one for one in mesh.told if isinstance(one, Ask) and one.receiver == OSLO]
        silenced(mesh)
        tell(mesh, Wake(round=asks[-1].round + 5, **FROM_OSLO))
        mesh.pass_time(0.5)
    assert mesh.verdict(LYON).decision == "defer"
    assert reasons(mesh) == ["F501"]
