"""`cheops check --since REV`: the sites as they were at REV, the act is what the working tree changes.

What is written is judged on the sites as they were; what is removed is judged on them as they will be then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cheops.cli.failures import BadInputError
from cheops.cli.manifests import checked_documents
from cheops.offline.check import Act, Court, check_parts
from cheops.offline.history import Difference, HistoryError, difference, documents_at
from cheops.offline.sites import Flaws, OfflineSite, site_of
from schemas.documents import Document
from schemas.identity import SiteName
from schemas.verdicts import Verdict
from services.resolver.coordinate import combine


@dataclass(frozen=True, slots=True)
class Change:
    """What git says of the sites: as they were, as they are with what goes still there, and the difference of each."""

    before: Mapping[SiteName, OfflineSite]
    between: Mapping[SiteName, OfflineSite]
    differences: Mapping[SiteName, Difference]

    @property
    def documents(self) -> list[Document]:
        """Everything that is written, with its place."""
        return [one for found in self.differences.values() for one in found.written]


def read_change(
    paths: Mapping[SiteName, Sequence[Path]], revision: str, flaws: Mapping[SiteName, Flaws], court: Court
) -> Change:
    """Raises BadInputError (git), DocumentError (a manifest)."""
    before, between, found = {}, {}, {}
    for name, where in paths.items():
        try:
            then = [one for path in where for one in documents_at(revision, path)]
        except HistoryError as error:
            raise BadInputError(f"--since {revision}: {error}") from error
        now = checked_documents([path for path in where if path.exists()], "", empty=True)
        before[name] = site_of(name, then, court.catalogue, flaws[name])
        found[name] = difference(then, now, before[name].extractor)
        gone = set(found[name].removed)
        left = [one for one in then if before[name].extractor.key(one.body).id in gone]
        between[name] = site_of(name, [*now, *left], court.catalogue, flaws[name])
    return Change(before, between, found)


def judge_change(court: Court, change: Change, act: Act) -> Verdict | None:
    """One verdict on all sites; None when nothing changed."""
    entry = next(iter(change.before))
    answers = []
    writes = {
        name: replace(act, verb="apply", manifests=tuple(_newest(one.body) for one in found.written))
        for name, found in change.differences.items()
        if found.written
    }
    if writes:
        answers.append(check_parts(replace(court, sites=change.before), writes))
    deletes = {
        name: replace(act, verb="delete", resources=found.removed)
        for name, found in change.differences.items()
        if found.removed
    }
    if deletes:
        answers.append(check_parts(replace(court, sites=change.between), deletes))
    return combine(answers, entry) if answers else None


def _newest(body: Mapping[str, Any]) -> dict[str, Any]:
    """A dump that was made again is no change of something older: what its server counts is left out."""
    metadata = {name: value for name, value in body["metadata"].items() if name not in ("uid", "resourceVersion")}
    return {**body, "metadata": metadata}
