"""A resolver that runs for weeks keeps nothing for ever, and what it has packed it still knows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.identity import ResourceId
from schemas.intents import Intent
from schemas.peers import Decide
from services.resolver import docket, shelf
from services.resolver.shelf import Shelf
from services.resolver.signals import IntentSeen, PreviewSeen, Rehearsed, Tick
from tests.kit.manifests import secret as secret_of
from tests.kit.manifests import without_uid
from tests.unit.resolver.test_sets import WEB, do, mesh, web
from tests.unit.resolver.virtual_mesh import VirtualMesh
from tests.unit.resolver.world import World

__all__ = ["mesh"]
CA = ResourceId("Secret/shop/ca")


def secrets(number: int) -> tuple[dict[str, object], ...]:
    return (without_uid(secret_of(f"nightly-{number}")),)


def test_a_preview_of_several_sites_leaves_nothing_of_it_behind(mesh: VirtualMesh) -> None:
    for number in range(5):
        asked = mesh.intent("lyon", "create", "lyon & oslo", f"i-{number}", manifests=secrets(number), preview=True)
        mesh["lyon"].step(PreviewSeen(asked))
        mesh.pump()
    assert [one.decision for one in mesh["lyon"].previews] == ["allow"] * 5
    coordinator = mesh["lyon"].machine.together.coordinator
    assert not coordinator.finishing.ages
    assert not coordinator.retries._next_s
    assert not coordinator.retries._pause_s
    assert not coordinator.rounds


def test_while_something_has_drifted_what_is_done_to_others_is_not_remembered(mesh: VirtualMesh) -> None:
    assert do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(web(),)).decision == "allow"
    mesh["lyon"].edit(WEB, "spec", "replicas", value=9)
    mesh.settle(3)
    for number in range(5):
        assert do(mesh, "lyon", "create", "lyon", f"i-new-{number}", manifests=secrets(number)).decision == "allow"
    drifts = mesh["lyon"].machine.desk.drifts
    assert [one.code for one in drifts._raised.values()] == ["A507"]
    assert not drifts._settled | drifts._deleted
    assert do(mesh, "lyon", "delete", "lyon & oslo", "i-gone", resources=("deployment/web",)).decision == "allow"
    mesh.settle(3)
    assert mesh["lyon"].alerts[-1].message.endswith("was deleted by an intent")
    assert not drifts._settled | drifts._deleted, "nor what is over"


def test_a_part_that_ended_long_ago_is_not_begun_again_by_a_letter_that_comes_late(
    mesh: VirtualMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "WHOLE_MAX", 1)
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(web(),))
    (committed,) = (one for one in mesh.told if isinstance(one, Decide) and one.receiver == "oslo" and one.commit)
    for number in range(3):
        do(mesh, "lyon", "create", "lyon & oslo", f"i-new-{number}", manifests=secrets(number))
    effects = mesh["oslo"].effects.copy()
    reports = mesh.said("report")
    mesh.hand_over((committed.sender, committed.receiver), committed.to_json())
    mesh.pump()
    assert mesh.said("report") == reports + 1, "it says how it ended, once more"
    assert mesh["oslo"].effects == effects


def test_the_newest_is_whole_older_ones_are_equal_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "WHOLE_MAX", 2)
    kept: Shelf[dict[str, int]] = Shelf(4)
    put = {f"i-{number}": {"number": number} for number in range(6)}
    for name, one in put.items():
        kept.put(name, one)
    assert [*kept] == ["i-2", "i-3", "i-4", "i-5"]
    assert kept.get("i-5") is put["i-5"]
    assert [kept.get(name) for name in kept] == [put[name] for name in kept]
    assert kept.get("i-1") is None
    kept.put("i-2", {"number": 7})
    kept.pop("i-3")
    assert [*kept] == ["i-4", "i-5", "i-2"]
    assert kept.get("i-2") == {"number": 7}


def test_who_has_no_time_to_pack_leaves_so_many_as_they_are_until_there_is() -> None:
    kept: Shelf[dict[str, int]] = Shelf(10, 2, slack=3)
    put = {f"i-{number}": {"number": number} for number in range(6)}
    for name, one in put.items():
        kept.put(name, one)

    def as_they_are() -> list[str]:
        return [name for name in kept if kept.get(name) is put[name]]

    assert as_they_are() == ["i-1", "i-2", "i-3", "i-4", "i-5"]
    kept.tidy()
    assert as_they_are() == ["i-4", "i-5"]
    assert [kept.get(name) for name in kept] == [*put.values()]


def test_of_many_that_wait_some_are_judged_in_a_step_and_all_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docket, "WOKEN_MAX", 3)
    world = World()
    world.cluster.put(secret_of("ca"))
    world.settle()
    waiting, now = world.machine.docket.deferred, world.moment.wall

    def enter(name: str, lasts: timedelta, **what: Any) -> None:
        intent = Intent(id=name, site=world.site, created_at=now, expires_at=now + lasts, **what)
        world.machine.step(IntentSeen(intent), world.moment)
        world.machine.step(Rehearsed(name, None), world.moment)

    enter("i-first", timedelta(hours=1), verb="update", manifests=(without_uid(secret_of("ca", "key")),))
    for number in range(10):
        enter(f"i-{number}", timedelta(hours=1 if number else 0.01), verb="delete", resources=(CA,))
    assert len(waiting) == 10
    judged = []
    for turn in range(12):
        world.machine.holds._changed["i-first"] = 100 + turn  # it goes on meanwhile
        before = {name: one.stamp for name, one in waiting.items()}
        world.machine.step(Tick(), world.moment)
        judged.append({name for name, one in waiting.items() if one.stamp != before[name]})
    assert {len(one) for one in judged} == {3}
    assert set().union(*judged) == {f"i-{number}" for number in range(10)}, "each has its turn"
    world.now_s += 60.0
    world.machine.step(Tick(), world.moment)
    assert "i-0" not in waiting, "whose time is over comes first"


def test_what_waits_is_kept_packed_and_is_as_it_was_when_it_is_looked_at(mesh: VirtualMesh) -> None:
    mesh.sever("oslo")
    mesh.settle(10)
    entered = mesh.enter("lyon", "delete", "lyon & oslo", resources=("secret/ca",))
    mesh.pump()
    waiting = mesh["lyon"].machine.docket.deferred["i-1"]
    assert waiting.whole() == (entered, mesh.verdict("lyon"), frozenset())
    assert waiting.says(mesh.verdict("lyon"))
    assert not waiting.says(mesh.verdict("lyon").model_copy(update={"reasons": ()}))
    assert len(waiting.packed) < 2_000, f"{len(waiting.packed)} bytes; as objects they are ten thousand"
