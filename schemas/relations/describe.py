"""The catalogue as a person reads it: each rule once, under the kinds that it holds for. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any, Final

from schemas.identity import KindId
from schemas.relations.kind_facts import KindFacts
from schemas.relations.loader import ANY_KIND, STRANGE_KIND, Catalogue
from schemas.relations.rule import Rule

WIDTH: Final = 110
SHOWN_KINDS_MAX: Final = 12
SPECIAL: Final[dict[str, str]] = {
    ANY_KIND: "every kind",
    STRANGE_KIND: "custom kinds that no other rule is about, in every mapping of the object",
}


def describe(catalogue: Catalogue) -> str:
    """A block per set of kinds, a line per rule, where it stands below it; a legend first."""
    rules = _with_kinds(catalogue)
    blocks: dict[tuple[KindId, ...], list[Rule]] = {}
    for rule, kinds in rules:
        blocks.setdefault(kinds, []).append(rule)
    lines = [f"{len(rules)} rules for {len(catalogue.rules.keys() - SPECIAL.keys())} kinds.", *LEGEND]
    for several, rows_ in blocks.items():
        lines += ["", *_heading(several)]
        for rule in rows_:
            lines += _lines(rule)
    lines += ["", "What is known of kinds besides their references:", ""]
    lines += [row for kind in sorted(catalogue.kinds) for row in _known(catalogue.kinds[kind])]
    return "\n".join(lines) + "\n"


def rows(catalogue: Catalogue) -> list[dict[str, Any]]:
    """The same rules for programs, one each.

    kinds   `*` is every kind, `?` every custom one that no other rule is about
    at      where the reference stands; `target`, `field`, `missing` are as people read them
    """
    return [
        {
            "rule": rule.rule,
            "kinds": list(kinds),
            "target": _target(rule),
            "relation": rule.kind_of_relation,
            "phases": list(rule.phase_letters),
            "at": list(rule.at),
            "field": _field(rule.at[0], rule),
            "parts": sorted(rule.parts),
            "optional": rule.optional,
            "soft": rule.soft,
            "confidence": rule.confidence,
            "missing": rule.missing,
        }
        for rule, kinds in _with_kinds(catalogue)
    ]


def _with_kinds(catalogue: Catalogue) -> list[tuple[Rule, tuple[KindId, ...]]]:
    """Each rule once, with the kinds that it holds for."""
    kinds: dict[str, dict[KindId, None]] = {}
    rules: dict[str, Rule] = {}
    for kind, mounts in catalogue.rules.items():
        for mounted in mounts:
            rules.setdefault(mounted.rule.rule, mounted.rule)
            kinds.setdefault(mounted.rule.rule, {})[kind] = None
    return [(rule, tuple(sorted(kinds[name]))) for name, rule in rules.items()]


LEGEND: Final = (
    "phases: A admission, S start, L lifetime, D deletion, P policy.",
    "soft, optional and inferred references warn and never deny.",
)


def _known(facts: KindFacts) -> list[str]:
    """A line for a kind, and what it is about; nothing for a kind of which nothing special is known."""
    words: list[str] = [facts.ownership] if facts.ownership != "portable" else []
    words += [f"divides by {', '.join(facts.divides)}"] if facts.divides else []
    words += ["starts again by itself"] if facts.recurs is True else []
    words += ["starts again by itself, on conditions"] if isinstance(facts.recurs, tuple) else []
    words += ["what is in it goes with it, on conditions"] if facts.takes else []
    words += ["puts back what is in it, on conditions"] if facts.restores else []
    words += [f"cannot change {', '.join(facts.immutable)}"] if facts.immutable else []
    words += [f"offers {', '.join(facts.parts)}"] if facts.parts else []
    words += ["permits references"] if facts.grants else []
    words += ["its values are confidential"] if facts.confidential else []
    if not words:
        return []
    return textwrap.wrap(f"{facts.kind}: {'; '.join(words)}", WIDTH, initial_indent="  ", subsequent_indent="    ")


def _heading(kinds: Iterable[KindId]) -> list[str]:
    names = [SPECIAL.get(kind, kind) for kind in kinds]
    more = [f"and {len(names) - SHOWN_KINDS_MAX} more"] if len(names) > SHOWN_KINDS_MAX else []
    return textwrap.wrap(", ".join([*names[:SHOWN_KINDS_MAX], *more]), WIDTH)


def _lines(rule: Rule) -> list[str]:
    weak = [word for word, said in (("soft", rule.soft), ("optional", rule.optional)) if said]
    weak += [rule.confidence] if rule.confidence != "declared" else []
    granule = f" ({', '.join(rule.parts)})" if rule.parts else ""
    notes = f", {', '.join(weak)}" if weak else ""
    place = rule.at[0] + (f" and {len(rule.at) - 1} more" if len(rule.at) > 1 else "")
    return [
        f"  {rule.rule:<36} → {_target(rule)}{granule}  {rule.kind_of_relation} {rule.phase_letters}{notes}",
        f"    {_field(place, rule)}{f'; without it: {rule.missing}' if rule.missing else ''}",
    ]


def _target(rule: Rule) -> str:
    to = rule.to
    kind = to.kind or " or ".join(to.kinds) or "the kind that it names"
    if to.selector is not None:
        return f"{kind} by labels"
    if to.every:
        return f"every {kind}"
    return f"the default {kind}" if to.marked_default else kind


def _field(place: str, rule: Rule) -> str:
    name = rule.to.name or rule.to.selector or rule.to.marked_default
    return (
        f"{place}.{name}" if place and name not in ("", ".") and name[0] != "[" else f"{place}{name}".strip(".") or "."
    )
