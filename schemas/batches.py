"""Events ⇄ the bytes of a batch. What many resources have in common is written once in a batch, and named by a key.

    {"schema": "event/v1", "site": "lyon", "epoch": 1, "seq": 7, "prev_hash": "…",
     "labels": {"1": {"app": "web"}},
     "traits": {"3": {"facts": {"health": "current"}}},
     "shapes": {"9": [{"rule": "pod.volume.secret", "path": "spec.volumes[0]…", "relation": "requirement", …}]},
     "events": [{"op": "put", "resource": "Pod/shop/web-1", "uid": "…", "resource_version": "41", "digest": "…",
                 "labels": 1, "traits": 3, "shape": 9, "targets": ["Secret/shop/tls"]}]}

Replicas share everything but their own line, so a batch is a third of what it would be with whole states, and a reader
that has seen these very bytes before need not decode them again (services/resolver/graph/reading.py). A key means
something within its batch only; 0 stands for nothing: no labels, no template, nothing special, no references.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from schemas.envelope import MessageError
from schemas.events import (
    BATCH_EVENTS_MAX,
    Confidence,
    EventBatch,
    Grant,
    Number,
    Operation,
    Reference,
    Relation,
    ResourceEvent,
    ResourceState,
    Scalar,
    Selector,
    ServedKind,
    decode,
)
from schemas.identity import KindId, ResourceId, SiteName

SCHEMA: Final = "event/v1"
NOBODY: Final = ResourceId("")
Labels = dict[str, str]
Known = tuple[Container[int], Container[int]]  # keys of labels and of traits
Counts = tuple[int, int, int]  # targets, uids and selectors that belong to a shape


class Traits(Struct, frozen=True, omit_defaults=True, gc=False):
    """All that a state says besides its own line, labels and references (ResourceState tells what each is)."""

    version: str = "v1"
    deleting: bool = False
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    facts: dict[str, Scalar] = field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()


NOTHING: Final = Traits()


class ReferenceForm(Struct, frozen=True, omit_defaults=True, gc=False):
    """A reference without its target (Reference tells what each is).

    selects   a selector stands for the target
    pinned    the source names the target's uid, too
    """

    rule: str
    path: str
    relation: Relation
    phases: str
    target: ResourceId = ResourceId("")  # beside a selector only
    selects: bool = False
    pinned: bool = False
    granule: str = ""
    optional: bool = False
    soft: bool = False
    confidence: Confidence = "declared"
    needs_permission: bool = False
    once: bool = False


class Fact(Struct, frozen=True, omit_defaults=True, gc=False):
    """One event. For a put: the resource's own line, the keys of what it shares, and whom its references mean.

    targets     identities, one for each form of the shape that does not select
    uids        one for each pinned form
    selectors   one for each form that selects
    """

    op: Operation
    resource: ResourceId = ResourceId("")
    uid: str = ""
    resource_version: str = ""
    digest: str = ""
    labels: Number = 0
    template_labels: Number = 0
    traits: Number = 0
    shape: Number = 0
    targets: tuple[ResourceId, ...] = ()
    uids: tuple[str, ...] = ()
    selectors: tuple[Selector, ...] = ()
    kind: KindId = KindId("")
    surface: tuple[ServedKind, ...] = ()
    read_by: str = ""


Facts = Annotated[tuple[Fact, ...], Meta(max_length=BATCH_EVENTS_MAX)]


class WireBatch(Struct, frozen=True, omit_defaults=True, gc=False):
    """Up to 256 events of one site. `prev_hash` is `batch_hash` of the previous batch's bytes ("" for the first)."""

    schema: Literal["event/v1"]
    site: SiteName
    epoch: Number
    seq: Number
    prev_hash: str
    events: Facts
    labels: dict[int, Labels] = field(default_factory=dict)
    traits: dict[int, Traits] = field(default_factory=dict)
    shapes: dict[int, tuple[ReferenceForm, ...]] = field(default_factory=dict)


class RawBatch(Struct, frozen=True, gc=False):
    """The same with tables that nobody has looked into yet."""

    schema: Literal["event/v1"]
    site: SiteName
    epoch: Number
    seq: Number
    prev_hash: str
    events: Facts
    labels: dict[int, Raw] = field(default_factory=dict)
    traits: dict[int, Raw] = field(default_factory=dict)
    shapes: dict[int, Raw] = field(default_factory=dict)


_batches = msgspec.json.Decoder(WireBatch)
_raw_batches = msgspec.json.Decoder(RawBatch)
_labels = msgspec.json.Decoder(Labels)
_traits = msgspec.json.Decoder(Traits)
_shapes = msgspec.json.Decoder(tuple[ReferenceForm, ...])


