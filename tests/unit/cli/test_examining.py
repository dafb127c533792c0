"""`cheops doctor` on the services of a site: nobody who acts, clocks that differ."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cheops.cli.examining import of_the_services
from schemas.identity import SiteName
from schemas.queries import SiteStatus
from schemas.verdicts import Evidence

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def lyon(**more: Any) -> SiteStatus:
    claim = Evidence(site=SiteName("lyon"), epoch=1, seq=9, age_s=0.4, bound_s=10.0)
    return SiteStatus(
        site=SiteName("lyon"), version="0.1.0", evidence=claim, state="fresh", started_at=NOW, **{"at": NOW, **more}
    )


@pytest.mark.parametrize("more", [{}, {"at": NOW - timedelta(seconds=4), "executor_ahead_s": 0.1}, {"at": None}])
def test_of_a_site_that_is_well_or_older_than_these_words_nothing_is_said(more: dict[str, Any]) -> None:
    assert of_the_services(lyon(**more), NOW) == []


def test_clocks_that_differ_are_told_with_whose_and_by_how_much() -> None:
    status = lyon(at=NOW + timedelta(days=3), executor_ahead_s=-7_200.0)
    assert of_the_services(status, NOW) == [
        "the clock of its resolver is 3 d ahead of the clock of this machine"
        " (set them: intents and operations expire by the clock)",
        "the clock of its executor is 2 h behind the clock of its resolver"
        " (set them: intents and operations expire by the clock)",
    ]


def test_a_site_without_an_executor_is_told_to_carry_out_nothing() -> None:
    assert of_the_services(lyon(executor_silent=True), NOW) == [
        "no executor answers: what is allowed there is not done (cheops serve executor)"
    ]
