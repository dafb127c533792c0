"""What a watcher says of a site: states of resources, numbered and chained in batches, and its heartbeat.

High-volume, so they are frozen msgspec structs: defaults are left out on the wire, decoding validates, and msgspec
gives their JSON Schema (docs/adr/0002). They are trees, so the garbage collector need not follow them. Events carry
identity, references, labels and key *names*; values of ConfigMaps and Secrets never reach the bus, but for ConfigMaps
that carry rules of relationships (docs/adr/0031). An event states what *is* (level-triggered), so a repeated or late
one changes nothing.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from schemas.envelope import MESSAGE_BYTES_MAX, MessageError, check_version
from schemas.identity import KindId, ResourceId, SiteName

BATCH_EVENTS_MAX: Final = 256  # one disk sync for so many, and some two milliseconds of a resolver
T = TypeVar("T")
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Scalar = str | int | float | bool | None
Relation = Literal["requirement", "reliance", "composition", "containment", "association"]
Confidence = Literal["declared", "annotated", "inferred"]
Operation = Literal["put", "delete", "surface", "sync_start", "sync_end", "sync_same"]
Operator = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]


class Requirement(Struct, frozen=True, omit_defaults=True, gc=False):
    """One line of `matchExpressions`."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()


class LabelSelector(Struct, frozen=True, omit_defaults=True, gc=False):
    """`{}` (both empty) matches everything; "matches nothing" is expressed by not making a reference at all."""

    match_labels: dict[str, str] = field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()


class Selector(Struct, frozen=True, omit_defaults=True, gc=False):
    """Targets chosen by labels, or all of a kind (empty `labels`).

    `namespaces`: the namespaces to look in; () = every namespace (or a cluster-scoped kind).
    `namespace_labels`: additionally the namespaces whose own labels match; None = not used.
    `default`: only the one that is marked as the default of its kind (its fact `default` is true).
    """

    kind: KindId
    namespaces: tuple[str, ...] = ()
    labels: LabelSelector = field(default_factory=LabelSelector)
    namespace_labels: LabelSelector | None = None
    default: bool = False


class Reference(Struct, frozen=True, omit_defaults=True, gc=False):
    """One way in which a resource depends on another, as its rule found it. The source depends on the target.

    target     identity of the dependency; "" when `selector` chooses it
    uid        of the target when the source names it (ownerReferences)
    phases     letters of "ASLDP": admission, start, lifetime, deletion, policy
    granule    the part that is needed: `key:tls.crt`, `port:http`, `port:8080`, `listener:web`, `version:v1`; "" = all
    optional   the API's own word (`optional: true`); soft: the catalogue's (missing is not fatal)
    path       concrete: `spec.template.spec.volumes[0].secret.secretName`
    once       needed by an operation that never comes again by itself (an ephemeral container)
    needs_permission   only with a Grant (schemas/relations/grants.py) does the reference count
    """

    rule: str
    path: str
    relation: Relation
    phases: str
    target: ResourceId = ResourceId("")
    selector: Selector | None = None
    uid: str = ""
    granule: str = ""
    optional: bool = False
    soft: bool = False
    confidence: Confidence = "declared"
    needs_permission: bool = False
    once: bool = False


class Grant(Struct, frozen=True, omit_defaults=True, gc=False):
    """A permission that a resource gives to those who refer to others (ReferenceGrant), or to itself (a listener).

    source             the kind that may refer; "" = any
    namespaces         where it may stand; () = everywhere, or where `namespace_labels` match
    target, name       what it may refer to, in the giver's namespace; name "" = every one; target "" = the giver
    part               the granule that it is about (`listener:web`); "" = the whole
    hostname           only what has a hostname in common with it (`*.a.com`: those below); "" = any
    """

    source: KindId = KindId("")
    namespaces: tuple[str, ...] = ()
    namespace_labels: LabelSelector | None = None
    target: KindId = KindId("")
    name: str = ""
    part: str = ""
    hostname: str = ""


class ResourceState(Struct, frozen=True, omit_defaults=True, gc=False):
    """One resource as it was seen, without values.

    version         API version it was read at (`v1`, `v1beta1`); the group is in the identity
    labels          its own labels; template_labels: those of the pods that it makes (workloads), else None
    parts           what others can need of it: {"key": (...), "port": ("http", "80"), "listener": ..., "version": ...}
    facts           small scalars that decisions rest on (schemas/relations says which, per kind): "recurs": bool,
                    "replicas": int, "health": "current|progressing|failed|terminating", "default": bool, …
                    "rules": the values of a ConfigMap that carries rules, as JSON (schemas/relations/carried.py);
                    "rules_before": what those said that cannot be used now, when they last could
    deleting        it has a deletionTimestamp
    digest          of its content as shaped (for change detection), never of secret values alone
    grants          permissions that it gives to references of others
    """

    resource: ResourceId
    version: str = "v1"
    uid: str = ""
    resource_version: str = ""
    digest: str = ""
    deleting: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    template_labels: dict[str, str] | None = None
    references: tuple[Reference, ...] = ()
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    facts: dict[str, Scalar] = field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()


