"""The one line of a verdict that stands alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.identity import ResourceId, kind_of
from schemas.verdicts import Decision, Reason, Step
from services.resolver.judge.case import Case
from services.resolver.judge.delete import USERS_LOOKED_AT
from services.resolver.judge.findings import counted, named

STILL_USED = frozenset(("310", "311", "312"))


def summary_of(
    case: Case, decision: Decision, reasons: Sequence[Reason], steps: Sequence[Step], dependents_count: int = 0
) -> str:
    """`delete Secret shop/edge-ca @ lyon: still used by 2 resources`."""
    head = f"{case.verb} {what([change.resource for change in case.changes])} @ {case.site}"
    if decision == "allow":
        return head + _why_allowed(case, reasons, steps)
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


def _why_allowed(case: Case, reasons: Sequence[Reason], steps: Sequence[Step]) -> str:
    if case.verb == "read":
        return ""
    if not steps:
        return ": nothing to do"
    if case.verb == "delete" and not any(reason.severity == "warning" for reason in reasons):
        alone = len(case.changes) == 1 and len(steps) == 1  # a cascade has more steps: its dependents go first
        return f": nothing at {case.site} depends on it" if alone else f": {counted(len(steps), 'step')}"
    return f": {counted(len(steps), 'step')}" if len(steps) > 1 else ""
