"""A plan and what became of its steps, in columns. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from cheops.cli.render.signs import Signs
from schemas.counting import counted
from schemas.identity import ResourceId, ResourceKey

if TYPE_CHECKING:  # `relations` shows names only, and starts sooner without these
    from schemas.outcomes import Outcome
    from schemas.verdicts import Step, Verdict

STEPS_SHOWN_MAX: Final = 30
STEPS_FOLLOWED_MAX: Final = 8  # of a plan that is carried out: each step is told again as it ends


def named(resource: ResourceId) -> str:
    """`Secret shop/edge-ca`: how a resource reads in a sentence."""
    key = ResourceKey.parse(resource)
    return f"{key.kind} {key.namespace}/{key.name}" if key.namespace else f"{key.kind} {key.name}"


def plan_lines(steps: Sequence[Step], signs: Signs, *, followed: bool, used: int = 0) -> list[str]:
    """A line a step; a long plan that is carried out is counted by kind instead. `used`: of the width, before it."""
    if followed and len(steps) > STEPS_FOLLOWED_MAX:
        kinds = Counter(ResourceKey.parse(step.resource).kind for step in steps)
        return [f"{len(steps)} steps: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items())]
    shown = steps[:STEPS_SHOWN_MAX]
    what = [f"{step.action} {named(step.resource)} @ {step.site}" for step in shown]
    width = max(map(len, what), default=0)
    lines = []
    for step, text in zip(shown, what, strict=True):
        given = _given(step)
        line = f"{step.id:<3} {text:<{width}}  {given}".rstrip()
        fits = not given or not signs.width or used + len(line) <= signs.width
        lines += [line] if fits else [f"{step.id:<3} {text}", f"{signs.gap * 2}{given}"]
    if len(steps) > len(shown):
        lines.append(f"and {len(steps) - len(shown)} more (-o json)")
    return lines


def _given(step: Step) -> str:
    conditions = step.preconditions
    parts = [f"uid={conditions.uid[:8]}" if conditions.uid else "", "absent" if conditions.absent else ""]
    parts.append(f"rv={conditions.resource_version}" if conditions.resource_version else "")
    given = " ".join(part for part in parts if part)
    after = f"after {', '.join(step.after)}" if step.after else ""
    return "  ".join(part for part in (f"if {given}" if given else "", after) if part)


def open_steps(verdict: Verdict, outcomes: Iterable[Outcome]) -> list[Step]:
    """Those of its plan that have not ended. `outcomes`: of this revision."""
    from schemas.outcomes import FINAL_STATES

    ended = {one.step for one in outcomes if one.state in FINAL_STATES}
    return [step for step in verdict.plan if step.id not in ended]


def open_lines(verdict: Verdict, outcomes: Iterable[Outcome], signs: Signs) -> list[str]:
    """How many of them are where; nothing when all have ended."""
    at = Counter(step.site for step in open_steps(verdict, outcomes))
    if not at or verdict.preview:
        return []
    where = ", ".join(f"{count} at {site}" for site, count in at.items())
    of, are = counted(len(verdict.plan), "step"), "is" if at.total() == 1 else "are"
    return [f"  {signs.ellipsis} {at.total()} of {of} {are} not over: {where}  (cheops plan {verdict.intent})"]


def outcome_line(outcome: Outcome, signs: Signs) -> str:
    """One step's outcome; of several lines where the terminal is narrow."""
    sign = {"ready": signs.allow, "done": signs.allow, "applied": signs.ellipsis, "begun": signs.ellipsis}.get(
        outcome.state, signs.deny
    )
    back = "undo: " if outcome.step.startswith("u") else ""
    is_gone = outcome.action == "delete" and outcome.state == "done" and not outcome.changed
    word = "already gone" if is_gone else outcome.state
    message = f": {outcome.message}" if outcome.message else ""
    took = f"  {outcome.duration_ms / 1000:.1f} s" if outcome.duration_ms >= 100 else ""
    what = f"{back}{outcome.action} {named(outcome.resource)} @ {outcome.site}"
    text = "\n".join(signs.wrapped(f"  {sign} {outcome.step:<3} {what}  {word}{took}{message}", " " * 8))
    style = {signs.allow: "green", signs.deny: "red"}.get(sign)
    return signs.paint(text, style) if style else text
