"""An alert as a person reads it."""

from __future__ import annotations

from typing import Final

from cheops.cli.render.rows import short_path
from cheops.cli.render.signs import Signs
from cheops.cli.render.steps import named
from schemas.alerts import Alert

BROKEN_SHOWN_MAX: Final = 8


def render(alert: Alert, signs: Signs) -> list[str]:
    """One line that stands alone, then who is affected."""
    at = alert.at.astimezone().strftime("%H:%M:%S")
    raised = alert.state == "raised"
    word = signs.paint(f"{signs.deny} BROKEN", "red") if raised else signs.paint(f"{signs.allow} HEALED", "green")
    lines = [f"{at}  {word} {alert.code}  {alert.message}"]
    shown = alert.broken[:BROKEN_SHOWN_MAX] if raised else ()
    for place, edge in enumerate(shown):
        lead = signs.branch if place < len(shown) - 1 or alert.dependents > len(shown) else signs.last
        lines.append(
            f"          {lead}{named(edge.source)} @ {alert.site}  {signs.paint(short_path(edge.path), 'dim')}"
        )
    if raised and alert.dependents > len(shown):
        lines.append(f"          {signs.last}and {alert.dependents - len(shown)} more")
    if raised and alert.cause:
        lines.append(f"          cause  {alert.cause}")
    return lines
