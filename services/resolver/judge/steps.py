"""What is to be done for an allowed case: which resources need a step of their own, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from schemas.events import ResourceState
from schemas.identity import ResourceId, kind_of
from schemas.verdicts import Step
from services.resolver.graph.overlay import OverlayView
from services.resolver.graph.view import View
from services.resolver.judge.cascade import cascade_of, goes_by_itself
from services.resolver.judge.case import Case
from services.resolver.judge.findings import Finding
from services.resolver.judge.grants import GRANT, permitted_by
from services.resolver.plan import Planned, plan, preconditions_of

NOTHING_TO_DO: Final = ("N102", "N506")


def steps_of(case: Case, view: View, targets: Sequence[ResourceId], findings: Iterable[Finding]) -> tuple[Step, ...]:
    """The steps of an allowed case, in order."""
    nothing_to_do = {finding.resource for finding in findings if finding.code in NOTHING_TO_DO}
    if case.verb == "delete":
        marks = [one for one in case.changes if one.action == "annotate" and one.resource not in nothing_to_do]
        marks = [one for one in marks if view.find(one.resource) is not None]
        marked = [
            Planned(one.resource, one.action, preconditions_of(view.find(one.resource)), one.after) for one in marks
        ]
        return _of_delete(case, view, targets) if not marked else _with_marks(case, view, targets, marked)
    planned: list[Planned] = []
    for change in case.changes:
        if change.resource in nothing_to_do:
            continue
        known: ResourceState | None = view.find(change.resource)
        action = "create" if change.action == "create" else change.action
        planned.append(Planned(change.resource, action, preconditions_of(known), change.after))
    states = {one.resource: one.state for one in planned if one.state is not None}
    after = OverlayView(view, states) if len(states) > 1 else view
    return plan(case.site, planned, (*_turning(view, after, states), *_permitted(after, states)))


def _of_delete(case: Case, view: View, targets: Sequence[ResourceId]) -> tuple[Step, ...]:
    present = [one for one in targets if view.find(one) is not None]
    going = cascade_of(view, present).all
    states = {one: view.find(one) for one in present if not goes_by_itself(view, one, going)}
    planned = [Planned(one, "delete", preconditions_of(state), state) for one, state in states.items()]
    return plan(case.site, planned, (*_selecting(view, states), *_permitted(view, states)))


def _with_marks(case: Case, view: View, targets: Sequence[ResourceId], marked: Sequence[Planned]) -> tuple[Step, ...]:
    """Deletions, and words on what is not shared any more: they do not wait for each other."""
    steps = list(_of_delete(case, view, targets))
    for one in marked:
        number = str(len(steps) + 1)
        steps.append(
            Step(id=number, site=case.site, action=one.action, resource=one.resource, preconditions=one.preconditions)
        )
    return tuple(steps)


def _turning(
    view: View, after: View, states: Mapping[ResourceId, ResourceState]
) -> Iterator[tuple[ResourceId, ResourceId]]:
    """A Service that is there and selects otherwise, with its new pods' makers: until then it leads where it did."""
    for source, state in states.items() if len(states) > 1 else ():
        before = view.find(source)
        known = before.references if before is not None else state.references
        for reference in state.references:
            if reference.selector is not None and "L" in reference.phases and reference not in known:
                matched = set(after.targets(source, reference).present)
                yield from ((source, target) for target in matched if target in states and target != source)


def _permitted(view: View, states: Collection[ResourceId]) -> Iterator[tuple[ResourceId, ResourceId]]:
    """A route into another namespace, with the ReferenceGrant there without which it leads nowhere."""
    for one in states if len(states) > 1 else ():
        if kind_of(one) == GRANT:
            yield from ((source.resource, one) for _, source in permitted_by(view, one) if source.resource in states)


def _selecting(
    view: View, states: Mapping[ResourceId, ResourceState | None]
) -> Iterator[tuple[ResourceId, ResourceId]]:
    for source, state in states.items():
        for reference in state.references if state is not None else ():
            if reference.selector is not None:
                matched = set(view.targets(source, reference).present)
                yield from ((source, target) for target in matched if target in states and target != source)
