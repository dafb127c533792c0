"""What the words on objects say of an act, offline as live: the scope that none means, who leaves, what follows. Pure.

no scope ──▶ the set's ──▶ judged ──▶ sites that leave delete (N343), copies follow (N344)
         ──▶ sites that do not answer and only miss an update get it later (W503)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from cheops.offline.check import Act, Court, judge_at, verb_of
from cheops.offline.delivery import Delivery
from cheops.offline.sites import Flaws, OfflineSite, placed, site_of
from schemas.identity import IdentityError, ResourceId, SiteName
from schemas.scope.sites import site_names
from schemas.scope.tree import Scope
from schemas.ties import is_declared, replicas_at, shared_to
from schemas.verdicts import Reason, Verdict
from services.resolver.across.asking import FOLLOWS, LEAVES, is_torn, told_of
from services.resolver.across.pending import is_unheard, only_misses_an_update, open_for
from services.resolver.across.sets import members, scope_without_words
from services.resolver.judge.case import Change

WRITES: Final = ("update", "apply")


def scope_of_set(court: Court, act: Act) -> Scope | None:
    """What no scope means where something is a replica, a part or shared; None where nothing is."""
    home = court.sites[next(iter(court.sites))]
    resources = named_by(court, act)
    is_shared = any(_shared_to(home, one) for one in resources) and verb_of(act) in WRITES
    if not is_shared and not any(True for _ in members(home.graph, resources)):
        return None
    return scope_without_words(home.graph, resources, home.name, court.gone)


def named_by(court: Court, act: Act) -> list[ResourceId]:
    """What an act is about, as it is called where it is entered."""
    home = court.sites[next(iter(court.sites))]
    found = [home.extractor.key(placed(one, act.namespace)).id for one in act.manifests]
    for text in act.resources:
        try:
            found.append(home.surface.resolve(text, act.namespace))
        except IdentityError:  # judged where it is entered, which says what is wrong with it
            continue
    return found


def with_sites_named(court: Court, scope: Scope | None, resources: Collection[ResourceId]) -> Court:
    """Sites that only the objects name are there, and do not answer: nothing was given of them."""
    home = court.sites[next(iter(court.sites))]
    named = [name for one in members(home.graph, resources) for name in replicas_at(one)]
    named += [name for one in resources for name in _shared_to(home, one)]
    wanted = dict.fromkeys((*named, *(site_names(scope) if scope else ())))
    missing = [one for one in wanted if one not in court.sites and one not in court.gone]
    silent = {name: site_of(name, [], court.catalogue, Flaws(unreachable=True)) for name in missing}
    return replace(court, sites={**court.sites, **silent}) if silent else court


def _shared_to(home: OfflineSite, resource: ResourceId) -> tuple[SiteName, ...]:
    state = home.graph.find(resource)
    return shared_to(state) if state is not None else ()


def follow(delivery: Delivery, verdicts: Mapping[SiteName, Verdict]) -> bool:
    """Copies of what is written follow it, where their sites can be heard; False when nothing more is to be brought."""
    brought = [
        delivery.copy(resource, origin, name)
        for origin, verdict in verdicts.items()
        for resource, sites in told_of(verdict, FOLLOWS)
        for name in sites
        if name in delivery.court.sites and not delivery.court.sites[name].flaws.unreachable
    ]
    return any(brought)


def leave(delivery: Delivery, verdicts: Mapping[SiteName, Verdict]) -> dict[SiteName, Verdict]:
    """Sites that a new scope leaves out delete what they have of the set, and not what only has the name."""
    going: dict[SiteName, list[ResourceId]] = {}
    for verdict in verdicts.values():
        for resource, sites in told_of(verdict, LEAVES):
            for name in sites:
                if not is_only_called_so(delivery.court, name, resource):
                    going.setdefault(name, []).append(resource)
    court, act, made = delivery.court, delivery.act, dict(verdicts)
    together = tuple(dict.fromkeys((*verdicts, *going)))
    for name, found in going.items():
        resources = tuple(dict.fromkeys(found))
        if name in delivery.bodies:
            made[delivery.entry.name] = judge_at(court, act, delivery.entry, (is_torn(resources[0], name),))
        elif name in court.sites:
            gone = replace(act, verb="delete", manifests=(), resources=resources, together=together)
            made[name] = judge_at(court, gone, court.sites[name])
    return made


def is_only_called_so(court: Court, name: SiteName, resource: ResourceId) -> bool:
    """Whether what a site has by this name is of no set, and no copy."""
    state = court.sites[name].graph.find(resource) if name in court.sites else None
    return state is not None and not is_declared(state)


def put_off(delivery: Delivery, verdicts: Mapping[SiteName, Verdict]) -> tuple[Reason, ...]:
    """The sites that get an update when they return; none when it has to wait for them."""
    silent = [name for name, one in verdicts.items() if is_unheard(one)]
    if not silent or len(silent) == len(verdicts) or verb_of(delivery.act) not in WRITES:
        return ()
    if any(True for one in verdicts.values() for _ in told_of(one, LEAVES)):
        return ()
    home = delivery.entry
    for name in silent:
        for resource, body in delivery.bodies.get(name, {}).items():
            state = home.extractor.state(body)
            if not only_misses_an_update(home.graph, name, Change(resource, "apply", state.version, state)):
                return ()
    return tuple(open_for(name, verdicts[name]) for name in silent)
