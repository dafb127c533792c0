"""What others were allowed while an intent was under way, and what becomes of it when that intent is undone.

Each case: an intent of two steps, the first done and seen; another intent beside it; then the second step fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from schemas.events import ResourceEvent
from schemas.identity import ResourceId
from schemas.intents import Verb
from schemas.policy import PolicyFile, PolicyRule
from schemas.verdicts import Verdict
from services.resolver.judge.policy import Policy
from tests.kit.manifests import Manifest, deployment, mounts_secret, secret, service, without_uid
from tests.unit.resolver.test_undoing import enter, goes_on
from tests.unit.resolver.world import World

CA = ResourceId("Secret/shop/ca")
WEB = ResourceId("apps/Deployment/shop/web")
FRONT = ResourceId("Service/shop/front")
LAST = ResourceId("Secret/shop/last")  # whose step fails
# Where the other one is as the one fails. Failing: under way, and fails later; after: it comes when that is decided.
When = Literal["under way", "done", "failing", "after"]
BEFORE: tuple[When, ...] = ("under way", "done")
Asked = tuple[Verb, Mapping[str, Any]]


def web(mounted: str = "ca", replicas: int = 1, app: str = "shop", name: str = "web") -> Manifest:
    return without_uid(deployment(name, mounts_secret(mounted), app=app, replicas=replicas))


def some(name: str, *keys: str) -> Manifest:
    return without_uid(secret(name, *keys))


def front(app: str = "shop") -> Manifest:
    return without_uid(service("front", app))


def write(*manifests: Manifest) -> Asked:
    return "apply", {"manifests": manifests}


def delete(*names: str) -> Asked:
    return "delete", {"resources": names}


@dataclass(frozen=True)
class Case:
    """What is there; what the one asks for that will be undone; what the other one asks for."""

    there: tuple[Manifest, ...]
    one: Asked
    other: Asked


RELIES = {
    "mounts the Secret that was made": Case((), write(some("ca"), some("last")), write(web())),
    "selects the Deployment that was made": Case((some("ca"),), write(web(), some("last")), write(front())),
    "selects it by a label that it was given": Case(
        (some("ca"), web(app="old")), write(web(), some("last")), write(front())
    ),
    "selects what was scaled up": Case((some("ca"), web(replicas=0)), write(web(), some("last")), write(front())),
    "mounts a key that was added": Case(
        (some("ca", "a"),),
        write(some("ca", "a", "b"), some("last")),
        write(without_uid(deployment("web", mounts_secret("ca", "b"), app="shop"))),
    ),
}
TAKES = {
    "takes the Secret of a Deployment that was deleted": Case(
        (some("ca"), some("last"), web()), delete("deployment/web", "secret/last"), delete("secret/ca")
    ),
    "takes the Secret that was mounted before": Case(
        (some("ca"), some("new"), web()), write(web("new"), some("last")), delete("secret/ca")
    ),
    "takes the Secret of what was scaled down": Case(
        (some("ca"), web()), write(web(replicas=0), some("last")), delete("secret/ca")
    ),
    "makes another one in its place": Case(
        (some("ca"), some("last")), delete("secret/ca", "secret/last"), ("create", {"manifests": (some("ca", "mine"),)})
    ),
}
STAYS = {**RELIES, **TAKES}
THERE = (some("ca"), some("last"), web(), front())
EMPTIES = {
    "takes the only match": Case(THERE, delete("service/front", "secret/last"), delete("deployment/web")),
    "scales it down": Case(THERE, delete("service/front", "secret/last"), write(web(replicas=0))),
    "labels it otherwise": Case(THERE, delete("service/front", "secret/last"), write(web(app="other"))),
}


def both(case: Case, when: When, *rules: PolicyRule) -> tuple[World, Verdict, Verdict, Verdict]:
    """The world at the end; the verdict on the way back; on the other one, first and last."""
    world = World()
    world.machine.desk.hearing._policy = Policy(PolicyFile(rules=rules))  # as if it had been started with it
    world.settle()
    for one in case.there:
        world.see(ResourceEvent("put", world.cluster.put(one)))
    goes_on(world)
    enter(world, case.one[0], **case.one[1])
    carry_out(world, "i-1", but=LAST)
    if when == "after":
        fail(world)
    enter(world, case.other[0], name="i-2", **case.other[1])
    first = world.latest()["i-2"]
    if when == "done":
        carry_out(world, "i-2")
    if when != "after":
        fail(world)
    goes_on(world, refuse=first.plan[0].resource if when == "failing" else "")
    goes_on(world)
    assert not world.machine.docket.active
    assert not world.machine.docket.deferred
    return world, world.latest()["i-1"], first, world.latest()["i-2"]


def carry_out(world: World, name: str, but: str = "") -> None:
    """Of an intent all that may be done, which is seen."""
    for _ in range(2):
        for place, one in enumerate(world.operations):
            if one.intent == name and one.id not in world.ledger and one.resource != but:
                world.execute(place)
        goes_on(world, execute=False)


def fail(world: World) -> None:
    failing = next(place for place, one in enumerate(world.operations) if one.resource == LAST)
    world.execute(failing, refuse=True)
    goes_on(world, execute=False)


def said(verdict: Verdict) -> dict[str, str]:
    return {one.code: one.message for one in verdict.reasons}


@pytest.mark.parametrize("when", BEFORE)
@pytest.mark.parametrize("name", STAYS)
def test_what_another_one_would_suffer_from_is_not_taken_back_and_that_is_named(name: str, when: When) -> None:
    world, back, first, other = both(STAYS[name], when)
    assert first.decision == other.decision == "allow"
    assert (back.undoes, back.plan) == (1, ())
    users = "Service shop/front" if "selects" in name else "Deployment shop/web"
    assert (users if name in RELIES else "Secret shop/ca") in said(back)["W522"]
    assert not world.cluster.complaints()


@pytest.mark.parametrize("when", BEFORE)
@pytest.mark.parametrize("name", EMPTIES)
def test_a_service_that_is_put_back_and_selects_nothing_since_is_warned_of(name: str, when: When) -> None:
    world, back, first, other = both(EMPTIES[name], when)
    assert first.decision == other.decision == "allow"
    assert [(one.action, one.resource) for one in back.plan] == [("create", FRONT)]
    warned = [one for one in back.reasons if one.resource == FRONT]
    assert ["selects nothing" in one.message for one in warned] == [True]
    assert not world.cluster.broken


@pytest.mark.parametrize("name", STAYS)
def test_the_way_back_waits_for_who_is_under_way_and_is_taken_when_that_one_fails(name: str) -> None:
    world, back, first, _ = both(STAYS[name], "failing")
    assert first.decision == "allow"
    assert "i-2" not in {one for one, _ in world.effects}
    assert {one.code for one in back.reasons} == {"W521"}
    assert world.taken_back["i-1", back.plan[0].resource] == 1
    assert not world.cluster.complaints()


@pytest.mark.parametrize("name", [*STAYS, *EMPTIES])
def test_who_comes_after_the_undo_was_decided_waits_for_it_and_knows_what_is_there_then(name: str) -> None:
    case = {**STAYS, **EMPTIES}[name]
    world, back, first, other = both(case, "after")
    assert {one.code for one in back.reasons} == {"W521"}
    is_warned = first.decision == "allow" and "W110" in said(first)  # a Service is made before what it selects
    assert is_warned or (first.decision == "defer" and {one.intent for one in first.waits_for} == {"i-1"})
    assert is_warned or other.decision == "deny"
    assert not world.cluster.broken


def test_all_who_have_come_to_rely_on_it_are_named_as_far_as_there_is_room() -> None:
    users = tuple(web(name=f"web-{number}") for number in range(5))
    world, back, _, _ = both(Case((), write(some("ca"), some("last")), write(*users)), "done")
    assert all(f"Deployment shop/web-{number} @ lyon" in said(back)["W522"] for number in range(3))
    assert said(back)["W522"].endswith("; and 2 more")
    assert not world.cluster.complaints()


def test_a_policy_that_denies_what_is_only_warned_of_keeps_the_step_from_being_taken() -> None:
    world, back, _, _ = both(EMPTIES["takes the only match"], "done", PolicyRule(code="110", set="deny"))
    assert not back.plan
    assert "Service shop/front selects nothing" in said(back)["W522"]
    assert FRONT not in world.cluster.objects


def test_what_a_policy_only_warns_of_is_taken_back_and_who_misses_it_is_named() -> None:
    world, back, _, _ = both(RELIES["mounts the Secret that was made"], "done", PolicyRule(code="310", set="warn"))
    assert [(one.action, one.resource) for one in back.plan] == [("delete", CA)]
    assert "Deployment shop/web" in said(back)["W310"]
    assert CA not in world.cluster.objects
