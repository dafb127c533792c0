"""Answers of several sites → one verdict. Pure.

Each site in scope judged its own part on its own knowledge; here the answers become one: deny beats defer beats allow,
reasons name their site, evidence of every site is carried, steps are numbered on. One denial denies the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from schemas.counting import counted
from schemas.identity import KindId, ResourceId, SiteName
from schemas.scope.tree import Scope
from schemas.verdicts import Decision, Evidence, Impact, Reason, Step, Verdict
from services.resolver.judge.impact import NAMED_MAX
from services.resolver.judge.summary import what
from services.resolver.placing import Alternative

_ORDER: Final[tuple[Decision, ...]] = ("deny", "defer", "allow")
_LETTERS: Final = "DFWN"


def combine(answers: Sequence[Verdict], entry: SiteName) -> Verdict:
    """One verdict of the answers of the sites in scope, in the name of the entry site."""
    assert answers, "a scope names at least one site"
    if len(answers) == 1:
        return answers[0].model_copy(update={"site": entry})
    decision = next(one for one in _ORDER if any(answer.decision == one for answer in answers))
    evidence: list[Evidence] = []
    reasons: list[Reason] = []
    for answer in answers:
        shift = len(evidence)
        evidence += answer.evidence
        reasons += [
            one if one.evidence < 0 else one.model_copy(update={"evidence": one.evidence + shift})
            for one in answer.reasons
        ]
    first = answers[0]
    return first.model_copy(
        update={
            "decision": decision,
            "site": entry,
            "targets": _targets(answers),
            "summary": _summary(answers, decision),
            "valid_until": first.decided_at + min(one.valid_until - one.decided_at for one in answers),
            "reasons": tuple(sorted(reasons, key=_rank)),
            "impact": _impact([answer.impact for answer in answers]),
            "evidence": tuple(evidence),
            "plan": _numbered_on(answers) if decision == "allow" else (),
            "remedies": tuple(dict.fromkeys(one for answer in answers for one in answer.remedies)),
            "waits_for": tuple(dict.fromkeys(one for answer in answers for one in answer.waits_for))
            if decision == "defer"
            else (),
            "expires_at": next((one.expires_at for one in answers if one.expires_at), None)
            if decision == "defer"
            else None,
        }
    )


def not_taken(verdict: Verdict, failed: Sequence[tuple[Alternative, Verdict]], entry: SiteName) -> Verdict:
    """The same, with a note on each choice of the scope that was tried and did not come to it."""
    notes = tuple(
        Reason(
            code="N505",
            severity="note",
            message=f"{' & '.join(way.sites)} is not taken: {one.summary}",
            site=entry,
        )
        for way, one in failed
    )
    return verdict.model_copy(update={"reasons": (*verdict.reasons, *notes)}) if notes else verdict


def enough(
    scope: Scope, way: Alternative, verdicts: Mapping[SiteName, Verdict]
) -> tuple[Mapping[SiteName, Verdict], tuple[Reason, ...]]:
    """`min:` sites of a replication are enough: those that do not allow are left out, and said.

    While others may still allow, those that deny are.
    """
    left_out: dict[SiteName, Verdict] = {}
    for part, shares, crossed in zip(scope.parts, way.shares, way.crossed, strict=True):
        wanted = part.options.min
        mine = [name for name in shares if name in verdicts]
        if wanted is None or crossed:
            continue
        good = [name for name in mine if verdicts[name].decision == "allow"]
        hopeful = [name for name in mine if verdicts[name].decision != "deny"]
        if len(good) >= wanted:
            left_out |= {name: verdicts[name] for name in mine if name not in good}
        elif len(hopeful) >= wanted:  # what is not known yet may make up for who denies
            left_out |= {name: verdicts[name] for name in mine if name not in hopeful}
    notes = tuple(
        Reason(code="N505", severity="note", message=f"{name} is left out: {one.summary}", site=name)
        for name, one in left_out.items()
    )
    return {name: one for name, one in verdicts.items() if name not in left_out}, notes


def _rank(reason: Reason) -> tuple[int, str, str, str, str]:
    return _LETTERS.index(reason.code[0]), reason.code, reason.site, reason.resource or "", reason.message


def _targets(answers: Sequence[Verdict]) -> tuple[ResourceId, ...]:
    return tuple(dict.fromkeys(target for answer in answers for target in answer.targets))


def _only_marks(answer: Verdict) -> bool:
    """What it names stays there: only the words on it change."""
    return bool(answer.plan) and all(step.action == "annotate" for step in answer.plan)


def _summary(answers: Sequence[Verdict], decision: Decision) -> str:
    about = [one for one in answers if one.verb != "delete" or not _only_marks(one)] or answers
    sites = " & ".join(dict.fromkeys(answer.site for answer in about))
    head = f"{answers[0].verb} {what(_targets(about))} @ {sites}"
    if decision != "allow":
        first, *others = [answer for answer in answers if answer.decision == decision]
        why = first.summary.partition(": ")[2]
        more = f" (and {counted(len(others), 'more site')})" if others else ""
        at = "" if first.site in why else f" at {first.site}"
        return f"{head}: {why}{at}{more}"
    steps = sum(len(answer.plan) for answer in answers)
    return f"{head}: {counted(steps, 'step') if steps else 'nothing to do'}"


def _impact(parts: Sequence[Impact]) -> Impact:
    by_kind: dict[SiteName, dict[KindId, int]] = {}
    first: dict[ResourceId, None] = {}
    for part in parts:
        by_kind.update(part.by_kind)
        first.update(dict.fromkeys(part.first))
    direct = sum(part.direct for part in parts)
    names = tuple(first)[:NAMED_MAX]
    return Impact(
        direct=direct,
        by_kind=by_kind,
        reached=sum(part.reached for part in parts),
        bounded=any(part.bounded for part in parts),
        first=names,
        more=max(0, direct - len(names)),
    )


def _numbered_on(answers: Sequence[Verdict]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for answer in answers:
        shift = len(steps)
        renamed: Mapping[str, str] = {step.id: str(shift + place + 1) for place, step in enumerate(answer.plan)}
        steps += [
            step.model_copy(update={"id": renamed[step.id], "after": tuple(renamed[one] for one in step.after)})
            for step in answer.plan
        ]
    return tuple(steps)
