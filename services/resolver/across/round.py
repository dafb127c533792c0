"""One asking of the sites in an intent's scope, and what is to be said of their answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.identity import ResourceId, SiteName
from schemas.intents import Intent
from schemas.peers import Part
from schemas.scope.tree import Scope
from schemas.verdicts import Remedy, Verdict
from services.resolver.across.asking import Bringing
from services.resolver.across.healing import Healing
from services.resolver.across.reading import Reading
from services.resolver.across.widening import Trial
from services.resolver.coordinate import not_taken
from services.resolver.intake import Intake
from services.resolver.placing import Alternative

SITE_OPTION: Final = re.compile(r" --site \S+")


@dataclass(slots=True)
class Round:
    """One asking. `failed`: the ways that were tried before this one, with what was said of them."""

    intent: Intent
    intake: Intake
    scope: Scope
    ways: Sequence[Alternative]
    number: int
    age: int
    begun_s: float
    place: int = 0
    parts: dict[SiteName, Part] = field(default_factory=dict)
    answers: dict[SiteName, Verdict] = field(default_factory=dict)
    holding: set[SiteName] = field(default_factory=set)
    deadline_s: float = 0.0
    failed: list[tuple[Alternative, Verdict]] = field(default_factory=list)
    bringing: Bringing = field(default_factory=Bringing)
    healing: Healing = field(default_factory=Healing)
    trial: Trial | None = None
    original: Intent | None = None  # what was asked, when this is a trial
    only: tuple[SiteName, ...] = ()  # of an intent that is done but for these: they alone are asked
    since: int = 0  # of one that has waited: when it was entered
    declared: int = 0  # when it was done at the others; else it is later than all that is there
    is_stale: bool = False  # a site that has answered would answer differently now

    @property
    def way(self) -> Alternative:
        """How the scope is read in this asking."""
        return self.ways[self.place]

    @property
    def bundle(self) -> Mapping[ResourceId, dict[str, Any]]:
        """The manifests of the intent by what they are called here."""
        return self.intake.manifests

    @property
    def silent(self) -> list[SiteName]:
        """Who has not answered."""
        return [name for name in self.parts if name not in self.answers]

    def best_of_failed(self, entry: SiteName) -> Verdict:
        """What is said when no way was allowed: a choice that is only unknown may still come true, a denial may not."""
        best = next((row for row in self.failed if row[1].decision == "defer"), self.failed[0])
        return not_taken(best[1], [row for row in self.failed if row is not best], entry)

    def misfit(self, sender: SiteName, verdict: Verdict) -> str:
        """Why a verdict cannot be the sender's answer to what it was asked; empty when it can."""
        part = self.parts[sender]
        if verdict.intent != part.id or verdict.site != sender or verdict.verb != part.verb:
            return f"verdict: {verdict.verb} {verdict.intent!r} at {verdict.site!r} (expected the part that was asked)"
        if verdict.decision != "allow":
            return ""
        ids = [step.id for step in verdict.plan]
        foreign = [
            one
            for one in verdict.plan
            if one.site != sender or (one.action != "annotate" and (one.action == "delete") != (part.verb == "delete"))
        ]
        if foreign or len(set(ids)) < len(ids) or not {one for step in verdict.plan for one in step.after} <= set(ids):
            return f"plan: steps {', '.join(ids)[:100]} (expected steps at {sender}, after each other)"
        own = [one for one in verdict.evidence if one.site == sender and one.fresh]
        return "" if own and len(own) == len(verdict.evidence) else "evidence: none of its own that is fresh"


def next_trial(reading: Reading, intent: Intent, trial: Trial, number: int, now_s: float) -> Round | None:
    """The asking that tries the next wider scope, as a preview; None when there is none left."""
    while trial.left:
        trial.trying = trial.left.pop(0)
        read = reading.wider(trial.trying.scope)
        if read is not None:
            asking = intent.model_copy(update={"preview": True, "scope": trial.trying.scope})
            return Round(asking, trial.intake, *read, number, number, now_s, trial=trial, original=intent)
    return None


def going_on(ways: Sequence[Alternative], done: Container[SiteName]) -> Sequence[Alternative]:
    """Of a choice, the ways that hold the sites where it was begun: it is not done at others, too."""
    begun = {name for way in ways for name in way.sites if name in done}
    return [way for way in ways if begun <= {*way.sites}] or ways


def for_all(remedies: Sequence[Remedy], intent: Intent) -> tuple[Remedy, ...]:
    """What one site offers to do instead of what was asked is to be asked of all sites."""
    made: dict[str, Remedy] = {}
    for one in remedies:
        command = one.command
        if command.startswith(f"cheops {intent.verb} "):
            where = f" --scope '{intent.scope.strip()}'" if intent.scope.strip() else ""
            command = SITE_OPTION.sub(f" --site {intent.site}{where}", command)
        made.setdefault(command, one.model_copy(update={"command": command}))
    return tuple(made.values())
