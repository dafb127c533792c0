"""States that were asked for lately: a decision asks for the same ones again and again. Pure."""

from __future__ import annotations

from typing import Final

from schemas.events import ResourceState
from schemas.identity import ResourceId
from services.resolver.graph.names import NOWHERE, Names
from services.resolver.graph.records import Records

STATES_MAX: Final = 1_024


class States:
    """Of one graph, which says when a record is another."""

    def __init__(self, names: Names, records: Records) -> None:
        self._names, self._records = names, records
        self._known: dict[int, ResourceState] = {}

    def find(self, resource: ResourceId) -> ResourceState | None:
        """The state, or None."""
        number = self._names.find(resource)
        found = self._known.get(number)
        if found is None:
            record = None if number == NOWHERE else self._records.rows[number]
            if record is None:
                return None
            if len(self._known) >= STATES_MAX:
                self._known.clear()
            found = self._known[number] = self._records.unpack(resource, record)
        return found

    def forget(self, number: int) -> None:
        """It is another now, or none."""
        self._known.pop(number, None)
