"""Which living workloads may do less: W316, when a binding goes, its role allows less, or they run as another. Pure.

What an aggregated ClusterRole allows is what those that it selects allow: its controller writes that into `rules`,
whatever a manifest says there. So it allows less when one of them does, or goes, or is selected no more.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Final

from schemas.among import is_among
from schemas.events import Reference, ResourceState
from schemas.identity import KindId, ResourceId, kind_of
from services.resolver.graph.label_index import namespace_of
from services.resolver.graph.view import Edge, View
from services.resolver.graph.walk import owner_of
from services.resolver.judge.cascade import Cascade
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.use import BREAKING, use_of

ACCOUNT: Final = KindId("ServiceAccount")
BINDINGS: Final = frozenset(
    (KindId("rbac.authorization.k8s.io/RoleBinding"), KindId("rbac.authorization.k8s.io/ClusterRoleBinding"))
)
ROLES: Final = frozenset((KindId("rbac.authorization.k8s.io/Role"), KindId("rbac.authorization.k8s.io/ClusterRole")))
GRANTING: Final = BINDINGS | ROLES
RULE: Final = "rule"  # the part of a role, as rbac.yaml has it
AGGREGATION: Final = "role.aggregation"  # the rule there
ROLE: Final = "binding.role"
RUNS_AS: Final = "podspec.serviceaccount"  # how the names of the rules in podspec.yaml begin
LOOKED_AT: Final = 128  # bindings of one role, roles that select one
Lost = tuple[ResourceState, ResourceId, str]  # the binding, an account that it names, and what of it is lost


def rights_gone(view: View, old: ResourceState, cascade: Cascade) -> Iterator[Finding]:
    """Of the deletion of a binding, or of a role that others are made of; whoever goes with it loses nothing."""
    if kind_of(old.resource) in BINDINGS:
        lost: Iterable[Lost] = ((old, account, "") for account in _bound(view, old))
    else:
        selecting = (one for one in _made_of(view, old) if one.resource not in cascade.all)
        lost = (
            each
            for role in selecting
            for each in _lost_by(view, role, _gone(_allowed(view, role), _allowed(view, role, cascade.all)))
        )
    for binding, account, what in lost:
        yield from (finding for finding, _ in _rightless(view, binding, account, what, cascade.all))


def rights_lost(view: View, after: View, old: ResourceState, new: ResourceState) -> Iterator[Finding]:
    """Of an update: living workloads whose account a binding does not name any more, or whose role allows less."""
    if kind_of(old.resource) in BINDINGS and old.references != new.references:
        kept = set(_bound(after, new))
        lost: Iterable[Lost] = ((old, account, "") for account in _bound(view, old) if account not in kept)
    elif kind_of(old.resource) in ROLES:
        lost = (each for role in (old, *_made_of(view, old)) for each in _lost_by(view, role, _less(view, after, role)))
    else:
        return
    for binding, account, what in lost:
        for finding, edge in _rightless(view, binding, account, what):
            still = after.find(edge.source)
            if still is not None and is_among(edge.reference, still.references):
                yield finding


def rights_left_behind(view: View, after: View, old: ResourceState, new: ResourceState) -> Iterator[Finding]:
    """Of an update: what pods may do no more since they run as another account, to which nobody grants it."""
    had, has = _accounts_of(old), _accounts_of(new)
    if had.keys() & has.keys() or not has or owner_of(view, old.resource) is not None:
        return
    kept = {_granted(binding) for account in has for binding in _naming(after, account)}
    for account, reference in had.items():
        edge = Edge(old.resource, account, reference)
        if use_of(edge, new) not in BREAKING:
            continue
        for binding in _naming(view, account):
            if _granted(binding) not in kept:
                message = f"{named(new.resource)} loses what {named(binding.resource)} grants {named(account)}"
                yield Finding("W316", message, "presence", new.resource, edge)


def _accounts_of(state: ResourceState) -> dict[ResourceId, Reference]:
    return {one.target: one for one in state.references if one.rule.startswith(RUNS_AS)}


def _naming(view: View, account: ResourceId) -> Iterator[ResourceState]:
    """The bindings that grant it something."""
    for edge in view.dependents(account).edges:
        binding = view.find(edge.source) if kind_of(edge.source) in BINDINGS else None
        if binding is not None:
            yield binding


def _granted(binding: ResourceState) -> tuple[str, frozenset[ResourceId]]:
    """Where, and which role."""
    roles = frozenset(one.target for one in binding.references if one.rule == ROLE)
    return namespace_of(binding.resource), roles


def _made_of(view: View, role: ResourceState) -> list[ResourceState]:
    """The aggregated roles that select it, or select one that does."""
    found, todo = {role.resource: role}, [role.resource]
    while todo and len(found) <= LOOKED_AT:
        for edge in view.dependents(todo.pop(), LOOKED_AT, "selectors").edges:
            state = view.find(edge.source) if edge.reference.rule == AGGREGATION else None
            if state is not None and edge.source not in found:
                found[edge.source] = state
                todo.append(edge.source)
    return [*found.values()][1:]


def _allowed(view: View, role: ResourceState, gone: Container[ResourceId] = ()) -> set[str]:
    """What it allows, as `verb group/resource` and perhaps a name; nothing of the roles in `gone`."""
    allowed: set[str] = set()
    seen, todo = {role.resource}, [role]
    while todo:
        one = todo.pop()
        selecting = _selecting(one)
        if not selecting:
            allowed.update(one.parts.get(RULE, ()))
        for reference in selecting:
            more = {each for each in view.targets(one.resource, reference).present if each not in gone} - seen
            seen |= more
            todo += [state for each in more if (state := view.find(each)) is not None]
    return allowed


def _selecting(role: ResourceState) -> list[Reference]:
    return [one for one in role.references if one.rule == AGGREGATION]


def _less(view: View, after: View, role: ResourceState) -> list[str]:
    now = after.find(role.resource)
    return [] if now is None else _gone(_allowed(view, role), _allowed(after, now))


def _lost_by(view: View, role: ResourceState, gone: list[str]) -> Iterator[Lost]:
    if not gone:
        return
    what = f"{gone[0]!r}{f' and {len(gone) - 1} more' if len(gone) > 1 else ''} of "
    for edge in view.dependents(role.resource, LOOKED_AT).edges:
        binding = view.find(edge.source) if kind_of(edge.source) in BINDINGS else None
        if binding is not None:
            yield from ((binding, account, what) for account in _bound(view, binding))


def _gone(before: set[str], left: set[str]) -> list[str]:
    """What is allowed no more; a wildcard allows what it covers, and no name allows all."""
    wild = [rule for rule in left if "*" in rule]
    gone = (one for one in before - left if " ".join(one.split(" ", 2)[:2]) not in left)
    return sorted(one for one in gone if not any(_covers(rule, one) for rule in wild))


def _covers(rule: str, allowed: str) -> bool:
    """Of a rule with wildcards: no other covers what it is not itself, with or without a name."""
    (verb, place, name), (wanted_verb, wanted, wanted_name) = ((*one.split(" ", 2), "")[:3] for one in (rule, allowed))
    if verb not in ("*", wanted_verb) or name not in ("", wanted_name):
        return False
    return place in (wanted, "*/*") or (place.endswith("*") and wanted.startswith(place[:-1]))


def _bound(view: View, binding: ResourceState) -> Iterator[ResourceId]:
    """The accounts that it names and that are there."""
    for reference in binding.references:
        present = view.targets(binding.resource, reference).present
        yield from (account for account in present if kind_of(account) == ACCOUNT)


def _rightless(
    view: View, binding: ResourceState, account: ResourceId, what: str, going: Container[ResourceId] = ()
) -> Iterator[tuple[Finding, Edge]]:
    for edge in view.dependents(account).edges:
        if edge.source in going:
            continue
        source = view.find(edge.source)
        living = source is not None and edge.source != binding.resource and use_of(edge, source) in BREAKING
        if living and owner_of(view, edge.source) is None:
            message = f"{named(edge.source)} loses {what}what {named(binding.resource)} grants it"
            yield Finding("W316", message, "presence", edge.source, edge), edge