class ServedKind(Struct, frozen=True, omit_defaults=True, gc=False):
    """A kind that the site serves. `versions`: preferred first."""

    kind: KindId
    plural: str
    versions: tuple[str, ...]
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    watched: bool = True


class ResourceEvent(Struct, frozen=True, omit_defaults=True, gc=False):
    """One numbered fact; its number is the batch's `seq` plus its place in the batch.

    put         `state` is what the resource is now
    delete      `resource` (with `uid`, `resource_version` as last known) is gone
    surface     `surface` is the whole list of served kinds now; whoever tells it reads objects as `read_by` says: a
                digest of his version of Cheops and of his files of rules (schemas/relations/carried.py)
    sync_start  every resource of `kind` follows as put; sync_end: what was not named since sync_start is gone
    sync_same   the resolver's digest of `kind` was right: nothing of it travels, it is confirmed

    A sync_end and a sync_same carry the `resource_version` up to which the kind was observed ("" when none is known).
    """

    op: Operation
    state: ResourceState | None = None
    resource: ResourceId = ResourceId("")
    uid: str = ""
    resource_version: str = ""
    kind: KindId = KindId("")
    surface: tuple[ServedKind, ...] = ()
    read_by: str = ""


class EventBatch(Struct, frozen=True, omit_defaults=True, gc=False):
    """Up to 256 events of one site. `prev_hash` is `batch_hash` of the previous batch's bytes ("" for the first).

    On the wire what its states have in common is written once (schemas/batches.py, services/watcher/telling/teller.py).
    """

    schema: Literal["event/v1"]
    site: SiteName
    epoch: Number
    seq: Number
    prev_hash: str
    events: Annotated[tuple[ResourceEvent, ...], Meta(max_length=BATCH_EVENTS_MAX)]


class BlindKind(Struct, frozen=True, omit_defaults=True, gc=False):
    """Why a kind is not observed right now, and for how long (seconds of the watcher's monotonic clock)."""

    reason: Literal["syncing", "forbidden", "stalled", "failing", "gone"]
    for_s: float
    message: str = ""


class Heartbeat(Struct, frozen=True, omit_defaults=True, gc=False):
    """Sent every second, and when `blind` changes: the last number *published*, and which kinds are not observed.

    `seq` is the number of the last event published in `epoch` (0 = none yet); a receiver whose cursor is behind it
    must not call its knowledge fresh. `observed` counts the healthy kinds. `at_s` is the watcher's monotonic clock:
    a receiver compares it only with other heartbeats of the same epoch, to see how long this one was under way.
    """

    schema: Literal["heartbeat/v1"]
    site: SiteName
    epoch: Number
    seq: Number
    observed: Number
    blind: dict[KindId, BlindKind] = field(default_factory=dict)
    at_s: float = 0.0


_new_weight: Final = hashlib.blake2b(digest_size=8).copy  # a copy costs half of a new one
_encoder = msgspec.json.Encoder()
_heartbeat_decoder = msgspec.json.Decoder(Heartbeat)


def encode(message: Heartbeat) -> bytes:
    """Message → JSON bytes."""
    return _encoder.encode(message)


def decode_heartbeat(payload: bytes) -> Heartbeat:
    """JSON bytes → heartbeat; raises MessageError that names the field."""
    return decode(_heartbeat_decoder, payload, "heartbeat/v1")


def batch_hash(payload: bytes) -> str:
    """What the next batch must carry as `prev_hash`: 128 bits of SHA-256, which processors have instructions for."""
    return hashlib.sha256(payload).hexdigest()[:32]


def kind_digest(members: list[tuple[str, str]]) -> str:
    """Order-free digest of one kind's (uid, resourceVersion) pairs: equal digests mean that nothing was missed."""
    return weighed(len(members), sum(member_weight(uid, version) for uid, version in members))


def member_weight(uid: str, version: str) -> int:
    """What one member adds to the digest of its kind: who keeps the sum needs no walk over a million members."""
    hashed = _new_weight()
    hashed.update(f"{uid}\0{version}".encode())
    return int.from_bytes(hashed.digest(), "big")


def member_weights(uids: Iterable[str], versions: Iterable[str]) -> Sequence[int]:
    """The weight of each, in one go."""
    each = []
    for uid, version in zip(uids, versions, strict=True):
        hashed = _new_weight()
        hashed.update(f"{uid}\0{version}".encode())
        each.append(hashed.digest())
    return struct.unpack(f">{len(each)}Q", b"".join(each))


def weighed(count: int, total: int) -> str:
    """The digest of so many members that weigh so much together."""
    return f"{count}:{total % 2**64:016x}"


def decode(decoder: msgspec.json.Decoder[T], payload: bytes | msgspec.Raw, schema: str, where: str = "") -> T:
    """JSON bytes → what the decoder makes of them; raises MessageError that names the field."""
    if isinstance(payload, bytes) and len(payload) > MESSAGE_BYTES_MAX:
        raise MessageError(f"message of {len(payload)} bytes (expected at most {MESSAGE_BYTES_MAX})")
    try:
        return decoder.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        if isinstance(payload, bytes):
            check_version(payload, schema)
        raise MessageError(f"{where}{error}") from error
