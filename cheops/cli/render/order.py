"""An order as text: a line a step, and what it waits for; and as a graph, for other programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from cheops.cli.render.rows import evidence_lines
from cheops.cli.render.signs import Signs
from cheops.cli.render.steps import named
from schemas.counting import counted
from schemas.identity import ResourceId
from schemas.queries import GraphAnswer, GraphEdge, GraphNode, OrderAnswer

NAME_SHARE: Final = 0.65  # of the line


def order_lines(answer: OrderAnswer, signs: Signs) -> list[str]:
    """The steps, or the cycle; what was named and is not there is said."""
    if answer.cycle:
        lines = [f"{signs.deny} no order to {answer.action} in: these need each other"]
        round_trip = [*answer.cycle, answer.cycle[0]]
        lines += [f"  {signs.last if place else signs.gap}{named(one)}" for place, one in enumerate(round_trip)]
    else:
        head = f"{answer.action} {counted(len(answer.steps), 'resource')} @ {answer.site}"
        what = [named(step.resource) for step in answer.steps]
        number = len(str(len(answer.steps)))
        limit = round(signs.width * NAME_SHARE) if signs.width else max(map(len, what), default=0)
        width = max((len(one) for one in what if len(one) <= limit), default=0)
        lines = [signs.paint(head, "bold")]
        for step, text in zip(answer.steps, what, strict=True):
            room = signs.width - number - 2 - max(width, len(text)) - 2 if signs.width else 0
            after = signs.paint(f"  {after_text(step.after, room)}", "dim") if step.after else ""
            lines.append(f"{step.id:>{number}}  {text:<{width if after else 0}}{after}".rstrip())
    lines += [f"{signs.deny} {named(one)} [missing]" for one in answer.missing]
    if answer.more:
        lines.append(f"{signs.ellipsis} and {answer.more} more that the bound left out (-o json)")
    return [*lines, *evidence_lines(answer, signs)]


def after_text(ids: Sequence[str], room: int) -> str:
    """`after 1, 21-45`; in little room (characters; 0: as much as it takes) the first of them, and how many more."""
    runs = _runs(ids)
    text = f"after {', '.join(runs)}"
    if not room or len(text) <= room:
        return text
    for kept in range(len(runs) - 1, 0, -1):
        shown = sum(_length(run) for run in runs[:kept])
        text = f"after {', '.join(runs[:kept])} and {len(ids) - shown} more"
        if len(text) <= room:
            return text
    text = f"after {len(ids)} of them"
    return text if len(text) <= room else ""


def _runs(ids: Sequence[str]) -> list[str]:
    """Numbers that follow each other are one run; any other id stands for itself."""
    runs: list[list[str]] = []
    for one in ids:
        if runs and one.isdecimal() and runs[-1][-1].isdecimal() and int(one) == int(runs[-1][-1]) + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    return [text for run in runs for text in ([f"{run[0]}-{run[-1]}"] if len(run) > 2 else run)]


def _length(run: str) -> int:
    first, dash, last = run.partition("-")
    return int(last) - int(first) + 1 if dash and first.isdecimal() and last.isdecimal() else 1


def order_graph(answer: OrderAnswer) -> GraphAnswer:
    """A step needs those that it comes after, while it is done: edges of the kind `requirement`."""
    of = {step.id: step.resource for step in answer.steps}
    pairs = [(step.resource, of[one], one) for step in answer.steps for one in step.after if one in of]
    pairs += [(one, two, "") for one, two in pairwise([*answer.cycle, *answer.cycle[:1]])]
    names: dict[ResourceId, None] = dict.fromkeys([*of.values(), *answer.cycle])
    nodes = [GraphNode(resource=one) for one in names]
    nodes += [GraphNode(resource=one, state="missing") for one in answer.missing if one not in names]
    edges = [
        GraphEdge(source=one, target=two, kind="requirement", phases=(), rule="order", path=f"after {step}".strip())
        for one, two, step in pairs
    ]
    return GraphAnswer(
        site=answer.site, nodes=tuple(nodes), edges=tuple(edges), more=answer.more, evidence=answer.evidence
    )
