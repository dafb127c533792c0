"""An order as text: a line a step, and what it waits for. Pure."""

from __future__ import annotations

from cheops.cli.render.rows import evidence_line
from cheops.cli.render.signs import Signs
from cheops.cli.render.steps import named
from schemas.queries import OrderAnswer


def order_lines(answer: OrderAnswer, signs: Signs) -> list[str]:
    """The steps, or the cycle; what was named and is not there is said."""
    if answer.cycle:
        lines = [f"{signs.deny} no order to {answer.action} in: these need each other"]
        round_trip = [*answer.cycle, answer.cycle[0]]
        lines += [f"  {signs.last if place else signs.gap}{named(one)}" for place, one in enumerate(round_trip)]
    else:
        head = f"{answer.action} {len(answer.steps)} resources @ {answer.site}"
        what = [named(step.resource) for step in answer.steps]
        width = max(map(len, what), default=0)
        number = len(str(len(answer.steps)))
        lines = [signs.paint(head, "bold")]
        for step, text in zip(answer.steps, what, strict=True):
            after = signs.paint(f"  after {', '.join(step.after)}", "dim") if step.after else ""
            lines.append(f"{step.id:>{number}}  {text:<{width if after else 0}}{after}")
    lines += [f"{signs.deny} {named(one)} [missing]" for one in answer.missing]
    if answer.more:
        lines.append(f"{signs.ellipsis} and {answer.more} more that the bound left out (-o json)")
    return [*lines, evidence_line(answer, signs)]
