"""Who lives on what: does an edge hold its source up, and does it break when its target goes? Pure.

Source of the rules: verdicts.md, "Delete". Optional, soft and inferred edges never deny; policy edges never count;
a terminating dependent is a user until it is gone; a reference without its permission uses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Literal

from msgspec import structs

from schemas.events import Reference, ResourceState, Scalar
from schemas.identity import KindId, ResourceId, kind_of, resource_id
from schemas.relations.offering import is_offered
from services.resolver.graph.view import OWNING, Edge, View
from services.resolver.graph.walk import owner_of
from services.resolver.judge.woken import is_read_by_pods, is_woken

ONLY_AT_START: Final = frozenset({"batch/CronJob", "PodTemplate"})  # no pod of theirs lives on: only when it runs
POLICY_ONLY: Final = ("", "P")  # phases of what never counts as use
FINISHED: Final = ("Succeeded", "Failed")
IDLE: Final = ("Pending", "Succeeded", "Failed")  # nothing of the pod runs
CLAIM: Final = "PersistentVolumeClaim"
POD: Final = "Pod"
CLAIMS_RULE: Final = "statefulset.claims"
MADE_CLAIMS: Final = (CLAIMS_RULE, "podspec.volume.ephemeral")  # a controller makes them
# What is installed beside a cluster, and rarely listed with what needs it (a provisioner need not be a CSI driver, and
# a driver that attaches its volumes works without an object of its name):
# where it is there it counts, where it is missing nobody is held up. Nor by a certificate that may be elsewhere, or by
# a class that its controller may know by its name alone, nor a set without the Service that gives its pods names.
INSTALLED: Final = frozenset(
    (
        "autoscaler.metrics.resource",
        "autoscaler.metrics.custom",
        "autoscaler.metrics.external",
        "class.driver",
        "ingress.class.annotation",
        "istiogateway.credential",
        "istiogateway.credential.own",
        "statefulset.service",
        "volume.driver",
    )
)
VOLUME_NODES: Final = "volume.node"
ALTERNATIVES: Final = frozenset(("podspec.node.affinity", VOLUME_NODES))  # one of several is enough
# What the API server, or a controller, makes of a port or key that is not said.
DEFAULT_PARTS: Final = {
    **dict.fromkeys(("webhook.service", "apiservice.service", "definition.conversion"), "port:443"),
    "helmrelease.values": "key:values.yaml",
}

Use = Literal["lifetime", "next start", "in flight", "over", "weak", "none"]
BREAKING: Final = frozenset[Use](("lifetime", "next start", "in flight"))
STRONGEST_FIRST: Final[tuple[Use, ...]] = ("lifetime", "next start", "in flight", "weak", "over")


def use_of(edge: Edge, source: ResourceState) -> Use:
    """How `source` uses the target of `edge`.

    lifetime    it fails when the target goes (310)      next start   an operation that comes by itself needs it (311)
    in flight   an operation under way needs it (312)    over         the operation is over, or must be asked for (N311)
    weak        optional, soft or inferred (a warning)   none         policy, or part of a cascade
    """
    return use_by(edge.reference, kind_of(edge.source), source, source.template_labels is not None)


def use_by(reference: Reference, kind: KindId, traits: ResourceState, makes_pods: bool) -> Use:
    """The same, of a source of this kind with these facts."""
    if reference.relation in OWNING or reference.phases in POLICY_ONLY:
        return "none"
    facts = traits.facts
    if reference.rule in MADE_CLAIMS:
        # Its controller makes a missing one, so that is no defect; but what is there holds the data of a running pod.
        is_over = facts.get("phase") in FINISHED if kind == POD else _is_over(reference, kind, facts, makes_pods)
        return "over" if is_over else "lifetime"
    if reference.optional or reference.soft or reference.confidence == "inferred":
        return "weak"
    if reference.rule == "podspec.node" and facts.get("maker") == "DaemonSet":  # it was made for that node alone
        return "weak"
    if may_be_needed_to_end(reference) and (traits.deleting or _has_mounted(kind, facts)):
        return "lifetime"
    if reference.once or _is_over(reference, kind, facts, makes_pods):
        return "over"
    starts = "A" in reference.phases or "S" in reference.phases
    if not is_for_starts(reference, kind):
        return "lifetime"
    if not starts and "L" not in reference.phases:
        return "none"
    return "in flight" if kind == CLAIM or _starts_now(kind, facts) else "next start"


def use_shown(view: View, edge: Edge, source: ResourceState, after: View | None = None) -> Use:
    """The same, as the site shows it: nobody misses the nodes of a volume that no living pod mounts.

    after   the site without what goes: who is at zero, and who of those that stay may start it?
    """
    use = use_of(edge, source)
    if use == "over" and edge.reference.rule not in MADE_CLAIMS and is_read_by_pods(edge.reference):
        return "next start" if is_woken(after or view, source) else use
    if use != "next start" or edge.reference.rule != VOLUME_NODES:
        return use
    claims = [one.source for one in view.dependents(edge.source).edges if kind_of(one.source) == CLAIM]
    home, name = (str(source.facts.get(f"claim.{one}") or "") for one in ("namespace", "name"))
    claims += [resource_id("", CLAIM, home, name)] if name else []
    edges = (one for claim in dict.fromkeys(claims) for one in view.dependents(claim).edges)
    mounts = ((one, view.find(one.source)) for one in edges)
    return use if any(user is not None and use_of(one, user) in BREAKING for one, user in mounts) else "over"


def is_for_starts(reference: Reference, kind: KindId) -> bool:
    """Whether the target serves starts only, and nothing that lives on."""
    return "L" not in reference.phases or kind in ONLY_AT_START


def _has_mounted(kind: KindId, facts: Mapping[str, Scalar]) -> bool:
    """A pod that is never started again runs: what it has mounted is unmounted when it ends."""
    return kind == POD and facts.get("recurs") is False and facts.get("phase") not in IDLE


def may_be_needed_to_end(reference: Reference) -> bool:
    """Whether the deletion of who refers needs it; that of a definition reads and writes its objects."""
    return "D" in reference.phases or reference.rule == "definition.conversion"


def _starts_now(kind: KindId, facts: Mapping[str, Scalar]) -> bool:
    """A pod that is never started again, and has not been yet."""
    return kind == POD and facts.get("phase") == "Pending" and facts.get("recurs") is False


def _is_over(reference: Reference, kind: KindId, facts: Mapping[str, Scalar], makes_pods: bool) -> bool:
    """Nothing starts by itself any more; where pods are made, or have finished, nothing lives any more either."""
    if facts.get("recurs") is not False or ("S" in reference.phases and _starts_now(kind, facts)):
        return False
    if makes_pods or facts.get("phase") in FINISHED:
        return True
    if "L" in reference.phases:  # a pod that never restarts mounts all the same
        return kind in ONLY_AT_START or facts.get("suspended") is True
    return "A" in reference.phases or "S" in reference.phases


def breaks(edge: Edge, view: View) -> bool:
    """Whether a living dependent misses the target, or the part of it, in the state that `view` shows."""
    source = view.find(edge.source)
    if source is None or source.deleting or namespace_ends(source, view):
        return False
    if edge.reference.rule in MADE_CLAIMS or edge.reference.rule in INSTALLED:
        return False
    if use_shown(view, edge, source) not in BREAKING:
        return False
    return not served(view, edge.source, edge.reference)


def served(view: View, source: ResourceId, reference: Reference) -> bool:
    """The reference leads to something that is there and has the named part."""
    if reference.selector is not None:
        return selects_something(view, source, reference)
    if not view.targets(source, reference).count:
        return False
    return part_is_there(view, reference)


def selects_something(view: View, source: ResourceId, reference: Reference, replaced: ResourceId | None = None) -> bool:
    """A selector has a match that lives. `replaced`: a workload whose pods are made anew, and do not count."""
    if _selects(view, source, reference, replaced):
        return True
    return any(_selects(view, source, one, replaced) for one in alternatives(view, source, reference))


def alternatives(view: View, source: ResourceId, reference: Reference) -> list[Reference]:
    """The other selectors of a source that would do as well."""
    state = view.find(source) if reference.rule in ALTERNATIVES else None
    rows = state.references if state is not None else ()
    return [one for one in rows if one.rule == reference.rule and one.path != reference.path]


def _selects(view: View, source: ResourceId, reference: Reference, replaced: ResourceId | None) -> bool:
    targets = view.targets(source, reference)
    stay = _not_replaced(view, targets.present, replaced)
    if any(lives(view, one) for one in stay):
        return True
    # More than a walk looks at: somebody among them lives, unless all that were seen are replaced.
    return targets.count > len(targets.present) and bool(stay)


def _not_replaced(view: View, present: Sequence[ResourceId], replaced: ResourceId | None) -> Sequence[ResourceId]:
    tops: dict[ResourceId, ResourceId] = {}
    return [one for one in present if owner_of(view, one, tops) != replaced] if replaced is not None else present


def selects_part(view: View, source: ResourceId, reference: Reference, replaced: ResourceId | None = None) -> bool:
    """A match that lives offers the part that is named (a Service's `targetPort`), if the reference names one."""
    if not reference.granule:
        return True
    targets = view.targets(source, reference)
    stay = _not_replaced(view, targets.present, replaced)
    if targets.count > len(targets.present) and stay:
        return True  # as above
    states = (view.find(one) for one in stay if lives(view, one))
    return any(offers(state, reference) for state in states if state is not None)


def match_in_flight(view: View, edge: Edge, going: AbstractSet[ResourceId] = frozenset()) -> str | None:
    """The intent that decides whether a selector has another match."""
    if edge.reference.selector is None:
        return None
    others = (one for one in view.targets(edge.source, edge.reference).present if one not in going)
    return next((holder for one in others if (holder := view.held_by(one)) is not None), None)


def lives(view: View, resource: ResourceId) -> bool:
    """It can be relied on as a match of a selector: nobody changes it now, and neither it nor its owner ends."""
    return view.held_by(resource) is None and matches(view, resource)


def matches(view: View, resource: ResourceId) -> bool:
    """It counts as a match of a selector, whoever changes it now."""
    owner = owner_of(view, resource)
    return _stays(view.find(resource)) and (owner is None or _stays(view.find(owner)))


def _stays(state: ResourceState | None) -> bool:
    return state is not None and stays(state, state.template_labels is not None)


def stays(traits: ResourceState, makes_pods: bool) -> bool:
    """Scaled to zero, finished or terminating it is no match of a selector."""
    if traits.deleting or traits.facts.get("phase") in FINISHED:
        return False
    return not makes_pods or traits.facts.get("recurs") is not False


def part_is_there(view: View, reference: Reference) -> bool:
    """The key, port, listener or version that is needed is offered (true when parts of that sort are not known)."""
    if not reference.granule:
        return True
    state = view.find(reference.target)
    return state is not None and offers(state, reference)


def with_default_part(reference: Reference) -> Reference:
    """The part that is needed also where the reference leaves it to the API server to say which."""
    granule = reference.granule or DEFAULT_PARTS.get(reference.rule, "")
    return reference if granule == reference.granule else structs.replace(reference, granule=granule)


def offers(state: ResourceState, reference: Reference) -> bool:
    """It has the part that is named, or parts of that sort are not known of it."""
    return is_offered(reference.rule, reference.granule, state.parts)


def claims_are_bound(view: View, source: ResourceState) -> bool:
    """A StatefulSet has all the claims that its templates make, and each has its volume."""
    names = [one.target for one in source.references if one.rule == CLAIMS_RULE]
    claims = [view.find(name) for name in names]
    return bool(names) and all(claim is not None and _is_bound(claim.facts) for claim in claims)


def _is_bound(claim: Mapping[str, Scalar]) -> bool:
    return bool(claim.get("volume")) and claim.get("phase") != "Pending"


def namespace_ends(source: ResourceState, view: View) -> bool:
    """Whatever is in it goes."""
    for reference in source.references:
        if reference.relation == "containment" and kind_of(reference.target) == "Namespace":
            namespace = view.find(reference.target)
            return namespace is not None and ends(namespace)
    return False


def ends(state: ResourceState) -> bool:
    """It is on its way out."""
    return state.deleting or state.facts.get("phase") == "Terminating"


def how(edge: Edge) -> str:
    """The verb of a sentence: how the source uses the target."""
    rule = edge.reference.rule
    for part, verb in (
        ("volume", "mounted by"),
        ("env", "read at each start by"),
        ("pullsecret", "used to pull images by"),
        ("serviceaccount", "the identity of"),
        ("service.selector", "selected by"),
        ("backend", "served through"),
        ("binding.role", "granted by"),
        ("owner", "owner of"),
    ):
        if part in rule:
            return verb
    return "used by"


def weakly(edge: Edge, what: str) -> str:
    """Words for a use that nothing ends with: `refers to it, and does without`."""
    is_guessed = edge.reference.confidence == "inferred"
    return f"names {what}, and may need it" if is_guessed else f"refers to {what}, and does without"
