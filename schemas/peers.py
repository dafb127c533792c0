"""What resolvers of different sites say to each other about an intent that several sites decide together.

    entry site ── ask ──▶ participant        judge your part; if you would allow it, hold it
               ◀─ answer ─                   the verdict on the part, and whether it is held
               ── decide ─▶                  commit (with the steps to be done) or drop
               ◀─ report ─                   outcomes of its steps; a refusal of a late commit; `over`
               ── tell ──▶                   outcomes of other sites, where its steps wait for them; stop
               ◀─ wake ────                  a deferred part would be answered differently now: ask again
               ◀─ give-way ─                 an older intent needs what a younger one holds here
               ◀─ refuse ──▶                 a message that could not be understood, and why

Each travels under `cheops.v1.peer.<receiver>.<sender>.<what>.<intent>`; `sender` in the body must be the subject's.
An unknown field is tolerated (a newer minor version adds some), an unknown major version is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from schemas.envelope import IN_KEY_ORDER, Message
from schemas.identity import ResourceId
from schemas.intents import Intent, IntentId, SiteToken
from schemas.outcomes import Outcome
from schemas.verdicts import Step, Verdict

LOOKUP_MAX: Final = 1_000  # resources of one lookup


class Part(Intent):
    """What one site is asked to do. Programs write it, so a field of a newer minor version is tolerated."""

    model_config = ConfigDict(extra="ignore")


class PeerMessage(Message):
    """What every message between resolvers carries: who says it, to whom, about which intent."""

    sender: SiteToken
    receiver: SiteToken
    intent: IntentId


class Ask(PeerMessage):
    """ask/v1: judge this part of an intent, and hold it when it is allowed.

    round   grows with every asking of the same intent: an answer belongs to one round, a newer one replaces older ones
    age     the intent's place in the order of all intents (hybrid logical clock): the smaller one goes first
    part    what this site is asked to do, as an intent of its own; its `entry` is the sender
    since   of an intent that was deferred before: when it was entered, by the same clock; what was declared later stays
    late    it is done at the other sites: what is not of its set here any more stays as it is
    """

    schema_: Literal["ask/v1"] = Field("ask/v1", alias="schema")
    round: int
    age: int
    part: Part
    revision: int = 1
    since: int = 0
    late: bool = False


class Answer(PeerMessage):
    """answer/v1: the verdict on a part; `held`: for `lease_s`, renewed while the asker is heard.

    spread   of what is one part of a whole here: how it is divided (`lyon*3 % oslo`), by resource
    """

    schema_: Literal["answer/v1"] = Field("answer/v1", alias="schema")
    round: int
    verdict: Verdict
    held: bool = False
    lease_s: float = 0.0
    spread: Annotated[dict[ResourceId, str], IN_KEY_ORDER] = Field(default_factory=dict)


class Decide(PeerMessage):
    """decide/v1: commit the round, or drop it.

    plan    of a commit: the receiver's steps, with their numbers in the whole; they may come after other sites' steps
    part    what is committed, once more: a site that lost its hold judges it again
    undoes  the steps take back what the receiver has done in this revision, and before it
    """

    schema_: Literal["decide/v1"] = Field("decide/v1", alias="schema")
    round: int
    commit: bool
    revision: int = 1
    plan: tuple[Step, ...] = ()
    part: Part | None = None
    age: int = 0
    undoes: int | None = None


class Report(PeerMessage):
    """report/v1: what a participant has done, to the entry site.

    over      nothing of this revision is under way at the sender any more, and nothing more will leave there
    refused   the sender does not carry out what was committed: its verdict on a commit that came too late
    again     the sender has begun anew: it is to be told once more what its steps wait for
    """

    schema_: Literal["report/v1"] = Field("report/v1", alias="schema")
    revision: int
    outcomes: tuple[Outcome, ...] = ()
    over: bool = False
    refused: Verdict | None = None
    again: bool = False


class Tell(PeerMessage):
    """tell/v1: what other sites have done, from the entry site to a participant. `stop`: begin nothing more."""

    schema_: Literal["tell/v1"] = Field("tell/v1", alias="schema")
    revision: int
    outcomes: tuple[Outcome, ...] = ()
    stop: bool = False


class Wake(PeerMessage):
    """wake/v1: the part of this round would be answered differently now."""

    schema_: Literal["wake/v1"] = Field("wake/v1", alias="schema")
    round: int


class GiveWay(PeerMessage):
    """giveway/v1: `older` needs what this intent holds at the sender; let go of it unless it is decided already."""

    schema_: Literal["giveway/v1"] = Field("giveway/v1", alias="schema")
    round: int
    older: IntentId


class Refuse(PeerMessage):
    """refuse/v1: a message of the receiver's was not understood. `what`: which; `speaks`: the schemas that would be."""

    schema_: Literal["refuse/v1"] = Field("refuse/v1", alias="schema")
    what: Annotated[str, Field(max_length=64)]
    reason: Annotated[str, Field(max_length=500)]
    speaks: tuple[str, ...] = ()


class Lookup(Message):
    """lookup/v1 (asked and answered at once, nothing is stored): which of these do you have?"""

    schema_: Literal["lookup/v1"] = Field("lookup/v1", alias="schema")
    sender: SiteToken
    receiver: SiteToken
    resources: Annotated[tuple[ResourceId, ...], Field(max_length=LOOKUP_MAX)]


class Found(Message):
    """found/v1: those of a lookup that are here. `fresh`: the rest is known to be absent."""

    schema_: Literal["found/v1"] = Field("found/v1", alias="schema")
    site: SiteToken
    resources: tuple[ResourceId, ...] = ()
    fresh: bool = False


class Fetch(Message):
    """fetch/v1 (asked and answered at once): give me these as they may travel to `destination`, whose scope says so.

    declared   as they were declared, whatever they are now (`Export.declared`)
    """

    schema_: Literal["fetch/v1"] = Field("fetch/v1", alias="schema")
    sender: SiteToken
    receiver: SiteToken
    destination: SiteToken
    resources: Annotated[tuple[ResourceId, ...], Field(max_length=LOOKUP_MAX)]
    declared: bool = False


class Fetched(Message):
    """fetched/v1: those that are here, whole objects. Values of a Secret are sealed for the destination's executor."""

    schema_: Literal["fetched/v1"] = Field("fetched/v1", alias="schema")
    site: SiteToken
    manifests: dict[ResourceId, dict[str, Any]] = Field(default_factory=dict)


STORED: Final[dict[str, type[PeerMessage]]] = {  # by the token of its subject
    "ask": Ask,
    "answer": Answer,
    "decide": Decide,
    "report": Report,
    "tell": Tell,
    "wake": Wake,
    "give-way": GiveWay,
    "refuse": Refuse,
}


def what_of(message: PeerMessage) -> str:
    """The token of its subject."""
    return next(what for what, model in STORED.items() if type(message) is model)
