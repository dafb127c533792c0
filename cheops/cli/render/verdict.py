"""A verdict as a person reads it: one line that stands alone, evidence as notes, help that can be pasted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from cheops.cli.render.signs import Signs
from schemas.identity import ResourceId, ResourceKey
from schemas.outcomes import Outcome
from schemas.verdicts import Evidence, Reason, Step, Verdict

REASONS_SHOWN_MAX: Final = 12
STEPS_SHOWN_MAX: Final = 30
WIDTH: Final = 100
LABEL_WIDTH: Final = 11


def named(resource: ResourceId) -> str:
    """`Secret shop/edge-ca`: how a resource reads in a sentence."""
    key = ResourceKey.parse(resource)
    return f"{key.kind} {key.namespace}/{key.name}" if key.namespace else f"{key.kind} {key.name}"


def render(verdict: Verdict, signs: Signs, took_ms: float | None = None) -> list[str]:
    """The whole verdict."""
    lines = [_head(verdict, signs, took_ms)]
    lines += _block("because", _reasons(verdict, signs), signs)
    lines += _block("impact", _impact(verdict), signs)
    lines += _block("evidence", [_evidence(one, signs) for one in verdict.evidence], signs)
    lines += _block("plan", _plan(verdict), signs)
    lines += _block("waits for", _waits(verdict), signs)
    lines += _block("next", _next(verdict), signs)
    for remedy in verdict.remedies:
        lines += _block("help", [f"{remedy.effect}:", f"  {remedy.command}"], signs)
    return lines


def one_line(verdict: Verdict, signs: Signs) -> str:
    """For a stream of verdicts."""
    at = verdict.decided_at.astimezone().strftime("%H:%M:%S")
    return f"{at}  {_head(verdict, signs, None)}  {signs.paint(verdict.intent, 'dim')}"


def outcome_line(outcome: Outcome, signs: Signs) -> str:
    """One step's outcome."""
    sign = {"ready": signs.allow, "done": signs.allow, "applied": signs.ellipsis}.get(outcome.state, signs.deny)
    word = "already gone" if outcome.state == "done" and not outcome.changed else outcome.state
    message = f": {outcome.message}" if outcome.message else ""
    took = f"  {outcome.duration_ms / 1000:.1f} s" if outcome.duration_ms >= 100 else ""
    text = (
        f"  {sign} {outcome.step}  {outcome.action} {named(outcome.resource)} @ {outcome.site}  {word}{took}{message}"
    )
    style = {signs.allow: "green", signs.deny: "red"}.get(sign)
    return signs.paint(text, style) if style else text


def _head(verdict: Verdict, signs: Signs, took_ms: float | None) -> str:
    first = next((one.code for one in verdict.reasons if one.severity in ("deny", "defer")), "")
    code = f" {first}" if verdict.decision != "allow" and first else ""
    preview = signs.paint(" (preview)", "dim") if verdict.preview else ""
    took = signs.paint(f"  {took_ms:.1f} ms", "dim") if took_ms is not None else ""
    return f"{signs.decision(verdict.decision)}{code}  {verdict.summary}{preview}{took}"


def _reasons(verdict: Verdict, signs: Signs) -> list[str]:
    shown = verdict.reasons[:REASONS_SHOWN_MAX]
    more = len(verdict.reasons) - len(shown)
    lines = []
    for place, reason in enumerate(shown):
        lead = "" if len(shown) == 1 else (signs.branch if place < len(shown) - 1 or more else signs.last)
        lines.append(f"{lead}{_reason(reason, signs)}")
    if more:
        lines.append(f"{signs.last}and {more} more (-o json)")
    return lines


def _reason(reason: Reason, signs: Signs) -> str:
    where = f"  {signs.paint(_short_path(reason.relation.path), 'dim')}" if reason.relation else ""
    return f"{signs.paint(reason.code, 'bold')} {reason.message}{where}"


def _short_path(path: str) -> str:
    return path.removeprefix("spec.template.spec.").removeprefix("spec.")


def _impact(verdict: Verdict) -> list[str]:
    impact = verdict.impact
    if not impact.direct or verdict.verb in ("create", "read"):
        return []
    more = "at least " if impact.bounded else ""
    kinds = ", ".join(
        f"{count} {kind.rpartition('/')[2]}"
        for kinds in impact.by_kind.values()
        for kind, count in sorted(kinds.items())
    )
    return [f"{impact.direct} direct ({kinds}), {more}{impact.reached} in all"]


def _evidence(one: Evidence, signs: Signs) -> str:
    if one.age_s is None:
        return f"{one.site}: nothing known yet {signs.deny}"
    fresh = signs.allow if one.fresh else signs.deny
    text = f"{one.site} {one.epoch}:{one.seq}, {_seconds(one.age_s)} old (bound {one.bound_s:g} s) {fresh}"
    if one.blind:
        return f"{text}   not observed: {', '.join(one.blind[:4])}{signs.ellipsis if len(one.blind) > 4 else ''}"
    return f"{text}   all {one.observed} kinds observed {signs.allow}"


def _plan(verdict: Verdict) -> list[str]:
    lines = [_step(step) for step in verdict.plan[:STEPS_SHOWN_MAX]]
    if len(verdict.plan) > STEPS_SHOWN_MAX:
        lines.append(f"and {len(verdict.plan) - STEPS_SHOWN_MAX} more (-o json)")
    return lines


def _step(step: Step) -> str:
    conditions = step.preconditions
    parts = [f"uid={conditions.uid[:8]}" if conditions.uid else "", "absent" if conditions.absent else ""]
    parts.append(f"rv={conditions.resource_version}" if conditions.resource_version else "")
    given = " ".join(part for part in parts if part)
    after = f"   after {', '.join(step.after)}" if step.after else ""
    return (
        f"{step.id:<3} {step.action} {named(step.resource)} @ {step.site}" + (f"   if {given}" if given else "") + after
    )


def _waits(verdict: Verdict) -> list[str]:
    return [
        f"intent {wait.intent}" if wait.intent else f"{wait.kind} at {wait.site}" if wait.kind else f"site {wait.site}"
        for wait in verdict.waits_for
    ]


def _next(verdict: Verdict) -> list[str]:
    if verdict.decision != "defer" or verdict.preview or verdict.expires_at is None:
        return []
    left_s = (verdict.expires_at - datetime.now(UTC)).total_seconds()
    return [
        f"decided by itself when that changes, expires in {_seconds(left_s)}   cheops show {verdict.intent} --follow"
    ]


def _seconds(value: float) -> str:
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.0f} h"


def _block(label: str, lines: list[str], signs: Signs) -> list[str]:
    if not lines:
        return []
    head = signs.paint(f"  {label:<{LABEL_WIDTH - 1}}", "cyan")
    return [f"{head} {lines[0]}", *(f"{'':<{LABEL_WIDTH + 2}}{line}" for line in lines[1:])]
