"""The catalogue as a person reads it. Pure."""

from __future__ import annotations

from schemas.relations.loader import Catalogue
from schemas.relations.rule import Rule


def describe(catalogue: Catalogue) -> str:
    """A block per source kind, a line per rule."""
    lines: list[str] = []
    for kind in sorted(catalogue.rules):
        lines += ["", "every kind" if kind == "*" else kind]
        lines += [f"  {_line(mounted.rule, mounted.at)}" for mounted in catalogue.rules[kind]]
    return "\n".join(lines).strip() + "\n"


def _line(rule: Rule, at: tuple[str, ...]) -> str:
    to = rule.to
    target = to.kind or "the kind that it names"
    how = " by labels" if to.selector is not None else ""
    weak = " soft" if rule.soft else ""
    place = at[0] + (f" and {len(at) - 1} more" if len(at) > 1 else "")
    return f"{rule.rule:<34} → {target}{how}  ({rule.kind_of_relation} {rule.phase_letters}{weak})  {place}"
