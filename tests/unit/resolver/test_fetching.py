"""What a resolver fetches from others, and what it knows of its executor by asking for its key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from schemas import subjects
from schemas.events import ResourceEvent
from schemas.exports import Export, Exported, KeyAnswer
from schemas.identity import ResourceId, SiteName
from schemas.peers import Fetch, Fetched
from services.chassis.bus.memory import MemoryBus
from services.chassis.errors import TransientError
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


async def test_a_secret_that_cannot_be_sealed_yet_is_not_said_to_be_gone() -> None:
    """A resolver that was just started has heard of no key: what it does not give is there all the same."""
    bus, world, keys = MemoryBus(), World(peers=[OSLO]), {OSLO: ""}
    world.settle()
    world.see(ResourceEvent("put", world.cluster.put(WHOLE)))
    world.settle()
    fetching = Fetching(LYON, bus, world.machine, lambda: world.moment, lambda name: keys[name])

    def without_key(question: bytes) -> bytes:
        asked = Export.from_json(question)
        return Exported(site=LYON, manifests={CA: WHOLE} if asked.key else {}).to_json()

    wanted = AskSupply("i-1", 1, (Want(OSLO, CA, True, (LYON,)),))
    export = subjects.api("executor", LYON, "export")
    async with bus.serve(export, lambda one: without_key(one.payload), name="executor-lyon"):
        assert (await fetching.supply(wanted)).heard == ()
        with pytest.raises(TransientError):
            await fetching.answer(Fetch(sender=OSLO, receiver=LYON, destination=OSLO, resources=(CA,)).to_json())
        keys[OSLO] = "ab"
        supplied = await fetching.supply(wanted)
    assert (supplied.heard, supplied.bodies) == ((LYON,), {(OSLO, CA): (LYON, WHOLE)})
