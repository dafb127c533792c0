"""Who puts back what somebody changes or deletes, besides its owner: what has applied it (GitOps). Pure."""

from __future__ import annotations

from typing import Final

from schemas.events import ResourceState
from schemas.identity import ResourceId
from services.resolver.graph.names import NOWHERE
from services.resolver.graph.numbers import Numbers
from services.resolver.graph.remembered import numbers_of
from services.resolver.graph.view import View

RESTORES: Final = "restores"  # a fact of a container, as the catalogue has it


def restorer_of(view: View, resource: ResourceId) -> ResourceId | None:
    """The container that restores it, when there is one and it is not being deleted."""
    numbers = numbers_of(view)
    if numbers is not None and (number := numbers.find(resource)) != NOWHERE and numbers.rows[number] is not None:
        return restorer_by_number(numbers, number)
    state = view.find(resource)
    for reference in state.references if state is not None else ():
        if reference.optional and reference.relation == "containment" and _restores(view.find(reference.target)):
            return reference.target
    return None


def restorer_by_number(numbers: Numbers, number: int) -> ResourceId | None:
    """The same."""
    record = numbers.record(number)
    for place in record.shape.owning:
        form, target = record.shape.at[place], record.targets[place]
        assert form is not None, "a target stands there"
        if not isinstance(target, int) or not form.reference.optional or form.reference.relation != "containment":
            continue
        if _restores(numbers.traits(target)):
            return numbers.resource(target)
    return None


def _restores(container: ResourceState | None) -> bool:
    return container is not None and not container.deleting and container.facts.get(RESTORES) is True
