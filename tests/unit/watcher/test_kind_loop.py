"""One kind's loop against a server that says exactly what is written here: faults 3 to 7, and the rest of HTTP."""

from __future__ import annotations

import asyncio
import gzip
import random
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from schemas.events import ResourceState
from schemas.kinds import Surface
from services.watcher.kubernetes.circumstances import Circumstances, LoopTiming
from services.watcher.kubernetes.discovery import Resource
from services.watcher.kubernetes.kind_loop import KindLoop
from services.watcher.kubernetes.shaping import Shaping
from services.watcher.kubernetes.transport import ANSWER_BYTES_MAX, Timing, Transport
from services.watcher.source import Gone, Health, Observation, Seen, Unreadable
from tests.unit.watcher.plain import plain_extractor
from tests.unit.watcher.scripted import (
    Answer,
    ScriptedServer,
    bookmark,
    connection_to,
    error_line,
    line,
    page,
    scripted,
    status,
    stream,
    thing,
)

PATH = "/api/v1/secrets"
SECRETS = Resource("", "v1", "Secret", "secrets", namespaced=True)
FAST = LoopTiming(
    silence_s=10.0,
    backoff_min_s=0.001,
    backoff_max_s=0.01,
    settled_s=0.05,
    forbidden_retry_s=0.01,
    line_bytes_max=2_000,
)
DEAF = replace(FAST, silence_s=0.2)  # where silence is what is tested


class Watched:
    """A loop whose observations are read one after the other."""

    def __init__(self, server: ScriptedServer, observations: Any, around: Circumstances) -> None:
        self.server = server
        self.around = around
        self.seen: list[str] = []
        self.not_found = 0
        self._observations = observations

    async def until(self, wanted: str) -> list[str]:
        """Read until an observation is `wanted`; returns everything since the last call."""
        start = len(self.seen)
        async with asyncio.timeout(10):
            async for observation in self._observations:
                self.seen.append(short(observation))
                if self.seen[-1] == wanted:
                    return self.seen[start:]
        raise AssertionError("a loop never ends")


def short(observation: Observation) -> str:
    match observation:
        case ResourceState():
            return f"{observation.resource.rpartition('/')[2]}@{observation.resource_version}"
        case Seen():
            return f"seen {observation.resource.rpartition('/')[2]}@{observation.resource_version}"
        case Gone():
            return f"gone {observation.resource.rpartition('/')[2]} {observation.uid}"
        case Health():
            return observation.reason
        case Unreadable():
            return f"unreadable {observation.resource}: {observation.reason}"
    return type(observation).__name__.lower()


Opener = Callable[..., Any]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted() as made:
        yield made


@asynccontextmanager
async def watching(
    server: ScriptedServer,
    *,
    timing: LoopTiming = FAST,
    watch_list: bool = False,
    tokens: list[str] | None = None,
    known: frozenset[tuple[str, str, str]] = frozenset(),
    chance: random.Random | None = None,
    answer_bytes_max: int = ANSWER_BYTES_MAX,
) -> AsyncIterator[Watched]:
    connection = await connection_to(server.url, tokens)
    transport = Transport(connection, Timing(silence_s=timing.silence_s, answer_bytes_max=answer_bytes_max))
    shaping = Shaping(plain_extractor)
    shaping.use(Surface())
    around = Circumstances(transport, shaping, chance or random.Random(1), time.monotonic, timing, watch_list)
    watched: Watched

    def not_found() -> None:
        watched.not_found += 1

    loop = KindLoop(SECRETS, lambda *identity: identity not in known, around, not_found)
    async with aclosing(loop.observe()) as observations:
        watched = Watched(server, observations, around)
        yield watched
    await transport.close()


