"""What a source says an API server serves, while that starts, and when kinds vanish from it."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from schemas.events import ServedKind
from schemas.identity import KindId
from services.watcher.kubernetes.circumstances import Circumstances
from services.watcher.kubernetes.cluster import DiscoveryTiming, KubernetesSource
from services.watcher.kubernetes.shaping import Shaping
from services.watcher.kubernetes.transport import Transport
from tests.unit.watcher.plain import plain_extractor
from tests.unit.watcher.scripted import ScriptedServer, connection_to, scripted, status
from tests.unit.watcher.test_discovery import aggregated, groups, resource, version

SECRET, THING = KindId("Secret"), KindId("example.com/Thing")
FAST = DiscoveryTiming(follow_ups_s=(), period_s=0.001, broken_s=0.001, backoff_min_s=0.001, backoff_max_s=0.002)
CORE = groups(aggregated("", version("v1", resource("secrets", "Secret"))))
WHOLE = groups(aggregated("example.com", version("v1", resource("things", "Thing"))))
WITHOUT = groups()
UNREADY = status(500)

Surfaces = AsyncGenerator[tuple[ServedKind, ...], None]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted() as made:
        yield made


@pytest.fixture
async def surfaces(server: ScriptedServer) -> AsyncIterator[Surfaces]:
    transport = Transport(await connection_to(server.url))
    around = Circumstances(transport, Shaping(plain_extractor), random.Random(1), time.monotonic)
    source = KubernetesSource(around, timing=FAST)
    async with aclosing(source.surfaces()) as found:
        yield found
    await source.close()


def says(server: ScriptedServer, *of_groups: Any) -> None:
    """Look by look."""
    server.on("/api", "list", *[CORE] * len(of_groups))
    server.on("/apis", "list", *of_groups)


async def kinds(surfaces: Surfaces) -> set[KindId]:
    """Of the next surface."""
    return {one.kind for one in await anext(surfaces)}


def times(server: ScriptedServer, path: str) -> int:
    return len([one for one in server.asked if one.path == path])


async def test_an_api_server_that_has_just_started_is_asked_what_it_serves_when_it_calls_itself_ready(
    server: ScriptedServer, surfaces: Surfaces
) -> None:
    server.on("/readyz", "list", UNREADY, UNREADY)
    says(server, WITHOUT, WITHOUT, WITHOUT, WHOLE)  # it becomes ready after the third look at it
    assert await kinds(surfaces) == {SECRET, THING}
    assert times(server, "/readyz") == 3


async def test_kinds_that_a_starting_api_server_does_not_know_yet_are_not_taken_for_gone(
    server: ScriptedServer, surfaces: Surfaces
) -> None:
    says(server, WHOLE, WHOLE)
    assert await kinds(surfaces) == {SECRET, THING}
    server.on("/readyz", "list", UNREADY)
    more = groups(aggregated("example.com", version("v1", resource("things", "Thing"), resource("others", "Other"))))
    says(server, WITHOUT, WITHOUT, more)  # it becomes ready after the second look at it
    assert await kinds(surfaces) == {SECRET, THING, KindId("example.com/Other")}


async def test_kinds_that_an_api_server_does_not_serve_when_it_is_ready_are_gone(
    server: ScriptedServer, surfaces: Surfaces
) -> None:
    says(server, WHOLE, WHOLE)
    await kinds(surfaces)
    says(server, WITHOUT, WITHOUT)
    assert await kinds(surfaces) == {SECRET}


@pytest.mark.parametrize("code", [403, 404])
async def test_an_api_server_that_does_not_say_whether_it_is_ready_is_believed(
    server: ScriptedServer, surfaces: Surfaces, code: int
) -> None:
    server.on("/readyz", "list", status(code, "no"))
    says(server, WHOLE, WHOLE)
    assert await kinds(surfaces) == {SECRET, THING}


async def test_refused_by_an_api_server_that_starts_and_refuses_everything_nothing_follows(
    server: ScriptedServer, surfaces: Surfaces
) -> None:
    server.on("/api", "list", status(403, "no"))
    server.on("/readyz", "list", UNREADY)
    says(server, WITHOUT, WITHOUT, WHOLE)
    assert await kinds(surfaces) == {SECRET, THING}


async def test_while_nothing_vanishes_nobody_asks_whether_it_is_ready(
    server: ScriptedServer, surfaces: Surfaces
) -> None:
    says(server, WITHOUT, WITHOUT, WITHOUT, WHOLE)
    await kinds(surfaces)
    await kinds(surfaces)
    assert times(server, "/readyz") == 1
