"""`cheops check --since REV`: the sites as they were at REV, the act is what the working tree changes.

What is written is judged on the sites as they were, and what goes misses nothing of it; what is removed is judged on
them as they will be then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cheops.cli.failures import BadInputError
from cheops.cli.manifests import checked_documents
from cheops.cli.render.places import Manifests
from cheops.offline.check import Act, Court, check_parts, judge_at
from cheops.offline.history import Difference, difference, documents_at, left_behind
from cheops.offline.revisions import HistoryError
from cheops.offline.sites import Flaws, OfflineSite, site_of
from schemas.documents import Document
from schemas.identity import SiteName
from schemas.verdicts import Step, Verdict
from services.resolver.coordinate import combine
from services.resolver.judge.case import Problem
from services.resolver.judge.findings import named


@dataclass(frozen=True, slots=True)
class Change:
    """What git says of the sites: as they were, as they are with what goes still there, and the difference of each.

    problems   what is removed, and what is declared in it is not
    new        the paths that were not there then
    """

    before: Mapping[SiteName, OfflineSite]
    between: Mapping[SiteName, OfflineSite]
    differences: Mapping[SiteName, Difference]
    problems: Mapping[SiteName, Sequence[Problem]]
    new: Mapping[SiteName, Sequence[Path]]

    @property
    def manifests(self) -> Manifests:
        """What is written, and what is there besides, with their places."""
        written = {name: found.written for name, found in self.differences.items()}
        return Manifests(written, {name: site.documents for name, site in self.between.items()})

    @property
    def staying(self) -> list[str]:
        """What leaves the manifests and not the cluster, in words."""
        return [
            f"{named(resource)} @ {site} is in the manifests no more, and stays ({why})"
            for site, found in self.differences.items()
            for resource, why in found.staying.items()
        ]

    @property
    def beginning(self) -> list[str]:
        """Which paths are new, in words: what had another place counts as new, unless that is named as well."""
        return [
            f"{path} was not there then: all of it is new at {site}"
            + ("" if self.before[site].documents else f" (moved? name its former place, too: --site {site}=PATH)")
            for site, paths in self.new.items()
            for path in paths
        ]


def read_change(
    paths: Mapping[SiteName, Sequence[Path]],
    revision: str,
    flaws: Mapping[SiteName, Flaws],
    court: Court,
    kubernetes: str,
) -> Change:
    """Raises BadInputError (git, a path that never was), DocumentError (a manifest)."""
    before, between, found, problems, new = {}, {}, {}, {}, {}
    for name, where in paths.items():
        try:
            former = {path: documents_at(revision, path) for path in where}
        except HistoryError as error:
            raise BadInputError(f"--since {revision}: {error}") from error
        new[name] = [path for path, documents in former.items() if documents is None]
        for path in new[name]:
            if not path.exists():
                raise BadInputError(f"--site {name}={path}: neither there now nor at {revision}")
        then = [one for documents in former.values() for one in documents or ()]
        now = checked_documents([path for path in where if path.exists()], "", empty=True)
        before[name] = site_of(name, then, court.catalogue, flaws[name], kubernetes)
        found[name] = difference(then, now, before[name].extractor)
        gone = {*found[name].removed, *found[name].staying}
        left = [_past(one, revision) for one in then if before[name].extractor.key(one.body).id in gone]
        between[name] = site_of(name, [*now, *left], court.catalogue, flaws[name], kubernetes)
        problems[name] = left_behind(found[name].removed, now, between[name])
    return Change(before, between, found, problems, new)


def _past(document: Document, revision: str) -> Document:
    """No line of the file as it is now is its own."""
    return replace(document, file=document.file.removesuffix(f" at {revision}"), line=1, node=None)


def judge_change(court: Court, change: Change, act: Act) -> Verdict | None:
    """One verdict on all sites; None when nothing changed."""
    entry = next(iter(change.before))
    answers = []
    writes = {
        name: replace(
            act, verb="apply", manifests=tuple(_newest(one.body) for one in found.written), going=found.removed
        )
        for name, found in change.differences.items()
        if found.written
    }
    if writes:
        answers.append(check_parts(replace(court, sites=change.before), writes))
    later = replace(court, sites=change.between)
    deletes = [
        judge_at(
            later, replace(act, verb="delete", resources=found.removed), change.between[name], (*change.problems[name],)
        )
        for name, found in change.differences.items()
        if found.removed
    ]
    if deletes:
        answers.append(combine(deletes, entry))
    return _in_order(combine(answers, entry), change) if answers else None


def _in_order(verdict: Verdict, change: Change) -> Verdict:
    """What is removed goes when those who used it are written as they do without it."""
    writes = {(one.site, one.resource): one.id for one in verdict.plan if one.action != "delete"}

    def waiting(step: Step) -> Step:
        if step.action != "delete" or not writes:
            return step
        users = {edge.source for edge in change.before[step.site].graph.dependents(step.resource).edges}
        first = {writes[step.site, one] for one in users if (step.site, one) in writes}
        return step.model_copy(update={"after": tuple(sorted({*step.after, *first}, key=int))})

    return verdict.model_copy(update={"plan": tuple(map(waiting, verdict.plan))})


def _newest(body: Mapping[str, Any]) -> dict[str, Any]:
    """A dump that was made again is no change of something older: what its server counts is left out."""
    metadata = {name: value for name, value in body["metadata"].items() if name not in ("uid", "resourceVersion")}
    return {**body, "metadata": metadata}
