"""The rule of evidence: what an allow would need and is not known. Pure. verdicts.md, "The rule of evidence".

"It exists and blocks" may be old; "it is not there", "nobody uses it" needs evidence that is fresh and complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import structs

from schemas.events import ServedKind
from schemas.identity import KindId, ResourceId, kind_of, resource_id, split_kind
from schemas.relations.ambient import is_ambient
from schemas.relations.grants import LISTENING
from services.resolver.graph.label_index import namespace_of
from services.resolver.graph.view import TAKES, View
from services.resolver.judge.cascade import cascade_of
from services.resolver.judge.case import Case
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.grants import GRANT
from services.resolver.judge.limits import LIMIT_RANGE
from services.resolver.judge.quota import QUOTA
from services.resolver.judge.update import takes_away
from services.resolver.judge.use import INSTALLED

POD: Final = KindId("Pod")
NAMESPACE: Final = KindId("Namespace")
DEFINITION: Final = KindId("apiextensions.k8s.io/CustomResourceDefinition")
WITHOUT_DENIAL: Final = ("110", "112", "114", "120", "412")  # as W or N: it would be allowed with and without
SourcesOf = Callable[[KindId], frozenset[KindId]]


def doubts(
    case: Case, view: View, targets: Sequence[ResourceId], sources_of: SourcesOf | None, findings: Sequence[Finding]
) -> list[Finding]:
    """What an allow would need and is not known."""
    doubt = _doubt(case)
    if doubt is not None:
        return [] if doubt in findings else [doubt]
    said = {kind_of(one.resource) for one in findings if one.code == "F503" and one.resource is not None}
    blind = _blind_that_matter(case, view, targets, sources_of)
    return [_not_observed(case, kind) for kind in blind if kind not in said]


def _doubt(case: Case) -> Finding | None:
    evidence = case.evidence
    if evidence.fresh:
        return None
    if evidence.age_s is None:
        return Finding("F501", f"nothing was heard from {case.site} yet", "nothing")
    if evidence.age_s <= evidence.bound_s:
        return Finding("F502", f"{case.site} is being listed again", "nothing")
    message = f"{case.site} was last heard {evidence.age_s:.0f} s ago (bound {evidence.bound_s:g} s)"
    return Finding("F502", message, "nothing")


def unknown(case: Case, finding: Finding) -> Finding | None:
    """What a finding becomes when it claims an absence that the evidence cannot carry."""
    if finding.rests_on != "absence":
        return None
    kind = kind_of(finding.resource) if finding.resource else None
    if finding.number == "114" and kind not in LISTENING:
        kind = GRANT  # what is not known is not the target, but who permits its use
    doubt = _doubt(case)
    if doubt is not None:
        code, why = doubt.code, f"{doubt.message}; as last observed, {finding.message}"
    elif kind in case.evidence.blind and finding.number in WITHOUT_DENIAL and finding.letter in "WN":
        assert finding.resource is not None, "it has a kind"
        why = f"{kind} is not observed at {case.site}: whether {named(finding.resource)} is there changes nothing"
        return structs.replace(finding, message=why, rests_on="nothing")
    elif kind in case.evidence.blind:
        code, why = "F503", f"{kind} is not observed at {case.site}"
    else:
        return None
    # Whether what is to be read is there is not known; why not follows as a finding of its own.
    return Finding("F411" if finding.code == "D410" else code, why, "nothing", finding.resource)


def _blind_that_matter(
    case: Case, view: View, targets: Sequence[ResourceId], sources_of: SourcesOf | None
) -> list[KindId]:
    blind = case.evidence.blind
    if not blind:
        return []
    own = {kind_of(target) for target in targets}
    if case.verb == "read":
        return sorted(kind for kind in blind if kind in own)
    if case.verb == "delete":
        going = {*targets, *cascade_of(view, list(targets)).children}
        matter = own | _users_of(view, going, sources_of, blind) | _contained(view, going, blind)
    else:
        losing = {one.resource for one in case.changes if takes_away(view, one)}
        matter = own | _needed(case) | _bounding(case, view) | _users_of(view, losing, sources_of, blind)
    return sorted(kind for kind in blind if kind in matter)


def _contained(view: View, going: AbstractSet[ResourceId], blind: Iterable[KindId]) -> set[KindId]:
    """Kinds of which objects may go with what contains them: a namespace, a definition, what has applied them."""
    if any((state := view.find(one)) is not None and state.facts.get(TAKES) is True for one in going):
        return set(blind)
    served = [one for kind in blind if (one := view.surface.find(kind)) is not None]
    has_namespace = any(kind_of(one) == NAMESPACE for one in going)
    definitions = {one for one in going if kind_of(one) == DEFINITION}
    return {
        one.kind
        for one in served
        if (has_namespace and one.namespaced)
        or (definitions and resource_id(*split_kind(DEFINITION), "", _defining(one)) in definitions)
    }


def _defining(served: ServedKind) -> str:
    """The name of a kind's definition."""
    return f"{served.plural}.{split_kind(served.kind)[0]}"


def _needed(case: Case) -> set[KindId]:
    return {
        kind_of(reference.target)
        for change in case.changes
        if change.after is not None
        for reference in change.after.references
        if not reference.optional and not reference.soft and reference.confidence != "inferred"
        if reference.selector is None  # one that selects nothing yet is a warning
        if not is_ambient(reference.target) and reference.rule not in INSTALLED
    }


def _bounding(case: Case, view: View) -> set[KindId]:
    """Kinds that may say how much there can be of what is made, or begins to ask for more."""
    made = [
        one
        for one in case.changes
        if one.after is not None and namespace_of(one.resource)
        if view.find(one.resource) is None or one.anew or one.had not in (None, one.demand)
    ]
    found = {QUOTA} if made else set()
    return found | {LIMIT_RANGE} if any(one.demand is not None for one in made) else found


def _users_of(
    view: View, resources: AbstractSet[ResourceId], sources_of: SourcesOf | None, blind: Iterable[KindId]
) -> set[KindId]:
    """The kinds that may refer to these or select them, by their own labels or those of the pods that they make."""
    if sources_of is None:
        return set(blind) if resources else set()
    kinds = {kind_of(one) for one in resources}
    if any((state := view.find(one)) is not None and state.template_labels is not None for one in resources):
        kinds.add(POD)
    return {source for kind in kinds for source in sources_of(kind)}


def _not_observed(case: Case, kind: KindId) -> Finding:
    return Finding(
        "F503", f"{kind} is not observed at {case.site}: what uses or serves this there is unknown", "nothing"
    )
