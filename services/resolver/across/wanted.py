"""Whether what has waited is wanted still: a later intent may have declared the same, or be about to. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from msgspec import structs

from schemas.identity import ResourceId
from schemas.ties import declared, is_declared
from services.resolver.across.sets import members
from services.resolver.desk import Desk
from services.resolver.intake import Intake, overtaken, overtaking
from services.resolver.judge.case import Change


@dataclass(frozen=True, slots=True)
class Wanted:
    """As one site sees it. `may_be_undone`: whether an intent of several sites, entered here, may be still."""

    desk: Desk
    may_be_undone: Callable[[str], bool]

    def members(self, intent_id: str, intake: Intake, since: int) -> Intake:
        """Wrong (D512) of replicas that another one has declared later; put off (F510) while that may still fail.

        since   the stamp since which it has waited; 0: it has not
        """
        if not since:
            return intake
        here = members(self.desk.graph, _changed(intake))
        later = [(one.resource, by) for one in here for stamp, by in (declared(one),) if stamp > since]
        active = self.desk.docket.active
        return intake.but(
            [
                (overtaking if by in active or self.may_be_undone(by) else overtaken)(resource, by)
                for resource, by in later
                if by != intent_id
            ]
        )

    def part(self, intent_id: str, intake: Intake, since: int, *, is_late: bool = False) -> Intake:
        """The same of this site's part; and of what is no replica here, while what was entered later is under way."""
        intake = structs.replace(intake, changes=tuple(map(self._late, intake.changes))) if is_late else intake
        found, waiting = self.members(intent_id, intake, since), self.desk.docket.deferred.get(intent_id)
        later = self.desk.docket.overtaking(waiting) if since and waiting is not None else None
        if later is None or found.problems:
            return found
        return found.but([overtaking(one, later.intent.id) for one in _changed(intake) if later.changes_any([one])])

    def _late(self, change: Change) -> Change:
        """An update that is done elsewhere is of what the site has of the set: what only has its name is left alone."""
        state, after = self.desk.graph.find(change.resource), change.after
        if state is None or after is None or change.forced or not is_declared(after):
            return change
        was_tied = is_declared(state) or bool(self.desk.drifts.sites_of(change.resource))
        return change if was_tied else Change(change.resource, "annotate", change.version, unchanged=True)


def _changed(intake: Intake) -> list[ResourceId]:
    return [one.resource for one in intake.changes if one.action != "annotate" and not one.unchanged]
