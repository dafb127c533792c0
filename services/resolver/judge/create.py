"""Can what a manifest needs be had? Pure. Every rule is a row of verdicts.md, "Create, update, apply"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import structs

from schemas.among import is_among
from schemas.events import Reference, ResourceState
from schemas.identity import ResourceId, ResourceKey, kind_of, resource_id
from schemas.relations.ambient import is_ambient
from schemas.relations.made_keys import ANY_KEY
from schemas.relations.offering import TEXT
from schemas.relations.rule import makes
from services.resolver.graph.label_index import namespace_of
from services.resolver.graph.view import Edge, View, says_nothing
from services.resolver.judge.case import Change
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.fitting import is_laid_out, misfit_of
from services.resolver.judge.going import STORAGE_CLASS
from services.resolver.judge.grants import is_granted
from services.resolver.judge.makers import KEY, Makers, will_have
from services.resolver.judge.params import as_policy_says
from services.resolver.judge.selecting import judge_selector
from services.resolver.judge.use import (
    CLAIM,
    CLAIMS_RULE,
    FINISHED,
    INSTALLED,
    ONLY_AT_START,
    POD,
    claims_are_bound,
    ends,
    lives,
    part_is_there,
    with_default_part,
)

NAMESPACE: Final = "Namespace"
DEFINITION: Final = "apiextensions.k8s.io/CustomResourceDefinition"
# What makes nothing itself, but asks an issuer for a certificate.
ASKS_AN_ISSUER: Final = frozenset(("networking.k8s.io/Ingress", "gateway.networking.k8s.io/Gateway"))
# What has its keys by convention, which the source does not write down.
BY_CONVENTION: Final = frozenset(
    (
        *("ingress.tls", "gateway.certificate", "gateway.backendcertificate", "gateway.clientca"),
        *("backendtls.ca", "issuer.ca"),
    )
)
FILLED: Final = "filled"  # the keys that it will have, a part of it
# Parts that a webhook may put into the pods of a workload: its template does not tell (a mesh's side-car).
PUT_IN: Final = "container:"
# By a controller, for the source itself; what is as likely in another namespace.
NEAR_ITS_PODS: Final = "istiogateway.credential"
BESIDE: Final = "istiogateway.credential.own"
MADE: Final = frozenset((CLAIMS_RULE, "podspec.volume.ephemeral", BESIDE))


def judge_presence(view: View, change: Change) -> Iterator[Finding]:
    """Is it there, when it must be; is it not, when it must not."""
    there = view.find(change.resource) is not None
    holder = view.held_by(change.resource)
    if holder is not None:
        message = f"intent {holder} changes {named(change.resource)}"
        yield Finding("F510", message, "presence", change.resource, waits_for=holder)
    elif change.action == "create" and there:
        if change.unchanged:
            yield Finding("N102", f"{named(change.resource)} is there with this content", "presence", change.resource)
        else:
            yield Finding("D101", f"{named(change.resource)} already exists", "presence", change.resource)
    elif change.action == "update" and not there:
        yield Finding("D102", f"{named(change.resource)} is not there", "absence", change.resource)
    elif there and change.unchanged:
        yield Finding("N102", f"{named(change.resource)} is unchanged", "presence", change.resource)
    elif there and (words := _outdated(view, change)):
        yield Finding("D150", f"the API server refuses it: {words}", "presence", change.resource)


def _outdated(view: View, change: Change) -> str:
    """Why a manifest cannot replace what is there: it was read before somebody else changed or made it anew."""
    now = view.find(change.resource)
    uid, version = change.basis
    if now is None or change.forced:
        return ""
    if uid and now.uid and uid != now.uid:
        return f"metadata.uid: {uid} was another {named(change.resource)}"
    if version and now.resource_version and version != now.resource_version:
        return f"metadata.resourceVersion: {version} is not the latest version; apply the change to that"
    return ""


def judge_needs(view: View, after: View, change: Change) -> Iterator[Finding]:
    """Namespace and dependencies of what would be; `after` shows the site with the whole bundle applied."""
    assert change.after is not None, "asked for what is written"
    if change.fixed and view.find(change.resource) is not None:
        fields = ", ".join(change.fixed)
        verb = "cannot be changed: delete and create it instead"
        yield Finding("D220", f"{fields} of {named(change.resource)} {verb}", "presence", change.resource)
    there = view.find(change.resource) is not None
    unplaced = [] if there else list(_namespace(view, after, change.after))
    yield from unplaced
    if change.refused and not unplaced and not change.fixed and not (there and change.action == "create"):
        # Else the refusal says what is said already, in our words and with what to do.
        yield Finding("D150", f"the API server refuses it: {change.refused}", "presence", change.resource)
    making = Makers(after)
    for reference in change.after.references:
        if reference.relation == "containment":
            yield from () if there else _definition(view, after, change.after, reference)
        elif not set(reference.phases) <= {"P", "D"}:
            yield from _need(view, after, change.after, reference, making)


def waiting(
    view: View, after: View, states: Mapping[ResourceId, ResourceState]
) -> Iterator[tuple[ResourceId, ResourceId]]:
    """Whose pods start only beside those of one other of the bundle, which do not run yet (required affinity)."""
    for resource, state in states.items() if len(states) > 1 else ():
        for reference in state.references if state.facts.get("recurs") is not False else ():
            if reference.selector is None or reference.soft or "S" not in reference.phases:
                continue
            found = after.targets(resource, reference)
            if found.count == 1 and found.present[0] in states and not lives(view, found.present[0]):
                yield resource, found.present[0]


def _namespace(view: View, after: View, state: ResourceState) -> Iterator[Finding]:
    namespace = ResourceKey.parse(state.resource).namespace
    if not namespace:
        return
    target = ResourceKey("", NAMESPACE, "", namespace).id
    found, holder = after.find(target), view.held_by(target)
    if holder is not None:
        yield Finding("F510", f"intent {holder} changes {named(target)}", "presence", target, waits_for=holder)
    elif found is None:
        yield Finding("D140", f"there is no namespace {namespace}", "absence", target)
    elif ends(found) or _ends_now(view, target):
        yield Finding("D141", f"namespace {namespace} is being deleted", "presence", target)


def _definition(view: View, after: View, state: ResourceState, reference: Reference) -> Iterator[Finding]:
    """A definition that is being deleted takes no new objects; that none is there is said of the kind (D001)."""
    found = after.find(reference.target) if kind_of(reference.target) == DEFINITION else None
    if found is not None and (found.deleting or _ends_now(view, reference.target)):
        edge = Edge(state.resource, reference.target, reference)
        yield Finding("D111", f"{named(reference.target)} is being deleted", "presence", reference.target, edge)


def _need(view: View, after: View, state: ResourceState, reference: Reference, making: Makers) -> Iterator[Finding]:
    reference = as_policy_says(after, state, reference)
    edge = Edge(state.resource, reference.target, reference)
    if reference.selector is not None:
        yield from judge_selector(view, after, state, edge)
        return
    weak = _weak(view, after, state, reference)
    targets = after.targets(state.resource, reference)
    if not targets.count:
        if reference.rule == NEAR_ITS_PODS and _is_beside(after, state, reference):
            return
        is_made = reference.rule in MADE or makes(reference.rule)
        is_said = not (is_made or _comes_of_itself(after, state, reference.target) or says_nothing(after, reference))
        if is_said:
            yield _to_come(after, state, edge, making, weak=weak) or _missing(state, edge, weak=weak)
        return
    found = after.find(reference.target)
    holder = None if weak else after.held_by(reference.target)
    if holder is not None:
        message = f"intent {holder} changes {named(reference.target)}, which {named(state.resource)} needs"
        yield Finding("F510", message, "presence", reference.target, edge, waits_for=holder)
    elif found is not None and (found.deleting or _ends_now(view, reference.target) or _home_ends(view, state, found)):
        letter = "W" if weak else "D"
        yield Finding(f"{letter}111", f"{named(reference.target)} is being deleted", "presence", reference.target, edge)
    elif not part_is_there(after, with_default_part(reference)):
        needed = with_default_part(reference)
        weak = weak or _is_to_be_filled(found, needed, making) or needed.granule.startswith(PUT_IN)
        yield _missing_part(state, edge, after, weak=weak)
    elif found is not None and (misfit := misfit_of(view, after, state, reference, found)) is not None:
        message = f"{named(reference.target)} {misfit.why}, {named(state.resource)} needs it"
        edge = Edge(state.resource, reference.target, structs.replace(reference, granule=misfit.part))
        yield Finding("D112", message, "presence", reference.target, edge)
    elif is_granted(after, state, reference) is False:
        letter = "W" if weak else "D"
        message = f"{named(state.resource)} is not permitted to use {named(reference.target)}"
        yield Finding(f"{letter}114", message, "absence", reference.target, edge)
    elif found is not None and (found.facts.get("health") == "failed" or found.facts.get("unwell")):
        yield Finding("W121", f"{named(reference.target)} is there, and failing", "presence", reference.target, edge)


def _is_beside(after: View, state: ResourceState, reference: Reference) -> bool:
    """A gateway's certificate is there, in its own namespace: as likely that of its pods."""
    own = (one for one in state.references if one.rule == BESIDE and one.path == reference.path)
    return any(after.find(one.target) is not None for one in own)


