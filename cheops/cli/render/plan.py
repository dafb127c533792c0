"""A plan by site: its steps, what each waits for, and what became of it; as text, for Graphviz, and drawn. Pure.

A frame a site, a box a step, an arrow from what comes first to what waits for it; an arrow between frames is a wait of
one site for another. What a step does is said in words, a colour only repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cheops.cli.render.order import after_text
from cheops.cli.render.signs import Signs
from cheops.cli.render.steps import named
from schemas.counting import counted
from schemas.outcomes import Outcome
from schemas.verdicts import Step, Verdict

NAME_SHARE: Final = 0.6  # of the line
# Okabe and Ito's colours, which people with any colour vision tell apart.
COLOURS: Final = {
    "create": "#00795C",
    "apply": "#0072B2",
    "update": "#0072B2",
    "annotate": "#A4457F",
    "delete": "#B35F00",
}
ENDS: Final = {"ready": "done", "done": "done", "failed": "failed", "conflict": "conflict", "expired": "not begun"}
BAD: Final = ("failed", "conflict", "not begun")
Outcomes = Mapping[str, Outcome]  # the last of each step


def plan_text(verdict: Verdict, outcomes: Outcomes, signs: Signs) -> list[str]:
    """The steps of each site, in their order."""
    head = f"undo of revision {verdict.undoes}" if verdict.undoes is not None else f"{verdict.verb}"
    number = max((len(step.id) for step in verdict.plan), default=1)
    limit = round(signs.width * NAME_SHARE) if signs.width else 0
    width = max((len(what) for what in map(_what, verdict.plan) if not limit or len(what) <= limit), default=0)
    sites = _by_site(verdict.plan)
    size = counted(len(verdict.plan), "step")
    size += f" at {len(sites)} sites" if len(sites) > 1 else ""
    lines = [signs.paint(f"{head}: {size}", "bold")]
    for site, steps in sites.items():
        lines.append(signs.paint(f"@ {site}", "cyan"))
        for step in steps:
            state = state_of(step, outcomes)
            told = f"  {_sign(state, signs)} {state}" if outcomes else ""
            room = signs.width - number - width - len(told) - 6 if signs.width else 0
            after = f"  {after_text(step.after, max(room, 12) if signs.width else 0)}" if step.after else ""
            lines.append(f"  {step.id:>{number}}  {_what(step):<{width}}{told}{signs.paint(after, 'dim')}".rstrip())
    return lines


def plan_dot(verdict: Verdict, outcomes: Outcomes) -> str:
    """Graphviz."""
    lines = [
        "digraph plan {",
        "  rankdir=LR;",
        "  compound=true;",
        '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="sans-serif", fontsize=11];',
        '  edge [color="#6B6B6B", arrowsize=0.7];',
        '  graph [fontname="sans-serif", fontsize=12];',
    ]
    for place, (site, steps) in enumerate(_by_site(verdict.plan).items()):
        lines += [
            f"  subgraph cluster_{place} {{",
            f"    label={quoted(site)};",
            '    style="rounded"; color="#6B6B6B";',
        ]
        lines += [f"    {quoted(step.id)} [{_look(step, outcomes)}];" for step in steps]
        lines.append("  }")
    known = {step.id: step for step in verdict.plan}
    for step in verdict.plan:
        for one in (one for one in step.after if one in known):
            across = ' [color="#B35F00", penwidth=1.8]' if known[one].site != step.site else ""
            lines.append(f"  {quoted(one)} -> {quoted(step.id)}{across};")
    return "\n".join([*lines, "}"])


def plan_svg(verdict: Verdict, outcomes: Outcomes) -> str:
    """The picture. Raises ImportError when the extra `picture` is not installed."""
    from pygraphviz import AGraph

    from cheops.cli.render.picture import quietly

    with quietly():
        drawn: bytes = AGraph(string=plan_dot(verdict, outcomes)).draw(format="svg", prog="dot")
    return drawn.decode()


def state_of(step: Step, outcomes: Outcomes) -> str:
    """Done, failed, conflict, not begun, under way, or waiting."""
    known = outcomes.get(step.id)
    if known is None:
        return "waiting"
    return ENDS.get(known.state, "under way")


def quoted(text: str) -> str:
    """For Graphviz."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _look(step: Step, outcomes: Outcomes) -> str:
    state = state_of(step, outcomes) if outcomes else ""
    label = quoted(f"{step.id}  {_what(step)}" + (f"\n{state}" if state else "")).replace("\n", "\\n")
    style = ', style="rounded,dashed,filled", penwidth=1.6, color="#B00020"' if state in BAD else ""
    return f"label={label}, color={quoted(COLOURS.get(step.action, '#6B6B6B'))}{style}"


def _what(step: Step) -> str:
    return f"{'undo: ' if step.undoes else ''}{step.action} {named(step.resource)}"


def _sign(state: str, signs: Signs) -> str:
    return signs.allow if state == "done" else signs.deny if state in BAD else signs.ellipsis


def _by_site(steps: Sequence[Step]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(step.site, []).append(step)
    return found
