"""verdict/v1 as structs: the same JSON, to the byte, made and written in a fraction of the time.

`Verdict` (schemas/verdicts.py) is the contract, and what is stored, sent on or read again. Who answers a question while
somebody waits needs none of it but the bytes. A test holds the fields, their order and the bytes equal.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

from schemas.identity import KindId, ResourceId, SiteName
from schemas.verdicts import Verdict


class WrittenEdge(Struct, frozen=True, gc=False):
    """See EdgeRef."""

    source: ResourceId
    target: ResourceId
    kind: str
    phases: tuple[str, ...]
    rule: str
    path: str
    granule: str = ""


class WrittenReason(Struct, frozen=True, gc=False):
    """See Reason."""

    code: str
    severity: str
    message: str
    site: SiteName
    resource: ResourceId | None = None
    relation: WrittenEdge | None = None
    chain: tuple[WrittenEdge, ...] = ()
    evidence: int = -1
    at: tuple[SiteName, ...] = ()


class WrittenImpact(Struct, frozen=True, gc=False):
    """See Impact; kinds come in the order of their names."""

    direct: int = 0
    by_kind: dict[SiteName, dict[KindId, int]] = {}
    reached: int = 0
    bounded: bool = False
    first: tuple[ResourceId, ...] = ()
    more: int = 0


class WrittenEvidence(Struct, frozen=True, gc=False):
    """See Evidence."""

    site: SiteName
    epoch: int
    seq: int
    age_s: float | None
    bound_s: float
    observed: int = 0
    blind: tuple[KindId, ...] = ()
    fresh: bool = False


class WrittenPreconditions(Struct, frozen=True, gc=False):
    """See Preconditions."""

    uid: str = ""
    resource_version: str = ""
    absent: bool = False
    left: str = ""


class WrittenStep(Struct, frozen=True, gc=False):
    """See Step."""

    id: str
    site: SiteName
    action: str
    resource: ResourceId
    after: tuple[str, ...] = ()
    preconditions: WrittenPreconditions = WrittenPreconditions()
    undoes: str = ""


class WrittenTouch(Struct, frozen=True, gc=False):
    """See Touch."""

    resource: ResourceId
    how: str
    path: str = ""
    part: str = ""


class WrittenRemedy(Struct, frozen=True, gc=False):
    """See Remedy."""

    command: str
    effect: str
    changes: tuple[WrittenTouch, ...] = ()


class WrittenVerdict(Struct, frozen=True, gc=False):
    """See Verdict, of which this is one that waits for nothing."""

    schema: str
    intent: str
    revision: int
    decision: str
    verb: str
    site: SiteName
    targets: tuple[ResourceId, ...]
    summary: str
    decided_at: datetime
    decided_by: str
    policy: str
    valid_until: datetime
    preview: bool
    reasons: tuple[WrittenReason, ...]
    impact: WrittenImpact
    evidence: tuple[WrittenEvidence, ...]
    plan: tuple[WrittenStep, ...] = ()
    undoes: int | None = None
    remedies: tuple[WrittenRemedy, ...] = ()
    waits_for: tuple[()] = ()
    expires_at: None = None
    since: int = 0

    def to_json(self) -> bytes:
        """What `Verdict.to_json` gives."""
        return _encode(self)

    def whole(self) -> Verdict:
        """The same as the contract has it."""
        return Verdict.from_json(self.to_json())


_encode = msgspec.json.Encoder().encode
