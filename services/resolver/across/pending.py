"""An update of replicas with a site that is not heard: done where it can be, and open for that site. Pure.

answers ──▶ those unheard that only miss an update ──▶ W503, the others commit
        ──▶ the site is back ──▶ it is asked alone ──▶ done there, overtaken by a newer update (A506), or denied

What is open stands in the verdict in force (its W503), so that a restart finds it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from msgspec import structs

from schemas.alerts import Alert
from schemas.identity import ResourceId, SiteName
from schemas.intents import Intent
from schemas.outcomes import Outcome
from schemas.peers import Part
from schemas.scope.tree import Scope
from schemas.ties import is_member, replicas_at
from schemas.verdicts import Reason, Verdict
from services.resolver.across.asking import LEAVES, STAY, Bringing
from services.resolver.across.gone import left_out
from services.resolver.desk import Desk
from services.resolver.graph.view import View
from services.resolver.intake import Intake
from services.resolver.judge.case import Change
from services.resolver.judge.findings import named
from services.resolver.judge.update import takes_away
from services.resolver.signals import Effect, Moment, SendAlert

PENDING: Final = "W503"
OVERTAKEN: Final = "N506"
WRITING: Final = ("create", "update", "apply")
AGAIN_S: Final = 30.0  # a site may be heard and still not answer


class Asking(Protocol):
    """What is needed of a round."""

    intent: Intent
    intake: Intake
    scope: Scope
    parts: dict[SiteName, Part]
    answers: dict[SiteName, Verdict]
    bringing: Bringing
    only: tuple[SiteName, ...]


@dataclass(slots=True)
class Open:
    """One intent that is done but for some sites. `done`: elsewhere."""

    intent: Intent
    sites: tuple[SiteName, ...]
    next_s: float = 0.0
    done: tuple[Outcome, ...] = ()


@dataclass(slots=True)
class Backlog:
    """What is open, by intent."""

    desk: Desk
    rows: dict[str, Open] = field(default_factory=dict)

    def put_off(self, asked: Asking, answers: Mapping[SiteName, Verdict], moment: Moment) -> tuple[Reason, ...]:
        """The sites that get an update when they return; none when it has to wait for them."""
        silent = [name for name, one in answers.items() if is_unheard(one)]
        if asked.intent.verb not in ("update", "apply") or len(silent) == len(answers):
            return ()
        if asked.intent.heal and any(part.options.rebalance for part in asked.scope.parts):
            return ()  # a share moves with the word of all that are counted
        if not silent or not all(self._only_misses_an_update(asked, name, moment) for name in silent):
            return ()
        if any(one.code[1:] == LEAVES for answer in answers.values() for one in answer.reasons):
            return ()  # who is of a set changes with everybody's word
        return tuple(open_for(name, answers[name]) for name in silent)

    def lost(
        self, asked: Asking, judged: Mapping[SiteName, Verdict], taken: Mapping[SiteName, Verdict], moment: Moment
    ) -> list[Effect]:
        """What is said of sites that stay different: an update is older than what is there, or `min` left them out."""
        effects, graph = overtaken(asked.intent, taken, moment), self.desk.graph
        for name in judged if asked.intent.verb in WRITING else ():
            there = ((one, graph.find(one.resource)) for one in asked.intake.changes if name not in taken)
            mine = tuple(one for one, state in there if state is not None and name in replicas_at(state))
            effects += behind(asked.intent, structs.replace(asked.intake, changes=mine), (name,), judged[name], moment)
        return effects

    def untold(self, asked: Asking, answers: Mapping[SiteName, Verdict]) -> tuple[Reason, ...]:
        """Sites that are to hear later that another one has left a set."""
        return tuple(open_for(*row) for row in asked.bringing.untold(asked.parts, answers).items())

    def departures(self, asked: Asking, pending: Sequence[Reason]) -> tuple[Reason, ...]:
        """What an open deletion has said of who stays: it is still to be told to those for whom it is open."""
        in_force = self.desk.docket.known(asked.intent.id) if asked.only and pending else None
        said = in_force.reasons if in_force is not None and asked.intent.verb == "delete" else ()
        return tuple(one.model_copy(update={"evidence": -1}) for one in said if one.code[1:] == STAY)

    def departed(self, intent: Intent, sites: Iterable[SiteName]) -> dict[SiteName, dict[ResourceId, list[SiteName]]]:
        """What of an open deletion these sites are to hear; nothing of what was made again meanwhile."""
        in_force = self.desk.docket.known(intent.id)
        told: dict[SiteName, dict[ResourceId, list[SiteName]]] = {}
        for reason in in_force.reasons if in_force is not None and intent.verb == "delete" else ():
            if reason.code[1:] != STAY or reason.resource is None:
                continue
            for name in (one for one in sites if one in reason.at):
                if not self._is_back(reason.resource, {reason.site, name}):
                    told.setdefault(name, {}).setdefault(reason.resource, []).append(reason.site)
        return told

    def _is_back(self, resource: ResourceId, sites: set[SiteName]) -> bool:
        """Whether what is here says that both are of one set again."""
        state = self.desk.graph.find(resource)
        return state is not None and is_member(state) and sites <= {*replicas_at(state)}

    def _only_misses_an_update(self, asked: Asking, name: SiteName, moment: Moment) -> bool:
        """All that it is to get is a replica that it has, as far as is known here; and nothing is taken away."""
        part, view = asked.parts[name], self.desk.graph  # as it was before: what is held here lies over the view
        if part.verb == "delete" or (part.brings and not part.heal) or part.marks:
            return False
        changes = self.desk.hearing.take_in(part, moment).changes
        return len(changes) == len(part.manifests) + len(part.brings) > 0 and all(
            only_misses_an_update(view, name, one) for one in changes
        )

    def keep(self, intent: Intent, reasons: Sequence[Reason], now_s: float, done: Iterable[Outcome] = ()) -> None:
        """The verdict with these is in force: open for the sites that it names, or for none any more."""
        sites = tuple(one.site for one in reasons if one.code == PENDING)
        if not sites:
            self.rows.pop(intent.id, None)
        else:
            is_back = any(self.desk.neighbours.reachable(name, now_s) for name in sites)  # since it was asked
            self.rows[intent.id] = Open(intent, sites, now_s + (0.0 if is_back else AGAIN_S), tuple(done))

    def close(self, intent_id: str) -> None:
        """It is taken back where it was done: nobody else gets it."""
        self.rows.pop(intent_id, None)

    def note(self, intent_id: str, done: tuple[Outcome, ...]) -> None:
        """What has been done for it at the other sites, all of it."""
        if intent_id in self.rows:
            self.rows[intent_id].done = done

    def recover(
        self, verdicts: Mapping[str, Verdict], intents: Mapping[str, Intent], outcomes: Mapping[str, Sequence[Outcome]]
    ) -> None:
        """After a restart: what the verdicts in force say is open."""
        for intent_id, verdict in verdicts.items():
            intent = intents.get(intent_id)
            if intent is not None and intent.entry is None and verdict.decision == "allow":
                self.keep(intent, verdict.reasons, 0.0, outcomes.get(intent_id, ()))

    def due(self, now_s: float, site: SiteName | None = None) -> list[Open]:
        """What is to be tried again now; `site`: it is heard again."""
        near = self.desk.neighbours
        due = [one for one in self.rows.values() if site in one.sites or (site is None and now_s >= one.next_s)]
        found = [one for one in due if any(near.reachable(name, now_s) for name in one.sites)]
        for one in found:
            one.next_s = now_s + AGAIN_S
        return found


def overtaken(intent: Intent, answers: Mapping[SiteName, Verdict], moment: Moment) -> list[Effect]:
    """The loser of two updates at both sides of a cut is recorded."""
    lost: dict[ResourceId, tuple[SiteName, str]] = {}
    for name, verdict in answers.items():
        for one in verdict.reasons:
            if one.code[1:] == OVERTAKEN[1:] and one.resource is not None:  # the letter is the policy's
                lost.setdefault(one.resource, (name, one.message))
    return [
        SendAlert(
            Alert(
                id=f"{intent.site}:A506:{resource}:{intent.id}",
                code="A506",
                state="raised",
                site=intent.site,
                message=f"the update of {named(resource)} by intent {intent.id} is lost: at {name}, {message}",
                resource=resource,
                cause=intent.id,
                at=moment.wall,
            )
        )
        for resource, (name, message) in lost.items()
    ]


def lost_since(asked: Asking) -> bool:
    """What is open for a site is an update of what it has: what is not there any more is not made again there.

    True when an answer says so of something that was not known to be gone; it is then.
    """
    is_new = False
    for name, answer in asked.answers.items() if asked.only else ():
        lost = {one.resource for one in answer.plan if one.preconditions.absent and one.action != "delete"}
        known = asked.bringing.gone.setdefault(name, set())
        is_new = is_new or not lost <= known
        known |= lost
    return is_new


def nothing_left(name: SiteName) -> Reason:
    """Of a site for which it was open."""
    return Reason(code=OVERTAKEN, severity="note", message=f"{name} has nothing of it any more", site=name)


def moot(verdict: Verdict) -> Verdict:
    """The sites for which it was open have nothing of the set any more: it was deleted there since."""
    reasons = tuple(nothing_left(one.site) if one.code == PENDING else one for one in verdict.reasons)
    return verdict.model_copy(update={"reasons": reasons, "plan": ()})


def without_gone(verdict: Verdict, gone: Collection[SiteName]) -> Verdict:
    """What is in force, open for nobody who is gone for good."""
    reasons = (left_out(one.site) if one.code == PENDING and one.site in gone else one for one in verdict.reasons)
    return verdict.model_copy(update={"reasons": tuple(reasons), "plan": ()})


def behind(intent: Intent, intake: Intake, sites: Iterable[SiteName], verdict: Verdict, moment: Moment) -> list[Effect]:
    """A site that was away does not allow what was done at the others: its replicas differ, and that is said."""
    return [
        SendAlert(
            Alert(
                id=f"{intent.site}:A504:{resource}:{name}",
                code="A504",
                state="raised",
                site=intent.site,
                message=f"{named(resource)} @ {name} is not what intent {intent.id} declared: {verdict.summary}",
                resource=resource,
                sites=(name,),
                cause=intent.id,
                at=moment.wall,
            )
        )
        for name in sites
        for resource in dict.fromkeys(one.resource for one in intake.changes)
    ]


def only_misses_an_update(view: View, name: SiteName, change: Change) -> bool:
    """Whether a site has the replica, as far as is known here, and nothing is taken away from it.

    Who is of a set changes with everybody's word only.
    """
    state, after = view.find(change.resource), change.after
    if state is None or after is None or not is_member(state):
        return False
    sites = {*replicas_at(state)}
    return name in sites and sites == {*replicas_at(after)} and not takes_away(view, change)


def open_for(name: SiteName, verdict: Verdict) -> Reason:
    """It is done elsewhere, and open for this site."""
    return Reason(code=PENDING, severity="warning", message=f"pending at {name}: {_why(verdict)}", site=name)


def is_unheard(verdict: Verdict) -> bool:
    """Nobody there has judged it."""
    blocking = {one.code for one in verdict.reasons if one.severity in ("deny", "defer")}
    return verdict.decision == "defer" and blocking == {"F501"} and verdict.evidence[0].epoch == 0


def _why(verdict: Verdict) -> str:
    return next((one.message for one in verdict.reasons if one.code == "F501"), verdict.summary)
