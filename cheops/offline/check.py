"""One act on directories of manifests → one verdict, as the resolvers of these sites would give it.

act ──▶ a part per site in scope ──▶ take in (merge with what is there) ──▶ decide ──▶ combine
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from msgspec import structs
from pydantic import ValidationError

from cheops.forms.custom import Definitions, definitions_in, kind_named, rules_broken, wrong_with_custom
from cheops.forms.fields import wrong_with
from cheops.forms.workload_rules import is_elastic
from cheops.offline.merging import evened, kept, merged, same_content, says_all, with_requests
from cheops.offline.policies import MUTATING, Request, denials
from cheops.offline.refusals import Refusal, refusal_of_update
from cheops.offline.sites import OfflineSite, with_kin
from cheops.offline.taken import taken
from cheops.offline.tools import is_made_anew
from cheops.offline.unanswered import unanswered
from cheops.offline.usage import counted
from cheops.offline.versions import head_of, is_comparable
from schemas.envelope import MessageError, describe
from schemas.identity import KindId, ResourceId, ResourceKey, SiteName, kind_of
from schemas.intents import BOUND_DEFAULT_S, Intent, Override, Verb
from schemas.kinds import Surface
from schemas.pods import template_of
from schemas.relations.extract import Extractor
from schemas.relations.loader import Catalogue
from schemas.relations.surface import surface_with_crds
from schemas.verdicts import Evidence, Verdict
from services.resolver.coordinate import combine
from services.resolver.intake import Intake, take_in
from services.resolver.judge.cascade import cascade_of
from services.resolver.judge.case import Case, Change, Problem
from services.resolver.judge.decide import decide
from services.resolver.judge.demand import demand_of
from services.resolver.judge.policy import Policy
from services.resolver.judge.quota import QUOTA
from services.resolver.judge.standards import beyond

Body = Mapping[str, Any]
Bodies = Mapping[ResourceId, Body]
INTENT_ID: Final = "i-check"
LIFETIME: Final = timedelta(hours=24)
SERVICE: Final = KindId("Service")
IDENTITY: Final = frozenset(("apiVersion", "kind", "metadata"))


@dataclass(frozen=True, slots=True)
class Act:
    """What is to be judged. `verb` None: what is there is updated, what is not there is created.

    together   all sites that are asked about the whole
    going      what is there, and goes in the same change after what is written
    """

    verb: Verb | None = None
    manifests: tuple[Mapping[str, Any], ...] = ()
    resources: tuple[str, ...] = ()
    namespace: str = ""
    cascade: Literal["none", "dependents"] = "none"
    bound_s: float = BOUND_DEFAULT_S
    overrides: tuple[Override, ...] = ()
    together: tuple[SiteName, ...] = ()
    going: tuple[ResourceId, ...] = ()


@dataclass(frozen=True, slots=True)
class Court:
    """Who judges: the sites, the rules, how strict, and when. `gone`: sites that are gone for good: none is asked."""

    sites: Mapping[SiteName, OfflineSite]
    catalogue: Catalogue
    policy: Policy
    now: datetime
    gone: frozenset[SiteName] = frozenset()


def check_parts(court: Court, acts: Mapping[SiteName, Act]) -> Verdict:
    """Another act at each site, one verdict; sites without an act are only looked at."""
    return combine([judge_at(court, act, court.sites[name]) for name, act in acts.items()], next(iter(court.sites)))


def verb_of(act: Act) -> Verb:
    """What is not said: manifests are applied, names are deleted."""
    return act.verb or ("apply" if act.manifests else "delete")


def judge_at(court: Court, act: Act, site: OfflineSite, problems: tuple[Problem, ...] = ()) -> Verdict:
    """The verdict of one site on its part, as its resolver would give it; `problems`: what is wrong with the intent."""
    intent = _intent(act, site, court.now)
    surface, extractor = _with_bundle(court.catalogue, act, site)
    intake = take_in(intent, site.name, surface, extractor, court.now)
    known = {**site.bodies, **intake.manifests}
    definitions = definitions_in(known)
    seen = (_on_what_is_there(one, intake, site, extractor, definitions) for one in intake.changes)
    intake = structs.replace(intake, changes=tuple(_used(one, site) for one in seen))
    case = Case(
        intent=intent.id,
        verb=intent.verb,
        site=site.name,
        changes=intake.changes,
        evidence=site.evidence(act.bound_s),
        expires_at=intent.expires_at,
        bound_s=act.bound_s,
        cascade=act.cascade,
        overrides=act.overrides,
        problems=(*problems, *intake.problems),
        preview=True,
        decided_by="check",
        elsewhere=_Elsewhere(court.sites, site.name),
        together=act.together,
        going=cascade_of(site.graph, act.going).all if act.going else frozenset(),
    )
    verdict = decide(case, site.graph, court.policy, court.now, court.catalogue.sources_of)
    if verdict.decision == "deny" or verb_of(act) == "read":
        return verdict
    # What its own form forbids is said when nothing else is: a sketch of a manifest is judged by what it says.
    changes = tuple(_of_form(one, intake, site, known, definitions) for one in intake.changes)
    changes = tuple(_asked_about(one, intake, site, known, definitions, case.evidence) for one in changes)
    if changes == intake.changes:
        return verdict
    refused = tuple(
        Problem("D150", f"the API server refuses it: {one.refused}", one.resource)
        for one in changes
        if one.action == "delete" and one.refused
    )
    case = structs.replace(case, changes=changes, problems=refused)
    return decide(case, site.graph, court.policy, court.now, court.catalogue.sources_of)


def _intent(act: Act, site: OfflineSite, now: datetime) -> Intent:
    verb = verb_of(act)
    by_name = verb in ("delete", "read")
    named = tuple(site.extractor.key(one).id for one in act.manifests) if by_name else ()
    try:
        return _made(act, site, now, verb, named)
    except ValidationError as error:
        raise MessageError(describe(error)) from error


def _made(act: Act, site: OfflineSite, now: datetime, verb: Verb, named: tuple[str, ...]) -> Intent:
    return Intent(
        id=INTENT_ID,
        site=site.name,
        verb=verb,
        resources=(*act.resources, *named),
        manifests=() if verb in ("delete", "read") else tuple(map(dict, act.manifests)),
        namespace=act.namespace,
        created_at=now,
        expires_at=now + LIFETIME,
        bound_s=act.bound_s,
        cascade=act.cascade,
        preview=True,
        overrides=act.overrides,
    )


def _with_bundle(catalogue: Catalogue, act: Act, site: OfflineSite) -> tuple[Surface, Extractor]:
    """The site's surface, and one for reading the bundle: what its own definitions will serve is read as they say."""
    surface = with_kin(site, act.manifests, catalogue)
    definitions = [one for one in act.manifests if one.get("kind") == "CustomResourceDefinition"]
    if not definitions and surface is site.surface:
        return surface, site.extractor
    return surface, Extractor(catalogue, surface_with_crds(surface, definitions))


