"""A whole mesh in every interleaving that Hypothesis finds: letters late, repeated, cut off; kills; wrong clocks.

What must hold is in mesh_oracles.py: consent of each site, all or what was done is named, no two conflicting intents
under way, leases end, every intent ends or names what it waits for, one effect a step, silence when nothing changes.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, event, seed, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from schemas.events import ResourceEvent
from schemas.identity import SiteName, kind_of
from schemas.intents import Verb
from services.resolver.signals import CancelSeen, IntentSeen, PreviewSeen
from tests.kit.examples import examples
from tests.kit.manifests import Manifest, deployment, mounts_secret, secret, without_uid
from tests.unit.resolver.mesh_oracles import ALWAYS, AT_THE_END, said_so_far
from tests.unit.resolver.virtual_mesh import VirtualMesh
from tests.unit.resolver.world import World

NAMES = ("lyon", "oslo", "nice")
SECRETS = ("s0", "s1")
APPS = ("d0", "d1")
INTENTS_MAX = 10
EXAMPLES = 280
EXAMPLES_LONG, STEPS_LONG = 10_000, 50
LONG_S, SHORT_S = 20_000.0, 5.0
LIFETIMES_S = st.sampled_from([LONG_S, LONG_S, LONG_S, SHORT_S, 100.0])
SITES = st.integers(0, 2)
SCOPES = (
    "{0} & {1}",
    "{0} & {1}",
    "{0} & {1} & {2}",
    "{0} ; {1}",
    "{0} % {1}",
    "{0} & {1} {{min: 1}}",
    "{1}",
    "",
    "all",
)
RETRY_S = 30.0  # a deferred intent asks again so often at most


def app(name: str, mounted: str, replicas: int) -> Manifest:
    return deployment(name, mounts_secret(mounted), app=name, replicas=replicas)


OBJECTS = st.one_of(
    st.builds(secret, st.sampled_from(SECRETS)),
    st.builds(app, st.sampled_from(APPS), st.sampled_from(SECRETS), st.sampled_from([0, 1, 3])),
)
TARGETS = st.sampled_from(
    [*(f"Secret/shop/{one}" for one in SECRETS), *(f"apps/Deployment/shop/{one}" for one in APPS)]
)
ORDERS = st.permutations(range(3))


class Deciding(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.mesh = VirtualMesh(NAMES)
        self.asked = 0

    def site(self, number: int) -> World:
        return self.mesh.worlds[SiteName(NAMES[number])]

    # ── people ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @initialize(
        there=st.lists(st.tuples(SITES, OBJECTS), max_size=6),
        ahead_s=st.sampled_from([0.0, 0.0, 3600.0, -7.0]),
        keeping=st.sets(SITES),
    )
    def begins(self, there: list[tuple[int, Manifest]], ahead_s: float, keeping: set[int]) -> None:
        for world in self.mesh.worlds.values():
            world.cluster.put(without_uid(secret("s0")))
        for number, body in there:
            self.site(number).cluster.put(without_uid(body))
        self.site(1).ahead_s = ahead_s
        self.mesh.settle(1.0)
        for number in keeping:
            self.site(number).keep()

    def what(self, order: list[int], scope: str, lifetime_s: float, **what: Any) -> dict[str, Any]:
        self.asked += 1
        names = [NAMES[number] for number in order]
        return {"scope": scope.format(*names), "lifetime_s": lifetime_s, **what}

    @rule(
        at=SITES,
        order=ORDERS,
        scope=st.sampled_from(SCOPES),
        verb=st.sampled_from(["create", "apply", "apply", "update"]),
        objects=st.lists(OBJECTS, min_size=1, max_size=3),
        lifetime_s=LIFETIMES_S,
    )
    def somebody_writes(
        self, at: int, order: list[int], scope: str, verb: Verb, objects: list[Manifest], lifetime_s: float
    ) -> None:
        if self.asked < INTENTS_MAX:
            bundle = {(one["kind"], one["metadata"]["name"]): without_uid(one) for one in objects}
            how = self.what(order, scope, lifetime_s, manifests=tuple(bundle.values()))
            self.mesh.enter(NAMES[at], verb, intent_id=f"i-{self.asked}", **how)

    @rule(
        at=SITES,
        order=ORDERS,
        scope=st.sampled_from(SCOPES),
        names=st.lists(TARGETS, min_size=1, max_size=2, unique=True),
        lifetime_s=LIFETIMES_S,
    )
    def somebody_deletes(self, at: int, order: list[int], scope: str, names: list[str], lifetime_s: float) -> None:
        if self.asked < INTENTS_MAX:
            how = self.what(order, scope, lifetime_s, resources=tuple(names))
            self.mesh.enter(NAMES[at], "delete", intent_id=f"i-{self.asked}", **how)

    @rule(at=SITES, order=ORDERS, scope=st.sampled_from(SCOPES[:-2]), name=TARGETS)
    def somebody_previews(self, at: int, order: list[int], scope: str, name: str) -> None:
        if self.asked < INTENTS_MAX:
            how = self.what(order, scope, LONG_S, resources=(name,), preview=True)
            intent = self.mesh.intent(NAMES[at], "delete", intent_id=f"p-{self.asked}", **how)
            self.site(at).step(PreviewSeen(intent))

    @precondition(lambda self: self.mesh.entered)
    @rule(data=st.data())
    def somebody_asks_again(self, data: st.DataObject) -> None:
        intent = data.draw(st.sampled_from(sorted(self.mesh.entered)))
        world = self.mesh.worlds[self.mesh.entered[intent]]
        before = world.latest().get(intent)
        world.step(IntentSeen(world.intents[intent]))
        assert before is None or world.latest()[intent] == before

    @precondition(lambda self: any(one.machine.docket.deferred for one in self.mesh.worlds.values()))
    @rule(data=st.data())
    def somebody_gives_up(self, data: st.DataObject) -> None:
        deferred = [(name, one) for name, at in self.mesh.worlds.items() for one in at.machine.docket.deferred]
        name, intent = data.draw(st.sampled_from(sorted(deferred)))
        self.mesh.worlds[name].step(CancelSeen(intent))

    @rule(at=SITES, data=st.data(), how=st.sampled_from(["version", "uid", "gone"]))
    def somebody_touches_it_by_hand(self, at: int, data: st.DataObject, how: str) -> None:
        """Another version, another object of the same content, or no Deployment any more: nothing that others need."""
        world = self.site(at)
        cluster = world.cluster
        resource = data.draw(st.sampled_from(sorted(cluster.objects)))
        if how == "gone" and kind_of(resource) == "apps/Deployment":
            cluster.remove(resource)
            world.see(ResourceEvent("delete", resource=resource))
            return
        state = cluster.put(cluster.objects[resource], uid=f"uid-{cluster.version}-again" if how == "uid" else "")
        gone = [ResourceEvent("delete", resource=resource)] if how == "uid" else []
        world.see(*gone, ResourceEvent("put", state))

    # ── the network ─────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(data=st.data(), count=st.integers(1, 3))
    def letters_arrive(self, data: st.DataObject, count: int) -> None:
        self.mesh.collect()
        wires = sorted(wire for wire, waiting in self.mesh.wires.items() if waiting and wire not in self.mesh.cut)
        if wires:
            wire = data.draw(st.sampled_from(wires))
            for _ in range(min(count, len(self.mesh.wires[wire]))):
                self.mesh.arrive(wire)

    @precondition(lambda self: self.mesh.arrived)
    @rule(data=st.data())
    def a_letter_arrives_once_more(self, data: st.DataObject) -> None:
        self.mesh.hand_over(*data.draw(st.sampled_from(list(self.mesh.arrived))))

    @rule(a=SITES, b=SITES, both=st.booleans())
    def a_wire_is_cut(self, a: int, b: int, both: bool) -> None:
        one, other = SiteName(NAMES[a]), SiteName(NAMES[b])
        if a != b:
            self.mesh.cut |= {(one, other), (other, one)} if both else {(one, other)}

    @rule(at=SITES, passed_s=st.sampled_from([6.0, 31.0, 70.0]))
    def a_site_is_cut_off_for_a_while(self, at: int, passed_s: float) -> None:
        self.mesh.sever(NAMES[at])
        self.mesh.pass_time(passed_s)

    @precondition(lambda self: self.mesh.cut)
    @rule()
    def all_wires_are_mended(self) -> None:
        self.mesh.mend()

    # ── time and kills ──────────────────────────────────────────────────────────────────────────────────────────────

    @rule(passed_s=st.sampled_from([0.5, 0.5, 3.0, 6.0, 31.0, 70.0]))
    def time_passes(self, passed_s: float) -> None:
        self.mesh.pass_time(passed_s)

    @rule(at=SITES, ahead_s=st.sampled_from([0.0, 60.0, -3600.0]))
    def a_wall_clock_steps(self, at: int, ahead_s: float) -> None:
        self.site(at).ahead_s = ahead_s

    @rule(at=SITES)
    def a_resolver_is_killed(self, at: int) -> None:
        self.site(at).kill()

    @rule(at=SITES)
    def a_resolver_keeps_a_snapshot(self, at: int) -> None:
        """Each process of this site that starts from now on goes on from it."""
        self.site(at).keep()

    @rule(at=SITES, effects=st.integers(0, 4))
    def a_resolver_will_be_killed_among_its_effects(self, at: int, effects: int) -> None:
        self.site(at).cut_after = effects

    # ── a site ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(at=SITES)
    def a_site_catches_up(self, at: int) -> None:
        self.site(at).beat()
        self.mesh.catches_up(self.site(at))
        self.site(at).beat()

    @rule(at=SITES, data=st.data(), refuse=st.sampled_from([False, False, False, True]))
    def an_executor_acts(self, at: int, data: st.DataObject, refuse: bool) -> None:
        world = self.site(at)
        if world.operations:
            world.execute(data.draw(st.integers(0, len(world.operations) - 1)), refuse)

    @rule(at=SITES)
    def an_outcome_arrives(self, at: int) -> None:
        if self.site(at).outcomes:
            self.site(at).report()

    @rule(at=SITES)
    def a_site_goes_on(self, at: int) -> None:
        self.mesh.goes_on(self.site(at))

    @rule()
    def everything_goes_on(self) -> None:
        self.mesh.pass_time(0.5)
        self.mesh.pump()

    # ── what must hold ──────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def what_must_hold_always_holds(self) -> None:
        for oracle in ALWAYS:
            oracle(self.mesh)

    def teardown(self) -> None:
        mesh = self.mesh
        for world in mesh.worlds.values():
            world.cut_after = None
        mesh.mend()
        mesh.settle_down(160.0, step_s=2.0)
        for name, at in mesh.entered.items():
            verdict = mesh.worlds[at].latest().get(name)
            if verdict is not None:
                event(f"{verdict.decision} {' '.join(sorted({one.code for one in verdict.reasons}))}")
        self.the_end_is_as_it_should_be()
        self.nothing_is_said_when_nothing_changes()
        for world in mesh.worlds.values():
            world.ahead_s = 2 * LONG_S
        mesh.settle(10.0, step_s=2.0)
        assert not any(world.machine.docket.deferred for world in mesh.worlds.values())
        self.the_end_is_as_it_should_be()

    def the_end_is_as_it_should_be(self) -> None:
        for oracle in (*ALWAYS, *AT_THE_END):
            oracle(self.mesh)

    def nothing_is_said_when_nothing_changes(self) -> None:
        """But that a deferred intent asks again now and then, in case that a word was lost, and that alerts stand."""
        self.mesh.settle(6.0, step_s=1.0)  # what is wrong is said a little later, when it still is
        before, passed_s = said_so_far(self.mesh), 120.0
        waiting = sum(len(world.machine.docket.deferred) for world in self.mesh.worlds.values())
        self.mesh.settle(passed_s, step_s=8.0)
        after = said_so_far(self.mesh)
        again = {"letters": 0, "reminders": 0}
        assert {**after, **again} == {**before, **again}
        assert after["reminders"] - before["reminders"] <= before["alerts"]
        assert after["letters"] - before["letters"] <= waiting * (passed_s / RETRY_S + 1) * 6


HOW = settings(
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # explaining traces every line: too slow here
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


Deciding.TestCase.settings = settings(HOW, max_examples=examples(EXAMPLES))
TestDeciding = pytest.mark.timeout(1_800)(Deciding.TestCase)  # 20 s of a core; the machine may be busy


def soak(machine: type[RuleBasedStateMachine], runs: int, capsys: pytest.CaptureFixture[str]) -> None:
    """With another seed each time, which is said; the environment may name one (CHEOPS_SOAK_SEED)."""
    number = int(os.environ.get("CHEOPS_SOAK_SEED") or secrets.randbits(32))
    with capsys.disabled():
        print(f"\n{runs} runs of {STEPS_LONG} steps: {machine.__name__}, seed {number}")
    longer = settings(HOW, max_examples=runs, stateful_step_count=STEPS_LONG, derandomize=False, database=None)
    run_state_machine_as_test(seed(number)(machine), settings=longer)


@pytest.mark.soak
@pytest.mark.timeout(6 * 3_600)  # a quarter of an hour of a core
def test_the_same_holds_in_many_longer_runs(capsys: pytest.CaptureFixture[str]) -> None:
    soak(Deciding, EXAMPLES_LONG, capsys)
