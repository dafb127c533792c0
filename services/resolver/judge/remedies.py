"""What would turn the answer: commands that can be pasted, and what each would change. Pure.

A remedy is offered only when it is true: with it the same intent is allowed, as far as this site can know. It is small:
it touches what blocks and nothing else (each direct blocker blocks alone, so none of them can be left out).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from schemas.counting import counted
from schemas.identity import ResourceId, ResourceKey, SiteName, kind_of
from schemas.relations.grants import LISTENING
from schemas.relations.offering import KEY, TEXT
from schemas.ties import drift
from schemas.verdicts import EdgeRef, Reason, Remedy, Touch
from services.resolver.graph.overlay import OverlayView
from services.resolver.graph.view import View
from services.resolver.judge.case import Case, Change
from services.resolver.judge.create import DEFINITION, judge_needs
from services.resolver.judge.delete import blocks_by_default, is_hub, judge_delete, with_dependents
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.fitting import MODE_PART, SCALE_PART
from services.resolver.judge.going import together
from services.resolver.judge.params import param_kinds
from services.resolver.judge.subsets import RULES
from services.resolver.judge.update import judge_change
from services.resolver.judge.use import ALTERNATIVES
from services.resolver.judge.written import WrittenEdge

IN_USE: Final = frozenset(("310", "311", "312", "313"))
PART_IN_USE: Final = frozenset(("210", "211"))
FOR_GOOD: Final = (MODE_PART, SCALE_PART)
CAN_BE_BROUGHT: Final = frozenset(("110", "140", "112", "114"))
TOUCHED_MAX: Final = 20  # more blockers are not let go of by hand
CONFLICT: Final = "conflict"  # the API server's word for fields that another manager owns
TERMS: Final = ".nodeSelectorTerms"  # of an affinity, in which they are alternatives
POD_FIELDS: Final = "podspec."  # references that a workload can do without; others are what their object is for
FIXED_PODS: Final = frozenset(("Pod", "batch/Job"))  # whose specification of pods never changes (catalogue: immutable)

Deny = Callable[[Finding], bool]
Cited = EdgeRef | WrittenEdge
How = Literal["create", "delete", "add", "release", "permit"]


def remedies_for(case: Case, view: View, reasons: Sequence[Reason], denies: Deny) -> tuple[Remedy, ...]:
    """The smallest changes that would make the answer an allow. `denies`: whether a finding does, under the policy."""
    blocking = [reason for reason in reasons if reason.severity == "deny"]
    numbers = {reason.code[1:] for reason in blocking}
    if case.verb == "delete" and numbers and numbers <= IN_USE and case.cascade == "none":
        return tuple(_delete(case, view, blocking, numbers, denies))
    if case.verb in ("create", "update", "apply") and numbers:
        if any(map(_is_for_a_listener, blocking)) or any(map(_is_for_good, blocking)):
            return ()  # whom a listener admits is its owner's to say
        if numbers == {"001"} and case.verb != "update":
            return tuple(_define(case, view, blocking))
        if numbers <= CAN_BE_BROUGHT and len(blocking) <= TOUCHED_MAX:
            return (_bring(case, blocking),)
        if numbers <= PART_IN_USE:
            return tuple(_let_go(case, blocking, f"cheops {case.verb} -f FILE -f USERS.yaml --site {case.site}"))
        if numbers == {"220"}:
            return tuple(_anew(case, view, blocking, denies))
        if numbers == {"150"}:
            return tuple(_healed(case, view, blocking))
        if numbers in ({"101"}, {"102"}):
            return tuple(_other_verb(case, view, numbers, denies))
    return ()


def _is_for_a_listener(reason: Reason) -> bool:
    return reason.code.endswith("114") and reason.resource is not None and kind_of(reason.resource) in LISTENING


def _is_for_good(reason: Reason) -> bool:
    """What is missing is what a volume or a kind is, and nobody can add it."""
    return reason.relation is not None and reason.relation.granule.partition(":")[0] in FOR_GOOD


def _delete(case: Case, view: View, blocking: Sequence[Reason], numbers: set[str], denies: Deny) -> Iterator[Remedy]:
    targets = [change.resource for change in case.changes]
    # Of a hub not every user was looked at, so those that are named are not all that would have to change.
    if len(blocking) > TOUCHED_MAX or any(is_hub(view, one) for one in targets):
        command = f"{deleting(case.site, targets)} --cascade dependents --preview"
        yield Remedy(command=command, effect="see what its dependents would take")
        return
    plain = not param_kinds(view) and not any(kind_of(one) == RULES for one in targets)
    all_of_them = together(view, targets) if plain else None
    is_known = all_of_them is not None and all_of_them.harmless
    chosen = all_of_them.resources if all_of_them is not None and is_known else with_dependents(view, targets)
    harmless = is_known and denies is blocks_by_default
    if harmless or not any(map(denies, judge_delete(view, chosen, denies))):
        yield _remedy(taking_along(case.site, targets, chosen))
    if "313" not in numbers:
        yield from _let_go(case, blocking, f"cheops update -f USERS.yaml --site {case.site}")


def _let_go(case: Case, blocking: Sequence[Reason], command: str) -> Iterator[Remedy]:
    offer = letting_go([reason.relation for reason in blocking], command)
    if offer is not None:
        yield _remedy(offer)


class Offer(NamedTuple):
    """A remedy before it is a message: what is touched is (resource, how, path)."""

    command: str
    effect: str
    touches: Sequence[tuple[ResourceId, How, str]]


def _remedy(offer: Offer) -> Remedy:
    touches = (Touch(resource=resource, how=how, path=path) for resource, how, path in offer.touches)
    return Remedy(command=offer.command, effect=offer.effect, changes=tuple(touches))


def deleting(site: SiteName, targets: Sequence[ResourceId]) -> str:
    """The command that deletes these."""
    return f"cheops delete {_called(targets)}{_where(site, targets)}"


def healing(site: SiteName, targets: Sequence[ResourceId]) -> str:
    """The command that puts back what was declared of these."""
    return f"cheops heal {_called(targets)}{_where(site, targets)}"


def taking_along(site: SiteName, targets: Sequence[ResourceId], chosen: Sequence[ResourceId]) -> Offer:
    """Delete all that are chosen, too: the targets' dependents."""
    asked = {*targets}
    more = [one for one in chosen if one not in asked]
    command = f"{deleting(site, targets)} --cascade dependents --preview"
    return Offer(command, f"delete its {counted(len(more), 'dependent')} too", [(one, "delete", "") for one in more])


