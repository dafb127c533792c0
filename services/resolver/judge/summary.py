"""The one line of a verdict that stands alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.counting import counted
from schemas.identity import ResourceId, SiteName, kind_of
from schemas.intents import Verb
from schemas.verdicts import Decision, Reason
from services.resolver.judge.delete import USERS_LOOKED_AT
from services.resolver.judge.findings import named
from services.resolver.judge.written import WrittenReason

CONTENT: Final = ("W314", "N317")  # what it holds goes, too, or stays
STILL_USED: Final = frozenset(("310", "311", "312"))


def summary_of(
    verb: Verb,
    resources: Sequence[ResourceId],
    site: SiteName,
    decision: Decision,
    reasons: Sequence[Reason | WrittenReason],
    steps_count: int,
    dependents_count: int = 0,
    only_words: bool = False,
) -> str:
    """`delete Secret shop/edge-ca @ lyon: still used by 2 resources`. `only_words`: who is of a set, or has a copy."""
    head = f"{verb} {what(resources)} @ {site}"
    if decision == "allow" and only_words and steps_count:
        return f"{head}: only its marks change here"
    if decision == "allow":
        return head + _why_allowed(verb, len(resources), site, reasons, steps_count, dependents_count)
    wanted = "deny" if decision == "deny" else "defer"
    blocking = [reason for reason in reasons if reason.severity == wanted]
    if blocking and all(reason.code[1:] in STILL_USED for reason in blocking):
        named_count = len({reason.resource for reason in blocking})
        if dependents_count > USERS_LOOKED_AT:  # not every one was looked at
            return f"{head}: still used: {dependents_count:,} dependents, of which {named_count} are named"
        return f"{head}: still used by {counted(named_count, 'resource')}"
    first = blocking[0].message if blocking else ""
    more = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
    return f"{head}: {first}{more}"


def what(resources: Sequence[ResourceId]) -> str:
    """`Secret shop/a`, `Secret shop/a and 3 more`, `4 resources`."""
    if not resources:
        return "intent"
    if len(resources) == 1:
        return named(resources[0])
    alike = len({kind_of(one) for one in resources}) == 1
    return f"{named(resources[0])} and {len(resources) - 1} more" if alike else counted(len(resources), "resource")


def _why_allowed(
    verb: Verb,
    count: int,
    site: SiteName,
    reasons: Sequence[Reason | WrittenReason],
    steps_count: int,
    dependents_count: int,
) -> str:
    if verb == "read":
        return ""
    if not steps_count:
        return ": nothing to do"
    if verb == "delete" and not any(reason.severity == "warning" or reason.code in CONTENT for reason in reasons):
        alone = count == 1 and steps_count == 1  # a cascade has more steps: its dependents go first
        if not alone:
            return f": {counted(steps_count, 'step')}"
        uses = "needs" if dependents_count else "depends on"  # what goes along needs nothing
        return f": nothing at {site} {uses} it"
    return f": {counted(steps_count, 'step')}" if steps_count > 1 else ""
