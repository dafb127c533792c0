"""Intent → case → verdict, at one site, with what is known at that moment. Pure.

`take_in` makes the intent concrete, `case` adds the evidence, `judge` decides. Nothing is remembered here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from traceback import extract_tb
from typing import Any, Final

from msgspec import structs

from schemas.events import ServedKind
from schemas.identity import IdentityError, KindId, ResourceId, ResourceKey, SiteName
from schemas.intents import BOUND_DEFAULT_S, Intent
from schemas.kinds import Surface
from schemas.rehearsals import Rehearsal
from schemas.relations.extract import Extractor
from schemas.relations.kind_facts import KindFacts
from schemas.relations.loader import Catalogue
from schemas.verdicts import Evidence, Verdict
from services.resolver.evidence import SiteEvidence
from services.resolver.graph.store import Graph
from services.resolver.graph.view import View
from services.resolver.intake import Intake, take_in
from services.resolver.judge.case import Case, Change, Problem
from services.resolver.judge.decide import decide
from services.resolver.judge.policy import Policy
from services.resolver.signals import Moment

EMPTY: Final = Graph(SiteName(""))
DEFECT: Final = "a defect of the resolver"
Elsewhere = Mapping[ResourceId, tuple[SiteName, ...]]


@lru_cache(maxsize=4)
def extractor_of(catalogue: Catalogue, served: tuple[ServedKind, ...]) -> Extractor:
    """Made once for a surface: each listing says it again, and it is the same nearly always."""
    return Extractor(catalogue, Surface(served))


class Hearing:
    """How intents are heard at one site: its catalogue, its policy, the kinds that it serves now."""

    def __init__(self, evidence: SiteEvidence, catalogue: Catalogue, policy: Policy, decided_by: str) -> None:
        self.site: SiteName = evidence.site
        self._evidence = evidence
        self._catalogue = catalogue
        self._policy = policy
        self.decided_by = decided_by
        self.is_plain = policy == Policy()  # the tables are in force as they are
        self._extractor = extractor_of(catalogue, ())

    def rule_by(self, catalogue: Catalogue) -> None:
        """These rules are in force from now on."""
        self._catalogue = catalogue
        self._extractor = extractor_of(catalogue, tuple(self._evidence.surface.served.values()))

    def divides(self, kind: KindId) -> tuple[str, ...]:
        """The paths of the numbers by which objects of a kind are divided over sites."""
        return self._catalogue.divides(kind)

    def serve(self, surface: Surface) -> None:
        """The site serves these kinds from now on."""
        self._extractor = extractor_of(self._catalogue, tuple(surface.served.values()))

    def take_in(self, intent: Intent, moment: Moment) -> Intake:
        """Names and manifests made concrete; what is wrong with the intent itself is among the problems."""
        try:
            intake = take_in(intent, self.site, self._evidence.surface, self._extractor, moment.wall)
        except Exception as error:  # whatever breaks here, it is this intent's problem alone
            intake = Intake((), (_defect(error),), {})
        if intent.overrides and not self._policy.may_override(intent.requester):
            refusal = Problem("D011", f"{intent.requester or 'an unnamed requester'} may not override a denial")
            intake = structs.replace(intake, problems=(*intake.problems, refusal))
        if not any(problem.code == "D001" for problem in intake.problems) or self._evidence.synced:
            return intake
        # A kind that was not seen yet is not known to be absent.
        problems = tuple(
            Problem("F502", f"{self.site}: its kinds are not known yet") if problem.code == "D001" else problem
            for problem in intake.problems
        )
        return structs.replace(intake, problems=problems)

    def case(
        self,
        intent: Intent,
        intake: Intake,
        revision: int,
        moment: Moment,
        elsewhere: Elsewhere | None = None,
        since: int = 0,
    ) -> Case:
        """What is to be judged now. Time may have passed since the intent was taken in: it may have expired.

        since   the stamp of the first decision on it, as far as there was one
        """
        problems = intake.problems
        if intent.expires_at <= moment.wall and all(one.code != "D012" for one in problems):
            problems = (*problems, Problem("D012", "expired while the API server was asked"))
        return Case(
            intent=intent.id,
            verb=intent.verb,
            site=self.site,
            changes=intake.changes,
            evidence=self._evidence.claim(intent.bound_s, moment.monotonic_s),
            expires_at=intent.expires_at,
            bound_s=intent.bound_s,
            cascade=intent.cascade,
            overrides=intent.overrides,
            problems=problems,
            preview=intent.preview,
            revision=revision,
            since=since,
            decided_by=self.decided_by,
            elsewhere=elsewhere or {},
            together=intent.together,
        )

    def identity(self, body: Mapping[str, Any]) -> ResourceId:
        """What an object is called here."""
        return self._extractor.key(body).id

    def placed(self, body: Mapping[str, Any], namespace: str) -> ResourceId | None:
        """What a manifest is called here, in the namespace that is filled in; None for what is no object."""
        try:
            key, names_its_own = self._extractor.key(body), bool(body["metadata"].get("namespace"))
        except (IdentityError, KeyError, TypeError, AttributeError):
            return None
        served = self._evidence.surface.find(key.kind_id)
        if names_its_own or served is None or not served.namespaced:
            return key.id
        return ResourceKey(key.group, key.kind, namespace or "default", key.name).id

    def knows(self, kind: KindId) -> KindFacts | None:
        """What the catalogue says of a kind."""
        return self._catalogue.kinds.get(kind)

    def is_confidential(self, kind: KindId) -> bool:
        """Whether nothing is known of the values of its objects, so that a change of them is not seen."""
        facts = self.knows(kind)
        return facts is not None and facts.confidential

    def malformed(self, intent_id: str, reason: str, moment: Moment) -> Case:
        """The case of a body that is no intent, under the name in its subject."""
        return Case(
            intent=intent_id,
            verb="read",
            site=self.site,
            changes=(),
            evidence=self._evidence.claim(BOUND_DEFAULT_S, moment.monotonic_s),
            expires_at=moment.wall,
            bound_s=BOUND_DEFAULT_S,
            problems=(Problem("D010", reason),),
            decided_by=self.decided_by,
        )

    def unheard(self, part: Intent, code: str, message: str, age_s: float | None, moment: Moment) -> Verdict:
        """What is said for a site that did not give an answer of its own to its part of an intent."""
        case = structs.replace(
            self.case(part, self.take_in(part, moment), 1, moment),
            site=part.site,
            problems=(Problem(code, message),),
            evidence=Evidence(site=part.site, epoch=0, seq=0, age_s=age_s, bound_s=part.bound_s),
        )
        return self.judge(case, EMPTY, moment)

    def rehearsal(self, intake: Intake) -> Rehearsal | None:
        """What the API server should try before the intent is judged; None when there is nothing to try."""
        changes = intake.rehearsable
        return Rehearsal(site=self.site, changes=changes) if changes else None

    def judge(self, case: Case, view: View, moment: Moment) -> Verdict:
        """The verdict. An intent over which the judge breaks is denied, and ends nobody else's."""
        try:
            return decide(case, view, self._policy, moment.wall, self._catalogue.sources_of)
        except Exception as error:
            named = tuple(Change(one.resource, one.action) for one in case.changes)
            broken = structs.replace(case, changes=named, problems=(_defect(error),))
            return decide(broken, view, self._policy, moment.wall, self._catalogue.sources_of)


def _defect(error: Exception) -> Problem:
    """Its kind and its place; not its words, which may hold a value of a Secret."""
    last = extract_tb(error.__traceback__)[-1]
    place = f"{'/'.join(last.filename.split('/')[-2:])}:{last.lineno} in {last.name}"
    return Problem("D010", f"not judged, by {DEFECT}: {type(error).__name__} at {place}")