def letting_go(edges: Sequence[Cited | None], command: str) -> Offer | None:
    """Take the references out of those that use it; only what a workload can do without, and can be changed."""
    rows = [edge for edge in edges if edge is not None and _can_be_left_out(edge)]
    if len(edges) > TOUCHED_MAX or len(rows) < len(edges):
        return None
    places = [(edge.source, _all_of(edge)) for edge in rows]
    told = ", ".join([f"{_short(path)} of {named(source)}" for source, path in places])
    return Offer(command, f"let go of it first: without {told}", [(source, "release", path) for source, path in places])


def _can_be_left_out(edge: Cited) -> bool:
    return edge.rule.startswith(POD_FIELDS) and kind_of(edge.source) not in FIXED_PODS


def _all_of(edge: Cited) -> str:
    """Where a reference stands; with those that would do as well."""
    return edge.path.partition(TERMS)[0] if edge.rule in ALTERNATIVES else edge.path


def _bring(case: Case, blocking: Sequence[Reason]) -> Remedy:
    touched: dict[Touch, str] = {}
    for reason in blocking:
        edge = reason.relation
        assert reason.resource is not None, "what is missing has a name"
        if reason.code.endswith("112") and edge is not None:
            part, _, name = edge.granule.partition(":")
            what = f"{KEY} {name!r} in data" if part == TEXT else f"{part} {name!r}"
            touched[Touch(resource=reason.resource, how="add", part=edge.granule)] = (
                f"{what} of {named(reason.resource)}"
            )
        elif reason.code.endswith("114"):
            namespace = ResourceKey.parse(reason.resource).namespace
            touched[Touch(resource=reason.resource, how="permit")] = f"a ReferenceGrant in {namespace}"
        else:
            for part in _parts_of(case, reason.resource, edge):
                touched[Touch(resource=reason.resource, how="create", part=part)] = named(reason.resource)
    names = ", ".join(dict.fromkeys(touched.values()))
    own = {change.resource for change in case.changes}
    if all(one.resource in own for one in touched):  # a second manifest of the same name would be refused
        command = f"cheops {case.verb} -f FILE --site {case.site}"
        return Remedy(command=command, effect=f"say it in FILE: {names}", changes=tuple(touched))
    return Remedy(
        command=f"cheops {case.verb} -f FILE -f MISSING.yaml --site {case.site}",
        effect=f"bring it along: {names}",
        changes=tuple(touched),
    )


