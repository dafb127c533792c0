"""Objects read where they stand in the bytes of a watch: what compiled code does, and plain Python cannot. Pure.

quick.pyx stands in for this module where `make compiled` was called (docs/adr/0041). Here everything is left to the
plain way: an object is decoded, and its values are read (extract.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.events import Reference
from schemas.identity import ResourceId
from schemas.relations.places import Row
from schemas.relations.run import Run


class Written:
    """An object as a line of a watch has it, which says that it was added or changed, or as an item of a list."""

    name: str
    namespace: str
    uid: str
    resource_version: str

    def mark(self, version: str, kind: str) -> int:
        """As resting.py's: of all that only people change, read as this. Never 0."""
        raise NotImplementedError("nothing is read here")


def written(line: bytes) -> Written | None:
    """A line of a watch; None: it is to be decoded, and may be anything."""
    return None


def listed(item: bytes) -> Written | None:
    """An item of a list; None: it is to be decoded, and may be anything."""
    return None


class Places:
    """Places (a kind, and a namespace) that are known."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, place: str) -> None:
        """It is known from now on."""
        self._known.add(place)

    def clear(self) -> None:
        """None is."""
        self._known.clear()

    def unplaced(self, references: tuple[Reference, ...]) -> list[ResourceId]:
        """The targets that are in none of them."""
        known = self._known
        return [one.target for one in references if one.target.rpartition("/")[0] not in known]


class Quick:
    """How objects of one kind are read so. `copied`: a slot (places.py) that has all of the body needed."""

    def __init__(
        self,
        head: str,
        namespaced: bool | None,
        rows: Sequence[Row],
        moving: frozenset[str] | None,
        confidential: bool,
        copied: int | None,
        reads_all: bool,
        moves_all: bool,
    ) -> None:
        """`rows`: all that does not change by itself. `moving`: the fields of the status that matter; None: all of it.

        `reads_all`: something looks at all of an object, and `moves_all`: so does something that changes by itself.
        """

    def begin(self, version: str, kind: str, one: Written) -> Run | None:
        """Its identity, and what changes by itself; None, here and below: the plain way is to read it."""
        return None

    def digest(self, version: str, kind: str, one: Written) -> str | None:
        """Of its content, as extract.py's."""
        raise NotImplementedError("nothing is read here")

    def walk(self, one: Written, run: Run) -> bool:
        """References and slots, as walking.py's function finds them, and all of its body where something looks at it.

        False: the plain way is to read it.
        """
        raise NotImplementedError("nothing is read here")
