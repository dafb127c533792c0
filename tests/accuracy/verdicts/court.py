"""A labelled case → the sites and the act of `cheops check`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cheops.offline.check import Act, Court
from cheops.offline.scoped import check
from cheops.offline.sites import Flaws, OfflineSite, site_of
from schemas.documents import Document
from schemas.identity import ResourceKey, SiteName, site_name
from schemas.relations.loader import Catalogue, load_catalogue
from schemas.verdicts import Verdict
from services.resolver.judge.policy import Policy
from tests.accuracy.verdicts.cases import Case

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SITES_MAX = 32


_sites: dict[str, OfflineSite] = {}
_verdicts: dict[str, Verdict] = {}  # by the names of their cases


@cache
def catalogue() -> Catalogue:
    """The shipped one."""
    return load_catalogue()


def flaws_of(case: Case, site: str) -> Flaws:
    """What is wrong with the knowledge of a site."""
    given = case.flaws.get(site, {})
    return Flaws(given.get("stale", False), given.get("unreachable", False), tuple(given.get("blind", ())))


def act_of(case: Case) -> Act:
    """What is to be judged."""
    act = case.act
    return Act(
        verb="delete" if "delete" in act else "read" if "read" in act else act.get("verb"),
        manifests=tuple(act.get("manifests", ())),
        resources=tuple(act.get("delete", act.get("read", ()))),
        namespace=act.get("namespace", ""),
        cascade=act.get("cascade", "none"),
    )


def verdict_on(
    case: Case, act: Act | None = None, entry: Sequence[dict[str, Any]] | None = None, scope: str | None = None
) -> Verdict:
    """The verdict; `entry` replaces the manifests of the entry site, `act` the act, `scope` the scope."""
    as_labelled = act is None and entry is None and scope is None
    if as_labelled and case.name in _verdicts:
        return _verdicts[case.name]
    sites: dict[SiteName, OfflineSite] = {}
    for name, documents in case.sites.items():
        rows = documents if entry is None or sites else [Document(name, 1, body) for body in entry]
        sites[site_name(name)] = _site(name, rows, flaws_of(case, name))
    court = Court(sites, catalogue(), Policy(), NOW)
    found = check(court, act or act_of(case), case.scope if scope is None else scope, case.latencies)
    if as_labelled:
        _verdicts[case.name] = found  # which is frozen
    return found


def _site(name: str, rows: Sequence[Document], flaws: Flaws) -> OfflineSite:
    """Many questions are about the same site, one after the other, and to build it takes longer than a verdict."""
    known = json.dumps([name, flaws.stale, flaws.unreachable, flaws.blind, [one.body for one in rows]])
    made = _sites.get(known)
    if made is None:
        if len(_sites) == SITES_MAX:
            _sites.clear()
        made = _sites[known] = site_of(site_name(name), rows, catalogue(), flaws)
    return made


def keys_of(case: Case, bodies: Sequence[dict[str, Any]]) -> list[ResourceKey]:
    """The identities that manifests of the entry site have there."""
    name = next(iter(case.sites))
    extractor = _site(name, case.sites[name], flaws_of(case, name)).extractor
    return [extractor.key(body) for body in bodies]
