"""A reader of texts sees the whole object; which of them look at more of it than their value is known, and true.

What is not read again while only the status changes (resting.py) rests on that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from schemas.identity import KindId
from schemas.relations.pointers import Source
from schemas.relations.readers import READERS
from schemas.relations.silence import LOOKS_AROUND
from tests.unit.relations.test_hostile_objects import WHOLE
from tests.unit.relations.test_readers import SURFACE, placed


class Watched(dict[str, Any]):
    """An object that notes which of its fields are looked at."""

    looked_at: set[str]

    def __getitem__(self, name: str) -> Any:
        self.looked_at.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.looked_at.add(name)
        return super().get(name, default)


def inside(value: Any) -> Iterator[Any]:
    """A value and whatever is in it."""
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from inside(inner)


def looked_at(reads: str) -> set[str]:
    """The fields of objects that a reader asked for, given each value in each example."""
    found: set[str] = set()
    for example in WHOLE:
        plain = placed(example)
        body = Watched(plain)
        body.looked_at = found
        source = Source("example.com", plain["kind"], "shop", "web", body, SURFACE)
        for value in inside(plain):
            list(READERS[reads](value, KindId("Secret"), source))
    return found


@pytest.mark.parametrize("reads", sorted(READERS))
def test_a_reader_looks_at_more_than_its_value_only_where_that_is_said(reads: str) -> None:
    assert (looked_at(reads) - {"apiVersion"} != set()) == (reads in LOOKS_AROUND)
