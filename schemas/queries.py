"""Questions to a site's resolver and their answers (request-reply, nothing stored).

`api.resolver.<site>.<verb>`: preview (an Intent → a Verdict), graph (GraphQuery → GraphAnswer), why (WhyQuery →
GraphAnswer), missing (MissingQuery → GraphAnswer), names (NamesQuery → NamesAnswer), order (OrderQuery → OrderAnswer),
status (StatusQuery → SiteStatus), sites (StatusQuery → SiteLinks), states (StatesQuery → StatesAnswer), cancel
(CancelRequest → Verdict). Between sites `peer.<to>.<from>.sites.<number>`: StatusQuery → SiteStatus.
`api.watcher.<site>.resync`: ResyncRequest → ResyncAnswer; `…status`: StatusQuery → Heartbeat (events.py).
`api.executor.<site>.rehearse`: Rehearsal → RehearsalAnswer (rehearsals.py). A `Refusal` says why none is given.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from schemas.envelope import IN_KEY_ORDER, Message, StrictMessage
from schemas.events import Confidence, Relation
from schemas.identity import KindId, ResourceId, SiteName
from schemas.intents import IntentId
from schemas.verdicts import Evidence, Step

WALK_NODES_MAX = 1_000
STATES_PAGE = 500
Direction = Literal["dependencies", "dependents", "both"]


class Refusal(Message):
    """refusal/v1: why a question was not answered. `code` is a code of the catalogue or an HTTP-like status."""

    schema_: Literal["refusal/v1"] = Field("refusal/v1", alias="schema")
    code: str
    message: str


class CancelRequest(StrictMessage):
    """Give up a deferred intent; the answer is its last Verdict (D012), or a Refusal when it does not wait."""

    schema_: Literal["cancel/v1"] = Field("cancel/v1", alias="schema")
    intent: IntentId
    requester: Annotated[str, Field(max_length=253)] = ""


class GraphQuery(StrictMessage):
    """The neighbourhood of a resource. `depth` 0 = as deep as the bound allows."""

    schema_: Literal["graphquery/v1"] = Field("graphquery/v1", alias="schema")
    resource: str
    namespace: str = ""
    direction: Direction = "both"
    depth: int = Field(0, ge=0, le=100)
    kinds: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    limit: int = Field(WALK_NODES_MAX, ge=1, le=100_000)


class WhyQuery(StrictMessage):
    """The shortest path by which `source` depends on `target`."""

    schema_: Literal["whyquery/v1"] = Field("whyquery/v1", alias="schema")
    source: str
    target: str
    namespace: str = ""


class StatesQuery(StrictMessage):
    """What the site's graph holds, page by page in the order of identities: what is known, without any value.

    kinds   only these (as a person calls them); none: all        after   the last identity of the page before
    """

    schema_: Literal["statesquery/v1"] = Field("statesquery/v1", alias="schema")
    kinds: tuple[str, ...] = ()
    after: str = ""
    limit: int = Field(STATES_PAGE, ge=1, le=STATES_PAGE)


class StatesAnswer(Message):
    """One page. `states`: as in resource events (docs/schema/event.json, ResourceState); `more`: ask again after it."""

    schema_: Literal["states/v1"] = Field("states/v1", alias="schema")
    states: tuple[dict[str, Any], ...]
    more: bool
    evidence: Evidence


class MissingQuery(StrictMessage):
    """Dangling references, of one namespace or of the site; a Refusal (404) for a namespace that is not there."""

    schema_: Literal["missingquery/v1"] = Field("missingquery/v1", alias="schema")
    namespace: str = ""
    optional: bool = False
    limit: int = Field(WALK_NODES_MAX, ge=1, le=100_000)


class NamesQuery(StrictMessage):
    """The names of one kind that begin with `prefix`; without a kind, the kinds that have objects. For completion."""

    schema_: Literal["namesquery/v1"] = Field("namesquery/v1", alias="schema")
    kind: str = ""
    namespace: str = ""
    prefix: str = ""
    limit: int = Field(WALK_NODES_MAX, ge=1, le=100_000)


class NamesAnswer(Message):
    """names/v1: `kinds` as people call them (`deployment`), or resources of one kind, sorted."""

    schema_: Literal["names/v1"] = Field("names/v1", alias="schema")
    site: SiteName
    kinds: tuple[str, ...] = ()
    resources: tuple[ResourceId, ...] = ()
    more: int = 0


class OrderQuery(StrictMessage):
    """A safe order to create or to delete a set; with `closure` all that it needs, or all that needs it, besides."""

    schema_: Literal["orderquery/v1"] = Field("orderquery/v1", alias="schema")
    resources: tuple[str, ...] = Field(min_length=1, max_length=WALK_NODES_MAX)
    namespace: str = ""
    action: Literal["create", "delete"] = "create"
    closure: bool = False
    limit: int = Field(WALK_NODES_MAX, ge=1, le=100_000)


class OrderAnswer(Message):
    """order/v1: steps, each after those in `after`; or the cycle that leaves none. `missing`: named, but not there."""

    schema_: Literal["order/v1"] = Field("order/v1", alias="schema")
    site: SiteName
    action: Literal["create", "delete"]
    steps: tuple[Step, ...] = ()
    cycle: tuple[ResourceId, ...] = ()
    missing: tuple[ResourceId, ...] = ()
    more: int = 0
    evidence: Evidence


class StatusQuery(StrictMessage):
    """How is this site?"""

    schema_: Literal["statusquery/v1"] = Field("statusquery/v1", alias="schema")


class GraphNode(Message):
    """A resource in an answer. `depth` > 0: dependencies that many hops away, < 0: dependents.

    made_by   the top of its owners, where the answer says so (`missing` does)
    """

    resource: ResourceId
    state: Literal["present", "missing", "terminating", "in flight"] = "present"
    health: str = ""
    depth: int = 0
    made_by: ResourceId | None = None


class GraphEdge(Message):
    """`source` depends on `target`. `matches`: a selector edge to one of its matches."""

    source: ResourceId
    target: ResourceId
    kind: Relation
    phases: tuple[str, ...]
    rule: str
    path: str
    granule: str = ""
    optional: bool = False
    soft: bool = False
    confidence: Confidence = "declared"
    selector: bool = False
    broken: str = ""


class GraphAnswer(Message):
    """graph/v1: nodes and edges; `more` nodes were left out by the bound; `direct` counts are exact."""

    schema_: Literal["graph/v1"] = Field("graph/v1", alias="schema")
    site: SiteName
    root: ResourceId | None = None
    direction: Direction = "both"
    nodes: tuple[GraphNode, ...] = ()
    edges: tuple[GraphEdge, ...] = ()
    direct_dependents: int = 0
    direct_dependencies: int = 0
    more: int = 0
    evidence: Evidence


class SilentSite(Message):
    """A site that did not answer, and why, as far as it is known."""

    site: SiteName
    why: str


class GatheredAnswer(Message):
    """gathered/v1: the same question answered by every site that can be heard, the asked one first."""

    schema_: Literal["gathered/v1"] = Field("gathered/v1", alias="schema")
    site: SiteName
    answers: tuple[GraphAnswer, ...]
    silent: tuple[SilentSite, ...] = ()


class SiteStatus(Message):
    """status/v1: the freshness and the size of one site's knowledge.

    reads_otherwise   its watcher reads by another version of Cheops, or by other files of rules, than its resolver
    unstored          what its server does not store, and why; until it does, the site's resolver waits
    at                when this was said, by the clock of the site's resolver
    executor_silent   no executor answers the resolver: what it allows is not done until one does
    executor_ahead_s  how far the clock of its executor is ahead of the resolver's (< 0: behind); null: not known
    """

    schema_: Literal["status/v1"] = Field("status/v1", alias="schema")
    site: SiteName
    version: str
    evidence: Evidence
    state: Literal["fresh", "syncing", "stale", "silent"]
    reads_otherwise: bool = False
    unstored: str = ""
    blind: Annotated[dict[KindId, str], IN_KEY_ORDER] = Field(default_factory=dict)
    lag: int = 0
    resources: int = 0
    edges: int = 0
    missing: int = 0
    in_flight: int = 0
    deferred: int = 0
    resyncs: int = 0
    started_at: AwareDatetime
    at: AwareDatetime | None = None
    executor_silent: bool = False
    executor_ahead_s: float | None = None


class OutboxLag(Message):
    """What waits at a site for one peer: letters, bytes, the age of the oldest; `error`: why it is not there yet."""

    count: int = 0
    size: int = 0
    oldest_s: float = 0.0
    retries: int = 0
    error: str = ""


class PeerLink(Message):
    """One peer as a site sees it.

    state         up, unreachable (nothing heard for some seconds), refused (it answers, and is not understood: `why`),
                  gone (for good, as the site was told)
    round_trip_s  the median of the last ones
    heard_s       how long ago it last answered; null when never
    speaks        the version of what resolvers say to each other
    status        the peer's own word, when it was asked for and came in time
    """

    site: SiteName
    state: Literal["up", "unreachable", "refused", "gone"]
    why: str = ""
    round_trip_s: float | None = None
    heard_s: float | None = None
    speaks: str = ""
    release: str = ""
    outbox: OutboxLag = OutboxLag()
    status: SiteStatus | None = None


class SiteLinks(Message):
    """links/v1: a site, its peers, and what waits for them."""

    schema_: Literal["links/v1"] = Field("links/v1", alias="schema")
    site: SiteName
    speaks: str
    peers: tuple[PeerLink, ...] = ()


class ResyncRequest(StrictMessage):
    """A resolver that missed something asks the watcher to list again.

    epoch_seen   the last epoch it knows: the watcher's must be greater or equal, else it begins a new one above it
    kinds        its digest per kind (events.kind_digest); only kinds that differ travel. Empty: it knows nothing
    """

    schema_: Literal["resync/v1"] = Field("resync/v1", alias="schema")
    site: SiteName
    reason: str
    epoch_seen: int = 0
    kinds: Annotated[dict[KindId, str], IN_KEY_ORDER] = Field(default_factory=dict)


class ResyncAnswer(Message):
    """Accepted: the differing kinds follow in the event stream of `epoch`, after `seq`."""

    schema_: Literal["resyncanswer/v1"] = Field("resyncanswer/v1", alias="schema")
    site: SiteName
    epoch: int
    seq: int
    differing: int
