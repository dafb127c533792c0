"""The answer to an intent, with its proof. The JSON of `Verdict` is the contract (`verdict/v1`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from schemas.envelope import IN_KEY_ORDER, Message
from schemas.events import Relation
from schemas.identity import KindId, ResourceId, SiteName
from schemas.intents import Verb
from schemas.ties import first_stamp

Decision = Literal["allow", "deny", "defer"]
Severity = Literal["deny", "defer", "warning", "note"]
Action = Literal["create", "update", "apply", "delete", "read", "annotate"]


class EdgeRef(Message):
    """The relationship that a reason rests on, as its rule found it."""

    source: ResourceId
    target: ResourceId
    kind: Relation
    phases: tuple[str, ...]
    rule: str
    path: str
    granule: str = ""


class Reason(Message):
    """One finding. `code` is letter and number; the letter is the severity in force.

    resource   what the reason is about: the user that blocks, the missing resource, the object that lacks the part
    relation   the edge that it rests on; `chain`: every hop from the target to the one that blocks
    evidence   index into the verdict's `evidence`, -1 for none (a finding about the intent itself)
    at         other sites that it is about: those that have what is missing, a copy, the original, a replica
    """

    code: str
    severity: Severity
    message: str
    site: SiteName
    resource: ResourceId | None = None
    relation: EdgeRef | None = None
    chain: tuple[EdgeRef, ...] = ()
    evidence: int = -1
    at: tuple[SiteName, ...] = ()


class Impact(Message):
    """Who is touched: exact direct counts, a bounded walk for the rest.

    direct    exact number of direct dependents; by_kind counts them
    reached   dependents found by the bounded walk, direct ones included; `bounded`: there may be more
    first     the first few, named; `more` = direct minus named
    """

    direct: int = 0
    by_kind: Annotated[dict[SiteName, Annotated[dict[KindId, int], IN_KEY_ORDER]], IN_KEY_ORDER] = Field(
        default_factory=dict
    )
    reached: int = 0
    bounded: bool = False
    first: tuple[ResourceId, ...] = ()
    more: int = 0


class Evidence(Message):
    """What one site's knowledge was at the decision: its cursor, its age, its bound and what it could not see."""

    site: SiteName
    epoch: int
    seq: int
    age_s: float | None = None
    bound_s: float
    observed: int = 0
    blind: tuple[KindId, ...] = ()
    fresh: bool = False


class Preconditions(Message):
    """What the verdict rested on; the executor's API server checks it.

    left   of an undo: the object as the step left it (`Outcome.left`); what else changed it since stays
    """

    uid: str = ""
    resource_version: str = ""
    absent: bool = False
    left: str = ""


class Step(Message):
    """One operation of the plan; it starts when the steps in `after` are done. `undoes`: the operation taken back."""

    id: str
    site: SiteName
    action: Action
    resource: ResourceId
    after: tuple[str, ...] = ()
    preconditions: Preconditions = Preconditions()
    undoes: str = ""


class Touch(Message):
    """One thing that a remedy changes: how, and where in it.

    how    create, delete, add (the part `part`), release (the reference at `path`), permit (a ReferenceGrant for it)
    """

    resource: ResourceId
    how: Literal["create", "delete", "add", "release", "permit"]
    path: str = ""
    part: str = ""


class Remedy(Message):
    """A command that can be pasted, and what it would change."""

    command: str
    effect: str
    changes: tuple[Touch, ...] = ()


class Wait(Message):
    """What a deferred intent waits for."""

    site: SiteName
    kind: KindId | None = None
    intent: str | None = None


class Verdict(Message):
    """verdict/v1. Revision n replaces n-1 of the same intent.

    policy   digest of the policy in force, or `default`
    undoes   the revision that failed; the plan takes back what it, and those before it, had done
    since    the stamp (hybrid clock, schemas/ties.py) of the first decision on it; 0: this one, or nobody knows
    """

    schema_: Literal["verdict/v1"] = Field("verdict/v1", alias="schema")
    intent: str
    revision: int = 1
    decision: Decision
    verb: Verb
    site: SiteName
    targets: tuple[ResourceId, ...] = ()
    summary: str
    decided_at: AwareDatetime
    decided_by: str
    policy: str = "default"
    valid_until: AwareDatetime
    preview: bool = False
    reasons: tuple[Reason, ...] = ()
    impact: Impact = Impact()
    evidence: tuple[Evidence, ...] = ()
    plan: tuple[Step, ...] = ()
    undoes: int | None = None
    remedies: tuple[Remedy, ...] = ()
    waits_for: tuple[Wait, ...] = ()
    expires_at: AwareDatetime | None = None
    since: int = 0

    @property
    def first_stamp(self) -> int:
        """Of the first decision on its intent."""
        return self.since or first_stamp(self.decided_at)
