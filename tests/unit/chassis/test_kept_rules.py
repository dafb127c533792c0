"""The rules in force that a watcher keeps on the bus: the last word is that of whoever knows the one before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schemas.identity import ResourceId, SiteName
from schemas.relations.carried import said
from schemas.ruling import FilesInForce
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Received
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import TransientError
from services.chassis.kept_rules import KeptRules

LYON, MINE = SiteName("lyon"), ResourceId("ConfigMap/cheops/mine")


def in_force(text: str) -> dict[ResourceId, FilesInForce]:
    return {MINE: FilesInForce(uid="u", files={"x": text})}


async def test_a_watcher_that_was_taken_over_does_not_overwrite_what_its_follower_has_kept() -> None:
    bus = MemoryBus()
    await ensure_streams(bus)
    former, follower, reader = (KeptRules(bus, LYON) for _ in range(3))
    await former.load()
    former.note(in_force("one"), MINE.__eq__)
    await former.keep()
    await follower.load()
    follower.note(in_force("two"), MINE.__eq__)
    await follower.keep()
    former.note(in_force("three"), MINE.__eq__)
    with pytest.raises(TransientError, match="another watcher has kept rules"):
        await former.keep()
    await reader.load()
    assert reader.before(MINE, "u") == said({"x": "two"})


async def test_who_was_overtaken_once_keeps_what_holds_at_its_next_word() -> None:
    bus = MemoryBus()
    await ensure_streams(bus)
    here, other, reader = (KeptRules(bus, LYON) for _ in range(3))
    await here.load()
    await other.load()
    other.note(in_force("one"), MINE.__eq__)
    await other.keep()
    here.note(in_force("two"), MINE.__eq__)
    with pytest.raises(TransientError):
        await here.keep()
    assert here.before(MINE, "u") == said({"x": "two"})
    await here.keep()
    await reader.load()
    assert reader.before(MINE, "u") == said({"x": "two"})


async def test_what_another_watcher_has_kept_of_another_namespace_stays_when_its_word_is_overtaken() -> None:
    bus = MemoryBus()
    await ensure_streams(bus)
    theirs = ResourceId("ConfigMap/other/theirs")
    here, other, reader = (KeptRules(bus, LYON) for _ in range(3))
    await here.load()
    await other.load()
    other.note({theirs: FilesInForce(uid="t", files={"x": "one"})}, theirs.__eq__)
    await other.keep()
    here.note(in_force("two"), MINE.__eq__)
    with pytest.raises(TransientError):
        await here.keep()
    await here.keep()
    await reader.load()
    assert sorted(reader.in_force) == [MINE, theirs]


class SlowBus(MemoryBus):
    """While it says what was kept last, something happens."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    async def last(self, stream: Any, subject: str) -> Received | None:
        found = await super().last(stream, subject)
        self.meanwhile()
        return found


async def test_what_is_noted_while_another_watchers_word_is_read_is_what_is_kept() -> None:
    bus = SlowBus()
    await ensure_streams(bus)
    here, other, reader = (KeptRules(bus, LYON) for _ in range(3))
    await here.load()
    await other.load()
    other.note(in_force("one"), MINE.__eq__)
    await other.keep()
    here.note(in_force("two"), MINE.__eq__)
    bus.meanwhile = lambda: here.note(in_force("three"), MINE.__eq__)
    with pytest.raises(TransientError):
        await here.keep()
    bus.meanwhile = lambda: None
    await here.keep()
    await reader.load()
    assert reader.before(MINE, "u") == said({"x": "three"})
