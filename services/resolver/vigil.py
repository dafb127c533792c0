"""What breaks outside an intent: observed changes → alerts, and the alert that it healed. Pure.

A resource that vanishes (or loses a part) is a suspicion; a moment later it is looked at again, because a rollout or
the deletion of a whole namespace takes things away in any order. What living dependents still miss then is an alert;
it heals when the thing is back or nobody needs it any more. What never was there is `missing`, not an alert. That
somebody selects nothing any more is told once: when a workload is scaled to zero, its replica set and its pods go, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Final

from schemas.alerts import Alert
from schemas.events import ResourceState
from schemas.identity import KindId, ResourceId, ResourceKey, SiteName, kind_of
from schemas.ties import DRIFT_FACT, SCOPE_FACT, SHARED_TO_FACT
from services.resolver.drift import Drifts
from services.resolver.evidence import SiteEvidence
from services.resolver.graph.changed import Changed
from services.resolver.graph.store import Graph
from services.resolver.graph.view import Edge, View
from services.resolver.graph.walk import owner_of
from services.resolver.judge.findings import edge_ref
from services.resolver.judge.use import breaks
from services.resolver.refusals import Refusals
from services.resolver.reminding import Reminders
from services.resolver.returning import Returning
from services.resolver.ruling import Ruling
from services.resolver.shares import Shares
from services.resolver.signals import Effect, Moment, SendAlert

SETTLE_S: Final = 1.0  # how long a suspicion waits; cascades of a namespace arrive within it at most sites
BLIND_FOR_S: Final = 5.0  # a kind that is not observed for this long is an alert; shorter is a reconnect
RECHECK_S: Final = 1.0
EDGES_NAMED_MAX: Final = 10
LOOK_MAX: Final = 128  # suspicions, and raised alerts, that are looked at in one step: some ten milliseconds
SUSPICIONS_MAX: Final = 50_000
RAISED_MAX: Final = 10_000
EVERYTHING: Final = KindId("*")
OWN: Final = ("A210", "A310", "A503")  # others are raised, and healed, elsewhere


@dataclass(frozen=True, slots=True)
class _Suspicion:
    due_s: float
    cause: str
    old: ResourceState  # who selected it is asked of what it was


class Vigil:
    """Suspicions and raised alerts of one site."""

    def __init__(
        self, site: SiteName, drifts: Drifts, shares: Shares, ruling: Ruling, gone: Set[SiteName] = frozenset()
    ) -> None:
        """`gone`: sites of which somebody has said that they are."""
        self._site = site
        self.drifts, self.shares, self._ruling = drifts, shares, ruling
        self.refusals, self.reminders, self.returning = Refusals(site), Reminders(), Returning(site, gone)
        self._suspicions: dict[ResourceId, _Suspicion] = {}
        self._raised: dict[str, Alert] = {}
        self._next_check_s = 0.0

    def recover(self, alerts: Iterable[Alert]) -> None:
        """What was raised before a restart and has not healed."""
        alerts = tuple(alerts)
        self.reminders.recover(alerts)
        alerts = tuple(one.model_copy(update={"again_at": None}) for one in alerts)
        self.drifts.recover(alerts)
        self.shares.recover(alerts)
        self.refusals.recover(alerts)
        self.returning.recover(alerts)
        self._ruling.recover(alerts)
        for alert in (one for one in alerts if one.code in OWN):
            if alert.state == "raised":
                self._raised[alert.id] = alert
            else:
                self._raised.pop(alert.id, None)

    def look(self, changed: Changed, cause: str, now_s: float) -> None:
        """A resource changed; asked before what is in flight is told of it."""
        may_take_away = changed.may_take_away
        if may_take_away or DRIFT_FACT in changed.facts:
            self.drifts.observe(changed, cause, now_s)
            if SHARED_TO_FACT in changed.facts_before:
                self.drifts.originals.miss(changed)
            if may_take_away:
                self.observe(changed.old, changed.new, cause, now_s)
        if SHARED_TO_FACT in changed.facts:
            self.drifts.originals.observe(changed, now_s)
        if SCOPE_FACT in changed.facts:
            self.shares.observe(changed.new)
        if self._ruling.book.concerns(changed.resource):
            self._ruling.note(changed.resource, changed.facts)

    def observe(self, old: ResourceState | None, new: ResourceState | None, cause: str, now_s: float) -> None:
        """A resource changed; suspicious when it, or a part of it, went away."""
        if old is None or len(self._suspicions) >= SUSPICIONS_MAX:
            return
        if new is None or _takes_away(old, new):
            self._suspicions.setdefault(old.resource, _Suspicion(now_s + SETTLE_S, cause, old))

    def effects(self, view: Graph, evidence: SiteEvidence, moment: Moment) -> list[Effect]:
        """What is to be told now, and what follows from what was seen."""
        shares = self.shares.due(view, moment) if evidence.synced else []
        told = [*self.due(view, evidence, moment), *(one for one in shares if isinstance(one, Alert))]
        entered = (one for one in shares if not isinstance(one, Alert))
        return [*map(SendAlert, told), *self.drifts.originals.due(view, moment), *entered]

    def due(self, view: Graph, evidence: SiteEvidence, moment: Moment) -> list[Alert]:
        """Alerts that are due now, raised and healed."""
        if moment.monotonic_s < self._next_check_s:
            return []
        many = len(self._suspicions) > LOOK_MAX or len(self._raised) > LOOK_MAX
        self._next_check_s = moment.monotonic_s + (0.0 if many else RECHECK_S / 4)
        return [
            *self._raise(view, moment),
            *self._blind(evidence, moment),
            *self._heal(view, evidence, moment),
            *self.drifts.due(view, evidence, moment),
            *self.refusals.due(moment),
            *self.returning.due(moment),
            *self._ruling.due(evidence, moment),
        ]

    def _raise(self, view: Graph, moment: Moment) -> Iterator[Alert]:
        due = takewhile(lambda one: self._suspicions[one].due_s <= moment.monotonic_s, self._suspicions)  # oldest first
        for resource in [*islice(due, LOOK_MAX)]:
            suspicion = self._suspicions.pop(resource)
            alert = self._broken(view, suspicion, moment)
            if alert is not None and alert.id not in self._raised and len(self._raised) < RAISED_MAX:
                self._raised[alert.id] = alert
                yield alert

    def _broken(self, view: Graph, suspicion: _Suspicion, moment: Moment) -> Alert | None:
        resource, cause = suspicion.old.resource, suspicion.cause
        rows = [*view.dependents(resource).edges, *view.selecting(suspicion.old)]
        edges = [edge for edge in _distinct(rows) if breaks(edge, view)]
        selected = {(edge.source, edge.reference.path) for edge in edges if edge.reference.selector is not None}
        told = self._told(selected) if selected else selected
        edges = [edge for edge in edges if (edge.source, edge.reference.path) not in told]
        if not edges:
            return None
        there = view.find(resource) is not None
        code = "A210" if there else "A310"
        everyone = {edge.source for edge in edges}
        edges = [edge for edge in edges if owner_of(view, edge.source) not in everyone]  # the owner stands for its own
        users = sorted({edge.source for edge in edges})
        key = ResourceKey.parse(resource)
        name = f"{key.kind} {key.namespace}/{key.name}" if key.namespace else f"{key.kind} {key.name}"
        what = f"{name} is gone"
        if there:
            named = any(edge.reference.selector is None for edge in edges)
            what = f"a part of {name} is gone" if named else f"{name} serves its dependents no more"
        return Alert(
            id=f"{self._site}:{code}:{resource}",
            code=code,
            state="raised",
            site=self._site,
            message=f"{what} @ {self._site}: {_count(users, 'resource')} still need{'s' if len(users) == 1 else ''} it",
            resource=resource,
            broken=tuple(map(edge_ref, _first(edges))),
            dependents=len(users),
            by_kind=dict(sorted(Counter(map(kind_of, users)).items())),
            cause=cause,
            at=moment.wall,
        )

    def _told(self, selected: Set[tuple[ResourceId, str]]) -> Set[tuple[ResourceId, str]]:
        """Those of them, by source and path, that a raised alert names: whichever match went last, all is said."""
        places = ((broken.source, broken.path) for alert in self._raised.values() for broken in alert.broken)
        return {place for place in places if place in selected}

    def _blind(self, evidence: SiteEvidence, moment: Moment) -> Iterator[Alert]:
        rows = evidence.blind
        if is_cut_off(evidence):  # one alert, not one of each kind
            rows = {EVERYTHING: max(rows.values(), key=lambda one: one.for_s)}
        for kind, blind in rows.items():
            alert_id = self._blind_id(kind)
            if alert_id in self._raised or blind.reason == "syncing" or blind.for_s < BLIND_FOR_S:
                continue
            why = f"{blind.reason}: {blind.message}" if blind.message else blind.reason
            alert = Alert(
                id=alert_id,
                code="A503",
                state="raised",
                site=self._site,
                message=f"{_what(kind)} is not observed @ {self._site} ({why})",
                kind=kind,
                at=moment.wall,
            )
            self._raised[alert_id] = alert
            yield alert

    def _heal(self, view: View, evidence: SiteEvidence, moment: Moment) -> Iterator[Alert]:
        for alert in [*islice(self._raised.values(), LOOK_MAX)]:
            del self._raised[alert.id]
            if not self._healed(alert, view, evidence, moment):
                self._raised[alert.id] = alert  # the others have their turn first
                continue
            message = (
                f"{_what(alert.kind)} is observed again @ {self._site}" if alert.kind else _healed_message(alert, view)
            )
            yield alert.model_copy(update={"state": "healed", "message": message, "broken": (), "at": moment.wall})

    def _healed(self, alert: Alert, view: View, evidence: SiteEvidence, moment: Moment) -> bool:
        if not evidence.synced or alert.at == moment.wall:
            return False  # what is not known again yet has not healed
        if alert.kind is not None:
            return not is_cut_off(evidence) and alert.kind not in evidence.blind
        assert alert.resource is not None, "an alert is about a kind or a resource"
        return not any(
            breaks(edge, view) for edge in (*view.dependents(alert.resource).edges, *_selecting(view, alert))
        )

    def _blind_id(self, kind: KindId) -> str:
        return f"{self._site}:A503:{kind}"


def _takes_away(old: ResourceState, new: ResourceState) -> bool:
    """Something that others can need by name was there and is not: another object now, or a part less."""
    if old.uid != new.uid and old.uid and new.uid:
        return True
    relabelled = old.labels != new.labels or old.template_labels != new.template_labels
    stopped = old.facts.get("recurs") is True and new.facts.get("recurs") is False
    lost = any(not set(offered) <= set(new.parts.get(kind, ())) for kind, offered in old.parts.items())
    return relabelled or stopped or lost


def _selecting(view: View, alert: Alert) -> Iterator[Edge]:
    """The edges by selector that an alert names, as they are now: what is gone has none of its own any more."""
    for broken in alert.broken:
        state = view.find(broken.source)
        for reference in state.references if state is not None else ():
            if reference.selector is not None and reference.path == broken.path:
                yield Edge(broken.source, broken.target, reference)


def _distinct(edges: Iterable[Edge]) -> Iterator[Edge]:
    seen: set[tuple[ResourceId, str, str]] = set()
    for edge in edges:
        place = (edge.source, edge.reference.path, edge.reference.granule)
        if place not in seen:
            seen.add(place)
            yield edge


def _first(edges: Sequence[Edge]) -> Iterator[Edge]:
    return iter(sorted(edges, key=lambda edge: (edge.source, edge.reference.path))[:EDGES_NAMED_MAX])


def is_cut_off(evidence: SiteEvidence) -> bool:
    """Whether nothing at all of the site is observed, as when its API server does not answer."""
    return not evidence.observed and len(evidence.blind) > 1


def _what(kind: KindId) -> str:
    return "its whole application" if kind == EVERYTHING else kind


def _healed_message(alert: Alert, view: View) -> str:
    assert alert.resource is not None, "an alert is about a kind or a resource"
    key = ResourceKey.parse(alert.resource)
    name = f"{key.kind} {key.namespace}/{key.name}" if key.namespace else f"{key.kind} {key.name}"
    if view.find(alert.resource) is not None:
        return f"{name} @ {alert.site} serves its dependents again"
    return f"nobody needs {name} @ {alert.site} any more"


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"
