"""What is not as it was declared, and when it is again: replicas, parts and copies that were changed past us. Pure.

    state that says what differs, a member that is gone or has lost its words ──▶ a moment later still so ──▶ A507
        ──▶ equal again, or done by an intent: healed
    raised across sites (A504, A506) ──▶ a later update of the same ──▶ healed

Each site sees its own by its own watcher, and asks nobody. What was declared stands on the object (its declaration).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Final

from schemas.alerts import Alert
from schemas.events import ResourceState
from schemas.identity import KindId, ResourceId, ResourceKey, SiteName, kind_of
from schemas.ties import DRIFT_FACT, declared, drift, first_stamp, is_declared, replicas_at, shared_from, shared_to
from schemas.verdicts import Verdict
from services.resolver.evidence import SiteEvidence
from services.resolver.graph.changed import Changed
from services.resolver.graph.view import View
from services.resolver.holds import Holds
from services.resolver.judge.findings import named
from services.resolver.judge.ties import OVERTAKEN
from services.resolver.judge.written import WrittenVerdict
from services.resolver.originals import Originals
from services.resolver.signals import Effect, Moment, SendAlert, StoreVerdict

CODE: Final = "A507"
OLDER: Final = "A508"
OF_UPDATES: Final = ("A504", "A506", OLDER)
SETTLE_S: Final = 1.0  # a person's next command may put it back, and our own write may be seen before its outcome
CHECK_S: Final = 0.25
LOOK_MAX: Final = 128  # suspicions, and raised alerts, that are looked at in one step: some milliseconds
SUSPICIONS_MAX: Final = 50_000
RAISED_MAX: Final = 10_000
NAMESPACE: Final = KindId("Namespace")


@dataclass(frozen=True, slots=True)
class _Suspicion:
    due_s: float
    cause: str
    sites: tuple[SiteName, ...]
    is_original: bool = False


class Drifts:
    """Of one site. `is_open`: whether an intent is still to be done at some site."""

    def __init__(self, site: SiteName, holds: Holds) -> None:
        self._site, self._holds = site, holds
        self.originals = Originals(site, holds.made)
        self.is_open: Callable[[str], bool] = lambda _: False
        self._suspicions: dict[ResourceId, _Suspicion] = {}
        self._raised: dict[str, Alert] = {}
        self._settled: set[ResourceId] = set()  # raised, and an intent has done something about them since
        self._deleted: set[ResourceId] = set()  # and this is what
        self._taken: set[ResourceId] = set()  # namespaces that intents have deleted: what was in them is told later
        self._next_check_s = 0.0

    def recover(self, alerts: Iterable[Alert]) -> None:
        """What was raised before a restart and has not healed."""
        for alert in (one for one in alerts if one.code in (CODE, *OF_UPDATES)):
            if alert.state == "raised":
                self._raised[alert.id] = alert
            else:
                self._raised.pop(alert.id, None)

    def sites_of(self, resource: ResourceId) -> tuple[SiteName, ...]:
        """The other sites to which something belonged that has drifted so far that it does not say so itself."""
        raised = self._raised.get(self._id(resource))
        return raised.sites if raised is not None else ()

    # ── what happens ────────────────────────────────────────────────────────────────────────────────────────────────

    def observe(self, changed: Changed, cause: str, now_s: float) -> None:
        """A resource changed; asked before what is in flight is told of it."""
        new = changed.new
        if new is None and kind_of(changed.resource) == NAMESPACE and self._holds.made(changed):
            self._taken.update((changed.resource,) if len(self._taken) < SUSPICIONS_MAX else ())
        if new is not None and DRIFT_FACT in new.facts:
            self.suspect(new, cause, now_s)
        elif changed.may_take_away and (new is None or not is_declared(new)):
            old = changed.old
            is_shared = old is not None and new is None and bool(shared_to(old))
            if old is not None and (is_declared(old) or is_shared) and not self._is_ours(changed):
                self.suspect(old, cause, now_s)

    def suspect(self, state: ResourceState, cause: str, now_s: float) -> None:
        """It differs, or may: it is looked at again a moment later."""
        if len(self._suspicions) < SUSPICIONS_MAX:
            origin = shared_from(state)
            copies = () if is_declared(state) else shared_to(state)
            sites = replicas_at(state) or ((origin,) if origin is not None else copies)
            others = tuple(one for one in sites if one != self._site)
            self._suspicions.setdefault(state.resource, _Suspicion(now_s + SETTLE_S, cause, others, bool(copies)))

    def _is_ours(self, changed: Changed) -> bool:
        """An intent does it or has done it, or takes away what it lives in."""
        return self._holds.made(changed) or self._holds.is_under_way(_around(changed.resource))

    def _went_along(self, view: View, resource: ResourceId) -> bool:
        """An intent has taken away what it lived in, which is not there again; or does so."""
        around = _around(resource)
        return (around in self._taken and view.find(around) is None) or self._holds.deletes(around)

    def heed(self, effects: list[Effect]) -> list[Effect]:
        """The same. What an intent does is nobody's drift any more; what another room raises is noted."""
        older: list[Effect] = []
        for one in effects:
            if isinstance(one, StoreVerdict) and self._raised and one.verdict.decision == "allow":
                ours = {resource for resource in one.verdict.targets if self._id(resource) in self._raised}
                self._settled.update(ours if one.verdict.verb != "read" else ())
                self._deleted.update(ours if one.verdict.verb == "delete" else ())
            elif isinstance(one, StoreVerdict) and one.verdict.decision == "deny":
                older += map(SendAlert, self._older(one.verdict))
            elif isinstance(one, SendAlert):
                self._note(one.alert)
        return [*effects, *older] if older else effects

    def _older(self, verdict: Verdict | WrittenVerdict) -> Iterator[Alert]:
        """A copy may not follow its original."""
        place = self.originals.copy_of(verdict.intent)
        if place is None:
            return
        resource, name = place
        alert = Alert(
            id=f"{self._site}:{OLDER}:{resource}:{name}",
            code=OLDER,
            state="raised",
            site=self._site,
            message=f"the copy of {named(resource)} @ {name} is older than the original: {verdict.summary}",
            resource=resource,
            sites=(name,),
            cause=verdict.intent,
            at=verdict.decided_at,
        )
        if alert.id not in self._raised:
            self._note(alert)
            yield alert

    def _note(self, alert: Alert) -> None:
        if alert.code in OF_UPDATES and alert.state == "raised" and len(self._raised) < RAISED_MAX:
            self._raised[alert.id] = alert

    def worked(self, verdict: Verdict, moment: Moment) -> list[Alert]:
        """An update that was entered here is done: at all sites of its set, unless it is open for some, or was lost."""
        if verdict.verb == "read" or self.is_open(verdict.intent):
            return []
        others = [one for one in self._raised.values() if one.code in OF_UPDATES and one.cause != verdict.intent]
        lost = {one.resource for one in verdict.reasons if one.code[1:] == OVERTAKEN[1:]}
        mine = [one for one in others if one.resource in verdict.targets and one.resource not in lost]
        return [self._end(one, f"intent {verdict.intent} is done at all sites", moment) for one in mine]

    # ── as time passes ──────────────────────────────────────────────────────────────────────────────────────────────

    def due(self, view: View, evidence: SiteEvidence, moment: Moment) -> list[Alert]:
        """Alerts that are due now, raised and healed."""
        if moment.monotonic_s < self._next_check_s:
            return []
        many = max(len(self._suspicions), len(self._raised)) > LOOK_MAX
        self._next_check_s = moment.monotonic_s + (0.0 if many else CHECK_S)
        self._taken -= {
            one for one in self._taken if view.find(one) is not None
        }  # who deletes them again is asked anew
        return [*self._raise(view, moment), *(self._heal(view, moment) if evidence.synced else ())]

    def _raise(self, view: View, moment: Moment) -> Iterator[Alert]:
        due = takewhile(lambda one: self._suspicions[one].due_s <= moment.monotonic_s, self._suspicions)  # oldest first
        for resource in [*islice(due, LOOK_MAX)]:
            suspicion = self._suspicions.pop(resource)
            why = self._differs(view, resource, suspicion)
            if not why or self._id(resource) in self._raised or len(self._raised) >= RAISED_MAX:
                continue
            alert = Alert(
                id=self._id(resource),
                code=CODE,
                state="raised",
                site=self._site,
                message=f"{named(resource)} @ {self._site} is not what was declared: {why}",
                resource=resource,
                sites=suspicion.sites,
                cause=suspicion.cause,
                at=moment.wall,
            )
            self._raised[alert.id] = alert
            yield alert

    def _differs(self, view: View, resource: ResourceId, suspicion: _Suspicion) -> str:
        state = view.find(resource)
        if state is None and (self._went_along(view, resource) or self._holds.deletes(resource)):
            return ""
        if suspicion.is_original:
            stay = f"its copies at {', '.join(suspicion.sites)} stay as they are until it is there again"
            return "" if state is not None else f"it is gone, and no intent has deleted it; {stay}"
        if state is None:
            return "it is gone, and no intent has deleted it"
        if not is_declared(state) and not drift(state):
            return "the words that tie it to other sites are gone"
        return drift(state)

    def _heal(self, view: View, moment: Moment) -> Iterator[Alert]:
        for alert in [*islice(self._raised.values(), LOOK_MAX)]:
            self._raised[alert.id] = self._raised.pop(alert.id)  # the others have their turn first
            why = self._ended(view, alert) if alert.at != moment.wall else ""
            if why:
                yield self._end(alert, why, moment)

    def _ended(self, view: View, alert: Alert) -> str:
        """Why an alert is over; "" while it is not."""
        assert alert.resource is not None, "raised about a resource"
        if alert.code in OF_UPDATES and alert.sites and self.originals.gone >= {*alert.sites}:
            return f"{', '.join(alert.sites)} is gone for good (CHEOPS_GONE)"
        state, what = view.find(alert.resource), f"{named(alert.resource)} @ {self._site}"
        if alert.code == OLDER:
            is_shared = state is not None and {*alert.sites} <= {*shared_to(state)}
            return "" if is_shared else f"{what} is not shared to {', '.join(alert.sites)} any more"
        if alert.code != CODE:
            stamp, declarer = declared(state) if state is not None else (0, "")
            is_later = stamp > first_stamp(alert.at) and declarer != alert.cause and not self.is_open(declarer)
            return f"{what} was declared anew by intent {declarer}" if is_later else ""
        is_settled = alert.resource in self._settled
        if state is None:
            is_deleted = alert.resource in self._deleted and not self._holds.holds(alert.resource)
            is_deleted = is_deleted or self._went_along(view, alert.resource)
            return f"{what} was deleted by an intent" if is_deleted else ""
        if drift(state) or not (is_declared(state) or is_settled):
            return ""
        return f"{what} is what was declared again"

    def _end(self, alert: Alert, why: str, moment: Moment) -> Alert:
        del self._raised[alert.id]
        if alert.code == CODE and alert.resource is not None:
            self._settled.discard(alert.resource)
            self._deleted.discard(alert.resource)
        return alert.model_copy(update={"state": "healed", "message": why, "at": moment.wall})

    def _id(self, resource: ResourceId) -> str:
        return f"{self._site}:{CODE}:{resource}"


def _around(resource: ResourceId) -> ResourceId:
    """The namespace that it lives in; itself when it lives in none."""
    namespace = ResourceKey.parse(resource).namespace
    return ResourceKey("", NAMESPACE, "", namespace).id if namespace else resource
