"""The machine in a naive world, in every interleaving that Hypothesis finds: delays, repetitions, failures, kills.

What must hold: conflicting intents are never both under way; what is done breaks nothing; each step has one effect;
a deferred intent wakes, or expires, and does nothing then; a repeated id gets its verdict; the overlay ends.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas.events import ResourceEvent, ResourceState
from schemas.identity import ResourceId
from schemas.intents import Intent, Verb
from schemas.verdicts import Step
from services.resolver.graph.store import Graph
from services.resolver.signals import BatchSeen, CancelSeen, IntentSeen, Rehearsed, Tick
from tests.kit.examples import examples
from tests.kit.manifests import Manifest, deployment, mounts_secret, secret, service, without_uid
from tests.unit.resolver.naive_cluster import EXTRACTOR
from tests.unit.resolver.world import LYON, World

SECRETS = ("s0", "s1")
APPS = ("d0", "d1")
LABEL = "shop"
LIFETIMES_S = st.sampled_from([500.0, 500.0, 500.0, 5.0])
IDS = [f"i-{number}" for number in range(12)]


def app(name: str, mounted: str, replicas: int = 1) -> Manifest:
    return deployment(name, mounts_secret(mounted), app=LABEL, replicas=replicas)


OBJECTS = st.one_of(
    st.builds(secret, st.sampled_from(SECRETS)),
    st.builds(app, st.sampled_from(APPS), st.sampled_from(SECRETS), st.sampled_from([0, 1])),
    st.just(service("front", LABEL)),
)
NAMES = st.sampled_from(
    [*(f"Secret/shop/{one}" for one in SECRETS), *(f"apps/Deployment/shop/{one}" for one in APPS), "Service/shop/front"]
)


class Resolving(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.entered = 0

    # ── what may happen ─────────────────────────────────────────────────────────────────────────────────────────────

    @initialize(there=st.lists(OBJECTS, max_size=3), used=st.booleans())
    def begins(self, there: list[Manifest], used: bool) -> None:
        for one in [secret("s0"), *([app("d0", "s0"), service("front", LABEL)] if used else []), *there]:
            self.world.cluster.put(without_uid(one))
        self.catches_up()

    def enter(self, verb: Verb, lifetime_s: float, **what: Any) -> None:
        if self.entered >= len(IDS):
            return
        moment = self.world.moment
        intent = Intent(
            id=IDS[self.entered],
            site=LYON,
            verb=verb,
            namespace="shop",
            created_at=moment.wall,
            expires_at=moment.wall + timedelta(seconds=lifetime_s),
            **what,
        )
        self.entered += 1
        self.world.publish(intent)

    @rule(
        verb=st.sampled_from(["create", "apply", "update"]),
        objects=st.lists(OBJECTS, min_size=1, max_size=3),
        lifetime_s=LIFETIMES_S,
    )
    def somebody_writes(self, verb: Verb, objects: list[Manifest], lifetime_s: float) -> None:
        bundle = {(one["kind"], one["metadata"]["name"]): without_uid(one) for one in objects}
        self.enter(verb, lifetime_s, manifests=tuple(bundle.values()))

    @rule(names=st.lists(NAMES, min_size=1, max_size=2, unique=True), lifetime_s=LIFETIMES_S)
    def somebody_deletes(self, names: list[str], lifetime_s: float) -> None:
        self.enter("delete", lifetime_s, resources=tuple(names))

    @precondition(lambda self: self.world.intents)
    @rule(data=st.data())
    def somebody_asks_again(self, data: st.DataObject) -> None:
        world = self.world
        intent = data.draw(st.sampled_from(sorted(world.intents)))
        known = world.latest().get(intent)
        said, decided = len(world.repeated), len(world.verdicts)
        world.now_s += 1.0
        if world.step(IntentSeen(world.intents[intent])) and known is not None:
            assert [one.to_json() for one in world.repeated[said:]] == [known.to_json()]
            assert len(world.verdicts) == decided

    @precondition(lambda self: self.world.machine.docket.deferred)
    @rule(data=st.data())
    def somebody_gives_up(self, data: st.DataObject) -> None:
        intent = data.draw(st.sampled_from(sorted(self.world.machine.docket.deferred)))
        self.world.step(CancelSeen(intent))

    @precondition(lambda self: self.world.cluster.objects)
    @rule(data=st.data(), again=st.booleans())
    def somebody_touches_it_by_hand(self, data: st.DataObject, again: bool) -> None:
        """Only its version changes, or it is another object of the same content: a conflict for who knew the first."""
        cluster = self.world.cluster
        resource = data.draw(st.sampled_from(sorted(cluster.objects)))
        state = cluster.put(cluster.objects[resource], uid=f"uid-{cluster.version}-again" if again else "")
        gone = [ResourceEvent("delete", resource=resource)] if again else []
        self.world.see(*gone, ResourceEvent("put", state))

    @precondition(lambda self: self.world.batches)
    @rule()
    def events_arrive(self) -> None:
        self.world.deliver()

    @precondition(lambda self: self.world.delivered)
    @rule(data=st.data())
    def events_arrive_again(self, data: st.DataObject) -> None:
        self.world.step(BatchSeen(data.draw(st.sampled_from(list(self.world.delivered)))))

    @rule()
    def a_heartbeat_arrives(self) -> None:
        self.world.beat()

    @precondition(lambda self: self.world.resyncs)
    @rule()
    def the_watcher_lists_again(self) -> None:
        self.world.answer_resync()

    @precondition(lambda self: self.world.rehearsals)
    @rule()
    def the_api_server_was_asked(self) -> None:
        self.world.step(Rehearsed(self.world.rehearsals.popleft(), None))

    @precondition(lambda self: self.world.operations)
    @rule(data=st.data(), refuse=st.sampled_from([False, False, False, True]))
    def the_executor_acts(self, data: st.DataObject, refuse: bool) -> None:
        self.world.execute(data.draw(st.integers(0, len(self.world.operations) - 1)), refuse)

    @precondition(lambda self: self.world.outcomes)
    @rule()
    def an_outcome_arrives(self) -> None:
        self.world.report()

    @rule(passed_s=st.sampled_from([0.3, 3.0, 3.0, 30.0]), silently=st.sampled_from([False, False, False, True]))
    def time_passes(self, passed_s: float, silently: bool) -> None:
        self.world.now_s += passed_s
        self.world.step(Tick())
        if not silently:
            self.world.beat()

    @rule()
    def the_resolver_is_killed(self) -> None:
        self.world.kill()

    @rule()
    def the_resolver_keeps_a_snapshot(self) -> None:
        """Each process that starts from now on goes on from it."""
        self.world.keep()

    @rule(effects=st.integers(0, 3))
    def the_resolver_will_be_killed_among_its_effects(self, effects: int) -> None:
        self.world.cut_after = effects

    @rule()
    def catches_up(self) -> None:
        """The watcher and the API server have answered everything; without this little would ever be allowed."""
        world = self.world
        world.beat()
        while world.resyncs:
            world.answer_resync()
        while world.batches:
            world.deliver()
        world.beat()
        while world.rehearsals:
            world.step(Rehearsed(world.rehearsals.popleft(), None))

    @rule()
    def catches_up_again(self) -> None:
        self.catches_up()

    @rule(reported=st.booleans())
    def everything_is_carried_out(self, reported: bool) -> None:
        world = self.world
        for place in range(len(world.operations)):
            if world.operations[place].id not in world.ledger:
                world.execute(place)
        while reported and world.outcomes:
            world.report()

    # ── what must hold ──────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def what_is_done_breaks_nothing(self) -> None:
        assert not self.world.cluster.broken

    @invariant()
    def each_step_has_one_effect(self) -> None:
        assert all(times == 1 for times in self.world.effects.values()), self.world.effects

    @invariant()
    def conflicting_intents_are_not_under_way_together(self) -> None:
        running = [(name, self.touched(name, steps)) for name, steps in self.world.pending().items()]
        for place, (name, mine) in enumerate(running):
            for other, theirs in running[place + 1 :]:
                clash = mine.keys() & theirs.keys() or takes(mine, theirs) or takes(theirs, mine)
                assert not clash, f"{name} and {other}: {sorted(mine)} and {sorted(theirs)}"

    def touched(self, intent: str, steps: list[Step]) -> dict[ResourceId, Manifest | None]:
        """What an intent may still change: resource → what it becomes, None when it goes."""
        written = {EXTRACTOR.key(one).id: one for one in self.world.intents[intent].manifests}
        return {
            step.resource: None
            if step.action == "delete"
            else self.world.kept[step.undoes]
            if step.undoes
            else written.get(step.resource)
            for step in steps
        }

    @invariant()
    def revisions_count_up_and_none_is_decided_twice(self) -> None:
        for intent in self.world.intents:
            revisions = [one.revision for one in self.world.verdicts if one.intent == intent]
            assert revisions == list(range(1, len(revisions) + 1))

    @invariant()
    def nothing_is_allowed_after_its_time(self) -> None:
        for verdict in self.world.verdicts:
            if verdict.decision == "allow" and verdict.undoes is None:  # the way back has time of its own
                assert verdict.decided_at < self.world.intents[verdict.intent].expires_at

    def teardown(self) -> None:
        world = self.world
        for verdict in world.verdicts:
            event(f"{verdict.decision} {' '.join(sorted({one.code for one in verdict.reasons}))}")
        for outcome in world.stored_outcomes:
            event(f"outcome {outcome.state}")
        world.cut_after = None
        world.settle()
        world.now_s += 500.0
        world.settle()
        assert len(world.machine.holds) == 0
        assert not world.machine.docket.active
        assert not world.machine.docket.deferred
        assert {name: verdict.decision for name, verdict in world.latest().items() if verdict.decision == "defer"} == {}
        assert set(world.latest()) == set(world.intents)
        assert not world.pending()
        assert states(world.machine.graph) == {one: world.cluster.state(one) for one in world.cluster.objects}
        self.what_is_done_breaks_nothing()
        self.each_step_has_one_effect()
        self.what_failed_is_undone_or_named()

    def what_failed_is_undone_or_named(self) -> None:
        """All of it, or nothing, or a word on each step that stays."""
        for intent, verdict in self.world.latest().items():
            mine = [one for one in self.world.stored_outcomes if one.intent == intent]
            done = {one.resource for one in mine if one.state in ("ready", "done")}
            if verdict.undoes is None:
                ends = {one.step for one in mine if one.revision == verdict.revision and one.state in ("ready", "done")}
                whole = verdict.decision == "allow" and all(step.id in ends for step in verdict.plan)
                assert whole or not done, f"{intent}: {sorted(done)} stays, and nobody says so"
                continue
            named = {one.resource for one in verdict.reasons if one.code == "W522"}
            stays = {one.resource for one in mine if one.step.startswith("u") and one.state not in ("ready", "done")}
            back = {one for name, one in self.world.taken_back if name == intent}
            assert done <= named | stays | back, f"{intent}: {sorted(done)}"


def takes(deleting: dict[ResourceId, Manifest | None], writing: dict[ResourceId, Manifest | None]) -> bool:
    """One makes a workload that mounts what the other deletes."""
    gone = {resource for resource, body in deleting.items() if body is None}
    for body in writing.values():
        if body is not None and body["kind"] == "Deployment" and body["spec"]["replicas"]:
            volumes = body["spec"]["template"]["spec"]["volumes"]
            if gone & {f"Secret/shop/{row['secret']['secretName']}" for row in volumes}:
                return True
    return False


def states(graph: Graph) -> dict[ResourceId, ResourceState]:
    return {state.resource: state for state in graph.resources()}


Resolving.TestCase.settings = settings(
    max_examples=examples(100),
    stateful_step_count=50,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # explaining traces every line: too slow here
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestResolving = Resolving.TestCase
