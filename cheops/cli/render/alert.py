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
INDENT: Final = " " * 10  # below the message, behind the time
WORDS: Final = {
    "A504": "BEHIND",
    "A505": "LEFT OUT",
    "A506": "LOST",
    "A507": "DRIFTED",
    "A508": "OLDER",
    "A509": "AWAY",
    "A510": "REFUSED",
    "A511": "BACK",
}
HEALED_BY_COMMAND: Final = ("A504", "A507", "A508")


def render(alert: Alert, signs: Signs) -> list[str]:
    """One line that stands alone, then who is affected."""
    at = moment(alert.at)
    raised = alert.state == "raised"
    broken = f"{signs.deny} {WORDS.get(alert.code, 'BROKEN')}"
    word = signs.paint(broken, "red") if raised else signs.paint(f"{signs.allow} HEALED", "green")
    plain = broken if raised else f"{signs.allow} HEALED"
    first, *rest = signs.wrapped(f"{at}  {plain} {alert.code}  {alert.message}", INDENT)
    lines = [first.replace(plain, word, 1), *rest]
    shown = alert.broken[:BROKEN_SHOWN_MAX] if raised else ()
    for place, edge in enumerate(shown):
        lead = signs.branch if place < len(shown) - 1 or alert.dependents > len(shown) else signs.last
        path = short_path(edge.path)
        who = f"{INDENT}{lead}{named(edge.source)} @ {alert.site}"
        if not signs.width or len(who) + 2 + len(path) <= signs.width:
            lines.append(f"{who}  {signs.paint(path, 'dim')}")
        else:
            hanging = signs.pipe if lead == signs.branch else signs.gap
            lines += [who, f"{INDENT}{hanging}{signs.paint(path, 'dim')}"]
    if raised and alert.dependents > len(shown):
        lines.append(f"{INDENT}{signs.last}and {alert.dependents - len(shown)} more")
    if raised and alert.cause:
        lines += signs.wrapped(f"{INDENT}cause  {alert.cause}", f"{INDENT}       ")
    if raised and alert.resource and alert.code in HEALED_BY_COMMAND:
        key = ResourceKey.parse(alert.resource)
        where = f" -n {key.namespace}" if key.namespace else ""
        lines.append(f"{INDENT}help   cheops heal {key.kind.lower()}/{key.name}{where} --site {alert.site}")
    return lines
