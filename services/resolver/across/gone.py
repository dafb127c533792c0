"""Sites that a person has said are gone for good (CHEOPS_GONE): the others are asked without them. Pure.

    scope, words of a set ──▶ without them ──▶ parts for the others ──▶ what they would be asked is left out, and said

Nobody decides for them: what they have stays as it is there (docs/adr/0039-gone-for-good.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from schemas.identity import SiteName
from schemas.scope.sites import part_without, site_names
from schemas.scope.tree import Scope
from schemas.verdicts import Reason, Verdict
from services.resolver.judge.ties import OF_OTHERS

LEFT_OUT: Final = "W511"
DECIDING: Final = tuple(f"D{number}" for number in OF_OTHERS)  # a policy says so: without it nothing tells why


def scope_without(scope: Scope, gone: Collection[SiteName]) -> Scope:
    """For those that are left. A part that names nobody else stays, and is said to name no site (D601)."""
    return Scope(tuple(part_without(part, gone) or part for part in scope.parts)) if gone else scope


def named_in(scope: Scope, gone: Collection[SiteName]) -> list[SiteName]:
    """Those that somebody wrote all the same."""
    return [name for name in site_names(scope) if name in gone]


def left_out(name: SiteName) -> Reason:
    """What is said of each of them."""
    message = f"{name} is left out: it is gone for good (CHEOPS_GONE); should it come back, what it has is as it was"
    return Reason(code=LEFT_OUT, severity="warning", message=message, site=name)


def told(verdict: Verdict, sites: Iterable[SiteName], gone: Collection[SiteName]) -> Verdict:
    """The same, saying who is left out instead of what becomes of what these have."""
    reasons = []
    named = dict.fromkeys(sites)
    for one in verdict.reasons:
        others = tuple(name for name in one.at if name not in gone)
        if one.code[1:] not in OF_OTHERS or one.at == others or one.code in DECIDING:
            reasons.append(one)
            continue
        named |= dict.fromkeys(name for name in one.at if name in gone)
        reasons += [one.model_copy(update={"at": others})] if others else []
    if not named:
        return verdict
    return verdict.model_copy(update={"reasons": (*reasons, *(left_out(name) for name in sorted(named)))})