# ── the ordinary course ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_list_of_several_pages_then_a_watch_from_its_version(server: ScriptedServer) -> None:
    server.on(PATH, "list", page([thing("a", 3)], 10, "next"), page([thing("b", 4)], 10))
    server.on(PATH, "watch", stream(line("ADDED", thing("c", 11)), line("DELETED", thing("a", 12))))
    async with watching(server) as watched:
        assert await watched.until("gone a uid-a") == [
            "syncing", "listing", "a@3", "b@4", "listed", "observed", "c@11", "gone a uid-a"
        ]  # fmt: skip
    lists, watches = await server.until_asked("list", 2), await server.until_asked("watch", 1)
    assert [one.params.get("continue") for one in lists] == [None, "next"]
    assert lists[0].params == {"limit": "500"}
    assert watches[0].params["resourceVersion"] == "10"
    assert watches[0].params["allowWatchBookmarks"] == "true"
    assert 240 <= int(watches[0].params["timeoutSeconds"]) <= 480


async def test_a_watch_that_ends_is_resumed_from_the_last_version_without_a_list(server: ScriptedServer) -> None:
    server.on(PATH, "list", page([], 10))
    server.on(PATH, "watch", stream(line("ADDED", thing("a", 11)), bookmark(15), then="end"))
    server.on(PATH, "watch", stream(line("ADDED", thing("b", 16)), then="end"))
    server.on(PATH, "watch", stream(line("ADDED", thing("c", 17))))
    async with watching(server) as watched:
        await watched.until("c@17")
    watches = await server.until_asked("watch", 3)
    assert [one.params["resourceVersion"] for one in watches] == ["10", "15", "16"]
    assert len(await server.until_asked("list", 1)) == 1


async def test_a_connection_that_breaks_is_resumed_when_the_server_is_not_older(server: ScriptedServer) -> None:
    server.on(PATH, "list", page([], 10), page([thing("z", 1)], 11))
    server.on(PATH, "watch", stream(line("ADDED", thing("a", 11)), then="cut"), stream(line("ADDED", thing("b", 12))))
    async with watching(server) as watched:
        seen = await watched.until("b@12")
    assert seen[-3:] == ["interrupted", "observed", "b@12"]
    assert (await server.until_asked("list", 2))[1].params == {"limit": "1"}


async def test_a_server_that_comes_back_with_older_data_is_listed_again(server: ScriptedServer) -> None:
    server.on(PATH, "list", page([], 10), page([], 7), page([thing("a", 6)], 8))
    server.on(PATH, "watch", stream(line("ADDED", thing("a", 11)), then="cut"))
    async with watching(server) as watched:
        seen = await watched.until("a@6")
    assert seen[-4:] == ["interrupted", "syncing", "listing", "a@6"]


async def test_versions_that_are_not_numbers_are_passed_on_untouched(server: ScriptedServer) -> None:
    server.on(PATH, "list", page([thing("a", "x/9")], "x/10"))
    server.on(PATH, "watch", stream(line("ADDED", thing("b", "x/2")), then="end"), stream())
    async with watching(server) as watched:
        await watched.until("b@x/2")
        await watched.until("observed")
    assert [one.params["resourceVersion"] for one in await server.until_asked("watch", 2)] == ["x/10", "x/2"]


async def test_lines_are_whole_wherever_the_network_cuts_them(server: ScriptedServer) -> None:
    body = line("ADDED", thing("a", 11, data={"k": "v" * 900}))
    server.on(PATH, "watch", stream(body, body.replace(b"uid-a", b"uid-b").replace(b'"a"', b'"b"')))
    async with watching(server) as watched:
        assert (await watched.until("b@11"))[-2:] == ["a@11", "b@11"]


async def test_what_is_not_wanted_is_not_described(server: ScriptedServer) -> None:
    server.on(PATH, "list", page([thing("a", 3, data="not even looked at"), thing("b", 4)], 5))
    known = frozenset({("Secret/shop/a", "uid-a", "3")})
    async with watching(server, known=known) as watched:
        assert (await watched.until("b@4"))[-2:] == ["seen a@3", "b@4"]


