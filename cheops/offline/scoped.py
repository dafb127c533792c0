"""One act in a scope over several sites of manifests → one verdict. scope.md is the source.

scope ──▶ alternatives ──▶ place ──▶ what each site gets ──▶ judged there ──▶ what is missing is supplied, as the
scope says (replicated or shared), and judged again ──▶ combined; the first alternative that is allowed is taken
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from cheops.offline.check import Act, Court, judge_at, verb_of
from cheops.offline.delivery import Delivery
from cheops.offline.sets import (
    follow,
    is_only_called_so,
    leave,
    named_by,
    put_off,
    scope_of_set,
    with_sites_named,
)
from cheops.offline.sites import OfflineSite
from schemas.identity import ResourceId, SiteName
from schemas.scope.errors import ScopeError
from schemas.scope.offered import check_offered
from schemas.scope.parse import parse_scope
from schemas.scope.sites import Latencies, check_sites
from schemas.scope.tree import Scope
from schemas.ties import SHARED_TO
from schemas.untyped import mapping_of
from schemas.verdicts import Reason, Remedy, Verdict
from services.resolver.across.gone import named_in, scope_without, told
from services.resolver.across.nearest import nearest_first
from services.resolver.across.splitting import Splitter
from services.resolver.across.widening import widenings
from services.resolver.coordinate import combine, enough, not_taken
from services.resolver.judge.cascade import cascade_of
from services.resolver.judge.case import Problem
from services.resolver.judge.delete import with_dependents
from services.resolver.judge.findings import named
from services.resolver.placing import Alternative, alternatives, unknown_kinds

Body = Mapping[str, Any]
ROUNDS_MAX: Final = 16  # a supplied dependency may need others; chains are short


def check(court: Court, act: Act, scope: str = "", latencies: Latencies | None = None) -> Verdict:
    """The verdict on `act` in `scope`; no scope means the first site. Raises ScopeError for a scope that is none."""
    entry = next(iter(court.sites))
    near = latencies or {}
    said = parse_scope(scope) if scope.strip() else None
    if said is not None:
        check_offered(said, scope)
    own = scope_without(said, court.gone) if said is not None else scope_of_set(court, act)
    if own is not None:
        court = with_sites_named(court, own if said is None else None, named_by(court, act))
        verdict = check_scoped(court, act, own, near)
    elif verb_of(act) == "delete":
        names = tuple(court.sites[entry].extractor.key(one).id for one in act.manifests)
        named_only = replace(act, verb="delete", resources=(*act.resources, *names), manifests=())
        verdict = deleted_at(court, {entry: named_only})
    else:
        verdict = judge_at(court, act, court.sites[entry])
    if court.gone:
        verdict = told(verdict, named_in(said, court.gone) if said is not None else (), court.gone)
    wider = _wider(court, act, scope.strip() or own or entry, verdict, near)
    return verdict.model_copy(update={"remedies": (*verdict.remedies, wider)}) if wider is not None else verdict


def _wider(court: Court, act: Act, scope: str | Scope, verdict: Verdict, latencies: Latencies) -> Remedy | None:
    """The smallest change to the scope that makes it an allow, where all that is missing is at other sites."""
    for offer in widenings(scope, verdict):
        if check_scoped(court, act, parse_scope(offer.scope), latencies).decision == "allow":
            return offer.remedy(verb_of(act))
    return None


def check_scoped(court: Court, act: Act, scope: Scope, latencies: Latencies) -> Verdict:
    """The verdict on `act` in `scope`; the first site of the court is where it is entered."""
    entry = next(iter(court.sites))
    unknown = tuple(Problem("D601", str(one)) for one in check_sites(scope, list(court.sites)))
    site = court.sites[entry]
    brought = [site.extractor.key(one).id for one in act.manifests]
    unknown = unknown or tuple(
        Problem("D600", f"scope: {error}") for _, error in unknown_kinds(scope, site.surface, brought)
    )
    if unknown:
        return judge_at(court, act, site, unknown)
    try:
        ways = alternatives(scope, list(court.sites), latencies, entry)
    except ScopeError as error:
        return judge_at(court, act, court.sites[entry], (Problem("D600", error.sentence),))
    if verb_of(act) == "read":
        ways = nearest_first(ways, lambda name: 0.0 if name == entry else latencies.get((entry, name), math.inf))
    failed: list[tuple[Alternative, Verdict]] = []
    for way in ways:
        verdict = _one_way(court, act, scope, way)
        if verdict.decision == "allow":
            return not_taken(verdict, failed, entry)
        failed.append((way, verdict))
    # A choice that is only unknown may still come true; a denial may not.
    best = next((row for row in failed if row[1].decision == "defer"), failed[0])
    return not_taken(best[1], [row for row in failed if row is not best], entry)


def _one_way(court: Court, act: Act, scope: Scope, way: Alternative) -> Verdict:
    if verb_of(act) in ("delete", "read"):
        return _named_in(court, act, scope, way)
    delivery = Delivery(court, act, scope, way)
    delivery.load()
    verdicts = delivery.judged()
    while delivery.relocated(verdicts):
        verdicts = delivery.judged()
    for _ in range(ROUNDS_MAX):
        if not (delivery.supply(verdicts) or follow(delivery, verdicts)):
            break
        verdicts = delivery.judged()
    verdicts = leave(delivery, verdicts)
    pending = put_off(delivery, verdicts)
    away = {one.site for one in pending}
    taken, left_out = enough(scope, way, {name: one for name, one in verdicts.items() if name not in away})
    left_out = (*left_out, *pending)
    entry = next(iter(court.sites))
    whole = delivery.doubted(combine(list(taken.values()), entry))
    return whole.model_copy(update={"reasons": (*whole.reasons, *left_out)}) if left_out else whole


def _named_in(court: Court, act: Act, scope: Scope, way: Alternative) -> Verdict:
    """Delete and read: each target at the sites of the part that names it."""
    entry = next(iter(court.sites))
    home = court.sites[entry]
    names = [*act.resources, *(home.extractor.key(one).id for one in act.manifests)]
    splitter = Splitter(scope, way, home.surface, entry, court.catalogue.divides)
    resolved = [(text, _resolved(home, text, act.namespace)) for text in names]
    if undivided := splitter.names_undivided(one for _, one in resolved):
        return judge_at(court, act, home, undivided)
    at = splitter.names(resolved)
    rows = {name: replace(act, resources=tuple(mine), manifests=(), verb=verb_of(act)) for name, mine in at.items()}
    if verb_of(act) == "delete":
        return deleted_at(court, rows)
    return combine([judge_at(court, one, court.sites[name]) for name, one in rows.items()], entry)


def deleted_at(court: Court, acts: Mapping[SiteName, Act]) -> Verdict:
    """Deletes, with the copies that were shared from what goes, and from what goes with that."""
    rows = dict(acts)
    lost: list[Reason] = []
    gone: list[str] = []
    for origin, resource, other in [one for name, act in acts.items() for one in _copies(court.sites[name], act)]:
        if other in court.gone or is_only_called_so(court, other, resource):
            continue
        if other not in court.sites:
            message = f"{named(resource)} is shared to {other}, which does not answer"
            gone.append(other)
            lost.append(Reason(code="F501", severity="defer", message=message, site=origin, resource=resource))
            continue
        mine = rows.get(other, replace(acts[origin], resources=()))
        if resource not in mine.resources:
            rows[other] = replace(mine, resources=(*mine.resources, resource))
    together = (*rows, *(SiteName(one) for one in gone))
    made = {name: replace(one, together=together) for name, one in rows.items()}
    whole = combine([judge_at(court, one, court.sites[name]) for name, one in made.items()], next(iter(court.sites)))
    if lost and whole.decision == "allow":
        whole = whole.model_copy(update={"decision": "defer", "plan": (), "summary": lost[0].message})
    return whole.model_copy(update={"reasons": (*lost, *whole.reasons)}) if lost else whole


def _copies(site: OfflineSite, act: Act) -> Iterator[tuple[SiteName, ResourceId, SiteName]]:
    """What is shared of all that goes at a site, with the sites that have copies."""
    resolved = (_resolved(site, text, act.namespace) for text in act.resources)
    targets = [one for one in resolved if one is not None and site.graph.find(one) is not None]
    if act.cascade == "dependents":
        targets = with_dependents(site.graph, targets)
    for resource in (*targets, *cascade_of(site.graph, targets).children):
        for other in _listed(site.bodies.get(resource, {}), SHARED_TO):
            yield site.name, resource, SiteName(other)


def _listed(body: Body, name: str) -> list[str]:
    """The words of a label or an annotation."""
    metadata = mapping_of(body.get("metadata"))
    text = mapping_of(metadata.get("annotations")).get(name) or mapping_of(metadata.get("labels")).get(name) or ""
    return [word.strip() for word in str(text).split(",") if word.strip()]


def _resolved(site: OfflineSite, text: str, namespace: str) -> ResourceId | None:
    try:
        return site.surface.resolve(text, namespace)
    except ValueError:  # judged where it is entered, which says what is wrong with it
        return None