def _comes_of_itself(after: View, state: ResourceState, target: ResourceId) -> bool:
    """A cluster has it, in each namespace that is there; that the own one is not is said once (D140)."""
    home = namespace_of(target)
    is_own = home in ("", namespace_of(state.resource))
    return is_ambient(target) and (is_own or after.find(resource_id("", NAMESPACE, "", home)) is not None)


def _ends_now(view: View, target: ResourceId) -> bool:
    """A bundle may write what is terminating; it goes all the same."""
    now = view.find(target)
    return now is not None and ends(now)


def _home_ends(view: View, state: ResourceState, found: ResourceState) -> bool:
    """Another namespace is on its way out, and takes what is needed with it."""
    home = namespace_of(found.resource)
    if not home or home == namespace_of(state.resource):
        return False  # of the own one it is said once (D141)
    return _ends_now(view, resource_id("", NAMESPACE, "", home))


def _to_come(after: View, state: ResourceState, edge: Edge, making: Makers, *, weak: bool) -> Finding | None:
    """What is missing is made by somebody who is there, or for the source itself."""
    makers = [] if edge.reference.optional else making.of(edge.target)
    if not makers:
        return None
    if not will_have(after, makers, edge.reference.granule):
        part, _, name = edge.reference.granule.partition(":")
        made = f"{named(min(makers))} makes {named(edge.target)} without {part} {name!r}"
        code = "W112" if weak else "D112"
        return Finding(code, f"{made}, {named(state.resource)} needs it", "presence", min(makers), edge)
    maker = state.resource if state.resource in makers else min(makers)
    is_issued = kind_of(maker) in ASKS_AN_ISSUER
    made = f"its issuer makes it for {named(maker)}" if is_issued else f"{named(maker)} makes it"
    message = f"{named(edge.target)} is missing; {made}"
    return Finding("W110", message, "absence", edge.target, edge)