async def test_pages_that_are_too_large_are_asked_for_with_fewer_objects(server: ScriptedServer) -> None:
    large = page([thing("a", 3, data={"k": "v" * 5_000}), thing("b", 4)], 10)
    server.on(PATH, "list", large, large, page([thing("a", 3)], 10, "next"), page([thing("b", 4)], 10))
    async with watching(server, answer_bytes_max=4_000) as watched:
        seen = await watched.until("observed")
    assert [one for one in seen if one != "syncing"] == [
        "listing", "interrupted", "listing", "interrupted", "listing", "a@3", "b@4", "listed", "observed"
    ]  # fmt: skip
    assert [one.params["limit"] for one in server.asked if one.kind == "list"] == ["500", "100", "20", "20"]


# ── WatchList ───────────────────────────────────────────────────────────────────────────────────────────────────────

END = {"k8s.io/initial-events-end": "true"}


async def test_a_watch_list_ends_with_its_bookmark_and_goes_on_as_a_watch(server: ScriptedServer) -> None:
    server.on(
        PATH,
        "watch",
        stream(
            line("ADDED", thing("a", 7)),
            line("ADDED", thing("b", 3)),
            bookmark(9, END),
            line("MODIFIED", thing("a", 10)),
            then="end",
        ),
    )
    async with watching(server, watch_list=True) as watched:
        assert await watched.until("a@10") == [
            "syncing", "listing", "a@7", "b@3", "listed", "observed", "a@10"
        ]  # fmt: skip
        await watched.until("observed")
    watches = await server.until_asked("watch", 2)
    assert watches[0].params["sendInitialEvents"] == "true"
    assert watches[0].params["resourceVersionMatch"] == "NotOlderThan"
    assert watches[1].params["resourceVersion"] == "10"
    assert not [one for one in server.asked if one.kind == "list"]


async def test_a_server_that_takes_a_watch_list_for_a_watch_is_listed_in_pages(server: ScriptedServer) -> None:
    """It tells what is there, and of progress, and never that this was all."""
    server.on(PATH, "watch", stream(line("ADDED", thing("a", 7)), bookmark(9)))
    server.on(PATH, "list", page([thing("a", 7)], 9))
    async with watching(server, watch_list=True) as watched:
        assert await watched.until("listed") == ["syncing", "listing", "a@7", "syncing", "listing", "a@7", "listed"]
        assert watched.around.watch_list is True, "other kinds may have other servers"


async def test_a_watch_list_that_breaks_before_its_bookmark_is_no_listing(server: ScriptedServer) -> None:
    server.on(PATH, "watch", stream(line("ADDED", thing("a", 7)), then="end"))
    async with watching(server, watch_list=True) as watched:
        assert await watched.until("listed") == ["syncing", "listing", "a@7", "syncing", "listing", "listed"]
    assert [one.params for one in server.asked if one.kind == "list"] == [{"limit": "500"}]


@pytest.mark.parametrize("refusal", [status(422, "sendInitialEvents is forbidden"), stream()])
async def test_where_a_watch_list_does_not_work_pages_are_listed_instead(
    server: ScriptedServer, refusal: Answer
) -> None:
    server.on(PATH, "watch", refusal)
    server.on(PATH, "list", page([thing("a", 3)], 4))
    async with watching(server, timing=DEAF, watch_list=True) as watched:
        await watched.until("a@3")
        assert watched.around.watch_list is False


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("expired", [status(410, "too old"), stream(error_line(410, "too old"))])
async def test_an_expired_version_is_answered_by_listing_again(server: ScriptedServer, expired: Answer) -> None:
    server.on(PATH, "list", page([thing("a", 3)], 4), page([thing("b", 8)], 9))
    server.on(PATH, "watch", expired, stream(line("ADDED", thing("c", 10))))
    async with watching(server) as watched:
        seen = await watched.until("c@10")
    assert seen[seen.index("listed") :] == [
        *(["listed", "observed"] if expired.status == 200 else ["listed"]),
        "syncing", "listing", "b@8", "listed", "observed", "c@10",
    ]  # fmt: skip


