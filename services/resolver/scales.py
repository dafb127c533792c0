"""`kubectl scale`: what a review of a Scale (autoscaling/v1) would change. Pure.

    deployments/scale, name, spec.replicas ─▶ the workload as it is known here, with so many ─▶ judged as if applied

A Scale says how many, and of its object the name and the uid only. All else is taken from what was observed: whom it
concerns, what the object itself says to the gate. What its pods ask for was not observed, and is not judged again.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from schemas.identity import resource_id, split_kind
from schemas.relations.kind_facts import KindFacts
from schemas.untyped import mapping_of
from services.resolver.desk import Desk
from services.resolver.judge.case import Change
from services.resolver.judge.woken import WAKERS, is_woken
from services.resolver.reviews import Request

SCALE: Final = "scale"
REPLICAS: Final = "replicas"  # the fact


def scaled(desk: Desk, request: Request) -> Change | None:
    """None: it is of something else, or of what is not known here or runs for more reasons than its number."""
    surface = desk.evidence.surface
    served = surface.by_plural(request.resource.group, request.resource.resource)
    wanted = mapping_of(mapping_of(request.object).get("spec")).get("replicas", 0)  # a Scale leaves out a zero
    if request.sub_resource != SCALE or served is None or type(wanted) is not int:
        return None
    group, kind = split_kind(served.kind)
    state = desk.view().find(resource_id(group, kind, request.namespace, request.name))
    if state is None or state.deleting or not _runs_by_number(desk.hearing.knows(served.kind)):
        return None
    facts = {**state.facts, REPLICAS: wanted, "recurs": wanted > 0}
    return Change(state.resource, "apply", state.version, structs.replace(state, facts=facts))


def starts_again(desk: Desk, change: Change) -> bool:
    """Whether an autoscaler may start again what is stopped here, or nobody knows whether there is one."""
    evidence = desk.evidence
    is_known = evidence.synced and all(evidence.sees(kind) for kind in WAKERS & evidence.surface.served.keys())
    return change.after is not None and (not is_known or is_woken(desk.view(), change.after))


def _runs_by_number(known: KindFacts | None) -> bool:
    """Its pods come back by themselves when it shall have some, and for no other reason."""
    if known is None or not isinstance(known.recurs, tuple) or len(known.recurs) != 1:
        return False
    (condition,) = known.recurs
    return condition.path == known.facts.get(REPLICAS) and condition.above == 0 and not condition.unless
