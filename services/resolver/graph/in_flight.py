"""A site with what was allowed and is not visible yet laid over it. Pure.

Whether a change in flight will happen is not known: it may fail. So it counts both ways. What is being written needs
what it needed and what it will need; what is being deleted is as good as terminating: a user until it is gone, and
nothing to rely on. The same holds for what a deletion takes down. `held_by` names the intent to wait for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import structs

from schemas.events import ResourceState
from schemas.identity import ResourceId
from services.resolver.graph.overlay import OverlayView
from services.resolver.graph.view import OWNING, View, takes_along

Row = tuple[ResourceId, str, ResourceState | None]  # resource, intent, what it will be (None: it is being deleted)
OWNERS_MAX: Final = 16  # CustomResource → Deployment → ReplicaSet → Pod is three; a cycle of owners must end, too


class InFlightView(OverlayView):
    """`base` under the changes in `rows`. `own`: the intent under judgement does not wait for itself."""

    def __init__(self, base: View, rows: Iterable[Row], own: str = "") -> None:
        puts: dict[ResourceId, ResourceState] = {}
        holders: dict[ResourceId, str] = {}
        self._going: dict[ResourceId, str] = {}
        for resource, intent, after in rows:
            before = base.find(resource)
            if after is not None:
                puts[resource] = _either(before, after) if before is not None and intent != own else after
            else:
                self._going[resource] = intent
            if intent != own:
                holders[resource] = intent
        super().__init__(base, puts, holders=holders)
        self._own = own

    def find(self, resource: ResourceId) -> ResourceState | None:
        """What is being deleted, and what goes with it, shows as terminating."""
        state = super().find(resource)
        if state is None or state.deleting or not self._going:
            return state
        return structs.replace(state, deleting=True) if self._taken_by(resource, state, 0) else state

    def held_by(self, resource: ResourceId) -> str | None:
        """The intent that changes it, or takes it down with something else."""
        holder = super().held_by(resource)
        if holder is not None or not self._going:
            return holder
        state = super().find(resource)
        taker = self._taken_by(resource, state, 0) if state is not None else None
        return taker if taker != self._own else None

    def _taken_by(self, resource: ResourceId, state: ResourceState, depth: int) -> str | None:
        """The intent whose deletion reaches this: by itself, through a container, or through all of its owners."""
        if resource in self._going:
            return self._going[resource]
        if depth >= OWNERS_MAX:
            return None
        owners: list[str | None] = []
        for reference in state.references:
            above = super().find(reference.target) if reference.relation in OWNING else None
            if above is None or (reference.uid and above.uid and reference.uid != above.uid):
                continue
            taker = self._taken_by(reference.target, above, depth + 1)
            if reference.relation == "containment" and taker is not None and takes_along(above):
                return taker
            if reference.relation == "composition":
                owners.append(taker)
        return owners[0] if owners and all(owners) else None


def _either(before: ResourceState, after: ResourceState) -> ResourceState:
    """What may be taken from it is what both offer, what it may need is what either needs."""
    parts = {
        part: tuple(one for one in offered if one in after.parts.get(part, ()))
        for part, offered in before.parts.items()
    }
    facts = dict(after.facts)
    if before.facts.get("recurs") is True:
        facts["recurs"] = True
    needed = [one for one in before.references if one not in after.references]
    return structs.replace(
        after,
        uid=before.uid,
        resource_version=before.resource_version,
        deleting=before.deleting,
        references=(*after.references, *needed),
        parts=parts,
        facts=facts,
        finalizers=before.finalizers,
        grants=tuple(grant for grant in before.grants if grant in after.grants),
    )