@pytest.mark.parametrize("code", [0, 400, 500])
async def test_an_error_that_a_watch_ends_with_again_and_again_is_answered_by_listing_again(
    server: ScriptedServer, code: int
) -> None:
    """Of a server that does not say 410 for what it cannot go on from."""
    error = stream(error_line(code, "the event at 11 cannot be converted"))
    server.on(PATH, "list", page([], 10), page([], 11), page([thing("a", 12)], 12))
    server.on(PATH, "watch", error, error)
    async with watching(server) as watched:
        seen = await watched.until("a@12")
    assert seen[-6:] == ["observed", "interrupted", "observed", "syncing", "listing", "a@12"]


async def test_a_watch_that_goes_back_in_time_is_refused_and_the_kind_listed_again(server: ScriptedServer) -> None:
    server.on(PATH, "list", page([thing("a", 3)], 20), page([thing("a", 30)], 31))
    server.on(PATH, "watch", stream(line("MODIFIED", thing("a", 25)), line("MODIFIED", thing("a", 12))))
    async with watching(server) as watched:
        seen = await watched.until("a@30")
        assert "a@12" not in seen
        assert watched.around.counters["regressions"] == 1


async def test_an_event_that_an_earlier_bookmark_covers_means_that_something_was_missed(
    server: ScriptedServer,
) -> None:
    server.on(PATH, "list", page([], 20), page([thing("a", 24)], 31))
    server.on(PATH, "watch", stream(bookmark(30), line("ADDED", thing("a", 24))))
    async with watching(server) as watched:
        seen = await watched.until("a@24")
        assert seen[-2:] == ["listing", "a@24"]


async def test_a_silent_watch_is_stalled_and_stays_so_until_the_server_speaks(server: ScriptedServer) -> None:
    server.on(PATH, "watch", stream(), stream(), stream(bookmark(3)))
    async with watching(server, timing=DEAF) as watched:
        await watched.until("observed")
        assert await watched.until("observed") == ["stalled", "stalled", "observed"]


async def test_a_server_without_bookmarks_proves_that_it_lives_by_ending_a_short_watch(
    server: ScriptedServer,
) -> None:
    server.on(PATH, "watch", stream(), stream(then="end"))
    async with watching(server, timing=DEAF) as watched:
        await watched.until("observed")
        assert await watched.until("observed") == ["stalled", "interrupted", "observed"]
    assert (await server.until_asked("watch", 2))[1].params["timeoutSeconds"] == "1"


async def test_after_one_silence_watches_stay_short_so_that_a_resting_kind_is_not_stalled_again(
    server: ScriptedServer,
) -> None:
    server.on(PATH, "list", page([], 1), page([], 3))
    server.on(PATH, "watch", stream(bookmark(3)), stream(bookmark(4), then="end"), stream(then="end"))
    async with watching(server, timing=DEAF) as watched:
        await watched.until("stalled")
        await watched.until("observed")
        assert await watched.until("observed") == ["interrupted", "observed"]
    asked = await server.until_asked("watch", 3)
    assert [one.params["timeoutSeconds"] == "1" for one in asked[:3]] == [False, True, True]


