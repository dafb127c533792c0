"""An alert as a person reads it."""

from __future__ import annotations

from typing import Final

from cheops.cli.render.moments import moment
from cheops.cli.render.rows import short_path
from cheops.cli.render.signs import Signs
from cheops.cli.render.steps import named
from schemas.alerts import Alert
from schemas.identity import ResourceKey

BROKEN_SHOWN_MAX: Final = 8
WORDS: Final = {
    "A504": "BEHIND",
    "A505": "LEFT OUT",
    "A506": "LOST",
    "A507": "DRIFTED",
    "A508": "OLDER",
    "A509": "AWAY",
    "A510": "REFUSED",
}
HEALED_BY_COMMAND: Final = ("A504", "A507", "A508")


def render(alert: Alert, signs: Signs) -> list[str]:
    """One line that stands alone, then who is affected."""
    at = moment(alert.at)
    raised = alert.state == "raised"
    broken = f"{signs.deny} {WORDS.get(alert.code, 'BROKEN')}"
    word = signs.paint(broken, "red") if raised else signs.paint(f"{signs.allow} HEALED", "green")
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
    if raised and alert.resource and alert.code in HEALED_BY_COMMAND:
        key = ResourceKey.parse(alert.resource)
        where = f" -n {key.namespace}" if key.namespace else ""
        lines.append(f"          help   cheops heal {key.kind.lower()}/{key.name}{where} --site {alert.site}")
    return lines
