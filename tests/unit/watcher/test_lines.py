"""Chunks → lines, wherever the cuts fall."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.watcher.kubernetes.lines import LineSplitter

texts = st.lists(st.binary(min_size=1, max_size=30).filter(lambda line: b"\n" not in line), max_size=20)


@given(texts, st.integers(1, 40))
def test_any_cutting_gives_the_same_lines(lines: list[bytes], size: int) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    splitter = LineSplitter()
    found = [line for at in range(0, len(stream), size) for line in splitter.feed(stream[at : at + size])]
    assert found == lines
    assert splitter.overlong == 0


@given(st.integers(1, 40), st.integers(11, 200))
def test_a_line_over_the_cap_is_counted_and_the_next_one_is_found(size: int, length: int) -> None:
    stream = b"before\n" + b"x" * length + b"\nafter\n"
    splitter = LineSplitter(limit=10)
    found = [line for at in range(0, len(stream), size) for line in splitter.feed(stream[at : at + size])]
    assert found == [b"before", b"after"]
    assert splitter.overlong == 1


@given(st.lists(texts.map(b"".join) | st.just(b"")), st.binary(max_size=9).filter(lambda rest: b"\n" not in rest))
def test_of_chunks_with_blank_lines_between_them_only_others_are_given(lines: list[bytes], rest: bytes) -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"".join(line + b"\n" for line in lines) + rest) == [line for line in lines if line]
    assert splitter.feed(b"end\n") == [rest + b"end"]


def test_blank_lines_and_an_unfinished_line_give_nothing() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"\n\nabc") == []
    assert splitter.feed(b"def\n") == [b"abcdef"]
