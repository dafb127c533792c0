"""What recurs is kept once, as long as somebody uses it; however large a graph is, nothing walks over all of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Reference, ResourceEvent, ResourceState
from schemas.identity import ResourceId, SiteName
from services.resolver.graph import records
from services.resolver.graph.pool import Pool
from services.resolver.graph.records import RECENT_MAX
from services.resolver.graph.store import Graph

STEPS = st.lists(st.tuples(st.sampled_from(("keep", "find", "begin", "end")), st.integers(0, 5)), max_size=30)


@given(STEPS)
def test_a_pool_gives_the_first_value_until_it_was_not_asked_for_between_begin_and_end(
    steps: list[tuple[str, int]],
) -> None:
    pool: Pool[int, object] = Pool()
    known: dict[int, object] = {}
    used: set[int] | None = None
    for what, key in steps:
        if what == "keep":
            assert pool.keep(key, made := object()) is known.setdefault(key, made)
        elif what == "find":
            assert pool.find(key) is known.get(key)
        elif what == "begin" and used is None:
            pool.begin()
            used = set()
        elif what == "end" and used is not None:
            pool.end()
            known = {one: value for one, value in known.items() if one in used}
            used = None
        if what in ("keep", "find") and used is not None:
            used.add(key)


def state(number: int, version: str) -> ResourceState:
    reference = Reference("names", "spec.names", "reliance", "L", ResourceId(f"Secret/shop/{number}"))
    return ResourceState(
        ResourceId(f"Pod/shop/{number}"),
        uid=f"u{number}",
        resource_version=version,
        labels={"round": version, "name": str(number)},
        references=(reference,),
    )


def test_what_no_record_uses_any_more_is_forgotten_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "SWEEP_ROWS", 500)
    graph = Graph(SiteName("lyon"))
    size = 4_000
    for version in "abcdefgh":
        for number in range(size):
            graph.apply(ResourceEvent("put", state(number, version)))
    kept = graph._records._bytes
    assert len(kept) <= 3 * size, "at most as many again as are in use, and what a sweep under way has not seen"
    assert [one.labels["round"] for one in graph.resources()] == ["h"] * size


def test_a_listing_that_says_nothing_new_leaves_nothing_behind() -> None:
    graph = Graph(SiteName("lyon"))
    for _ in range(2):
        for number in range(3 * RECENT_MAX):
            graph.apply(ResourceEvent("put", state(number, "a")))
    assert len(graph._records._recent) <= RECENT_MAX + 1