def _define(case: Case, view: View, blocking: Sequence[Reason]) -> Iterator[Remedy]:
    """What nobody defines here, by any version or in another group, with its definition: then it is served first."""
    keys = [ResourceKey.parse(reason.resource) for reason in blocking if reason.resource is not None]
    served = view.surface
    if any(served.find_named(one.kind_id) or served.find_named(one.kind) for one in keys):
        return  # a version or a group that is mistaken
    has_definitions = any(kind_of(one.resource) == DEFINITION for one in case.changes)
    if has_definitions or any(served.is_built_in(one.group) for one in keys):
        return  # which say what they serve
    kinds = list(dict.fromkeys(one.kind_id for one in keys))
    whose = "its CustomResourceDefinition" if len(kinds) == 1 else "their CustomResourceDefinitions"
    command = f"cheops {case.verb} -f FILE -f DEFINITION.yaml --site {case.site}"
    yield Remedy(command=command, effect=f"bring along what defines {', '.join(kinds)}: {whose}")


def _parts_of(case: Case, missing: ResourceId, edge: Cited | None) -> list[str]:
    """What has to be in it: all that is needed of it, though of each user but one reference is told."""
    if edge is None:
        return [""]
    users = (one.after for one in case.changes if one.after is not None)
    needed = [one for user in users for one in user.references if one.target == missing and not one.optional]
    return list(dict.fromkeys(one.granule for one in needed if one.granule)) or [edge.granule]


def _anew(case: Case, view: View, blocking: Sequence[Reason], denies: Deny) -> Iterator[Remedy]:
    """Delete and create, when nothing depends on it."""
    resources = [reason.resource for reason in blocking if reason.resource is not None]
    if not resources or any(map(denies, judge_delete(view, resources, denies))):
        return
    yield Remedy(
        command=f"{deleting(case.site, resources)} --preview",
        effect=f"delete and create {'it' if len(resources) == 1 else 'them'}: nothing depends on it",
        changes=tuple(Touch(resource=one, how="delete") for one in resources),
    )


def _healed(case: Case, view: View, blocking: Sequence[Reason]) -> Iterator[Remedy]:
    """Where only those are in the way who have changed it past us, it is put back first."""
    resources = [reason.resource for reason in blocking if reason.resource is not None]
    states = [view.find(one) for one in resources]
    if all(CONFLICT in one.message for one in blocking) and all(one is not None and drift(one) for one in states):
        effect = "put back what was declared first; what was changed past Cheops is lost"
        yield Remedy(command=healing(case.site, resources), effect=effect)


def _other_verb(case: Case, view: View, numbers: set[str], denies: Deny) -> Iterator[Remedy]:
    """`apply` where `create` finds something and `update` finds nothing."""
    after = OverlayView(view, {one.resource: one.after for one in case.changes if one.after is not None})
    if any(denies(finding) for change in case.changes for finding in _findings(view, after, change, denies)):
        return
    effect = "update what is there instead" if numbers == {"101"} else "create what is not there"
    yield Remedy(command=f"cheops apply -f FILE --site {case.site}", effect=effect)


def _findings(view: View, after: View, change: Change, denies: Deny) -> Iterator[Finding]:
    if change.after is not None and not change.unchanged:
        yield from judge_needs(view, after, change)
        yield from judge_change(view, after, change, denies)


def _short(path: str) -> str:
    return path.removeprefix("spec.template.spec.").removeprefix("spec.")


def typed(resource: ResourceId) -> str:
    """`secret/edge-ca`, as a person types it."""
    group, kind, _, name = _parts(resource)
    return f"{kind.lower()}{'.' + group if '.' in group else ''}/{name}"


def _called(targets: Sequence[ResourceId]) -> str:
    """As a person types them; of several namespaces by their identities, which say which."""
    return " ".join(targets if len(_namespaces(targets)) > 1 else map(typed, targets))


def _where(site: SiteName, targets: Sequence[ResourceId]) -> str:
    namespaces = _namespaces(targets)
    namespace = f" -n {min(namespaces)}" if len(namespaces) == 1 else ""
    return f"{namespace} --site {site}"


def _namespaces(targets: Sequence[ResourceId]) -> set[str]:
    return {_parts(one)[2] for one in targets} - {""}


def _parts(resource: ResourceId) -> tuple[str, str, str, str]:
    """Group, kind, namespace and name of an identity that is one (`ResourceKey.parse` checks it)."""
    parts = resource.split("/")
    group = "" if parts[0][:1].isupper() else parts.pop(0)
    return group, parts[0], parts[1] if len(parts) > 2 else "", parts[-1]
