"""A case and a view → one verdict. Pure: the same case on the same view gives the same bytes.

    findings of the rooms → the rule of evidence → letters in force → deny beats defer beats allow → verdict

The rule of evidence (verdicts.md): "it exists and blocks" may be old; "it is not there", "nobody uses it" needs
evidence that is fresh and complete, else the answer is a defer that says what is missing and what was last observed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from schemas.identity import ResourceId
from schemas.verdicts import Decision, Reason, Severity, Verdict, Wait
from services.resolver.graph.overlay import OverlayView
from services.resolver.graph.remembered import RememberedView
from services.resolver.graph.view import View
from services.resolver.judge.case import Case, Problem
from services.resolver.judge.create import judge_needs, judge_presence, waiting
from services.resolver.judge.delete import Blocks, blocks_by_default, judge_delete, with_dependents
from services.resolver.judge.doubt import SourcesOf, doubts, unknown
from services.resolver.judge.findings import Finding, edge_ref, named
from services.resolver.judge.impact import impact_of
from services.resolver.judge.policy import Policy
from services.resolver.judge.quota import judge_quota
from services.resolver.judge.read import judge_read
from services.resolver.judge.remedies import remedies_for
from services.resolver.judge.security import judge_enforcing, judge_security
from services.resolver.judge.steps import steps_of
from services.resolver.judge.subsets import judge_subsets
from services.resolver.judge.summary import summary_of
from services.resolver.judge.ties import OVERTAKEN, judge_mark, judge_membership, judge_ties, left_behind
from services.resolver.judge.update import judge_change
from services.resolver.plan import cycle

SEVERITIES: Final[dict[str, Severity]] = {"D": "deny", "F": "defer", "W": "warning", "N": "note"}
ORDER: Final = "DFWN"
VALID_S: Final = 60.0  # how long a preview's answer may be believed; preconditions guard what is done


def decide(case: Case, view: View, policy: Policy, now: datetime, sources_of: SourcesOf | None = None) -> Verdict:
    """`sources_of(kind)`: the kinds whose objects can refer to that kind; None: any kind may."""
    view = RememberedView(view)
    targets = [change.resource for change in case.changes if change.action != "annotate"]
    copies: list[ResourceId] = []
    if case.problems:
        findings = [_of_problem(one) for one in case.problems]
    else:
        if case.cascade == "dependents" and case.verb == "delete":
            targets = with_dependents(view, targets)
        copies = left_behind(view, targets) if case.verb == "delete" else []
        targets += copies
        findings = [_elsewhere(case, one) for one in _findings(case, view, policy, targets)]
        if case.verb == "delete":
            findings += judge_ties(view, [one for one in targets if one not in copies], copies, case.together)
        findings = [unknown(case, one) or one for one in findings]
    reasons = _reasons(case, view, policy, findings)
    if not case.problems and _decision(reasons) != "deny":
        # Only now: a policy or an override may have taken the denial away, and an allow needs fresh evidence.
        findings += doubts(case, view, targets, sources_of, findings)
        reasons = _reasons(case, view, policy, findings)
    decision = _decision(reasons)
    steps = steps_of(case, view, targets, findings) if decision == "allow" else ()
    idle = {change.resource for change in case.changes if change.unchanged}
    impact = impact_of(view, [] if case.problems else [one for one in targets if one not in idle])
    named_ = tuple(change.resource for change in case.changes)
    only_words = all(change.action == "annotate" for change in case.changes)
    return Verdict(
        intent=case.intent,
        revision=case.revision,
        decision=decision,
        verb=case.verb,
        site=case.site,
        targets=named_,
        summary=summary_of(case.verb, named_, case.site, decision, reasons, len(steps), impact.direct, only_words),
        decided_at=now,
        decided_by=case.decided_by,
        policy=policy.digest,
        valid_until=min(case.expires_at, now + timedelta(seconds=VALID_S)) if now < case.expires_at else now,
        preview=case.preview,
        reasons=reasons,
        impact=impact,
        evidence=(case.evidence,),
        plan=steps,
        remedies=remedies_for(case, view, reasons, _blocks(case, view, policy)) if decision == "deny" else (),
        waits_for=_waits(case, findings) if decision == "defer" else (),
        expires_at=case.expires_at if decision == "defer" else None,
        since=case.since,
    )


def _of_problem(one: Problem) -> Finding:
    return Finding(one.code, one.message, "nothing", one.resource, waits_for=one.waits_for)


def _findings(case: Case, view: View, policy: Policy, targets: list[ResourceId]) -> list[Finding]:
    marks = [one for change in case.changes if change.action == "annotate" for one in judge_mark(view, change)]
    blocks = _blocks(case, view, policy)
    if case.verb == "delete":
        return [*marks, *judge_delete(view, targets, blocks)]
    if case.verb == "read":
        return [*marks, *(finding for target in targets for finding in judge_read(view, target))]
    after = OverlayView(view, {one.resource: one.after for one in case.changes if one.after is not None})
    findings = marks
    for change in case.changes:
        if change.action == "annotate":
            continue
        findings += judge_presence(view, change)
        bound = list(judge_membership(view, change))
        findings += bound
        if any(one.code == OVERTAKEN for one in bound):
            continue
        if change.after is not None and not change.unchanged:
            findings += judge_needs(view, after, change)
            findings += judge_subsets(after, change.after)
            findings += judge_security(view, after, change)
            findings += judge_enforcing(view, change)
            findings += judge_change(view, after, change, blocks)
    findings = [one for one in findings if not _goes_too(case, one)]
    findings += judge_quota(view, after, case.changes)
    states = {one.resource: one.after for one in case.changes if one.after is not None}
    ring = cycle(states, waiting(view, after, states))
    if ring:
        path = " → ".join(named(one) for one in (*ring, ring[0]))
        findings.append(Finding("D130", f"each needs the next before it can start: {path}", "nothing", ring[0]))
    return findings


def _goes_too(case: Case, finding: Finding) -> bool:
    """It says what somebody misses who goes in the same change."""
    return finding.edge is not None and finding.edge.source in case.going


def _elsewhere(case: Case, finding: Finding) -> Finding:
    """What is missing here and known at another site: the scope decides, and this one does not cover it."""
    if finding.code not in ("D110", "D140") or finding.resource is None:
        return finding
    sites = case.elsewhere.get(finding.resource, ())
    if not sites:
        return finding
    who = f"; {named(finding.edge.source)} needs it" if finding.edge else ""
    message = f"{named(finding.resource)} is at {', '.join(sites)}, not at {case.site}{who}"
    return structs.replace(finding, code="D113", message=message, at=sites)


# ── from findings to the verdict's parts ────────────────────────────────────────────────────────────────────────────


def _letters(case: Case, view: View, policy: Policy) -> Callable[[Finding], str]:
    """The letter in force of a finding, overrides included."""
    after = {change.resource: change.after for change in case.changes}
    overridden = {one.code.lstrip("DFWN") for one in case.overrides}

    def labels_of(resource: ResourceId) -> Mapping[str, str]:
        state = after.get(resource) or view.find(resource)
        return state.labels if state is not None else {}

    def letter(finding: Finding) -> str:
        if case.problems:  # nothing else was judged: whoever lets one of these pass would let pass all
            return finding.letter
        found = policy.letter(finding, case.site, labels_of)
        return "W" if found == "D" and finding.number in overridden else found

    return letter


def _blocks(case: Case, view: View, policy: Policy) -> Blocks:
    """Whether a finding decides; the default when neither a policy nor an override has a say."""
    if not policy.file.rules and not case.overrides and not case.going:
        return blocks_by_default
    letter = _letters(case, view, policy)
    return lambda finding: letter(finding) == "D" and not _goes_too(case, finding)


def _reasons(case: Case, view: View, policy: Policy, findings: Iterable[Finding]) -> tuple[Reason, ...]:
    letter_of = _letters(case, view, policy)
    overrides = {one.code.lstrip("DFWN"): one.reason for one in case.overrides}
    made: dict[tuple[str, str, str], Reason] = {}
    for finding in findings:
        letter, message = letter_of(finding), finding.message
        if letter == "W" and finding.number in overrides and finding.letter == "D":
            message = f"{message} (overridden: {overrides[finding.number]})"
        if letter not in SEVERITIES:
            continue  # set to be ignored
        relation = edge_ref(finding.edge) if finding.edge else None
        reason = Reason(
            code=f"{letter}{finding.number}",
            severity=SEVERITIES[letter],
            message=message,
            site=case.site,
            resource=finding.resource,
            relation=relation,
            chain=tuple(relation if relation and one is finding.edge else edge_ref(one) for one in finding.chain),
            evidence=-1 if finding.rests_on == "nothing" and letter != "F" else 0,
            at=finding.at,
        )
        made.setdefault((reason.code, reason.resource or "", reason.message), reason)
    return tuple(sorted(made.values(), key=_rank))


def _rank(reason: Reason) -> tuple[int, str, str, str]:
    return ORDER.index(reason.code[0]), reason.code, reason.resource or "", reason.message


def _decision(reasons: Sequence[Reason]) -> Decision:
    severities = {reason.severity for reason in reasons}
    return "deny" if "deny" in severities else "defer" if "defer" in severities else "allow"


def _waits(case: Case, findings: Iterable[Finding]) -> tuple[Wait, ...]:
    waits: dict[Wait, None] = {}
    for finding in findings:
        if finding.waits_for:
            waits[Wait(site=case.site, intent=finding.waits_for)] = None
        elif finding.code == "F503":
            blind = [kind for kind in case.evidence.blind if finding.message.startswith(f"{kind} is not observed")]
            waits.update({Wait(site=case.site, kind=kind): None for kind in blind})
        elif finding.letter == "F":
            waits[Wait(site=case.site)] = None
    return tuple(sorted(waits, key=lambda wait: (wait.kind or "", wait.intent or "")))
