"""Events → the bytes of a batch: what recurs gets a key, and is written once. Pure. (schemas/batches.py reads them.)

teller.pyx stands in for this module where `make compiled` was called (docs/adr/0041).
"""

from __future__ import annotations

from collections import OrderedDict
from operator import attrgetter
from typing import Final

import msgspec
from msgspec import Raw, Struct, field

from schemas.batches import SCHEMA, Fact, ReferenceForm, Traits
from schemas.events import EventBatch, Reference, ResourceEvent, Selector
from schemas.identity import ResourceId, SiteName

KEYS_MAX: Final = 4_096  # traits and shapes whose keys are remembered; beyond that they get new ones
SHAPES_MAX: Final = 4_096  # that are found by what references say, before anything is written
WRITTEN_MAX: Final = 16_384  # references of so many objects, as they are written
_encode = msgspec.json.Encoder().encode
_shared = attrgetter(*Traits.__struct_fields__)


Entry = tuple[int, bytes]  # of a table: its key, and what stands there
Said = tuple[tuple[str | bool, ...], ...]  # all that forms are made of
NONE: Final[Entry] = (0, b"")


class Told(Struct, frozen=True, gc=False):
    """An event as it is written, and the entries of the tables that it needs (key 0: none).

    size    bytes that it takes in a batch of its own
    """

    size: int
    fact: bytes
    labels: Entry = NONE
    template_labels: Entry = NONE
    traits: Entry = NONE
    shape: Entry = NONE


class _Written(Struct, frozen=True, gc=False):
    references: tuple[Reference, ...]
    shape: Entry
    targets: tuple[ResourceId, ...]
    uids: tuple[str, ...]
    selectors: tuple[Selector, ...]


class Teller:
    """Gives keys to what recurs: equal bytes have one key as long as they are remembered, and no key is given twice."""

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._shapes: dict[Said, Entry] = {}
        self._written: OrderedDict[int, _Written] = OrderedDict()  # told last comes last
        self._last = 0

    def tell(self, event: ResourceEvent) -> Told:
        """How an event is written."""
        state = event.state
        if event.op != "put" or state is None:
            own = (event.resource, event.uid, event.resource_version)
            fact = _encode(Fact(event.op, *own, kind=event.kind, surface=event.surface, read_by=event.read_by))
            return Told(len(fact), fact)
        labels = self._entry(_encode(state.labels)) if state.labels else NONE
        template = NONE if state.template_labels is None else self._entry(_encode(state.template_labels))
        traits = self._entry(_encode(Traits(*_shared(state))))
        line = (state.resource, state.uid, state.resource_version, state.digest, labels[0], template[0], traits[0])
        size = len(labels[1]) + len(template[1]) + len(traits[1])
        references = state.references
        if not references:
            fact = _encode(Fact("put", *line))
            return Told(size + len(fact), fact, labels, template, traits)
        written = self._written.get(id(references))
        if written is None:
            written = self._write(references)
        else:
            self._written.move_to_end(id(references))
        fact = _encode(Fact("put", *line, written.shape[0], written.targets, written.uids, written.selectors))
        return Told(size + len(written.shape[1]) + len(fact), fact, labels, template, traits, written.shape)

    def _write(self, references: tuple[Reference, ...]) -> _Written:
        """How references are written; the same ones are when they come again (relations/resting.py)."""
        if len(self._written) >= WRITTEN_MAX:
            self._written.popitem(last=False)
        shape = self._shape(references)
        targets = tuple([one.target for one in references if one.selector is None])
        few = () if len(targets) == len(references) else references
        found = self._written[id(references)] = _Written(
            references,  # so that its id is nobody else's
            shape,
            targets,
            tuple([one.uid for one in references if one.uid]),
            tuple([one.selector for one in few if one.selector is not None]),
        )
        return found

    def _shape(self, references: tuple[Reference, ...]) -> Entry:
        """Of their forms. Replicas say the same: then no form is made and nothing is written."""
        said = tuple(
            [
                (
                    one.rule,
                    one.path,
                    one.relation,
                    one.phases,
                    one.selector is None or one.target,
                    not one.uid,
                    one.granule,
                    one.optional,
                    one.soft,
                    one.confidence,
                    one.needs_permission,
                    one.once,
                )
                for one in references
            ]
        )
        found = self._shapes.get(said)
        if found is None:
            if len(self._shapes) >= SHAPES_MAX:
                self._shapes.clear()
            found = self._shapes[said] = self._entry(_encode([form_of(one) for one in references]))
        return found

    def _entry(self, written: bytes) -> Entry:
        found = self._entries.get(written)
        if found is None:
            if len(self._entries) >= KEYS_MAX:
                self._entries.clear()
            self._last += 1
            found = self._entries[written] = (self._last, written)
        return found


def form_of(one: Reference) -> ReferenceForm:
    """A reference without its target."""
    return ReferenceForm(
        one.rule,
        one.path,
        one.relation,
        one.phases,
        ResourceId("") if one.selector is None else one.target,
        one.selector is not None,
        bool(one.uid),
        one.granule,
        one.optional,
        one.soft,
        one.confidence,
        one.needs_permission,
        one.once,
    )


def join(site: SiteName, epoch: int, seq: int, prev_hash: str, told: tuple[Told, ...]) -> bytes:
    """The bytes of a batch."""
    labels, traits, shapes = dict([NONE]), dict([NONE]), dict([NONE])
    for one in told:
        labels[one.labels[0]], labels[one.template_labels[0]] = one.labels[1], one.template_labels[1]
        traits[one.traits[0]], shapes[one.shape[0]] = one.traits[1], one.shape[1]
    tables = [{key: Raw(entry) for key, entry in table.items() if key} for table in (labels, traits, shapes)]
    return _encode(_Joined(SCHEMA, site, epoch, seq, prev_hash, [Raw(one.fact) for one in told], *tables))


class _Joined(Struct, frozen=True, omit_defaults=True, gc=False):
    schema: str
    site: SiteName
    epoch: int
    seq: int
    prev_hash: str
    events: list[Raw]
    labels: dict[int, Raw] = field(default_factory=dict)
    traits: dict[int, Raw] = field(default_factory=dict)
    shapes: dict[int, Raw] = field(default_factory=dict)


def encode_batch(batch: EventBatch) -> bytes:
    """Batch → JSON bytes."""
    told = tuple(map(Teller().tell, batch.events))
    return join(batch.site, batch.epoch, batch.seq, batch.prev_hash, told)
