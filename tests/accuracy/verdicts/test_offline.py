"""The labelled cases, decided offline, as `cheops check` does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cheops.offline.check import Act, Court, check
from cheops.offline.sites import Flaws, site_of
from schemas.identity import site_name
from schemas.relations.loader import load_catalogue
from services.resolver.judge.policy import Policy
from tests.accuracy.verdicts.cases import Case, differences, load_cases

CASES = list(load_cases())
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _flaws(case: Case, site: str) -> Flaws:
    given = case.flaws.get(site, {})
    return Flaws(given.get("stale", False), given.get("unreachable", False), tuple(given.get("blind", ())))


def _act(case: Case) -> Act:
    act = case.act
    verb = "delete" if "delete" in act else "read" if "read" in act else act.get("verb")
    return Act(
        verb=verb,
        manifests=tuple(act.get("manifests", ())),
        resources=tuple(act.get("delete", act.get("read", ()))),
        namespace=act.get("namespace", ""),
        cascade=act.get("cascade", "none"),
    )


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_verdict_is_the_label(case: Case) -> None:
    catalogue = load_catalogue()
    sites = {
        site_name(name): site_of(site_name(name), documents, catalogue, _flaws(case, name))
        for name, documents in case.sites.items()
    }
    verdict = check(Court(sites, catalogue, Policy(), NOW), _act(case), case.scope)
    assert not differences(case.expect, verdict), case.row