def _on_what_is_there(
    change: Change, intake: Intake, site: OfflineSite, extractor: Extractor, definitions: Definitions
) -> Change:
    """An update is judged on what the object becomes, as the API server's dry run would show it."""
    manifest, live = intake.manifests.get(change.resource), site.bodies.get(change.resource)
    if manifest is None or live is None:
        return change
    if change.action == "create":
        return structs.replace(change, unchanged=same_content(extractor.bare(live), extractor.bare(manifest)))
    is_anew = is_made_anew(manifest)
    after = kept(manifest) if is_anew else _applied(manifest, live, site, definitions)
    unchanged = same_content(extractor.bare(live), extractor.bare(after))
    fixed: tuple[str, ...] = ()
    refused = Refusal()
    if not is_anew:
        if not unchanged and is_comparable(live, manifest, site.surface, definitions):
            fixed = extractor.fixed(_compared(kept(live)), _compared(after), whole=says_all(live))
            fixed = tuple(one for one in fixed if not is_elastic(one, live, after))
        refused = refusal_of_update(live, after, {**site.bodies, **intake.manifests})
    return structs.replace(
        change,
        after=extractor.state(after),
        unchanged=unchanged,
        fixed=fixed or refused.fixed,
        refused=refused.words,
        demand=demand_of(after),
        had=demand_of(live),
        beyond=beyond(after),
        anew=is_anew or template_of(live) != template_of(after),
    )


