"""The facts of a batch, field by field. Pure.

What is done with one of them is done with all in one go, by what Python has for it in C; a field of a fact is looked up
once for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import astuple

from schemas.batches import Fact
from schemas.events import Selector, ServedKind
from schemas.identity import KindId, ResourceId


class Columns(NamedTuple):
    """In the order of the fields of Fact, which tells what each is."""

    op: tuple[str, ...]
    resource: tuple[ResourceId, ...]
    uid: tuple[str, ...]
    resource_version: tuple[str, ...]
    digest: tuple[str, ...]
    labels: tuple[int, ...]
    template_labels: tuple[int, ...]
    traits: tuple[int, ...]
    shape: tuple[int, ...]
    targets: tuple[tuple[ResourceId, ...], ...]
    uids: tuple[tuple[str, ...], ...]
    selectors: tuple[tuple[Selector, ...], ...]
    kind: tuple[KindId, ...]
    surface: tuple[tuple[ServedKind, ...], ...]
    read_by: tuple[str, ...]

    def between(self, first: int, last: int) -> Columns:
        """Of some of them, one after the other."""
        return Columns._make([column[first:last] for column in self])


NO_COLUMNS: Final = Columns._make([()] * len(Columns._fields))


def columns_of(facts: Sequence[Fact]) -> Columns:
    """Field by field."""
    return Columns._make(zip(*map(astuple, facts), strict=True)) if facts else NO_COLUMNS
