"""Parameters of admission policies: a binding names them, and only its policy says of which kind they are. Pure.

Without them what the policy looks at is refused (`parameterNotFoundAction: Deny`), or let through.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final, Protocol

from msgspec import structs

from schemas.among import is_among
from schemas.events import Reference, ResourceState
from schemas.identity import KindId, ResourceId, ResourceKey, kind_id, kind_of, resource_id
from services.resolver.graph.view import Edge, View
from services.resolver.judge.cascade import Cascade
from services.resolver.judge.case import Change
from services.resolver.judge.findings import Finding

POLICIES: Final = tuple(
    KindId(f"admissionregistration.k8s.io/{sort}AdmissionPolicy") for sort in ("Validating", "Mutating")
)
POLICY_RULES: Final = ("policybinding.policy", "policybinding.policy.mutating")
GUESSED: Final = KindId("ConfigMap")  # the kind that a binding alone is taken to mean
PARAM_FACTS: Final = ("param.kind", "param.apiVersion")
PARAM_RULES: Final = ("policybinding.param", "policybinding.params")


class Holds(Protocol):
    """What is needed of a graph or a view."""

    def members(self, kind: KindId, namespace: str | None = None, /) -> Iterator[ResourceId]:
        """Present resources of a kind."""

    def find(self, resource: ResourceId, /) -> ResourceState | None:
        """One of them."""


def param_kinds(view: Holds) -> dict[KindId, list[ResourceId]]:
    """Kinds of parameters, with the policies that read them."""
    found: dict[KindId, list[ResourceId]] = {}
    for policy in (one for kind in POLICIES for one in view.members(kind)):
        state = view.find(policy)
        kind = _param_kind(state) if state is not None else None
        if kind is not None:
            found.setdefault(kind, []).append(policy)
    return found


def as_policy_says(view: View, source: ResourceState, reference: Reference) -> Reference:
    """A reference to a parameter, of the kind that the policy says; any other as it is."""
    if reference.rule not in PARAM_RULES:
        return reference
    policy = next((view.find(one.target) for one in source.references if one.rule in POLICY_RULES), None)
    kind = _param_kind(policy) if policy is not None else None
    served = view.surface.find(kind) if kind is not None else None
    if kind is None or served is None:
        return reference
    if reference.selector is not None:
        selector = structs.replace(reference.selector, kind=kind)
        return structs.replace(reference, selector=selector, confidence="declared")
    key = ResourceKey.parse(reference.target)
    if served.namespaced and not key.namespace:
        return reference  # in the namespace of what is written, whichever that is
    group, _, bare = kind.rpartition("/")
    target = resource_id(group, bare, key.namespace if served.namespaced else "", key.name)
    return structs.replace(reference, target=target, confidence="declared")


def parameters_of(view: View, going: AbstractSet[ResourceId]) -> Iterator[tuple[ResourceId, Edge, ResourceState]]:
    """What goes and is a parameter, with the binding that stays and names or selects it."""
    kinds = param_kinds(view)
    mine = [one for one in going if kind_of(one) in kinds] if kinds else []
    for policy in dict.fromkeys(policy for one in mine for policy in kinds[kind_of(one)]):
        for edge in view.dependents(policy).edges:
            binding = view.find(edge.source) if edge.reference.rule in POLICY_RULES else None
            if binding is None or edge.source in going:
                continue
            for row in binding.references:
                reference = as_policy_says(view, binding, row)
                if reference.rule in PARAM_RULES and reference.confidence == "declared":
                    present = set(view.targets(edge.source, reference).present)
                    yield from ((one, Edge(edge.source, one, reference), binding) for one in mine if one in present)


def parameters_lost(view: View, after: View, change: Change) -> Iterator[tuple[Edge, ResourceState]]:
    """Bindings that find a parameter now and none afterwards: the kind or the label by which they found it changes."""
    for binding in _concerned(view, change):
        now = after.find(binding.resource)
        for row in () if now is None else [one for one in binding.references if is_among(one, now.references)]:
            before, then = as_policy_says(view, binding, row), as_policy_says(after, binding, row)
            if row.rule not in PARAM_RULES or before.confidence != "declared":
                continue
            found = tuple(view.targets(binding.resource, before).present)
            has_kind = then.confidence == "declared" or not _wants_parameters(after, binding)
            if found and not (has_kind and _finds(after, binding, then)):
                yield Edge(binding.resource, found[0], before), binding


def _concerned(view: View, change: Change) -> Iterator[ResourceState]:
    """Bindings of the policy that changes its kind of parameters, or of those whose parameter changes its labels."""
    old, new = view.find(change.resource), change.after
    if old is None or new is None:
        return
    if kind_of(change.resource) in POLICIES:
        policies = [change.resource] if _param_kind(old) not in (None, _param_kind(new)) else []
    else:
        policies = param_kinds(view).get(kind_of(change.resource), []) if old.labels != new.labels else []
    for policy in policies:
        for edge in view.dependents(policy).edges:
            binding = view.find(edge.source) if edge.reference.rule in POLICY_RULES else None
            if binding is not None:
                yield binding


def _wants_parameters(view: View, binding: ResourceState) -> bool:
    policy = next((view.find(one.target) for one in binding.references if one.rule in POLICY_RULES), None)
    return _param_kind(policy) is not None


def _finds(view: View, binding: ResourceState, reference: Reference) -> bool:
    """A policy that asks for no parameters any more misses none."""
    return reference.confidence != "declared" or any(True for _ in view.targets(binding.resource, reference).present)


def kinds_that_may_be_params(view: Holds) -> frozenset[KindId]:
    """Kinds of which an object may be a parameter, or be taken for one."""
    kinds = param_kinds(view)
    return frozenset((*kinds, GUESSED)) if kinds else frozenset()


def is_only_guessed(view: View, finding: Finding) -> bool:
    """Whether it speaks of a parameter whose kind was guessed, though its policy says it."""
    edge = finding.edge
    if edge is None or edge.reference.rule not in PARAM_RULES:
        return False
    binding = view.find(edge.source)
    return binding is not None and as_policy_says(view, binding, edge.reference).confidence == "declared"


def still_found(after: View, edge: Edge, cascade: Cascade) -> bool:
    """The binding selects another parameter that stays."""
    return any(one not in cascade.all for one in after.targets(edge.source, edge.reference).present)


def _param_kind(policy: ResourceState | None) -> KindId | None:
    if policy is None:
        return None
    kind, version = policy.facts.get("param.kind"), str(policy.facts.get("param.apiVersion") or "")
    return kind_id(version.rpartition("/")[0], str(kind)) if kind else None