def _missing(state: ResourceState, edge: Edge, *, weak: bool) -> Finding:
    target, user = edge.target, named(state.resource)
    if edge.reference.optional:
        return Finding("N120", f"{named(target)} is missing; {user} does without it", "absence", target, edge)
    if weak or edge.reference.rule in INSTALLED:
        need = "does not need it yet" if weak else "may do without it"
        need = "names it, and may need it" if edge.reference.confidence == "inferred" else need
        return Finding("W110", f"{named(target)} is missing; {user} {need}", "absence", target, edge)
    return Finding("D110", f"{named(target)} is missing, {user} needs it", "absence", target, edge)


def _missing_part(state: ResourceState, edge: Edge, after: View, *, weak: bool) -> Finding:
    reference, found = with_default_part(edge.reference), after.find(edge.target)
    part, _, name = reference.granule.partition(":")
    user, lacks = named(state.resource), f"has no {part} {name!r}"
    if found is not None and name in found.parts.get(part, ()):
        lacks = f"has {part} {name!r} in binaryData only, which no variable reads"
        reference = structs.replace(reference, granule=f"{TEXT}:{name}")
    edge = Edge(edge.source, edge.target, reference)
    does_without = edge.reference.optional and edge.reference.confidence != "inferred"  # a host that is one, after all
    code = "N120" if does_without else "W112" if weak else "D112"
    return Finding(code, f"{named(edge.target)} {lacks}, {user} needs it", "absence", edge.target, edge)


def _is_to_be_filled(found: ResourceState | None, reference: Reference, making: Makers) -> bool:
    """Who fills or makes it adds this key; a certificate without any waits for its issuer, and another is shown."""
    if found is None or not reference.granule.startswith(KEY):
        return False
    key, filled = reference.granule.removeprefix(KEY), found.parts.get(FILLED, ())
    if key in filled or ANY_KEY in filled or key in making.keys(found.resource):
        return True
    return reference.rule in BY_CONVENTION and found.parts.get("key") == ()


def _weak(view: View, after: View, state: ResourceState, reference: Reference) -> bool:
    """Optional, soft and guessed references never deny; nor what is over, or not needed until somebody acts."""
    if reference.optional or reference.soft or reference.confidence == "inferred":
        return True
    if kind_of(reference.target) == STORAGE_CLASS:
        if claims_are_bound(after, state):
            return True
        is_missing = kind_of(state.resource) == CLAIM and after.find(reference.target) is None
        if is_missing and is_laid_out(view, after, state, reference.target):
            return True
    if reference.once and (there := view.find(state.resource)) is not None and is_among(reference, there.references):
        return True
    if state.facts.get("recurs") is not False:
        return False
    if kind_of(state.resource) == POD:
        now = view.find(state.resource)  # that is there and never starts again has read it
        phase = now.facts.get("phase") if now is not None else "Pending"
        return phase in FINISHED or (phase != "Pending" and "L" not in reference.phases)
    is_run_later = state.template_labels is not None or kind_of(state.resource) in ONLY_AT_START
    return is_run_later or state.facts.get("suspended") is True or bool(set(reference.phases) & {"A", "S"})