async def test_a_line_over_the_cap_is_counted_and_the_kind_listed_again(server: ScriptedServer) -> None:
    huge = line("ADDED", thing("huge", 21, data={"k": "v" * 3_000}))
    server.on(PATH, "list", page([], 20), page([thing("a", 22)], 23))
    server.on(PATH, "watch", stream(huge, line("ADDED", thing("b", 22))), stream(line("ADDED", thing("c", 24))))
    async with watching(server) as watched:
        await watched.until("c@24")
        assert watched.around.counters["lines_overlong"] == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"not json\n",
        b'{"type":"ADDED","object":{"a":' + b"[" * 1_500 + b"}\n",
        b"\xff\n",
        b'{"type":"ADDED"}\n',
        line("NEWS", thing("a", 21)),
    ],
)
async def test_a_line_that_cannot_be_read_is_answered_by_listing_again(server: ScriptedServer, garbage: bytes) -> None:
    server.on(PATH, "list", page([], 20), page([thing("a", 22)], 23))
    server.on(PATH, "watch", stream(garbage))
    async with watching(server) as watched:
        assert (await watched.until("a@22"))[-1] == "a@22"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_answers_that_are_not_in_their_encoding_are_asked_for_again(
    server: ScriptedServer, encoding: str
) -> None:
    damaged = {"Content-Encoding": encoding}
    server.on(PATH, "list", Answer(b"\x1f\x8b not that", headers=damaged), page([], 20), page([], 21))
    server.on(PATH, "watch", Answer(b"nor this\n", headers=damaged), stream(line("ADDED", thing("a", 22))))
    async with watching(server) as watched:
        seen = await watched.until("a@22")
    assert seen.count("interrupted") == 2


async def test_answers_that_are_compressed_are_read_wherever_the_network_cuts_them(server: ScriptedServer) -> None:
    lines = [line("ADDED", thing(f"é{number}", 21 + number)) for number in range(40)]
    packing = zlib.compressobj(wbits=31)
    packed = b"".join([packing.compress(one) + packing.flush(zlib.Z_SYNC_FLUSH) for one in lines])
    whole = gzip.compress(page([thing("a", 3)], 20).body)
    server.on(PATH, "list", Answer(whole, headers={"Content-Encoding": "gzip"}))
    server.on(PATH, "watch", Answer(packed, headers={"Content-Encoding": "gzip"}, then="hold"))
    async with watching(server) as watched:
        assert [one for one in await watched.until("é39@60") if "@" in one] == [
            "a@3", *[f"é{number}@{21 + number}" for number in range(40)]
        ]  # fmt: skip


async def test_an_object_that_cannot_be_understood_is_named_without_its_values(server: ScriptedServer) -> None:
    server.on(PATH, "list", page([thing("a", 3, data="s3cr3t"), thing("b", 4)], 5))
    async with watching(server) as watched:
        seen = await watched.until("b@4")
    assert seen[-2] == "unreadable Secret/shop/a: AttributeError"


async def test_forbidden_is_reported_and_asked_again_rarely(server: ScriptedServer) -> None:
    server.on(PATH, "list", status(403, "secrets is forbidden"), page([thing("a", 3)], 4))
    async with watching(server) as watched:
        assert await watched.until("a@3") == ["syncing", "listing", "forbidden", "listing", "a@3"]


async def test_forbidden_is_asked_again_soon_after_rights_have_changed(server: ScriptedServer) -> None:
    server.on(PATH, "list", status(403, "no"), status(403, "not here yet"), page([thing("a", 3)], 4))
    async with watching(server, timing=replace(FAST, forbidden_retry_s=3600)) as watched:
        await watched.until("forbidden")
        watched.around.rights.note_change()
        assert await watched.until("a@3") == ["listing", "forbidden", "listing", "a@3"]


async def test_not_found_asks_for_another_look_at_what_is_served(server: ScriptedServer) -> None:
    server.on(PATH, "list", status(404, "not found"))
    async with watching(server) as watched:
        await watched.until("gone")
        assert watched.not_found == 1


@pytest.mark.parametrize("code", [429, 500, 503, 504])
async def test_an_overloaded_server_is_left_alone_for_as_long_as_it_asks(server: ScriptedServer, code: int) -> None:
    server.on(PATH, "list", status(code, "busy", {"Retry-After": "0.05"}))
    async with watching(server) as watched:
        await watched.until("interrupted")
        started_s = time.monotonic()
        await watched.until("listed")
        assert time.monotonic() - started_s >= 0.05


