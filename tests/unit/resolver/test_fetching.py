"""What a resolver fetches from others, and what it knows of its executor by asking for its key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from schemas import subjects
from schemas.exports import KeyAnswer
from schemas.identity import ResourceId, SiteName
from schemas.peers import Fetched
from services.chassis.bus.memory import MemoryBus
from services.resolver.fetching import SILENT_AFTER, Fetching
from services.resolver.signals import AskSupply, Moment, Want
from tests.kit.manifests import secret, without_uid
from tests.unit.resolver.world import LYON, World

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_an_executor_that_never_answers_is_silent_until_it_does_and_its_clock_is_compared() -> None:
    bus = MemoryBus()
    fetching = Fetching(LYON, bus, cast("Any", None), lambda: Moment(0.0, NOW), lambda _: "")
    for asked in range(SILENT_AFTER):
        assert not fetching.executor_silent, f"asked {asked} times"
        await fetching._ask_key()
    assert fetching.executor_silent
    said = KeyAnswer(site=LYON, key="ab", at=NOW + timedelta(hours=2))
    async with bus.serve(subjects.api("executor", LYON, "key"), lambda _: said.to_json(), name="executor-lyon"):
        await fetching._ask_key()
    assert not fetching.executor_silent
    assert (fetching.own_key, fetching.executor_ahead_s) == ("ab", 7_200.0)


CA, OSLO = ResourceId("Secret/shop/ca"), SiteName("oslo")
WHOLE = without_uid(secret("ca"))
ELSE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "another name": without_uid(secret("cb")),
    "another kind": {**WHOLE, "kind": "ConfigMap"},
    "another namespace": {**WHOLE, "metadata": {**WHOLE["metadata"], "namespace": "kube-system"}},
    "no metadata": {"apiVersion": "v1", "kind": "Secret"},
    "a text for metadata": {**WHOLE, "metadata": "ca"},
    "a text for labels": {**WHOLE, "metadata": {**WHOLE["metadata"], "labels": "ca"}},
    "a list of annotations": {**WHOLE, "metadata": {**WHOLE["metadata"], "annotations": ["ca"]}},
}


@pytest.mark.parametrize("given", [WHOLE, *ELSE.values()], ids=["it", *ELSE])
async def test_what_a_peer_gives_counts_when_it_is_what_was_asked_for(given: dict[str, Any]) -> None:
    """A text for labels ended the resolver that had asked; another object was brought under the name of this one."""
    bus, world = MemoryBus(), World(peers=[OSLO])
    world.settle()
    world.machine.desk.neighbours.hear(OSLO, world.now_s, 0.01, 4.0)
    fetching = Fetching(LYON, bus, world.machine, lambda: world.moment, lambda _: "")
    answer = Fetched(site=OSLO, manifests={CA: given}).to_json()
    async with bus.serve(subjects.peer_filter(OSLO, "fetch"), lambda _: answer, name="resolver-oslo"):
        supplied = await fetching.supply(AskSupply("i-1", 1, (Want(LYON, CA, True, (OSLO,)),)))
    assert supplied.heard == (OSLO,)
    assert supplied.bodies == ({(LYON, CA): (OSLO, WHOLE)} if given is WHOLE else {})
