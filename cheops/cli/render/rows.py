"""Edges in columns: who, by which relation, by which field. The field is cut where the line ends, never the name: what
does not fit beside a name stands below it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cheops.cli.render.signs import Signs
from schemas.counting import counted
from schemas.queries import GraphAnswer, GraphEdge, GraphNode, OrderAnswer

LABEL_SHARE: Final = 0.58  # of the line, for names
LABEL_MAX: Final = 60
FIELD_MIN: Final = 12
_HEADS: Final = re.compile(r"^(spec\.)?(jobTemplate\.spec\.)?(template\.)?(spec\.|metadata\.)?")
_TAILS: Final = re.compile(r"(?<=[\]\w])\.(name|secretName|claimName)$")
_STEPS: Final = re.compile(r"\.(?![^\[]*\])")  # not the dots of a label's name
_OWNER: Final = re.compile(r"^metadata\.ownerReferences\[\d+\]")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a tree: `lead` and `label` are the name's part, `words` the relation, `field` where it is written."""

    lead: str
    label: str
    words: str = ""
    field: str = ""
    style: str = ""


def lines(rows: Sequence[Row], signs: Signs) -> list[str]:
    """Rows → text, aligned."""
    limit = round(signs.width * LABEL_SHARE) if signs.width else LABEL_MAX
    long = [len(row.lead) + len(row.label) for row in rows if row.words]
    first = max((one for one in long if one <= limit), default=0)
    second = max((len(row.words) for row in rows), default=0)
    return [line for row in rows for line in _row_lines(row, first, second, signs)]


def _row_lines(row: Row, first: int, second: int, signs: Signs) -> list[str]:
    """One line, as a rule; a long name is broken between its words, and its relation stands below it."""
    name = max(first if row.words else 0, len(row.lead) + len(row.label))
    if not signs.width or name + (len(row.words) + 2 if row.words else 0) <= signs.width:
        return [_line(row, first, second, signs)]
    hanging = row.lead.replace(signs.branch, signs.pipe).replace(signs.last, signs.gap)
    room = max(1, signs.width - len(row.lead))
    parts = textwrap.wrap(
        row.label, room, subsequent_indent=signs.gap, break_long_words=False, break_on_hyphens=False
    ) + ([f"{signs.gap}{row.words}"] if row.words else [])
    styles = [row.style] * (len(parts) - 1) + ["dim" if row.words else row.style]
    painted = [signs.paint(part, style) if style else part for part, style in zip(parts, styles, strict=True)]
    return [f"{lead}{part}" for lead, part in zip([row.lead, *[hanging] * len(parts)], painted, strict=False)]


def _line(row: Row, first: int, second: int, signs: Signs) -> str:
    name = f"{row.lead}{signs.paint(row.label, row.style)}" if row.style else f"{row.lead}{row.label}"
    if not row.words:
        return name
    used = max(first, len(row.lead) + len(row.label))
    padding = " " * (used - len(row.lead) - len(row.label))
    field = fitted(row.field, signs.width - used - second - 4, signs) if signs.width else row.field
    return f"{name}{padding}  {signs.paint(f'{row.words:<{second}}  {field}'.rstrip(), 'dim')}"


def fitted(field: str, room: int, signs: Signs) -> str:
    """Cut at the front, between steps of the path: its end, and the part that is meant, say most. Nothing when hardly
    anything would be left."""
    if len(field) <= room:
        return field
    if room < FIELD_MIN:
        return ""
    path, space, part = field.partition(" ")
    steps = _STEPS.split(path)
    for start in range(1, len(steps)):
        kept = f"{signs.ellipsis}{'.'.join(steps[start:])}{space}{part}"
        if len(kept) <= room:
            return kept
    return part if part[:1].isalpha() and len(part) <= room else signs.cut(steps[-1], room)


def short_path(path: str) -> str:
    """`spec.template.spec.volumes[0].secret.secretName` → `volumes[0].secret`."""
    if _OWNER.match(path):
        return "owner"
    return _TAILS.sub("", _HEADS.sub("", path)).replace("valueFrom.", "") or path


def words_of(edge: GraphEdge) -> str:
    """`reliance SL`, and what weakens it."""
    words = [edge.kind, "".join(edge.phases)]
    words += [word for word, on in (("optional", edge.optional), ("soft", edge.soft)) if on]
    words += [edge.confidence] if edge.confidence != "declared" else []
    return " ".join(word for word in words if word)


def field_of(edge: GraphEdge, count: int = 1) -> str:
    """Where it is written, which part is meant, and how many more fields say the same."""
    part = f" {edge.granule.replace(':', ' ', 1)}" if edge.granule else ""
    return f"{short_path(edge.path)}{part}" + (f" (+{count - 1})" if count > 1 else "")


def state_of(node: GraphNode | None) -> str:
    """` [missing]`, or nothing when all is well."""
    if node is None or node.state == "present":
        return f" [{node.health}]" if node and node.health not in ("", "current") else ""
    return f" [{node.state}]"


def style_of(node: GraphNode | None) -> str:
    """The colour of a state."""
    return {"missing": "red", "terminating": "yellow", "in flight": "cyan"}.get(node.state, "") if node else ""


def evidence_lines(answer: GraphAnswer | OrderAnswer, signs: Signs) -> list[str]:
    """Whose knowledge this is and how old."""
    one = answer.evidence
    if one.epoch == 0 and one.age_s == 0:  # manifests: complete and fresh by definition
        text = f"{counted(one.seq, 'resource')}, those that every cluster has included"
    else:
        age = "never observed" if one.age_s is None else f"{one.age_s:.1f} s old"
        doubt = "" if one.fresh else ", not fresh: what is missing may be there"
        text = f"{answer.site} {one.epoch}:{one.seq}, {age}{doubt}"
    return [signs.paint(line, "dim") for line in signs.wrapped(f"evidence  {text}", " " * 10)]
