"""The pure judge on manifests: the real extractor, catalogue, graph, intake and decision, and nothing else.

    Court(secret("ca"), deployment("web", mounts_secret("ca"))).judge(delete("secret/ca"))

`FRESH` evidence of all kinds unless a court is told otherwise; `court.hold(act)` decides and lays what was allowed
over the site, as the machine does until it is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from msgspec import structs

from schemas.events import ResourceEvent
from schemas.identity import KindId, SiteName
from schemas.intents import Intent, Override, Verb
from schemas.relations.ambient import ambient_resources
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface, surface_with_crds
from schemas.verdicts import Evidence, Verdict
from services.resolver.graph.store import Graph
from services.resolver.holds import Holds
from services.resolver.intake import Intake, take_in
from services.resolver.judge.case import Case
from services.resolver.judge.decide import decide
from services.resolver.judge.policy import Policy
from tests.kit.extractors import extractor_for
from tests.kit.manifests import Manifest, namespace, without_uid

LYON = SiteName("lyon")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEFAULT_POLICY = Policy()
HOUR = timedelta(hours=1)
CATALOGUE = load_catalogue()
FRESH = Evidence(site=LYON, epoch=1, seq=9, age_s=0.2, bound_s=10, observed=56, fresh=True)
STALE = FRESH.model_copy(update={"age_s": 60.0, "fresh": False})
NEVER_HEARD = FRESH.model_copy(update={"age_s": None, "fresh": False})


def blind(*kinds: str) -> Evidence:
    """Fresh, except for these kinds."""
    return FRESH.model_copy(update={"blind": tuple(map(KindId, kinds))})


def act(verb: Verb, *what: str | Manifest, intent_id: str = "i-1", **options: Any) -> Intent:
    """An intent on resources (by name) or manifests (which lose their uids)."""
    names = tuple(one for one in what if isinstance(one, str))
    manifests = tuple(without_uid(one) for one in what if not isinstance(one, str))
    fields: Mapping[str, Any] = {
        "id": intent_id,
        "site": LYON,
        "namespace": "shop",
        "created_at": NOW,
        "expires_at": NOW + HOUR,
        **options,
    }
    return Intent(verb=verb, resources=names, manifests=manifests, **fields)


def create(*manifests: Manifest, **options: Any) -> Intent:
    return act("create", *manifests, **options)


def update(*manifests: Manifest, **options: Any) -> Intent:
    return act("update", *manifests, **options)


def apply(*manifests: Manifest, **options: Any) -> Intent:
    return act("apply", *manifests, **options)


def delete(*names: str, cascade: Literal["none", "dependents"] = "none", **options: Any) -> Intent:
    return act("delete", *names, cascade=cascade, **options)


def read(*names: str, **options: Any) -> Intent:
    return act("read", *names, **options)


class Court:
    """One site as these manifests show it (with the namespace `shop` and what every cluster has), and its judge."""

    def __init__(
        self,
        *there: Manifest,
        evidence: Evidence = FRESH,
        policy: Policy = DEFAULT_POLICY,
        unchanged: bool | None = None,
    ) -> None:
        definitions = [one for one in there if one["kind"] == "CustomResourceDefinition"]
        self.surface = surface_with_crds(builtin_surface(), definitions)
        self.extractor = extractor_for(self.surface)
        self.graph = Graph(LYON)
        self.holds = Holds()
        self._evidence, self._policy, self._unchanged = evidence, policy, unchanged
        for state in ambient_resources(["shop"]):
            self.graph.apply(ResourceEvent("put", state))
        for one in (namespace("shop"), *there):
            self.graph.apply(ResourceEvent("put", self.extractor.state(one)))

    def judge(self, intent: Intent) -> Verdict:
        """The verdict on an intent, as of NOW."""
        return self._judge(intent, self._take_in(intent))

    def hold(self, intent: Intent) -> Verdict:
        """The same; what was allowed is in flight from now on."""
        intake = self._take_in(intent)
        verdict = self._judge(intent, intake)
        if verdict.decision == "allow":
            self.holds.add(verdict, intake.changes, 0.0)
        return verdict

    def _take_in(self, intent: Intent) -> Intake:
        intake = take_in(intent, LYON, self.surface, self.extractor, NOW)
        if self._unchanged is None:
            return intake
        return structs.replace(
            intake, changes=tuple(structs.replace(one, unchanged=self._unchanged) for one in intake.changes)
        )

    def _judge(self, intent: Intent, intake: Intake) -> Verdict:
        overrides: tuple[Override, ...] = intent.overrides
        case = Case(
            intent=intent.id,
            verb=intent.verb,
            site=LYON,
            changes=intake.changes,
            evidence=self._evidence,
            expires_at=intent.expires_at,
            bound_s=intent.bound_s,
            cascade=intent.cascade,
            overrides=overrides,
            problems=intake.problems,
        )
        return decide(case, self.holds.view(self.graph, intent.id), self._policy, NOW, CATALOGUE.sources_of)


def codes(verdict: Verdict) -> list[str]:
    """The decision, and all codes but N230 (who notices a change is said besides)."""
    return [verdict.decision, *sorted({reason.code for reason in verdict.reasons} - {"N230"})]
