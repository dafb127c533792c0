"""Files of snapshots: whole or refused, whatever was cut off, turned over, or comes from elsewhere; kills included."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from structlog.testing import capture_logs

from schemas.events import ResourceEvent, ResourceState, ServedKind
from schemas.identity import KindId, ResourceId, SiteName
from services.resolver.evidence import Standing
from services.resolver.frames import RefusedError, framed, payloads
from services.resolver.graph.snapshot import Copying
from services.resolver.graph.store import Graph
from services.resolver.snapshots import CURRENT, FORMER, NEW, Act, End, Head, Snapshots, maker
from tests.kit.examples import examples

LYON = SiteName("lyon")
STANDING = Standing(1, 9, "abc", 0, 1, {KindId("Pod"): 2}, (ServedKind(KindId("Pod"), "pods", ("v1",)),))


def head(stream_seq: int, site: SiteName = LYON, made_by: str = "us") -> Head:
    return Head(site, made_by, stream_seq, 0, (), STANDING)


def graph() -> Graph:
    made = Graph(LYON)
    for place in range(5):
        made.apply(ResourceEvent("put", ResourceState(ResourceId(f"Pod/shop/web-{place}"), uid=f"u{place}")))
    return made


def acts(folder: Path, stream_seq: int, **other: Any) -> Generator[Act, None, None]:
    one = graph()
    snapshots = Snapshots(folder, LYON, "us")
    return snapshots.acts(head(stream_seq, **other), Copying(one).chunks(2), lambda: End(1, 9, len(one.parts.names)))


def write(folder: Path, stream_seq: int, **other: Any) -> None:
    for act in acts(folder, stream_seq, **other):
        act()


def acts_len(folder: Path) -> int:
    """How many acts it takes when there is a former snapshot."""
    write(folder, 1)
    return sum(act() is not act for act in acts(folder, 2))


def found(folder: Path) -> list[int]:
    """The positions of the snapshots that may be used, each read to its end."""
    seqs = []
    for one in Snapshots(folder, LYON, "us").read():
        assert sum(len(chunk.lines) for chunk in one.chunks) == 5
        seqs.append(one.head.stream_seq)
    return seqs


def refusals(folder: Path) -> list[str]:
    with capture_logs() as logs:
        assert found(folder) == []
    return [str(one["reason"]) for one in logs if one["event"] == "snapshot refused"]


PAYLOADS = st.lists(st.binary(max_size=40), max_size=6)


@given(PAYLOADS)
def test_what_was_framed_is_read_back(pieces: list[bytes]) -> None:
    assert [bytes(one) for one in payloads(b"".join(framed(pieces)))] == pieces


@settings(max_examples=examples(300))
@given(PAYLOADS, st.data())
def test_a_byte_that_differs_is_found_wherever_it_is(pieces: list[bytes], data: st.DataObject) -> None:
    raw = bytearray(b"".join(framed(pieces)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RefusedError):
        payloads(bytes(raw))


def test_a_file_that_ends_anywhere_before_its_end_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 7)
    raw = (tmp_path / CURRENT).read_bytes()
    for length in range(len(raw)):
        (tmp_path / CURRENT).write_bytes(raw[:length])
        assert refusals(tmp_path), length


def test_pieces_of_two_files_do_not_make_a_third() -> None:
    one, other = ([*framed([b"a", middle, b"c"])] for middle in (b"x", b"y"))
    with pytest.raises(RefusedError, match="damaged after 2 pieces"):
        payloads(b"".join([*one[:3], other[3]]))


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"site": SiteName("oslo")}, "of site 'oslo'"),
        ({"made_by": "them"}, "made by another version of Cheops or of the rules"),
    ],
)
def test_what_another_site_or_version_wrote_is_refused(tmp_path: Path, other: dict[str, Any], reason: str) -> None:
    write(tmp_path, 7, **other)
    assert refusals(tmp_path) == [reason]


def test_what_is_no_snapshot_or_of_another_format_is_refused(tmp_path: Path) -> None:
    for content, reason in (
        (b"a note", "no snapshot"),
        (b"cheops graph 0\n...", "of another version"),
        (b"", "no snapshot"),
    ):
        (tmp_path / CURRENT).write_bytes(content)
        assert refusals(tmp_path) == [reason]


def test_another_edition_of_the_rules_or_another_place_of_them_makes_another_maker() -> None:
    assert len({maker("a"), maker("b"), maker("a", "rules"), maker("", "a")}) == 4


def test_a_damaged_snapshot_gives_way_to_the_former_one(tmp_path: Path) -> None:
    write(tmp_path, 7)
    write(tmp_path, 8)
    assert found(tmp_path) == [8, 7]
    (tmp_path / CURRENT).write_bytes((tmp_path / CURRENT).read_bytes()[:-1])
    assert found(tmp_path) == [7]


@pytest.mark.parametrize("acts_done", [2, 3, 4])
def test_what_is_given_up_half_written_does_not_keep_the_disk_full(tmp_path: Path, acts_done: int) -> None:
    write(tmp_path, 7)
    with closing(acts(tmp_path, 8)) as left:
        for _, act in zip(range(acts_done), left, strict=False):
            act()
        assert (tmp_path / NEW).stat().st_size > 0
    assert sorted(one.name for one in tmp_path.iterdir()) == [CURRENT]
    assert found(tmp_path) == [7]


def test_who_stops_after_any_act_leaves_a_snapshot_that_is_whole(tmp_path: Path) -> None:
    total = acts_len(tmp_path / "counted")
    for count in range(total + 1):
        folder = tmp_path / str(count)
        write(folder, 7)
        running = acts(folder, 8)
        for _ in range(count):
            next(running)()
        left = found(folder)
        assert left[0] == (8 if count > total - 2 else 7), count  # the last two: it has its name, the folder is synced


def test_who_is_killed_in_the_middle_of_a_write_leaves_a_snapshot_that_is_whole(tmp_path: Path) -> None:
    """A process of its own, killed with half of a piece on the disk, and then again before each other act."""
    total = acts_len(tmp_path / "counted")
    write(tmp_path, 7)
    for count in range(2, total, 2):
        code = f"from tests.unit.resolver.test_snapshot_files import die; die({str(tmp_path)!r}, {count})"
        done = subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3])
        assert done.returncode == -signal.SIGKILL
        assert found(tmp_path)[0] in (7, 8), count
    write(tmp_path, 9)
    assert found(tmp_path)[0] == 9
    assert {one.name for one in tmp_path.iterdir()} == {CURRENT, FORMER, "counted"}


def die(folder: str, count: int) -> None:
    """In the process that is killed."""
    running = acts(Path(folder), 8)
    for _ in range(count):
        next(running)()
    with (Path(folder) / "graph.new").open("ab") as file:
        file.write(b"half of a pie")
    os.kill(os.getpid(), signal.SIGKILL)
