"""What one asking of several sites has found out so far: what is brought, deleted and marked besides. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from schemas.identity import ResourceId, SiteName
from schemas.intents import Intent, Mark
from schemas.peers import Part
from schemas.scope.tree import Scope
from schemas.verdicts import Verdict
from services.resolver.across.sets import Told
from services.resolver.across.supply import Supplies
from services.resolver.judge.case import Problem
from services.resolver.judge.findings import named
from services.resolver.placing import Alternative
from services.resolver.signals import Want

STAY: Final = "340"
COPIES: Final = "341"
LEFT_BEHIND: Final = "342"
LEAVES: Final = "343"
FOLLOWS: Final = "344"
Body = dict[str, Any]


class Asking(Protocol):
    """What is needed of a round."""

    intent: Intent
    scope: Scope
    number: int
    parts: dict[SiteName, Part]
    answers: dict[SiteName, Verdict]
    deadline_s: float
    bringing: Bringing

    @property
    def bundle(self) -> Mapping[ResourceId, Body]:
        """The manifests of the intent by what they are called here."""

    @property
    def way(self) -> Alternative:
        """How the scope is read."""


@dataclass(slots=True)
class Bringing:
    """What this asking has found out so far, over all its rounds in one way.

    wanted    being fetched now     deletes   copies of what is deleted, by site     unmarks   originals to be told
    leaving   replicas and parts at sites that a new scope leaves out
    sets      where those are of which a site has said that the scope leaves out others
    departed  sites that stay in a set → what of it, and which sites leave it
    gone      sites for which it was open → what of it they have lost meanwhile
    left_out  sites that are gone for good and would be asked
    """

    supplies: Supplies = field(default_factory=Supplies)
    wanted: tuple[Want, ...] = ()
    deletes: dict[SiteName, list[ResourceId]] = field(default_factory=dict)
    unmarks: dict[SiteName, dict[ResourceId, list[SiteName]]] = field(default_factory=dict)
    leaving: dict[SiteName, list[ResourceId]] = field(default_factory=dict)
    sets: Told = field(default_factory=Told)
    departed: dict[SiteName, dict[ResourceId, list[SiteName]]] = field(default_factory=dict)
    gone: dict[SiteName, set[ResourceId]] = field(default_factory=dict)
    left_out: dict[SiteName, None] = field(default_factory=dict)

    @property
    def problems(self) -> list[Problem]:
        """What cannot be brought (D610)."""
        return list(self.supplies.problems.values())

    def marks_at(self, name: SiteName, bundle: Container[ResourceId]) -> tuple[Mark, ...]:
        """The words to be written on what a site has; what the bundle brings carries them from the start."""
        words: dict[str, Mapping[ResourceId, Sequence[SiteName]]] = {
            "add": {one: to for one, to in self.supplies.marks.get(name, {}).items() if one not in bundle},
            "joins": self.supplies.joined_at(name),
            "remove": self.unmarks.get(name, {}),
            "leaves": self.departed.get(name, {}),
        }
        resources = dict.fromkeys(one for row in words.values() for one, sites in row.items() if sites)
        return tuple(
            Mark(
                resource=one,
                seen=self.supplies.seen.get((name, one), ""),
                **{what: tuple(row[one]) for what, row in words.items() if row.get(one)},
            )
            for one in resources
        )

    def untold(self, parts: Mapping[SiteName, Part], answers: Mapping[SiteName, Verdict]) -> dict[SiteName, Verdict]:
        """Sites that stay in a set, cannot be told now who leaves it, and wait for no intent: nobody waits for them."""
        return {
            name: one
            for name, one in answers.items()
            if name in self.departed
            and one.decision != "allow"
            and not (parts[name].resources or parts[name].manifests)
            and all(mark.leaves and not mark.remove for mark in parts[name].marks)
            and not any(wait.intent for wait in one.waits_for)
        }

    def torn(self, parts: Mapping[SiteName, Part]) -> list[Problem]:
        """A site that is to lose one thing and to get another in one intent: nothing of one part can be both (D600)."""
        getting = {*self.supplies.brought, *(name for name, part in parts.items() if part.manifests)}
        return [is_torn(resources[0], name) for name, resources in self.leaving.items() if name in getting]


def told_of(verdict: Verdict, number: str) -> list[tuple[ResourceId, tuple[SiteName, ...]]]:
    """What a site says of a resource and others, by the number of the finding."""
    return [(one.resource, one.at) for one in verdict.reasons if one.code[1:] == number and one.resource is not None]


def is_torn(resource: ResourceId, name: SiteName) -> Problem:
    """What is said of such a site."""
    message = f"{named(resource)} is to leave {name}, which gets something else: say that in an intent of its own"
    return Problem("D600", message, resource)