def decode_batch(payload: bytes) -> EventBatch:
    """JSON bytes → batch; raises MessageError that names the field."""
    wire = decode(_batches, payload, SCHEMA)
    events = tuple([_event(place, fact, wire) for place, fact in enumerate(wire.events)])
    return EventBatch(wire.schema, wire.site, wire.epoch, wire.seq, wire.prev_hash, events)


def decode_raw(payload: bytes) -> RawBatch:
    """The same for who looks into the tables himself. Its facts are still to be checked."""
    return decode(_raw_batches, payload, SCHEMA)


def decode_labels(entry: Raw | bytes) -> Labels:
    """An entry of the table; raises MessageError."""
    return decode(_labels, entry, SCHEMA, "labels: ")


def decode_traits(entry: Raw | bytes) -> Traits:
    """An entry of the table; raises MessageError."""
    return decode(_traits, entry, SCHEMA, "traits: ")


def decode_shape(entry: Raw | bytes) -> tuple[ReferenceForm, ...]:
    """An entry of the table; raises MessageError."""
    return decode(_shapes, entry, SCHEMA, "shapes: ")


def counts_of(forms: tuple[ReferenceForm, ...]) -> Counts:
    """How many targets, uids and selectors a fact of this shape must carry."""
    selecting = sum(form.selects for form in forms)
    return len(forms) - selecting, sum(form.pinned for form in forms), selecting


def event_of(fact: Fact) -> ResourceEvent:
    """A fact that is no put, as an event."""
    own = (fact.resource, fact.uid, fact.resource_version)
    return ResourceEvent(fact.op, None, *own, fact.kind, fact.surface, fact.read_by)


_NEEDED: Final = {
    "put": "resource",
    "delete": "resource",
    "sync_start": "kind",
    "sync_end": "kind",
    "sync_same": "kind",
}


def check(place: int, fact: Fact, known: Known, counts: Counts | None) -> None:
    """Raises MessageError for a fact that lacks what it is about. `counts`: of its shape, None when that is unknown."""
    needed = _NEEDED.get(fact.op)
    if needed is not None and not getattr(fact, needed):
        raise MessageError(f"events.{place}: op {fact.op!r} needs {needed!r}")
    if fact.op != "put":
        return
    labels, traits = known
    for name, key, table in (
        ("labels", fact.labels, labels),
        ("template_labels", fact.template_labels, labels),
        ("traits", fact.traits, traits),
    ):
        if key and key not in table:
            raise MessageError(f"events.{place}.{name}: there is nothing under {key}")
    if counts is None:
        raise MessageError(f"events.{place}.shape: there is nothing under {fact.shape}")
    found = (len(fact.targets), len(fact.uids), len(fact.selectors))
    if found != counts:
        raise MessageError(f"events.{place}: targets, uids and selectors are {found} (its shape needs {counts})")
    if "" in fact.uids:
        raise MessageError(f"events.{place}.uids: an empty one (expected a form that is not pinned)")


def _event(place: int, fact: Fact, wire: WireBatch) -> ResourceEvent:
    forms = wire.shapes.get(fact.shape) if fact.shape else ()
    check(place, fact, (wire.labels, wire.traits), None if forms is None else counts_of(forms))
    if fact.op != "put" or forms is None:
        return event_of(fact)
    targets, uids, selectors = iter(fact.targets), iter(fact.uids), iter(fact.selectors)
    references = [
        reference_of(
            form,
            form.target if form.selects else next(targets),
            next(selectors) if form.selects else None,
            next(uids) if form.pinned else "",
        )
        for form in forms
    ]
    labels = wire.labels[fact.labels] if fact.labels else {}
    template = wire.labels[fact.template_labels] if fact.template_labels else None
    traits = wire.traits[fact.traits] if fact.traits else NOTHING
    own = (fact.resource, traits.version, fact.uid, fact.resource_version, fact.digest, traits.deleting)
    rest = (traits.parts, traits.facts, traits.finalizers, traits.grants)
    return ResourceEvent("put", ResourceState(*own, labels, template, tuple(references), *rest))


def reference_of(
    form: ReferenceForm, target: ResourceId = NOBODY, selector: Selector | None = None, uid: str = ""
) -> Reference:
    """A form with its target."""
    return Reference(
        form.rule,
        form.path,
        form.relation,
        form.phases,
        target,
        selector,
        uid,
        form.granule,
        form.optional,
        form.soft,
        form.confidence,
        form.needs_permission,
        form.once,
    )
