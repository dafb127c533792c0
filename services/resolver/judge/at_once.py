"""One resource is to be deleted or read: the verdict, when somebody waits and the site is as it was observed. Pure.

    number ─▶ what goes with it ─▶ who is left behind ─▶ reasons, impact, remedies ─▶ bytes

The rules are those of decide.py and delete.py, whose parts this calls; what it leaves out is what cannot be met here: a
change in flight, a policy, a hub, a permission, a set of several sites, a claim, a binding, evidence that is not whole.
Where one of those is met the answer is None, and the plain way decides. Both give the same bytes
(tests/unit/resolver/test_judge_at_once.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from schemas.events import ResourceState
from schemas.identity import KindId, ResourceId, SiteName
from schemas.intents import Verb
from schemas.relations.offering import is_offered
from schemas.verdicts import Decision
from services.resolver.graph.forms import long
from services.resolver.graph.kept import Record
from services.resolver.graph.names import NOWHERE
from services.resolver.graph.numbers import Numbers
from services.resolver.graph.view import TAKES, WALK_MAX, Edge
from services.resolver.judge.cascade import Cascade
from services.resolver.judge.delete import USERS_LOOKED_AT, counts, use_finding
from services.resolver.judge.findings import Finding
from services.resolver.judge.going import Going
from services.resolver.judge.impact import LOOKED_AT, NAMED_MAX, in_order
from services.resolver.judge.losses import (
    CHILDREN_WITHOUT_WARNING,
    CLAIMS_DELETED,
    DELETE,
    HOLDERS,
    KEPT,
    itself,
    takes_many,
    waits_for_others,
)
from services.resolver.judge.makers import is_making
from services.resolver.judge.ranks import ASK, WEAKER, may_be_woken, ranks
from services.resolver.judge.remedies import TOUCHED_MAX, Offer, letting_go, taking_along
from services.resolver.judge.restorers import restorer_by_number
from services.resolver.judge.rights import GRANTING
from services.resolver.judge.subsets import RULES
from services.resolver.judge.summary import summary_of
from services.resolver.judge.ties import bears_words, carries_words
from services.resolver.judge.use import may_be_needed_to_end
from services.resolver.judge.written import (
    WrittenEdge,
    WrittenEvidence,
    WrittenImpact,
    WrittenPreconditions,
    WrittenReason,
    WrittenRemedy,
    WrittenStep,
    WrittenTouch,
    WrittenVerdict,
)

SEVERITIES: Final = {"D": "deny", "W": "warning", "N": "note"}
ORDER: Final = "DWN"
VALID_S: Final = 60.0
NAMESPACE: Final = KindId("Namespace")


class Asked(NamedTuple):
    """The question."""

    intent: str
    resource: ResourceId
    site: SiteName
    preview: bool
    decided_by: str
    expires_at: datetime


def deletion(
    numbers: Numbers,
    asked: Asked,
    evidence: WrittenEvidence,
    now: datetime,
    params: AbstractSet[KindId] = frozenset(),
) -> WrittenVerdict | None:
    """The verdict; None when it is for the plain way. `params`: kinds that admission policies have parameters of."""
    resource, site = asked.resource, asked.site
    number = numbers.find(resource)
    if number == NOWHERE or numbers.rows[number] is None or bears_words(numbers, number):
        return None
    going = Going(numbers)
    taken = going.take([number])
    if any(numbers.kind(one) in params or _is_special(numbers, one) for one in taken):
        return None
    if any(carries_words(numbers, one) or _is_held(numbers, one) for one in taken[1:]):
        return None  # other sites are concerned, or other controllers
    traits = numbers.traits(number)
    assert traits is not None, "it is there"
    cascade = going.cascade([resource]) if len(taken) > 1 else Cascade((resource,), {})
    findings = _findings(numbers, going, traits, cascade, resource, site)
    if findings is None:
        return None
    reasons = _reasons(findings, site)
    decision: Decision = "deny" if reasons and reasons[0].severity == "deny" else "allow"
    impact = _impact(numbers, resource, site)
    if impact is None or (decision == "allow" and (evidence.blind or not evidence.fresh)):
        return None
    if decision == "deny":
        if params:
            return None  # who would have to go too may have parameters
        remedies = _remedies(going, asked, reasons)
        if remedies is None or numbers.strange:
            return None
        return _verdict(asked, "delete", reasons, impact, evidence, (), remedies, now)
    if going.is_within(number) or numbers.strange:
        return None  # who owns it goes with it: nothing is to be done by hand
    return _verdict(asked, "delete", reasons, impact, evidence, _step(numbers, number, "delete", site), (), now)


def reading(numbers: Numbers, asked: Asked, evidence: WrittenEvidence, now: datetime) -> WrittenVerdict | None:
    """The verdict on reading what is there and misses nothing; None when it is for the plain way."""
    number = numbers.find(asked.resource)
    if number == NOWHERE or numbers.rows[number] is None or evidence.blind or not evidence.fresh:
        return None
    record = numbers.record(number)
    known, _, sleeps = ranks(numbers, number, record)
    if sleeps and may_be_woken(numbers, number):
        return None  # what it misses is missed when it is started
    for place, rank in enumerate(known):
        if rank == ASK or (rank < WEAKER and not _is_served(numbers, record, place)):
            return None
    impact = _impact(numbers, asked.resource, asked.site)
    if impact is None:
        return None
    return _verdict(asked, "read", (), impact, evidence, _step(numbers, number, "read", asked.site), (), now)


def _is_served(numbers: Numbers, record: Record, place: int) -> bool:
    """What stands there is there, with the named part of it (`served`)."""
    form, target = record.shape.at[place], record.targets[place]
    assert form is not None, "a target stands there"
    traits = numbers.traits(target) if isinstance(target, int) else None
    return traits is not None and is_offered(form.reference.rule, form.reference.granule, traits.parts)


def _step(numbers: Numbers, number: int, action: str, site: SiteName) -> tuple[WrittenStep, ...]:
    uid = long(numbers.records.uid(numbers.record(number)))
    return (WrittenStep("1", site, action, numbers.resource(number), (), WrittenPreconditions(uid=uid)),)


def _verdict(
    asked: Asked,
    verb: Verb,
    reasons: tuple[WrittenReason, ...],
    impact: WrittenImpact,
    evidence: WrittenEvidence,
    plan: tuple[WrittenStep, ...],
    remedies: tuple[WrittenRemedy, ...],
    now: datetime,
) -> WrittenVerdict:
    decision: Decision = "allow" if plan else "deny"
    return WrittenVerdict(
        "verdict/v1",
        asked.intent,
        1,
        decision,
        verb,
        asked.site,
        (asked.resource,),
        summary_of(verb, (asked.resource,), asked.site, decision, reasons, len(plan), impact.direct),
        now,
        asked.decided_by,
        "default",
        min(asked.expires_at, now + timedelta(seconds=VALID_S)),
        asked.preview,
        reasons,
        impact,
        (evidence,),
        plan,
        None,
        remedies,
    )


def _is_held(numbers: Numbers, number: int) -> bool:
    traits = numbers.traits(number)
    return traits is not None and bool(waits_for_others(traits))


def _is_special(numbers: Numbers, number: int) -> bool:
    kind, traits = numbers.kind(number), numbers.traits(number)
    if kind == NAMESPACE and numbers.resource(number) in KEPT:
        return True
    if traits is None or TAKES in traits.facts:
        return True
    if kind == RULES or kind in HOLDERS or kind in GRANTING or traits.grants or is_making(numbers, number):
        return True
    return traits.facts.get(CLAIMS_DELETED) == DELETE


def _findings(
    numbers: Numbers, going: Going, traits: ResourceState, cascade: Cascade, resource: ResourceId, site: SiteName
) -> list[Finding] | None:
    """As judge_delete has them, in its order."""
    found: list[Finding] = []
    said: set[tuple[ResourceId, str]] = set()
    for one in (resource, *cascade.children):
        left = going.left_by(one)
        if left is None:
            return None
        for edge, use, owned in left:
            if not counts(one, cascade, use, owned):
                continue
            if may_be_needed_to_end(edge.reference):
                return None  # its own deletion may need it
            key = (edge.source, edge.reference.path)
            if edge.reference.selector is None or key not in said:
                found.append(use_finding(site, edge, use, one, cascade))
            said.add(key)  # a selector is broken once, whatever it matched
    number = numbers.find(resource)
    top, restorer = numbers.top(number), restorer_by_number(numbers, number)
    if numbers.strange:
        return None
    found += itself(resource, traits, None if top == NOWHERE else numbers.resource(top), restorer, cascade)
    if len(cascade.children) > CHILDREN_WITHOUT_WARNING:
        found.append(takes_many(resource, cascade))
    return found


def _reasons(findings: Sequence[Finding], site: SiteName) -> tuple[WrittenReason, ...]:
    made: dict[tuple[str, str, str], WrittenReason] = {}
    for one in findings:
        edges = [_written(edge) for edge in one.chain]
        relation = next((edges[at] for at, edge in enumerate(one.chain) if edge is one.edge), None)
        if relation is None and one.edge is not None:
            relation = _written(one.edge)
        key = (one.code, one.resource or "", one.message)
        if key not in made:
            severity = SEVERITIES[one.code[0]]
            made[key] = WrittenReason(one.code, severity, one.message, site, one.resource, relation, tuple(edges), 0)
    return tuple(sorted(made.values(), key=_rank) if len(made) > 1 else made.values())


def _rank(reason: WrittenReason) -> tuple[int, str, str, str]:
    return ORDER.index(reason.code[0]), reason.code, reason.resource or "", reason.message


def _written(edge: Edge) -> WrittenEdge:
    reference = edge.reference
    return WrittenEdge(
        edge.source,
        edge.target,
        reference.relation,
        tuple(reference.phases),
        reference.rule,
        reference.path,
        reference.granule,
    )


def _impact(numbers: Numbers, resource: ResourceId, site: SiteName) -> WrittenImpact | None:
    few = numbers.touched(resource, LOOKED_AT)
    if few is None or few.direct > USERS_LOOKED_AT:
        return None
    reach = numbers.reach([resource], WALK_MAX)
    names = tuple(sorted(few.named)[:NAMED_MAX])
    return WrittenImpact(
        few.direct,
        {site: in_order(few.by_kind)} if few.by_kind else {},
        max(reach.count, few.direct),
        reach.bounded,
        names,
        max(0, few.direct - len(names)),
    )


def _remedies(going: Going, asked: Asked, reasons: Sequence[WrittenReason]) -> tuple[WrittenRemedy, ...] | None:
    """None when the plain way has to look further."""
    blocking = [one for one in reasons if one.severity == "deny"]
    if len(blocking) > TOUCHED_MAX:
        return None
    together = going.together([asked.resource])
    if together is None or not together.harmless:
        return None
    offers = [taking_along(asked.site, (asked.resource,), together.resources)]
    if all(one.code != "D313" for one in blocking):
        command = f"cheops update -f USERS.yaml --site {asked.site}"
        offers += filter(None, [letting_go([one.relation for one in blocking], command)])
    return tuple([_remedy(one) for one in offers])


def _remedy(offer: Offer) -> WrittenRemedy:
    touches = [WrittenTouch(resource, how, path) for resource, how, path in offer.touches]
    return WrittenRemedy(offer.command, offer.effect, tuple(touches))
