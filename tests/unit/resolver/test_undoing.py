"""What an intent had done is taken back when a step fails: at one site, message by message, and after every crash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.events import ResourceEvent
from schemas.identity import ResourceId
from schemas.intents import Intent, OnFailure, Verb
from schemas.verdicts import Verdict
from services.resolver.holds import UNSEEN_MAX_S
from services.resolver.signals import Effect, Rehearsed, Signal, Tick
from tests.kit.manifests import deployment, mounts_secret, secret, without_uid
from tests.unit.resolver.world import World

CA = ResourceId("Secret/shop/ca")
WEB = ResourceId("apps/Deployment/shop/web")


@pytest.fixture
def world() -> World:
    made = World()
    made.settle()
    return made


def enter(world: World, verb: Verb, on_failure: OnFailure = "undo", name: str = "i-1", **what: Any) -> Intent:
    now = world.moment.wall
    intent = Intent(
        id=name,
        site=world.site,
        verb=verb,
        namespace="shop",
        on_failure=on_failure,
        created_at=now,
        expires_at=now + timedelta(hours=1),
        **what,
    )
    world.publish(intent)
    goes_on(world, execute=False)
    return intent


def goes_on(world: World, execute: bool = True, refuse: str = "") -> None:
    """Everything that waits goes on; operations on `refuse` are refused."""
    world.refuses = {ResourceId(refuse)}
    for _ in range(20):
        world.now_s += 0.5
        world.beat()
        world.step(Tick())
        while world.rehearsals:
            world.step(Rehearsed(world.rehearsals.popleft(), None))
        while world.resyncs:
            world.answer_resync()
        while world.batches:
            world.deliver()
        for place, one in enumerate(world.operations):
            if execute and one.id not in world.ledger:
                world.execute(place)
        while world.outcomes:
            world.report()


def shop() -> tuple[dict[str, Any], ...]:
    return without_uid(secret("ca")), without_uid(deployment("web", mounts_secret("ca"), app="web"))


def last(world: World) -> Verdict:
    return world.latest()["i-1"]


def test_what_was_made_before_a_refused_step_goes_again(world: World) -> None:
    enter(world, "create", manifests=shop())
    goes_on(world, refuse=WEB)
    assert CA not in world.cluster.objects
    assert (last(world).revision, last(world).undoes, last(world).decision) == (2, 1, "allow")
    assert [(one.id, one.action, one.resource) for one in last(world).plan] == [("u1", "delete", CA)]
    assert [one.code for one in last(world).reasons] == ["W521"]
    assert not world.machine.docket.active
    assert not list(world.machine.holds.rows())


def test_what_was_changed_before_a_refused_step_is_put_back(world: World) -> None:
    for body in (secret("ca", "tls.crt"), deployment("web", mounts_secret("ca"), app="web")):
        world.see(ResourceEvent("put", world.cluster.put(body)))
    goes_on(world)
    before = world.cluster.objects[CA]
    more = without_uid(secret("ca", "tls.crt", "tls.key"))
    changed = without_uid(deployment("web", mounts_secret("ca"), app="other"))
    enter(world, "update", manifests=(more, changed))
    goes_on(world, refuse=WEB)
    assert (world.effects["i-1", CA], world.taken_back["i-1", CA]) == (1, 1)
    assert world.cluster.objects[CA]["data"] == before["data"]
    assert [(one.action, one.preconditions.left != "") for one in last(world).plan] == [("update", True)]


def test_what_was_replaced_and_cannot_be_read_stays_and_is_named(world: World) -> None:
    """An executor of another version has told it: the resolver ended by the undo, and at each start again."""
    for body in (secret("ca"), secret("other"), deployment("web", mounts_secret("ca"), app="web")):
        world.see(ResourceEvent("put", world.cluster.put(body)))
    goes_on(world)
    enter(world, "delete", resources=("deployment/web", "secret/ca", "secret/other"))
    tell = world.report

    def report() -> bool:
        outcome = world.outcomes.popleft()
        unreadable = {**outcome.before, "labels": "none"} if outcome.before and outcome.resource == WEB else None
        world.outcomes.appendleft(outcome.model_copy(update={"before": unreadable}) if unreadable else outcome)
        return tell()

    world.report = report  # type: ignore[method-assign]
    goes_on(world, refuse=CA)
    assert WEB not in world.cluster.objects
    kept = [one for one in last(world).reasons if one.resource == WEB]
    assert ["cannot be read" in one.message for one in kept] == [True]
    assert {CA, ResourceId("Secret/shop/other")} <= world.cluster.objects.keys()


def test_what_was_deleted_before_a_refused_step_is_made_again_and_what_needs_it_comes_after_it(world: World) -> None:
    other = ResourceId("Secret/shop/other")
    for body in (secret("ca"), secret("other"), deployment("web", mounts_secret("ca"), app="web")):
        world.see(ResourceEvent("put", world.cluster.put(body)))
    goes_on(world)
    enter(world, "delete", resources=("deployment/web", "secret/ca", "secret/other"))
    goes_on(world, refuse=CA)
    assert {WEB, CA, other} <= world.cluster.objects.keys()
    assert {one.action for one in last(world).plan} == {"create"}
    assert not world.cluster.broken


def test_what_a_finalizer_still_holds_is_made_again_and_not_taken_for_there(world: World) -> None:
    other = ResourceId("Secret/shop/other")
    for body in (secret("ca"), secret("other")):
        world.see(ResourceEvent("put", world.cluster.put(body)))
    goes_on(world)
    enter(world, "delete", resources=("secret/ca", "secret/other"))
    going, before = next(one for one in world.operations if one.resource == CA), world.cluster.state(CA)
    held = world.cluster.put(secret("ca", ending=True, finalizers=("example.com/hold",), uid=before.uid))
    world.see(ResourceEvent("put", held))
    known = {"former": "kept", "before": msgspec.to_builtins(before), "uid": held.uid}
    ended = world._outcome(going, "failed").model_copy(update=known)
    world.ledger[going.id] = [ended]
    world.execute(world.operations.index(going))
    goes_on(world, refuse=other)
    world.now_s += UNSEEN_MAX_S
    goes_on(world, execute=False)
    assert [(one.action, one.resource) for one in last(world).plan] == [("create", CA)]
    assert [one.code for one in last(world).reasons] == ["W521"]
    assert world.operations[-1].undoes == going.id


def test_what_somebody_uses_since_stays_and_is_named(world: World) -> None:
    enter(world, "create", manifests=shop())
    world.execute(0)
    while world.outcomes:
        world.report()
    world.see(ResourceEvent("put", world.cluster.put(deployment("user", mounts_secret("ca"), app="user"))))
    goes_on(world, refuse=WEB)
    assert CA in world.cluster.objects
    assert not last(world).plan
    left = [one for one in last(world).reasons if one.code == "W522"]
    assert [one.resource for one in left] == [CA]
    assert "shop/user" in left[0].message
    assert not world.cluster.broken


def test_what_somebody_has_changed_since_is_not_overwritten(world: World) -> None:
    enter(world, "create", manifests=shop())
    world.execute(0)
    theirs = secret("ca", "theirs")
    world.see(ResourceEvent("put", world.cluster.put(without_uid(theirs))))
    goes_on(world, refuse=WEB)
    assert world.cluster.objects[CA]["data"] == theirs["data"]
    assert [(one.step, one.state) for one in world.stored_outcomes if one.revision == 2] == [("u1", "conflict")]
    assert not world.machine.docket.active


def test_a_way_back_that_conflicts_is_not_decided_again_as_what_was_asked_for(world: World) -> None:
    enter(world, "apply", manifests=shop())
    world.execute(0)
    world.see(ResourceEvent("put", world.cluster.put(world.cluster.objects[CA])))
    goes_on(world, refuse=WEB)
    goes_on(world)
    assert (last(world).revision, last(world).undoes) == (2, 1)
    assert WEB not in world.cluster.objects
    assert world.effects["i-1", CA] == 1
    world.kill()
    goes_on(world)
    assert (last(world).revision, last(world).undoes) == (2, 1)


def test_stop_leaves_what_was_done(world: World) -> None:
    enter(world, "create", "stop", manifests=shop())
    goes_on(world, refuse=WEB)
    assert CA in world.cluster.objects
    assert last(world).revision == 1
    assert not any(one.keep for one in world.operations), "nothing is kept that nobody will need"


def test_continue_goes_on_with_what_does_not_need_the_step_that_failed(world: World) -> None:
    more = without_uid(secret("other")), without_uid(deployment("api", mounts_secret("other"), app="api"))
    enter(world, "create", "continue", manifests=(*shop(), *more))
    goes_on(world, refuse=CA)
    assert WEB not in world.cluster.objects, "it needs the one that failed"
    assert {"Secret/shop/other", "apps/Deployment/shop/api"} <= world.cluster.objects.keys()
    assert not world.machine.docket.active
    ends = {one.resource: one.state for one in world.stored_outcomes}
    assert ends[WEB] == "expired", "what never began has an end, too"


def test_what_is_denied_after_a_part_of_it_was_done_is_undone(world: World) -> None:
    """The world changes in the middle: decided again, denied, taken back."""
    enter(world, "create", manifests=shop())
    world.execute(0)
    world.see(ResourceEvent("put", world.cluster.put(deployment("web", mounts_secret("ca"), app="theirs"))))
    world.see(ResourceEvent("delete", resource=WEB, uid=""))  # seen as gone: the step leaves, and meets it
    goes_on(world)
    decisions = [(one.revision, one.decision, one.undoes) for one in world.verdicts]
    assert decisions[0] == (1, "allow", None)
    assert decisions[-1][2] is not None, decisions


class Mortal(World):
    """Its resolver dies before, or right after, its n-th effect."""

    def __init__(self, dies_at: int) -> None:
        self.left = dies_at + 1000
        super().__init__()
        goes_on(self)
        self.left = dies_at

    def step(self, signal: Signal) -> bool:
        self.cut_after = self.left if self.left < 50 else None
        return super().step(signal)

    def carry_out(self, effect: Effect) -> None:
        self.left -= 1
        super().carry_out(effect)

    def kill(self) -> None:
        self.left = 10_000
        super().kill()


EFFECTS_MAX = 16


def test_the_kills_below_are_at_every_effect_and_beyond_the_last() -> None:
    kills = []
    for dies_at in range(EFFECTS_MAX):
        world = Mortal(dies_at)
        enter(world, "create", manifests=shop())
        goes_on(world, refuse=WEB)
        kills.append(world.kills)
    assert kills == sorted(kills, reverse=True)
    assert kills.count(1) > 5, "the flow has so many effects"
    assert kills[-1] == 0, "one flow lived"


@pytest.mark.parametrize("dies_at", range(EFFECTS_MAX))
def test_a_resolver_killed_at_any_effect_of_doing_and_undoing_ends_with_nothing_left(dies_at: int) -> None:
    world = Mortal(dies_at)
    enter(world, "create", manifests=shop())
    goes_on(world, refuse=WEB)
    goes_on(world, refuse=WEB)
    assert not {CA, WEB} & world.cluster.objects.keys(), [(one.revision, one.decision) for one in world.verdicts]
    assert (world.effects["i-1", CA], world.taken_back["i-1", CA]) == (1, 1)
    assert not world.machine.docket.active
    assert not list(world.machine.holds.rows())
    assert len({one.revision for one in world.verdicts}) == len(world.verdicts)


@pytest.mark.parametrize("dies_at", range(EFFECTS_MAX))
def test_what_was_changed_is_put_back_whenever_the_resolver_is_killed(dies_at: int) -> None:
    world = Mortal(10_000)
    world.see(ResourceEvent("put", world.cluster.put(secret("ca", "tls.crt"))))
    goes_on(world)
    before = world.cluster.objects[CA]["data"]
    world.left = dies_at
    web = without_uid(deployment("web", mounts_secret("ca"), app="web"))
    enter(world, "apply", manifests=(without_uid(secret("ca", "tls.crt", "tls.key")), web))
    goes_on(world, refuse=WEB)
    goes_on(world, refuse=WEB)
    assert world.cluster.objects[CA]["data"] == before
    assert WEB not in world.cluster.objects
    assert not world.machine.docket.active
