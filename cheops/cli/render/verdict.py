"""A verdict as a person reads it: one line that stands alone, evidence as notes, help that can be pasted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from cheops.cli.render.moments import moment
from cheops.cli.render.rows import short_path
from cheops.cli.render.signs import Signs
from cheops.cli.render.steps import named, plan_lines
from schemas.codes import find
from schemas.counting import counted
from schemas.ties import time_of
from schemas.verdicts import Evidence, Reason, Verdict

REASONS_SHOWN_MAX: Final = 12
NOTES_SHOWN_MAX: Final = 3
LABEL_WIDTH: Final = 11
WAITED_SHOWN_S: Final = 5.0
INDENT: Final = " " * (LABEL_WIDTH + 2)
TOGETHER: Final = "\N{NO-BREAK SPACE}"  # no line ends here
Place = Callable[[Reason], str]


def nowhere(reason: Reason) -> str:
    """No manifests are at hand."""
    return ""


def render(
    verdict: Verdict, signs: Signs, took_ms: float | None = None, place: Place = nowhere, *, in_force: bool = True
) -> list[str]:
    """The whole verdict. `place` says which line of which manifest a reason is about; what is past has no next."""
    lines = _head(verdict, signs, took_ms)
    lines += _block("because", _reasons(verdict, signs, place), signs)
    lines += _block("impact", _impact(verdict, signs), signs)
    evidence = [line for one in verdict.evidence for line in _fitting(_evidence(one, signs), signs)]
    lines += _block("evidence", evidence, signs)
    lines += _block("plan", plan_lines(verdict.plan, signs, followed=not verdict.preview, used=len(INDENT)), signs)
    lines += _block("waits for", _waits(verdict), signs)
    lines += _block("next", _next(verdict) if in_force else [], signs)
    for remedy in verdict.remedies:
        lines += _block("help", [*_fitting(f"{remedy.effect}:", signs), f"  {remedy.command}"], signs)
    return lines


def one_line(verdict: Verdict, signs: Signs) -> str:
    """For a stream of verdicts; cut where the line ends."""
    at = moment(verdict.decided_at)
    used = len(f"{at}  {_word(verdict, signs.plain)}    {verdict.intent}")
    summary = signs.cut(verdict.summary, signs.width - used)
    return f"{at}  {_word(verdict, signs)}  {summary}  {signs.paint(verdict.intent, 'dim')}"


def _word(verdict: Verdict, signs: Signs) -> str:
    if verdict.undoes is not None:
        return signs.decision("undo")
    first = next((one.code for one in verdict.reasons if one.severity in ("deny", "defer")), "")
    return signs.decision(verdict.decision) + (f" {first}" if verdict.decision != "allow" and first else "")


def _head(verdict: Verdict, signs: Signs, took_ms: float | None) -> list[str]:
    word = len(_word(verdict, signs.plain))
    preview = " (preview)" if verdict.preview else ""
    first, *rest = signs.wrapped(f"{' ' * word}  {' '.join(verdict.summary.split())}{preview}", "    ")
    took = "" if took_ms is None else f"  {took_ms:.1f} ms" if took_ms < 1000 else f"  {took_ms / 1000:.1f} s"
    last = rest[-1] if rest else first
    took = signs.paint(took, "dim") if not signs.width or len(last) + len(took) <= signs.width else ""
    lines = [f"{_word(verdict, signs)}{first[word:]}", *rest]
    return [*lines[:-1], f"{lines[-1]}{took}"]


def _reasons(verdict: Verdict, signs: Signs, place: Place) -> list[str]:
    reasons, folded = _folded(_notes_together(_sites_together(verdict)))
    shown = reasons[:REASONS_SHOWN_MAX]
    more = len(reasons) - len(shown)
    lines = []
    for number, reason in enumerate(shown):
        last = number == len(shown) - 1 and not more
        lead = "" if len(reasons) == 1 else signs.last if last else signs.branch
        hanging = "" if len(reasons) == 1 else signs.gap if last else signs.pipe
        said = len(reasons) == 1 and reason.relation is None and reason.message.partition(" @ ")[0] in verdict.summary
        lines += _reason(reason, signs, place(reason), folded.get(reason.resource or "", 0), (lead, hanging), said)
    if more:
        lines.append(f"{signs.last}and {more} more (-o json)")
    return lines


def _sites_together(verdict: Verdict) -> tuple[Reason, ...]:
    """Of several sites each reason says where; what several say is one line."""
    if len({one.site for one in verdict.evidence}) < 2:
        return verdict.reasons
    alike: dict[tuple[str, str], list[Reason]] = {}
    for reason in verdict.reasons:
        alike.setdefault((reason.code, reason.message), []).append(reason)
    said = []
    for (_, message), reasons in alike.items():
        sites = [one for one in dict.fromkeys(reason.site for reason in reasons) if not _says(message, one)]
        said.append(reasons[0].model_copy(update={"message": f"{message} @ {', '.join(sites)}"} if sites else {}))
    return tuple(said)


def _says(message: str, site: str) -> bool:
    """Whether a message names a site, and not what is called nearly so (`oslo-ca`)."""
    return re.search(rf"(?<![\w./-]){re.escape(site)}(?![\w/-]|\.\w)", message) is not None


def _notes_together(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Many notes of one code, as of what a bundle leaves unchanged, are one line."""
    counts = Counter(reason.code for reason in reasons if reason.severity == "note" and reason.resource)
    kept: list[Reason] = []
    for reason in reasons:
        if counts[reason.code] <= NOTES_SHOWN_MAX or reason.severity != "note" or not reason.resource:
            kept.append(reason)
        elif reason.code not in {one.code for one in kept}:
            same = [named(one.resource) for one in reasons if one.code == reason.code and one.resource]
            known = find(reason.code)
            said = ", ".join(same[:NOTES_SHOWN_MAX]) + f" and {len(same) - NOTES_SHOWN_MAX} more"
            kept.append(reason.model_copy(update={"message": f"{known.title if known else 'note'}: {said}"}))
    return tuple(kept)


