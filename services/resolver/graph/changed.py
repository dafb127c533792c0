"""What an event did to one resource, told without unpacking what nobody looks at. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.events import ResourceState, Scalar
from schemas.identity import ResourceId
from services.resolver.graph.kept import Record
from services.resolver.graph.records import Records


class Changed:
    """What an event did to one resource. States are unpacked when somebody looks, until the graph changes again."""

    __slots__ = ("_after", "_before", "_records", "resource")

    def __init__(
        self,
        resource: ResourceId,
        before: Record | None,
        after: Record | None,
        records: Records,
    ) -> None:
        self.resource = resource
        self._before, self._after, self._records = before, after, records

    @property
    def old(self) -> ResourceState | None:
        """What was known before."""
        return None if self._before is None else self._records.unpack(self.resource, self._before)

    @property
    def new(self) -> ResourceState | None:
        """What is known now."""
        return None if self._after is None else self._records.unpack(self.resource, self._after)

    @property
    def facts(self) -> Mapping[str, Scalar]:
        """The facts that are known now, cheaply."""
        return {} if self._after is None else self._records.traits(self._after).facts

    @property
    def facts_before(self) -> Mapping[str, Scalar]:
        """The same of before."""
        return {} if self._before is None else self._records.traits(self._before).facts

    @property
    def may_take_away(self) -> bool:
        """Cheaply: it is gone, it is another object now, or what is known of it besides its references differs."""
        before, after = self._before, self._after
        if before is None:
            return False
        if after is None or before.traits is not after.traits:
            return True
        if before.labels is not after.labels or before.template_labels is not after.template_labels:
            return True
        return not self._records.same_object(before, after)
