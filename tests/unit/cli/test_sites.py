"""`cheops sites`: the links between sites as a table that stands alone within 80 columns."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cheops.cli.render.signs import Signs
from cheops.cli.render.sites import links_table, span, table
from schemas.identity import SiteName
from schemas.queries import OutboxLag, PeerLink, SiteLinks, SiteStatus
from schemas.verdicts import Evidence

LYON, OSLO, NICE, PARIS = map(SiteName, ("lyon", "oslo", "nice", "paris"))
UP = PeerLink(site=OSLO, state="up", round_trip_s=0.00124, heard_s=0.4, speaks="1.0", release="0.1.0")
CUT = PeerLink(
    site=NICE,
    state="unreachable",
    why="nobody serves it",
    round_trip_s=0.002,
    heard_s=842.0,
    speaks="1.1",
    outbox=OutboxLag(count=3, size=1_200, oldest_s=840.0, retries=31, error="no stream takes it"),
)
NEVER = PeerLink(site=PARIS, state="unreachable", why="nobody serves it")


def test_each_link_is_a_line_and_what_is_wrong_is_said_below() -> None:
    assert links_table([SiteLinks(site=LYON, speaks="1.0", peers=(CUT, UP, NEVER))], Signs()) == [
        "",
        "FROM  TO     LINK           ROUND TRIP  HEARD       OUTBOX     VERSION",
        "lyon  nice   ✗ unreachable  -           14 min ago  3, 14 min  1.1",
        "lyon  oslo   ✓ up           1.2 ms      0.4 s ago   0          1.0",
        "lyon  paris  ✗ unreachable  -           never       0          -",
        "lyon → nice: nobody serves it",
        "lyon → paris: nobody serves it",
    ]


def test_a_link_that_was_not_asked_for_again_is_not_said_to_be_down_for_nothing() -> None:
    silent = UP.model_copy(update={"state": "unreachable", "heard_s": 80.0})
    *_, why = links_table([SiteLinks(site=LYON, speaks="1.0", peers=(silent,))], Signs())
    assert why == "lyon → oslo: it was not asked again since"


def test_a_site_whose_server_stores_nothing_is_not_said_to_lack_its_watcher() -> None:
    claim = Evidence(site=LYON, epoch=1, seq=9, age_s=80.0, bound_s=10.0)
    full = SiteStatus(
        site=LYON,
        version="0.1.0",
        evidence=claim,
        state="stale",
        unstored="cheops.v1.outcome.lyon.i-1.1 was not stored: no answer in time",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert table([full], [], Signs())[-1] == (
        "lyon: cheops.v1.outcome.lyon.i-1.1 was not stored: no answer in time; "
        "is its nats-server's disk full? (make room, then restart that server)"
    )


def test_a_site_without_peers_has_no_table() -> None:
    assert links_table([], Signs()) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (42, "42 s"), (840, "14 min"), (10_800, "3 h"), (180_000, "2 d")],
)
def test_a_span_of_time_is_told_in_the_unit_that_a_person_would_take(seconds: float, text: str) -> None:
    assert span(seconds) == text