async def test_refused_credentials_are_read_again_once_and_the_request_repeated(server: ScriptedServer) -> None:
    server.on(PATH, "list", status(401), page([thing("a", 3)], 4))
    async with watching(server, tokens=["old", "new"]) as watched:
        assert "interrupted" not in await watched.until("a@3")
    lists = await server.until_asked("list", 2)
    assert [one.headers["Authorization"] for one in lists] == ["Bearer old", "Bearer new"]


async def test_a_server_that_is_not_there_is_tried_again_and_again(server: ScriptedServer) -> None:
    server.on(PATH, "list", *[Answer(then="cut", body=b"{") for _ in range(5)], page([thing("a", 3)], 4))
    async with watching(server) as watched:
        seen = await watched.until("a@3")
    assert seen.count("interrupted") == 5


# ── for months ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Bounds(random.Random):
    """Waits as short as can be, and notes how long they might have been."""

    def __init__(self) -> None:
        super().__init__(1)
        self.bounds_s: list[float] = []

    def uniform(self, a: float, b: float) -> float:
        self.bounds_s.append(b)
        return a


async def test_a_bad_day_is_forgotten_once_watches_end_as_they_should(server: ScriptedServer) -> None:
    """A watch that has lasted and was ended by the server is a success: the next failure is the first one again."""
    chance = Bounds()
    server.on(PATH, "list", *[status(500, "no")] * 6, page([], 10))
    server.on(PATH, "watch", stream(bookmark(11), then="end"), stream(bookmark(12), then="end"), status(500, "once"))
    server.on(PATH, "list", page([], 12))
    server.on(PATH, "watch", stream(line("ADDED", thing("a", 13))))
    async with watching(server, timing=replace(FAST, backoff_max_s=3600, settled_s=0.0), chance=chance) as watched:
        await watched.until("a@13")
    assert chance.bounds_s == [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.001]


@pytest.mark.parametrize("gone", [status(503, "no endpoints"), status(429, "busy"), Answer(b"bad gateway", 502)])
async def test_a_server_that_comes_back_with_older_data_behind_a_balancer_is_listed_again(
    server: ScriptedServer, gone: Answer
) -> None:
    server.on(PATH, "list", page([], 10), page([], 7), page([thing("a", 6)], 8))
    server.on(PATH, "watch", stream(line("ADDED", thing("a", 11)), then="end"), gone)
    async with watching(server) as watched:
        seen = await watched.until("a@6")
    assert seen[-5:] == ["interrupted", "interrupted", "syncing", "listing", "a@6"]


async def test_a_server_that_was_silent_while_it_went_back_to_older_data_is_listed_again(
    server: ScriptedServer,
) -> None:
    server.on(PATH, "list", page([], 10), page([], 7), page([thing("a", 6)], 8))
    server.on(PATH, "watch", stream(line("ADDED", thing("a", 11))))
    async with watching(server, timing=DEAF) as watched:
        seen = await watched.until("a@6")
    assert seen[-4:] == ["stalled", "syncing", "listing", "a@6"]


async def test_a_kind_that_is_refused_while_a_server_starts_is_asked_for_again_soon(server: ScriptedServer) -> None:
    """Roles are known to an API server some seconds after it answers: until then it refuses everybody."""
    server.on(PATH, "list", page([], 10), status(403, "clusterrole not found"), page([thing("a", 12)], 12))
    server.on(PATH, "watch", stream(bookmark(11), then="end"), status(403, "clusterrole not found"))
    async with watching(server, timing=replace(FAST, forbidden_retry_s=3600)) as watched:
        seen = await watched.until("a@12")
    assert seen[-5:] == ["forbidden", "listing", "forbidden", "listing", "a@12"]
