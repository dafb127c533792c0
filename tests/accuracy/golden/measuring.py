"""Objects with every field filled → which of the reference-shaped paths our extraction sees, and which it misses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from schemas.documents import parse_value
from schemas.relations.extract import Extractor
from tests.accuracy.golden.candidates import COMPANIONS, candidates, parent_of

NOT_REFERENCES: Final = Path(__file__).with_name("not_references.yaml")
_INDEX: Final = re.compile(r"\[\d+\]")


@dataclass
class Golden:
    """The count. Paths are `name of the object: path`."""

    seen: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    excused: dict[str, list[str]] = field(default_factory=dict)  # reason → paths
    unused: list[str] = field(default_factory=list)  # reasons that excuse nothing here

    @property
    def share(self) -> float:
        """Seen of all references."""
        return len(self.seen) / max(1, len(self.seen) + len(self.missed))


@dataclass(frozen=True)
class Excuse:
    """Paths that are no references: they end so (in objects of these kinds, when some are named)."""

    ends: tuple[str, ...]
    reason: str
    kinds: tuple[str, ...] = ()

    def covers(self, kind: str, path: str) -> bool:
        """Whether it speaks of this path."""
        if self.kinds and kind not in self.kinds:
            return False
        return any(path == end or path.endswith(("." + end, "]" + end)) for end in self.ends)


def excuses() -> list[Excuse]:
    """The data file."""
    rows = parse_value(NOT_REFERENCES.read_bytes(), NOT_REFERENCES.name)
    return [Excuse(tuple(row["ends"]), row["reason"], tuple(row.get("kinds", ()))) for row in rows]


def measure(objects: Iterable[tuple[str, dict[str, Any]]], extractor: Extractor) -> Golden:
    """Every candidate of every object is seen, excused, or missed."""
    found, known = Golden(), excuses()
    used: set[int] = set()
    for name, body in objects:
        references = extractor.state(body).references
        exact = {_INDEX.sub("[]", one.path).replace("[*]", "[]") for one in references}
        chosen = {_INDEX.sub("[]", one.path) for one in references if one.selector is not None}
        kind = str(body["kind"])
        for path in dict.fromkeys(candidates(body)):
            if _is_seen(path, exact, chosen):
                found.seen.append(f"{name}: {path}")
                continue
            last = path.rpartition(".")[2]
            if (last in COMPANIONS or last.endswith("UID")) and any(parent_of(one) == parent_of(path) for one in exact):
                continue
            place = next((place for place, one in enumerate(known) if one.covers(kind, path)), None)
            if place is None:
                found.missed.append(f"{name}: {path}")
            else:
                used.add(place)
                found.excused.setdefault(known[place].reason, []).append(f"{name}: {path}")
    found.unused = [one.reason for place, one in enumerate(known) if place not in used]
    return found


def _is_seen(path: str, exact: set[str], chosen: set[str]) -> bool:
    if path in exact or path.removesuffix("[]") in exact:
        return True
    # A selector is one path: a rule may read its terms one by one, or the whole that it stands in.
    return any(one.startswith((path + ".", path + "[")) or path.startswith((one + ".", one + "[")) for one in chosen)
