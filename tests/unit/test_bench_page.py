"""What `make bench` writes into a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.growth import BEGIN, END, write
from tests.bench.measuring import Row, parse_sizes, shown_size

COLUMNS = {
    10_000: [Row("decision, p99", 0.5, "ms", 1.0), Row("events/s", 40_000, "", 150_000, "more")],
    1_000_000: [Row("decision, p99", 1.5, "ms", 1.0)],
}


@pytest.mark.parametrize(("text", "sizes"), [("10k,1M", [10_000, 1_000_000]), ("300", [300]), ("", [])])
def test_sizes_are_read_as_they_are_shown(text: str, sizes: list[int]) -> None:
    assert parse_sizes(text) == sizes
    assert ",".join(map(shown_size, sizes)) == text


def test_a_page_keeps_what_people_wrote_around_the_figures(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    write(page, "here", {"verdicts": COLUMNS})
    once = page.read_text()
    write(page, "here", {"verdicts": COLUMNS})
    assert page.read_text() == once
    assert once.startswith(f"before\n{BEGIN}")
    assert once.endswith(f"{END}after\n")
    assert "old" not in once


def test_a_figure_is_called_met_by_its_largest_size_and_plotted_where_there_are_two(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(BEGIN + END)
    write(page, "here", {"verdicts": COLUMNS})
    text = page.read_text()
    assert "| decision, p99 | 0.5 ms | 1.5 ms | ≤ 1 ms | not met |" in text
    assert "| events/s | 40,000 | – | ≥ 150,000 | not met |" in text
    assert text.count("xychart-beta") == 1
    assert "line [0.5, 1.5]" in text