def _folded(reasons: tuple[Reason, ...]) -> tuple[list[Reason], dict[str, int]]:
    """A user that blocks the target and, again, each child that goes with it is one user."""
    kept: list[Reason] = []
    folded: dict[str, int] = {}
    blocking: set[str] = set()
    for reason in reasons:
        user = reason.resource or ""
        if reason.code == "D313" and user in blocking:
            folded[user] = folded.get(user, 0) + 1
            continue
        kept.append(reason)
        if reason.severity == "deny":
            blocking.add(user)
    return kept, folded


def _reason(reason: Reason, signs: Signs, place: str, folded: int, leads: tuple[str, str], said: bool) -> list[str]:
    lead, hanging = leads
    if said and not place:
        return []
    text = place if said else " ".join(reason.message.split())
    text += f" (and {folded} of what goes with it)" if folded else ""
    text += f" ({place})" if place and not said else ""
    first, *rest = signs.wrapped(f"{INDENT}{lead}{reason.code} {text}", f"{INDENT}{hanging}  ")
    made = [first[len(INDENT) :], *(line[len(INDENT) :] for line in rest)]
    made[0] = made[0].replace(reason.code, signs.paint(reason.code, "bold"), 1)
    if reason.relation is None:
        return made
    path = short_path(reason.relation.path)
    visible = (rest[-1] if rest else first) + f"  {path}"
    if not signs.width or len(visible) <= signs.width:
        return [*made[:-1], f"{made[-1]}  {signs.paint(path, 'dim')}"]
    return [*made, f"{hanging}  {signs.paint(path, 'dim')}"]


def _fitting(text: str, signs: Signs) -> list[str]:
    """The lines of a block that hold it."""
    return [line[len(INDENT) :] for line in signs.wrapped(f"{INDENT}{text}", INDENT)]


def _impact(verdict: Verdict, signs: Signs) -> list[str]:
    impact = verdict.impact
    if not impact.direct or verdict.verb in ("create", "read"):
        return []
    more = "at least " if impact.bounded else ""
    counts: Counter[str] = Counter()
    for kinds in impact.by_kind.values():
        counts.update({kind.rpartition("/")[2]: count for kind, count in kinds.items()})
    shown = ", ".join(f"{count}{TOGETHER}{kind}" for kind, count in sorted(counts.items()))
    at = f" at {len(impact.by_kind)} sites" if len(impact.by_kind) > 1 else ""
    text = f"{impact.direct} direct{at} ({shown}), {more}{impact.reached} in all"
    return [line.replace(TOGETHER, " ") for line in _fitting(text, signs)]


def _evidence(one: Evidence, signs: Signs) -> str:
    if one.age_s is None:
        return f"{one.site}: nothing known yet {signs.deny}"
    if not one.epoch and not one.fresh:  # no word of its own: it did not answer
        return f"{one.site}: last heard {_seconds(one.age_s)} ago {signs.deny}"
    fresh = signs.allow if one.fresh else signs.deny
    text = f"{one.site} {one.epoch}:{one.seq}, {_seconds(one.age_s)} old (bound {one.bound_s:g} s) {fresh}"
    if one.blind:
        return f"{text}   not observed: {', '.join(one.blind[:4])}{signs.ellipsis if len(one.blind) > 4 else ''}"
    return f"{text}   all {counted(one.observed, 'kind')} observed {signs.allow}"


def _waits(verdict: Verdict) -> list[str]:
    lines = (
        f"intent {wait.intent}" if wait.intent else f"{wait.kind} at {wait.site}" if wait.kind else f"site {wait.site}"
        for wait in verdict.waits_for
    )
    return list(dict.fromkeys(lines))


def _next(verdict: Verdict) -> list[str]:
    if verdict.decision != "defer" or verdict.preview or verdict.expires_at is None:
        return []
    now = datetime.now(UTC)
    waited_s = (now - time_of(verdict.first_stamp)).total_seconds()
    waited = f", has waited {_seconds(waited_s)}" if waited_s >= WAITED_SHOWN_S else ""
    left = _seconds((verdict.expires_at - now).total_seconds())
    return [
        f"decided by itself when that changes{waited}, expires in {left}",
        f"  cheops show {verdict.intent} --follow",
        f"  cheops cancel {verdict.intent}",
    ]


def _seconds(value: float) -> str:
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.0f} h"


def _block(label: str, lines: list[str], signs: Signs) -> list[str]:
    if not lines:
        return []
    head = signs.paint(f"  {label:<{LABEL_WIDTH - 1}}", "cyan")
    return [f"{head} {lines[0]}", *(f"{INDENT}{line}" for line in lines[1:])]