def _applied(manifest: Body, live: Body, site: OfflineSite, definitions: Definitions) -> Body:
    is_alike = is_comparable(live, manifest, site.surface, definitions)
    is_built_in = site.surface.is_built_in(kind_named(manifest)[0])
    return merged(live if is_alike else head_of(live), manifest, by_item=is_built_in)


def _compared(body: Body) -> Body:
    """As what cannot be changed is looked at."""
    made: Body = evened(with_requests(body))
    return made


def _of_form(change: Change, intake: Intake, site: OfflineSite, known: Bodies, definitions: Definitions) -> Change:
    """With what every API server would refuse of it; of what is there, only what is new."""
    manifest, live = intake.manifests.get(change.resource), site.bodies.get(change.resource)
    if manifest is None or change.refused or change.unchanged:
        return change
    after = manifest if live is None else _applied(manifest, live, site, definitions)
    wrong = _wrong(change.resource, after, known, definitions)
    if wrong and live is not None:
        before = _wrong(change.resource, live, known, definitions)
        wrong = [one for one in wrong if one not in before]
    definition = definitions.get(kind_named(after))
    if definition is not None and not wrong:
        wrong = rules_broken(live, after, definition, final=not any(one.startswith(MUTATING) for one in known))
    served = site.surface.served.get(kind_of(change.resource))
    if served is not None and not wrong:
        wrong = denials(Request(change.resource, served, live, after), site.bodies, definitions, known)
    return structs.replace(change, refused="; ".join(wrong)) if wrong else change


def _asked_about(
    change: Change, intake: Intake, site: OfflineSite, known: Bodies, definitions: Definitions, evidence: Evidence
) -> Change:
    """With what an API server says when a webhook that it has to ask is not there."""
    live = site.bodies.get(change.resource)
    after = live if change.action == "delete" else intake.manifests.get(change.resource)
    served = site.surface.served.get(kind_of(change.resource))
    is_known = evidence.fresh and SERVICE not in evidence.blind
    if served is None or after is None or change.refused or change.unchanged or not is_known:
        return change
    words = unanswered(Request(change.resource, served, live, after, change.action == "delete"), known, definitions)
    return structs.replace(change, refused=words) if words else change


def _wrong(resource: ResourceId, body: Body, known: Bodies, definitions: Definitions) -> list[str]:
    """What is nothing but a name stands for what it names, and leaves all open; what says more has to be whole.

    A custom resource has to fit its definition, whatever it says.
    """
    definition = definitions.get(kind_named(body))
    if definition is not None:
        return wrong_with_custom(body, definition)
    is_said = not body.keys() <= IDENTITY
    return wrong_with(body, whole=is_said) or taken(resource, body, known)


def _used(change: Change, site: OfflineSite) -> Change:
    """What is used of a quota that is written."""
    if change.after is None or kind_of(change.resource) != QUOTA:
        return change
    namespace = ResourceKey.parse(change.resource).namespace
    return structs.replace(change, after=counted(site.graph, change.after, site.bodies, namespace))


class _Elsewhere(Mapping[ResourceId, tuple[SiteName, ...]]):
    """Resource → the other sites that have it."""

    def __init__(self, sites: Mapping[SiteName, OfflineSite], here: SiteName) -> None:
        self._others = [site for name, site in sites.items() if name != here]

    def __getitem__(self, resource: ResourceId) -> tuple[SiteName, ...]:
        found = tuple(site.name for site in self._others if site.graph.find(resource) is not None)
        if not found:
            raise KeyError(resource)
        return found

    def __iter__(self) -> Any:
        return iter({one for site in self._others for one in site.graph.identities()})

    def __len__(self) -> int:
        return sum(1 for _ in self)
