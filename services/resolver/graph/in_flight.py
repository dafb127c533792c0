"""A site with what was allowed and is not visible yet laid over it. Pure.

Whether a change in flight will happen is not known: it may fail. So it counts both ways. What is being written needs
what it needed and what it will need; what is being deleted is as good as terminating: a user until it is gone, and
nothing to rely on. The same holds for what a deletion takes down. `held_by` names the intent to wait for.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from schemas.among import is_among
from schemas.events import ResourceState
from schemas.identity import ResourceId
from services.resolver.graph.kept import Record
from services.resolver.graph.overlay import OverlayView
from services.resolver.graph.store import Graph
from services.resolver.graph.view import OWNING, WALK_MAX, View, takes_along

Both = tuple[ResourceState | None, ResourceState]
Row = tuple[ResourceId, str, ResourceState | None]  # resource, intent, what it will be (None: it is being deleted)


class WorkedOut:
    """What was worked out of changes in flight for one decision, for the next: while the graph has the same record."""

    def __init__(self) -> None:
        self._known: dict[ResourceId, tuple[Record, ResourceState, Both]] = {}

    def both(self, base: View, resource: ResourceId, after: ResourceState) -> Both:
        """What it is (None: nothing), and what has to be reckoned with until the change is seen."""
        record = base.record(resource) if isinstance(base, Graph) else None
        known = self._known.get(resource) if record is not None else None
        if known is not None and known[0] is record and known[1] is after:
            return known[2]
        before = base.find(resource)
        both = (before, after if before is None else _either(before, after))
        if record is not None:
            self._known[resource] = (record, after, both)
        return both

    def forget(self, resource: ResourceId) -> None:
        """It is in flight no more."""
        self._known.pop(resource, None)


class InFlightView(OverlayView):
    """`base` under the changes in `rows`. `own`: the intent under judgement does not wait for itself."""

    def __init__(self, base: View, rows: Iterable[Row], own: str = "", worked_out: WorkedOut | None = None) -> None:
        known = worked_out or WorkedOut()
        puts: dict[ResourceId, ResourceState] = {}
        holders: dict[ResourceId, str] = {}
        self._going: dict[ResourceId, str] = {}
        self._takers: dict[ResourceId, str | None] = {}  # as far as was asked
        self._rows = [*rows]
        self._written: list[ResourceState] = []  # what is written, as it is yet
        for resource, intent, after in self._rows:
            if after is not None:
                before, either = known.both(base, resource, after)
                puts[resource] = after if intent == own else either
                if before is not None:
                    self._written.append(before)
            else:
                self._going[resource] = intent
            if intent != own:
                holders[resource] = intent
        super().__init__(base, puts, holders=holders)
        self._own = own

    def consulted(self) -> list[Row]:
        """The rows that had a say in what was answered: under these alone it would have been the same.

        One of them when none had: under nothing the site itself is asked, which counts further at hubs.
        """
        return [row for row in self._rows if row[0] in self._asked] or self._rows[:1]

    def _before(self) -> Iterable[ResourceState]:
        return self._written

    def find(self, resource: ResourceId) -> ResourceState | None:
        """What is being deleted, and what goes with it, shows as terminating."""
        state = super().find(resource)
        if state is None or state.deleting or not self._going:
            return state
        return structs.replace(state, deleting=True) if self._taken_by(resource, state) else state

    def held_by(self, resource: ResourceId) -> str | None:
        """The intent that changes it, or takes it down with something else."""
        holder = super().held_by(resource)
        if holder is not None or not self._going:
            return holder
        state = super().find(resource)
        taker = self._taken_by(resource, state) if state is not None else None
        return taker if taker != self._own else None

    def _taken_by(self, resource: ResourceId, state: ResourceState) -> str | None:
        """The intent whose deletion reaches this: by itself, through a container, or through all of its owners."""
        if resource not in self._takers:
            self._look_above(resource, state)
        return self._takers[resource]

    def _look_above(self, resource: ResourceId, state: ResourceState) -> None:
        """Who takes this, and all that it belongs to. Owners may stand in circles: nobody is taken by himself."""
        above: dict[ResourceId, list[tuple[ResourceId, str]]] = {}
        waiting = [(resource, state)]
        for one, its_state in waiting:
            if one in self._going:
                self._asked.add(one)
                self._takers[one] = self._going[one]
            elif one not in self._takers and one not in above and len(above) < WALK_MAX:
                rows = above[one] = []
                for reference in its_state.references:
                    holder = super().find(reference.target) if reference.relation in OWNING else None
                    if holder is None or (reference.uid and holder.uid and reference.uid != holder.uid):
                        continue
                    if reference.relation == "composition" or takes_along(holder):
                        rows.append((reference.target, reference.relation))
                        waiting.append((reference.target, holder))
        owned: dict[ResourceId, list[tuple[ResourceId, str]]] = {}
        staying: dict[ResourceId, int] = {}  # how many of its owners
        for one, rows in above.items():
            staying[one] = 0
            for owner, relation in rows:
                staying[one] += relation == "composition"
                owned.setdefault(owner, []).append((one, relation))
        going = [owner for owner in owned if self._takers.get(owner) is not None]
        for owner in going:
            for one, relation in owned.get(owner, ()):
                staying[one] -= relation == "composition"
                if self._takers.get(one) is None and (relation == "containment" or not staying[one]):
                    self._takers[one] = self._takers[owner]
                    going.append(one)
        for one in above:
            self._takers.setdefault(one, None)


def _either(before: ResourceState, after: ResourceState) -> ResourceState:
    """What may be taken from it is what both offer, what it may need is what either needs."""
    parts = {
        part: tuple(one for one in offered if is_among(one, after.parts.get(part, ())))
        for part, offered in before.parts.items()
    }
    facts = dict(after.facts)
    if before.facts.get("recurs") is True:
        facts["recurs"] = True
    needed = [one for one in before.references if not is_among(one, after.references)]
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
