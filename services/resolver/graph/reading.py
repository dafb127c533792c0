"""A batch as it is written → records, and nothing is decoded that was read lately. Pure.

    bytes ─▶ facts, each with keys ─▶ traits and shapes by their bytes ─▶ records

The plain way makes states (schemas/batches.py) and packs them (records.py): 5.8 structures with 13 fields for every
event, which recur nearly always. Here tables stay bytes until they are found among those that were
read before; an event costs one decoding of its own line, its name, and a look for each of its targets. What a batch
must be is checked for the whole of it before anything is taken in.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from itertools import chain
from operator import itemgetter
from typing import Final, NamedTuple, Protocol, TypeVar

from schemas.batches import (
    NOTHING,
    Fact,
    ReferenceForm,
    check,
    counts_of,
    decode_labels,
    decode_raw,
    decode_shape,
    decode_traits,
    reference_of,
)
from schemas.identity import SiteName
from schemas.ties import DRIFT_FACT, RULES_FACT, SCOPE_FACT, SHARED_TO_FACT
from services.resolver.graph.columns import Columns, columns_of
from services.resolver.graph.forms import short
from services.resolver.graph.kept import Layout, Record, Same, Shape, Short, Target
from services.resolver.graph.names import Names
from services.resolver.graph.packing import pack, pack_lines, pack_traits
from services.resolver.graph.records import Records

ENTRIES_MAX: Final = 4_096  # labels, and as many traits and shapes, that are known by their bytes
NAMES_MAX: Final = 16_384  # targets, and as many uids, that were named lately
Value = TypeVar("Value")
NO_COUNTS: Final = (0, 0, 0)
NO_LABELS: Final = pack({})
TELLING: Final = frozenset({DRIFT_FACT, RULES_FACT, SHARED_TO_FACT, SCOPE_FACT})  # looked at when first seen
NO_TRAITS: Final = pack_traits(NOTHING)


class Lines(Protocol):
    """Where the events of a batch stand in its bytes."""

    @property
    def payload(self) -> bytes:
        """All of them."""

    @property
    def others(self) -> list[int]:
        """Those that are no puts."""


class Read(NamedTuple):
    """A batch whose facts are whole, and what their keys mean to the graph.

    columns    of all of its events
    lines      where they stand in its bytes, for who takes them in from there (quick.py): no columns and tables then
    drifting   traits that tell of a drift, of copies elsewhere, which may be older now, or of parts
    """

    site: SiteName
    epoch: int
    seq: int
    prev_hash: str
    events: Sequence[Fact]
    columns: Columns
    drifting: frozenset[int]
    labels: dict[int, bytes]
    traits: dict[int, bytes]
    layouts: dict[int, Layout]
    lines: Lines | None = None


class _Made(dict[str, Value]):
    """What a function makes of names that came lately; who looks for one that did not has it made."""

    def __init__(self, make: Callable[[str], Value]) -> None:
        self._make = make

    def __missing__(self, name: str) -> Value:
        made = self[name] = self._make(name)
        return made


class Reading:
    """What one graph has read lately. What it remembers is forgotten when the graph tidies up."""

    def __init__(self, names: Names, records: Records) -> None:
        self._names, self._records = names, records
        self.labels: dict[bytes, bytes] = {}  # entries of tables as they were written → as they are kept
        self.traits: dict[bytes, bytes] = {}
        self.drifting: set[bytes] = set()  # traits that were read lately, and tell so
        self.layouts: dict[bytes, Layout] = {}
        self._numbers: dict[str, Same] = _Made(names.number)
        self._shorts: dict[str, Short] = _Made(short)

    def forget(self) -> None:
        """What was shared may be kept no more."""
        for memory in (self.labels, self.traits, self.drifting, self.layouts):
            memory.clear()

    def forget_numbers(self) -> None:
        """They may mean something else now."""
        self._numbers.clear()

    def read(self, payload: bytes) -> Read:
        """Bytes → a batch that is one; raises MessageError."""
        batch = decode_raw(payload)
        self.bound()
        labels = {key: self.labels_of(bytes(entry)) for key, entry in batch.labels.items()}
        traits = {key: self.traits_of(bytes(entry)) for key, entry in batch.traits.items()}
        layouts = {key: self.layout_of(bytes(entry)) for key, entry in batch.shapes.items()}
        labels[0], traits[0], layouts[0] = self.nothing()
        columns = columns_of(batch.events)
        if not _is_whole(columns, labels, traits, layouts):
            _check(batch.events, labels, traits, layouts)
        drifting = frozenset([key for key, one in traits.items() if one in self.drifting] if self.drifting else ())
        head = (batch.site, batch.epoch, batch.seq, batch.prev_hash)
        return Read(*head, batch.events, columns, drifting, labels, traits, layouts)

    def records(self, batch: Read, puts: Columns) -> tuple[list[Same], list[Record]]:
        """The number and the record of each put."""
        numbers = self._names.numbers(puts.resource)
        shapes = {key: layout.shape for key, layout in batch.layouts.items()}  # to ask each fact's layout takes longer
        records = map(
            Record,
            pack_lines(puts.uid, puts.resource_version, puts.digest),
            map(batch.labels.__getitem__, puts.labels),
            map({**batch.labels, 0: None}.__getitem__, puts.template_labels),
            map(batch.traits.__getitem__, puts.traits),
            map(shapes.__getitem__, puts.shape),
            self._targets(batch.layouts, puts),
        )
        return numbers, [*records]

    def _targets(self, layouts: dict[int, Layout], puts: Columns) -> list[tuple[Target, ...]]:
        known, share = self._numbers.__getitem__, self._records.recent_targets().setdefault
        made: list[tuple[Target, ...]] = []
        arranges = {key: layout.arrange for key, layout in layouts.items()}
        uids_, arranging = self._shorts.__getitem__, map(arranges.__getitem__, puts.shape)
        for arrange, named, uids, selectors in zip(arranging, puts.targets, puts.uids, puts.selectors, strict=True):
            targets: tuple[Target, ...] = tuple(map(known, named))
            if arrange is not None:
                if uids:
                    targets += tuple(map(uids_, uids))
                if selectors:
                    targets += tuple([self._records.share(pack(one)) for one in selectors])
                targets = arrange(targets)
            made.append(share(targets, targets))
        return made

    def nothing(self) -> tuple[bytes, bytes, Layout]:
        """What stands under no key: no labels, nothing special, no references."""
        share = self._records.share
        return share(NO_LABELS), share(NO_TRAITS), Layout(self._records.shape(()), NO_COUNTS)

    def bound(self) -> None:
        """A batch may bring so many at most, so they are bounded, too."""
        if max(len(self.labels), len(self.traits), len(self.layouts)) > ENTRIES_MAX:
            self.forget()
        if max(len(self._numbers), len(self._shorts)) > NAMES_MAX:
            self._numbers.clear()
            self._shorts.clear()

    def labels_of(self, entry: bytes, packed: bytes | None = None) -> bytes:
        """As records keep an entry of the table; raises MessageError. `packed`: what it comes to, if known."""
        found = self.labels.get(entry)
        if found is None:
            packed = pack(decode_labels(entry)) if packed is None else packed
            found = self.labels[entry] = self._records.share(packed)
        return found

    def traits_of(self, entry: bytes) -> bytes:
        """An entry of the table as records keep it; raises MessageError."""
        found = self.traits.get(entry)
        if found is None:
            traits = decode_traits(entry)
            found = self.traits[entry] = self._records.share(pack_traits(traits))
            if not TELLING.isdisjoint(traits.facts):
                self.drifting.add(found)
        return found

    def layout_of(self, entry: bytes) -> Layout:
        """An entry of the table as the graph keeps it; raises MessageError."""
        found = self.layouts.get(entry)
        if found is None:
            forms = decode_shape(entry)
            form = self._records.form
            shape = self._records.shape(
                tuple([form(reference_of(one, one.target), one.pinned, one.selects) for one in forms])
            )
            found = self.layouts[entry] = _layout(shape, forms)
        return found


def _is_whole(facts: Columns, labels: dict[int, bytes], traits: dict[int, bytes], layouts: dict[int, Layout]) -> bool:
    """Whether all are puts that lack nothing; the others are looked at one by one."""
    lengths = zip(facts.shape, map(len, facts.targets), map(len, facts.uids), map(len, facts.selectors), strict=True)
    return (
        facts.op.count("put") == len(facts.op)
        and "" not in facts.resource
        and layouts.keys() >= {*facts.shape}
        and labels.keys() >= {*facts.labels, *facts.template_labels}
        and traits.keys() >= {*facts.traits}
        and "" not in chain.from_iterable(facts.uids)
        and all(layouts[key].counts == (targets, uids, selectors) for key, targets, uids, selectors in {*lengths})
    )


def _check(facts: tuple[Fact, ...], labels: Container[int], traits: Container[int], layouts: dict[int, Layout]) -> None:
    """Raises MessageError as the plain way does."""
    for place, fact in enumerate(facts):
        layout = layouts.get(fact.shape)
        check(place, fact, (labels, traits), None if layout is None else layout.counts)


def _layout(shape: Shape, forms: tuple[ReferenceForm, ...]) -> Layout:
    targets, uids, selectors = counts = counts_of(forms)
    if not uids and not selectors:
        return Layout(shape, counts)
    order: list[int] = []
    at_target, at_uid, at_selector = 0, targets, targets + uids
    for form in forms:
        if form.selects:
            order.append(at_selector)
            at_selector += 1
        else:
            order.append(at_target)
            at_target += 1
        if form.pinned:
            order.append(at_uid)
            at_uid += 1
    arrange = itemgetter(*order) if len(order) > 1 else tuple  # one alone stands where it belongs
    return Layout(shape, counts, tuple(order), arrange)
