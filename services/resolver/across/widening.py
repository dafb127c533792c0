"""A denial because what is needed is elsewhere → the smallest changes to the scope that could make it an allow. Pure.

Each is tried before it is offered: offline by judging it, live by asking all sites without holding anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.identity import ResourceId, ResourceKey, kind_of
from schemas.scope.parse import parse_scope
from schemas.scope.printing import print_scope, print_selector
from schemas.scope.tree import Scope
from schemas.verdicts import Reason, Remedy, Verdict
from services.resolver.intake import Intake
from services.resolver.judge.findings import named

ELSEWHERE = "D113"


@dataclass(frozen=True, slots=True)
class Widening:
    """A scope to try, and what it would do."""

    scope: str
    effect: str

    def remedy(self, verb: str) -> Remedy:
        """To be offered when it works."""
        return Remedy(command=f"cheops {verb} -f FILE --scope '{self.scope}'", effect=self.effect)


@dataclass(slots=True)
class Trial:
    """A denied intent whose remedy is looked for. `left`: not tried yet, the smallest first."""

    verdict: Verdict
    intake: Intake
    left: list[Widening] = field(default_factory=list)
    trying: Widening | None = None

    def offered(self) -> Verdict:
        """The denial with what was tried, and would work, as its first remedy."""
        assert self.trying is not None, "a trial tries something"
        offer = self.trying.remedy(self.verdict.verb)
        return self.verdict.model_copy(update={"remedies": (offer, *self.verdict.remedies)})


def widenings(said: str | Scope, verdict: Verdict) -> list[Widening]:
    """The smallest first: shared from where it is; else the same at both. None where anything else is wrong, too.

    `said`: as it was written; else what no scope means, which is not to be narrowed.
    """
    scope = said if isinstance(said, str) else print_scope(said)
    if not isinstance(said, str) and len({print_selector(one.selector) for one in said.parts}) < len(said.parts):
        return []  # the language has no namespaces: one of the same name would be taken for the other
    denials = [one for one in verdict.reasons if one.severity == "deny"]
    missing = list(dict.fromkeys(one.resource for one in denials if one.resource is not None))
    if verdict.decision != "deny" or verdict.verb in ("delete", "read") or not missing:
        return []
    if any(one.code != ELSEWHERE or not one.at for one in denials):
        return []
    shared, both = (_scope(scope, missing, denials, whole) for whole in (False, True))
    names = ", ".join(map(named, missing))
    brought = Widening(both, f"bring the same along: {names}")
    if all(kind_of(one) == "Namespace" for one in missing):
        return [brought]
    return [Widening(shared, f"share it from where it is: {names}"), brought]


def _scope(scope: str, missing: list[ResourceId], denials: list[Reason], whole: bool) -> str:
    parts = []
    for resource in missing:
        key = ResourceKey.parse(resource)
        mine = [one for one in denials if one.resource == resource]
        users = [one.site for one in mine] if whole or key.kind == "Namespace" else []
        places = dict.fromkeys((*(one.at[0] for one in mine[:1]), *users))
        parts.append(f"{_selector(key)}/{key.name}: {' & '.join(places)}")
    says_more = any(one.selector is not None for one in parse_scope(scope).parts)  # the first that selects it wins
    return ", ".join((*parts, scope) if says_more else (scope, *parts))


def _selector(key: ResourceKey) -> str:
    return f"{key.kind.lower()}.{key.group}" if key.group and "." in key.group else key.kind.lower()
