"""What a graph keeps: structures alone, without what is done with them. Pure.

They stand apart from it because msgspec makes their classes as Python runs, so whatever is compiled (docs/adr/0022)
may use them and cannot define them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from schemas.batches import Counts
from schemas.events import Reference, Selector
from schemas.identity import KindId

Same = Any  # an int, as the very object that it is: compiled code makes another of each int that it puts somewhere
Short = bytes | str  # a uid or digest, in half the bytes where it has the usual form
Target = int | Short  # a number or a packed selector, then the uid that the reference names besides
Arrange = Callable[[tuple[Target, ...]], tuple[Target, ...]]


UUID_LINE = b"\x93\xc4\x10"  # how a record's line begins whose uid is a UUID: three things, the first 16 bytes
UUID_LINE_LEN = len(UUID_LINE) + 16
UNCOUNTED_MAX = 512  # sources of a hub; to count so many takes a tenth of a millisecond


class Form(Struct, frozen=True, gc=False, eq=False):
    """A reference without its target. `selects`: a packed selector stands for it; `pinned`: the uid follows it."""

    reference: Reference
    pinned: bool
    selects: bool
    owning: bool


class Shape(Struct, frozen=True, gc=False, eq=False):
    """The forms of all references of a resource; two resources with equal shapes share one.

    places   where the target of each form stands among a record's targets
    at       the other way round: whose target stands there, None where a uid stands
    pinned   those of the places that a uid follows
    roles    what each of a record's targets is: the number of something used, or of an owner, or no number
    used     the places of what is used by name; owning: those of owners and containers
    owners   which of the forms name an owner
    granules the parts that its references need, whosever they are
    owner    where among the targets the only owner stands, and whether its uid follows; -1 when it has none, or more
    making   some of them lead to what it makes
    """

    forms: tuple[Form, ...]
    places: tuple[int, ...]
    at: tuple[Form | None, ...]
    roles: tuple[int, ...]
    selects: bool
    pinned: tuple[int, ...]
    used: tuple[int, ...]
    owning: tuple[int, ...]
    owners: tuple[int, ...]
    granules: frozenset[str]
    owner: tuple[int, bool]
    making: bool


class Record(Struct, frozen=True, gc=False):
    """One resource. `line`: uid, resourceVersion and digest, packed; `targets` follow the forms of `shape`."""

    line: bytes
    labels: bytes
    template_labels: bytes | None
    traits: bytes
    shape: Shape
    targets: tuple[Target, ...]

    def is_later(self, before: Record) -> bool:
        """Certainly the same object, of which nothing else was told than a new version; most events are that.

        It stands here because the interpreter reads fields of structures in a tenth of what compiled code takes.
        """
        return (
            self.traits is before.traits
            and self.labels is before.labels
            and self.template_labels is before.template_labels
            and self.shape is before.shape
            and self.targets == before.targets
            and self.line[:UUID_LINE_LEN] == before.line[:UUID_LINE_LEN]
            and self.line.startswith(UUID_LINE)
        )


class Place(Struct, gc=False):
    """One kind in one namespace ("" = cluster-scoped), and the numbers of what is there or named there."""

    head: str
    kind: KindId
    namespace: str
    members: dict[str, Same] = field(default_factory=dict)


def place_of(head: str) -> Place:
    """The empty place with this head."""
    first, _, rest = head.partition("/")
    if first[:1].isupper():
        return Place(head, KindId(first), rest)
    kind, _, namespace = rest.partition("/")
    return Place(head, KindId(f"{first}/{kind}"), namespace)


class Hub(Struct, gc=False):
    """Of very many; `sources` ascend. `repeats`: those that name the target more than once, and how often besides.

    counted     so many of the first sources are in `by_kind` and `by_shape`; the others are counted together, later
    """

    sources: array[int] = field(default_factory=lambda: array("I"))
    repeats: dict[int, int] = field(default_factory=dict)
    by_kind: dict[KindId, int] = field(default_factory=dict)
    by_shape: dict[Shape, int] = field(default_factory=dict)
    counted: int = 0

    def add(self, source: int, kind: KindId, shape: Shape) -> None:
        """One more reference."""
        sources = self.sources
        if not sources or source > sources[-1]:  # numbers grow, so this is the rule
            sources.append(source)
            return
        place = bisect_left(sources, source)
        if sources[place] == source:
            self.repeats[source] = self.repeats.get(source, 0) + 1
            return
        sources.insert(place, source)
        if place < self.counted:
            self.counted += 1
            self.by_kind[kind] = self.by_kind.get(kind, 0) + 1
            self.by_shape[shape] = self.by_shape.get(shape, 0) + 1

    def add_all(self, more: list[int], kind_of: Callable[[int], KindId], shape_of: Callable[[int], Shape]) -> None:
        """More references, in one go where their sources are new ones, which is the rule."""
        if not self.extend(more):
            for source in more:
                self.add(source, kind_of(source), shape_of(source))

    def extend(self, more: list[int]) -> bool:
        """More references of sources above all that are there; False, and nothing is done, when some are not."""
        once = sorted({*more}) if len(more) > 1 else more
        if once[0] <= self.sources[-1]:
            return False
        self.sources.extend(once)
        if len(once) < len(more):
            for source, count in Counter(more).items():
                if count > 1:
                    self.repeats[source] = count - 1
        return True

    @property
    def is_to_be_counted(self) -> bool:
        """So many were not that it would take long when somebody asks."""
        return len(self.sources) - self.counted > UNCOUNTED_MAX

    def count(self, kind_of: Callable[[int], KindId], shape_of: Callable[[int], Shape]) -> None:
        """Those that were not counted yet."""
        new = self.sources[self.counted :]
        self.counts(len(self.sources), Counter(map(kind_of, new)), Counter(map(shape_of, new)))

    def counts(self, counted: int, kinds: dict[KindId, int], shapes: dict[Shape, int]) -> None:
        """So many are counted now, and these are the counts of those that were not before."""
        self.counted = counted
        for kind, count in kinds.items():
            self.by_kind[kind] = self.by_kind.get(kind, 0) + count
        for shape, count in shapes.items():
            self.by_shape[shape] = self.by_shape.get(shape, 0) + count

    def remove(self, source: int, kind: KindId, shape: Shape) -> None:
        """One reference less."""
        more = self.repeats.get(source)
        if more is not None:
            if more == 1:
                del self.repeats[source]
            else:
                self.repeats[source] = more - 1
            return
        place = bisect_left(self.sources, source)
        del self.sources[place]
        if place >= self.counted:
            return
        self.counted -= 1
        self.by_kind[kind] -= 1
        if not self.by_kind[kind]:
            del self.by_kind[kind]
        self.by_shape[shape] -= 1
        if not self.by_shape[shape]:
            del self.by_shape[shape]


class Choosing(Struct, frozen=True, gc=False, eq=False):
    """A source, and one of its references that select."""

    source: int
    selector: Selector
    reference: Reference


Group = int | bytes | dict[int, None]  # one, some that are packed (packed.py), many


class Field(Struct, gc=False):
    """One kind in one namespace: groups of resources with equal labels, and label → groups for keys that were asked."""

    groups: dict[bytes, Group] = field(default_factory=dict)
    postings: dict[str, dict[str, dict[bytes, None]]] = field(default_factory=dict)


class Sum(Struct, gc=False):
    count: int = 0
    total: int = 0


class Layout(Struct, frozen=True, gc=False, eq=False):
    """A shape, and how a fact tells its targets.

    order       where what follows the shape stands among (targets, uids, selectors); None when there are targets alone
    arrange     puts them into that order
    """

    shape: Shape
    counts: Counts
    order: tuple[int, ...] | None = None
    arrange: Arrange | None = None


Row = int | bytes | Hub | None  # one, some that are packed (packed.py), very many, nobody
