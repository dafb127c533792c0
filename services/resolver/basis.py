"""Case and holds ↔ the basis that is stored with a verdict; and the decision run again from it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from itertools import starmap
from typing import Any, Final, cast

import msgspec

from schemas.basis import Basis, ChangeRecord, InFlightRecord, ProblemRecord
from schemas.identity import KindId
from schemas.intents import Override
from schemas.verdicts import Action, Verdict
from services.resolver.graph.in_flight import InFlightView
from services.resolver.graph.view import View
from services.resolver.judge.case import Case, Change, Problem
from services.resolver.judge.decide import decide
from services.resolver.judge.demand import Demand
from services.resolver.judge.policy import Policy

ASKED: Final[dict[str, Any]] = {"demand": Demand, "had": Demand, "beyond": dict[str, str], "anew": bool}  # of a Change


def basis_of(case: Case, judged: View) -> Basis:
    """Everything that the decision on `judged` rested on, besides what the site's events tell."""
    in_flight = judged.consulted() if isinstance(judged, InFlightView) else ()
    return Basis(
        schema="basis/v1",
        expires_at=case.expires_at,
        bound_s=case.bound_s,
        changes=tuple(map(record_of, case.changes)),
        problems=tuple(ProblemRecord(one.code, one.message, one.resource, one.waits_for) for one in case.problems),
        in_flight=tuple(starmap(InFlightRecord, in_flight)),
        cascade=case.cascade,
        overrides=tuple((one.code, one.reason) for one in case.overrides),
        elsewhere=dict(case.elsewhere),
        together=case.together,
    )


def record_of(change: Change) -> ChangeRecord:
    """A change as it is stored."""
    asked = {name: value for name in ASKED if (value := getattr(change, name))}
    return ChangeRecord(
        change.resource,
        change.action,
        change.version,
        change.after,
        change.unchanged,
        change.refused,
        change.fixed,
        change.forced,
        msgspec.to_builtins(asked) if asked else {},
    )


def change_of(record: ChangeRecord) -> Change:
    """The change that was stored."""
    asked = {name: msgspec.convert(value, ASKED[name]) for name, value in record.asked.items() if name in ASKED}
    return Change(
        record.resource,
        cast(Action, record.action),
        record.version,
        record.after,
        record.unchanged,
        record.refused,
        record.fixed,
        record.forced,
        **asked,
    )


def decide_again(
    verdict: Verdict,
    basis: Basis,
    observed: View,
    policy: Policy,
    sources_of: Callable[[KindId], frozenset[KindId]],
) -> Verdict:
    """The same decision on `observed`, the site at the verdict's cursor; equal bytes prove the verdict."""
    case = Case(
        intent=verdict.intent,
        verb=verdict.verb,
        site=verdict.site,
        changes=tuple(map(change_of, basis.changes)),
        evidence=verdict.evidence[0],
        expires_at=basis.expires_at,
        bound_s=basis.bound_s,
        cascade=basis.cascade,
        overrides=tuple(Override(code=code, reason=reason) for code, reason in basis.overrides),
        problems=tuple(Problem(one.code, one.message, one.resource, one.waits_for) for one in basis.problems),
        preview=verdict.preview,
        revision=verdict.revision,
        since=verdict.since,
        decided_by=verdict.decided_by,
        elsewhere=basis.elsewhere,
        together=basis.together,
    )
    rows = [(one.resource, one.intent, one.state) for one in basis.in_flight]
    view = InFlightView(observed, rows, verdict.intent) if rows else observed
    return decide(case, view, policy, verdict.decided_at, sources_of)
