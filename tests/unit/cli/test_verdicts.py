"""A verdict as text: one line that stands alone, proof, help that can be pasted; within the width."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cheops.cli.render.signs import ASCII, Signs
from cheops.cli.render.steps import STEPS_FOLLOWED_MAX, outcome_line, plan_lines
from cheops.cli.render.verdict import one_line, render
from cheops.cli.submitting import exit_code
from schemas.identity import ResourceId, SiteName
from schemas.outcomes import Outcome, OutcomeState
from schemas.ties import first_stamp
from schemas.verdicts import EdgeRef, Evidence, Preconditions, Reason, Remedy, Step, Verdict, Wait

LYON = SiteName("lyon")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = ResourceId("Secret/shop/edge-ca")
WEB = ResourceId("apps/Deployment/shop/web")
EVIDENCE = Evidence(site=LYON, epoch=7, seq=12, age_s=0.4, bound_s=10.0, observed=61, fresh=True)
MOUNT = EdgeRef(
    source=WEB,
    target=SECRET,
    kind="reliance",
    phases=("S", "L"),
    rule="podspec.volume.secret",
    path="spec.template.spec.volumes[0].secret.secretName",
)


def verdict(**changes: object) -> Verdict:
    """A denial, changed."""
    given = {
        "intent": "i-5d0e12ab90",
        "decision": "deny",
        "verb": "delete",
        "site": LYON,
        "targets": (SECRET,),
        "summary": "delete Secret shop/edge-ca @ lyon: still used by 1 resource",
        "decided_at": NOW,
        "decided_by": "resolver/lyon",
        "valid_until": NOW,
        "reasons": (reason("D310", "mounted by Deployment shop/web @ lyon", relation=MOUNT, resource=WEB),),
        "evidence": (EVIDENCE,),
        "remedies": (Remedy(command="cheops delete secret/edge-ca --cascade dependents --preview", effect="delete 1"),),
        **changes,
    }
    return Verdict.model_validate(given)


def reason(code: str, message: str, **more: object) -> Reason:
    severity = {"D": "deny", "F": "defer", "W": "warning", "N": "note"}[code[0]]
    return Reason.model_validate({"code": code, "severity": severity, "message": message, "site": LYON, **more})


def step(number: int, **more: object) -> Step:
    given = {"id": str(number), "site": LYON, "action": "apply", "resource": WEB, **more}
    return Step.model_validate(given)


def outcome(number: int, state: OutcomeState) -> Outcome:
    return Outcome(
        operation=f"i.1.{number}",
        intent="i",
        revision=1,
        step=str(number),
        site=LYON,
        action="apply",
        resource=WEB,
        state=state,
        at=NOW,
    )


def test_a_denial_reads_as_it_is_drawn_here() -> None:
    assert render(verdict(), Signs(), 4.1) == [
        "✗ DENY D310  delete Secret shop/edge-ca @ lyon: still used by 1 resource  4.1 ms",
        "  because    D310 mounted by Deployment shop/web @ lyon  volumes[0].secret",
        "  evidence   lyon 7:12, 0.4 s old (bound 10 s) ✓   all 61 kinds observed ✓",
        "  help       delete 1:",
        "               cheops delete secret/edge-ca --cascade dependents --preview",
    ]


def test_long_findings_wrap_below_themselves_and_a_command_is_never_broken() -> None:
    long = reason("D150", "the API server refuses it: " + "a long explanation of it " * 6, resource=WEB)
    lines = render(verdict(summary="apply X @ lyon: " + "because " * 20, reasons=(long, long)), Signs(width=80))
    assert [line for line in lines if len(line) > 80] == []
    assert lines[1].startswith("    because ")
    assert any(line.startswith(f"{' ' * 13}│  ") for line in lines)
    assert any(line.startswith(f"{' ' * 13}└─ D150") for line in lines)
    narrow = render(verdict(remedies=(Remedy(command="cheops " + "x" * 90, effect="do"),)), Signs(width=80))
    assert f"{' ' * 15}cheops {'x' * 90}" in narrow
    blind = EVIDENCE.model_copy(update={"blind": tuple(f"example.com/Kind{number}" for number in range(9))})
    remedy = Remedy(command="cheops apply", effect="let go of it first: " + "without a field of a resource, " * 4)
    lines = render(verdict(evidence=(blind,), remedies=(remedy,)), Signs(width=80))
    assert [line for line in lines if len(line) > 80] == []
    assert lines[-1] == f"{' ' * 15}cheops apply"


def test_a_user_that_blocks_the_target_and_its_children_is_one_line() -> None:
    reasons = (
        reason("D310", "selected by Service shop/web @ lyon", resource="Service/shop/web"),
        reason("D313", "takes down Pod shop/a, selected by …", resource="Service/shop/web"),
        reason("D313", "takes down Pod shop/b, selected by …", resource="Service/shop/web"),
        reason("D313", "takes down Pod shop/c, selected by …", resource="Service/shop/other"),
    )
    lines = render(verdict(reasons=reasons, evidence=(), remedies=()), Signs())
    assert lines[1:] == [
        "  because    ├─ D310 selected by Service shop/web @ lyon (and 2 of what goes with it)",
        "             └─ D313 takes down Pod shop/c, selected by …",
    ]


def test_many_notes_of_one_code_are_one_line() -> None:
    notes = tuple(
        reason("N102", f"Service shop/{name} is unchanged", resource=f"Service/shop/{name}") for name in "abcde"
    )
    lines = render(verdict(decision="allow", reasons=notes, evidence=(), remedies=()), Signs())
    assert lines[1:] == [
        "  because    N102 unchanged: Service shop/a, Service shop/b, Service shop/c and 2 more",
    ]
    few = render(verdict(decision="allow", reasons=notes[:3], evidence=(), remedies=()), Signs())
    assert len(few) == 4


def test_a_single_finding_that_the_first_line_says_is_not_said_twice_but_its_place_is() -> None:
    only = reason("D001", "apps/Deploymnt is not served")
    given = verdict(summary="apply 2 resources @ lyon: apps/Deploymnt is not served", reasons=(only,), remedies=())
    assert not any("because" in line for line in render(given, Signs()))
    placed = render(given, Signs(), place=lambda _: "shop.yaml:7")
    assert placed[1] == "  because    D001 shop.yaml:7"


def test_what_is_not_known_is_said_and_what_waits_names_how_to_follow_and_to_give_up() -> None:
    blind = Evidence(site=LYON, epoch=0, seq=0, bound_s=10.0)
    lines = render(
        verdict(
            decision="defer",
            reasons=(reason("F502", "lyon: evidence is 12.0 s old"),),
            evidence=(blind,),
            waits_for=(Wait(site=LYON),),
            expires_at=datetime.now(UTC) + timedelta(hours=24),
            remedies=(),
        ),
        Signs(),
    )
    assert lines[0].startswith("? DEFER F502  ")
    assert "  evidence   lyon: nothing known yet ✗" in lines
    assert "  waits for  site lyon" in lines
    assert f"{' ' * 15}cheops show i-5d0e12ab90 --follow" in lines
    assert f"{' ' * 15}cheops cancel i-5d0e12ab90" in lines


def test_of_what_has_waited_for_long_it_is_said_since_when() -> None:
    now = datetime.now(UTC)
    since = first_stamp(now - timedelta(minutes=42))
    given = verdict(decision="defer", decided_at=now, since=since, expires_at=now + timedelta(hours=24))
    (line,) = (one for one in render(given, Signs()) if "decided by itself" in one)
    assert line.endswith("decided by itself when that changes, has waited 42 min, expires in 24 h")


def test_a_finding_of_two_sites_names_both_whatever_the_resource_is_called() -> None:
    oslo = SiteName("oslo")
    alike = [reason("N102", "ConfigMap only-lyon/lyon.conf is unchanged", site=one) for one in (LYON, oslo)]
    evidence = (EVIDENCE, EVIDENCE.model_copy(update={"site": oslo}))
    lines = render(verdict(decision="allow", reasons=alike, evidence=evidence), ASCII)
    assert "ConfigMap only-lyon/lyon.conf is unchanged @ lyon, oslo" in "\n".join(lines)
    said = ("replicas of ConfigMap shop/a stay at lyon", "Secret shop/b @ lyon is there")
    reasons = [reason("N102", one) for one in said]
    lines = render(verdict(decision="allow", reasons=reasons, evidence=evidence), ASCII)
    assert not any("@ lyon @" in one or "lyon @ lyon" in one for one in lines)


def test_an_intent_that_is_waited_for_at_several_sites_is_one_line() -> None:
    waits = [Wait(site=SiteName(one), intent="i-1") for one in ("lyon", "oslo")]
    lines = render(verdict(decision="defer", waits_for=waits), ASCII)
    assert sum("intent i-1" in one for one in lines) == 1


def test_a_stream_of_verdicts_is_one_line_each_and_keeps_the_id() -> None:
    line = one_line(verdict(summary="delete " + "x" * 200), Signs(width=80))
    assert len(line) == 80
    assert line.endswith("…  i-5d0e12ab90")
    assert one_line(verdict(), ASCII).isascii()


def test_a_long_plan_is_counted_when_its_steps_are_told_anyway_and_listed_in_a_preview() -> None:
    steps = [step(number, preconditions=Preconditions(absent=True)) for number in range(STEPS_FOLLOWED_MAX + 1)]
    assert plan_lines(steps, Signs(), followed=True) == ["9 steps: 9 Deployment"]
    assert len(plan_lines(steps, Signs(), followed=False)) == 9
    assert plan_lines([step(1, after=("0",))], Signs(), followed=True) == [
        "1   apply Deployment shop/web @ lyon  after 0"
    ]


def test_an_outcome_says_a_sign_and_a_word() -> None:
    assert outcome_line(outcome(1, "ready"), Signs()) == "  ✓ 1   apply Deployment shop/web @ lyon  ready"
    assert outcome_line(outcome(1, "failed"), Signs()).startswith("  ✗ 1 ")
    done = outcome(1, "done").model_copy(update={"changed": False})
    gone, read = (done.model_copy(update={"action": action}) for action in ("delete", "read"))
    assert outcome_line(gone, Signs()).endswith("delete Deployment shop/web @ lyon  already gone")
    assert outcome_line(read, Signs()).endswith("read Deployment shop/web @ lyon  done"), "a read changes nothing"
    assert "failed" in outcome_line(outcome(1, "failed"), Signs(colour=True))


def test_the_exit_code_is_the_decision_s_and_counts_the_steps_of_what_was_allowed() -> None:
    allowed = verdict(decision="allow", plan=(step(1), step(2)))
    assert exit_code(verdict(), []) == 3
    assert exit_code(verdict(decision="defer"), []) == 4
    late = verdict(reasons=(reason("D110", "it lacks a Secret"), reason("N520", "done already at lyon")))
    assert exit_code(late, []) == 5, "others have done it: that is neither done nor denied"
    assert exit_code(allowed, [outcome(1, "ready"), outcome(2, "done")]) == 0
    assert exit_code(allowed, [outcome(1, "ready"), outcome(2, "failed")]) == 5
    assert exit_code(allowed, [outcome(1, "failed")]) == 1
    assert exit_code(verdict(decision="allow", plan=(step(1),), preview=True), []) == 0
