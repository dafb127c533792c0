"""What must hold among sites that decide together, said without the project's own judge.

Each function looks at a whole virtual mesh, at any moment or at the end, and raises AssertionError with what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from schemas.identity import ResourceId, SiteName
from schemas.outcomes import FINAL_STATES
from schemas.peers import Report, Tell
from schemas.verdicts import Step, Verdict
from tests.kit.manifests import Manifest
from tests.unit.resolver.naive_cluster import EXTRACTOR
from tests.unit.resolver.virtual_mesh import VirtualMesh
from tests.unit.resolver.world import World

LEASE_S = 60.0
HEARD_WITHIN_S = 4.0  # who answered a ping so recently counts as heard
BAD = ("failed", "conflict", "expired")
Touched = dict[ResourceId, Manifest | None]  # what it becomes; None when it goes


# ── at any moment ───────────────────────────────────────────────────────────────────────────────────────────────────


def nothing_is_broken(mesh: VirtualMesh) -> None:
    for name, world in mesh.worlds.items():
        assert not world.cluster.broken, f"{name}: {world.cluster.broken}"


def each_step_has_one_effect(mesh: VirtualMesh) -> None:
    for name, world in mesh.worlds.items():
        assert all(times == 1 for times in world.effects.values()), f"{name}: {world.effects}"
        assert all(times == 1 for times in world.taken_back.values()), f"{name}: {world.taken_back}"


def a_site_does_only_what_its_own_resolver_consents_to(mesh: VirtualMesh) -> None:
    """An operation has an allow in its site's own stream; at the entry site the whole rests on its own evidence."""
    for name, world in mesh.worlds.items():
        consents = {
            (verdict.intent, verdict.revision, step.id, step.action, step.resource)
            for verdict in world.verdicts
            if verdict.decision == "allow" and not verdict.preview
            for step in verdict.plan
            if step.site == name and any(one.site == name and one.fresh for one in verdict.evidence)
        }
        for one in world.operations:
            wanted = (one.intent, one.revision, one.step, one.action, one.resource)
            assert one.site == name, f"{one.id} for {one.site} at {name}"
            assert wanted in consents, f"{name} never allowed {wanted}"


def conflicting_intents_are_not_under_way_together(mesh: VirtualMesh) -> None:
    for name, world in mesh.worlds.items():
        running = [
            (intent, touched(world, intent, steps))
            for intent, steps in under_way(mesh, world)
            if intent in world.intents
        ]
        for place, (intent, mine) in enumerate(running):
            for other, theirs in running[place + 1 :]:
                clash = mine.keys() & theirs.keys() or takes(mine, theirs) or takes(theirs, mine)
                assert not clash, f"{name}: {intent} and {other}: {sorted(mine)} and {sorted(theirs)}"


def revisions_count_up(mesh: VirtualMesh) -> None:
    """One by one where an intent was entered; upwards where a part of it was done."""
    for name, world in mesh.worlds.items():
        revisions: dict[str, list[int]] = {}
        for verdict in world.verdicts:
            revisions.setdefault(verdict.intent, []).append(verdict.revision)
        for intent, numbers in revisions.items():
            if mesh.entered.get(intent) == name:
                assert numbers == list(range(1, len(numbers) + 1)), f"{name}: {intent}: {numbers}"
            assert sorted(set(numbers)) == numbers, f"{name}: {intent}: {numbers}"


def nothing_is_allowed_after_its_time(mesh: VirtualMesh) -> None:
    for name, world in mesh.worlds.items():
        for verdict in world.verdicts:
            if verdict.undoes is not None:  # the way back has time of its own
                continue
            late = verdict.decision == "allow" and verdict.decided_at >= world.intents[verdict.intent].expires_at
            assert not late, f"{name}: {verdict.intent}"


def no_hold_outlives_its_lease(mesh: VirtualMesh) -> None:
    """What is held and not committed: the entry site was heard within the lease, or the hold is younger than that."""
    held: dict[tuple[SiteName, str], float] = {}
    for name, world in mesh.worlds.items():
        for _, intent, _ in world.machine.holds.rows():
            entry = mesh.entered[intent]
            if entry == name or any(one.intent == intent for one in world.verdicts):
                continue
            since_s = held[name, intent] = mesh.held_s.get((name, intent), world.now_s)
            silent_s = world.now_s - max(since_s, mesh.heard_s[entry, name])
            assert silent_s <= LEASE_S + HEARD_WITHIN_S, (
                f"{name} holds for {intent}; {entry} is silent for {silent_s} s"
            )
    mesh.held_s = held


def a_deferred_intent_names_what_it_waits_for(mesh: VirtualMesh) -> None:
    for name, world in mesh.worlds.items():
        for verdict in world.verdicts:
            assert verdict.decision != "defer" or verdict.waits_for, f"{name}: {verdict.intent}: {verdict.summary}"


def an_allow_rests_on_the_whole_scope(mesh: VirtualMesh) -> None:
    """`a & b` and `a % b` are nothing without both; with `min` or a choice (`;`) fewer are enough.

    An update that is open for a site says so (W503), and so does one that a newer one has overtaken there (N506).
    """
    for intent, site in mesh.entered.items():
        scope = mesh.worlds[site].intents[intent].scope
        if not scope or ";" in scope or "min" in scope:  # without a scope: here, or where its set is
            continue
        whole = set(mesh.worlds) if scope == "all" else {one.strip() for one in re.split("[&%]", scope)}
        whole = whole - mesh.lost
        before: set[str] = set()  # what was open for a site is done there by a revision that asks it alone
        for verdict in mesh.worlds[site].verdicts:
            if verdict.intent == intent and verdict.decision == "allow" and verdict.undoes is None:
                heard = before | {one.site for one in verdict.evidence}
                heard |= {one.site for one in verdict.reasons if one.code in ("W503", "N506")}
                assert whole <= heard, f"{intent} for {scope!r} is allowed without {sorted(whole - heard)}"
                open_for = any(one.code == "W503" for one in verdict.reasons)
                before = before | {one.site for one in verdict.evidence} if open_for else set()


def previews_leave_nothing(mesh: VirtualMesh) -> None:
    for name, world in mesh.worlds.items():
        found = [one.intent for one in world.verdicts if one.intent.startswith("p-")]
        found += [intent for _, intent, _ in world.machine.holds.rows() if intent.startswith("p-")]
        assert not found, f"{name}: {found}"


ALWAYS = (
    nothing_is_broken,
    each_step_has_one_effect,
    a_site_does_only_what_its_own_resolver_consents_to,
    conflicting_intents_are_not_under_way_together,
    revisions_count_up,
    nothing_is_allowed_after_its_time,
    no_hold_outlives_its_lease,
    a_deferred_intent_names_what_it_waits_for,
    an_allow_rests_on_the_whole_scope,
    previews_leave_nothing,
)


def under_way(mesh: VirtualMesh, world: World) -> Iterator[tuple[str, list[Step]]]:
    """Allowed intent → the steps of this site that may still take effect: sent and not done, or still to be sent."""
    sent = {one.id for one in world.operations}
    for intent, verdict in world.latest().items():
        head = f"{intent}.{verdict.revision}."
        goes_on = intent in world.machine.docket.active and not _went_wrong(mesh, verdict)
        steps = [
            step
            for step in verdict.plan
            if step.site == world.site
            and head + step.id not in world.ledger
            and (head + step.id in sent or goes_on)
            and _possible(world, step)
        ]
        if verdict.decision == "allow" and steps:
            yield intent, steps


def _went_wrong(mesh: VirtualMesh, verdict: Verdict) -> bool:
    """Somewhere a step of this revision did not do what was allowed, or a site refused its part.

    A way back goes on with what it can.
    """
    if verdict.undoes is not None:
        return False
    head = f"{verdict.intent}.{verdict.revision}."
    ends = (
        rows[-1].state for world in mesh.worlds.values() for one, rows in world.ledger.items() if one.startswith(head)
    )
    said = (one for one in mesh.told if one.intent == verdict.intent and isinstance(one, Report | Tell))
    stops = (one.stop if isinstance(one, Tell) else one.refused for one in said if one.revision == verdict.revision)
    return any(state in BAD for state in ends) or any(stops)


def _possible(world: World, step: Step) -> bool:
    live, uid = world.cluster.objects.get(step.resource), step.preconditions.uid
    return not uid or (live is not None and live["metadata"]["uid"] == uid)


def touched(world: World, intent: str, steps: list[Step]) -> Touched:
    written = {EXTRACTOR.key(one).id: one for one in world.intents[intent].manifests}
    return {step.resource: _becomes(world, step, written) for step in steps}


def _becomes(world: World, step: Step, written: Mapping[ResourceId, Manifest]) -> Manifest | None:
    if step.action == "delete":
        return None
    return world.kept.get(step.undoes) if step.undoes else written.get(step.resource)


def takes(deleting: Touched, writing: Touched) -> bool:
    """One makes a workload that mounts what the other deletes."""
    gone = {resource for resource, body in deleting.items() if body is None}
    for body in writing.values():
        if body is not None and body["kind"] == "Deployment" and body["spec"]["replicas"]:
            volumes = body["spec"]["template"]["spec"]["volumes"]
            if gone & {f"Secret/shop/{row['secret']['secretName']}" for row in volumes}:
                return True
    return False


# ── when every wire carries again and time has passed ───────────────────────────────────────────────────────────────


def every_intent_has_ended(mesh: VirtualMesh) -> None:
    """Every site is heard, knows its cluster, and nothing is in flight: there is nothing to wait for any more."""
    for intent, site in mesh.entered.items():
        verdict = mesh.worlds[site].latest().get(intent)
        assert verdict is not None, f"{intent} has no verdict at {site}"
        assert verdict.decision != "defer", f"{intent} waits at {site} for {verdict.waits_for}: {verdict.summary}"


def nothing_is_left_over(mesh: VirtualMesh) -> None:
    for name, world in mesh.worlds.items():
        machine = world.machine
        assert not list(machine.holds.rows()), f"{name} holds {list(machine.holds.rows())}"
        assert not machine.docket.active, f"{name}: {list(machine.docket.active)}"
        assert not machine.docket.asked, f"{name}: {list(machine.docket.asked)}"
        assert not machine.together.coordinator.rounds, f"{name}: {list(machine.together.coordinator.rounds)}"
        assert not machine.together.coordinator.following, f"{name} follows something"
        assert not world.unacknowledged, f"{name}: {list(world.unacknowledged)}"
        assert not list(under_way(mesh, world)), f"{name}: {list(under_way(mesh, world))}"
        expected = {one: world.cluster.state(one) for one in world.cluster.objects}
        assert {state.resource: state for state in machine.graph.resources()} == expected, name
    assert not any(mesh.wires.values()), "letters are under way"


def all_is_done_or_what_was_done_is_named(mesh: VirtualMesh) -> None:
    """Of an allowed plan all is done, or the entry site's records say what went wrong; what was done stands there."""
    for intent, site in mesh.entered.items():
        world = mesh.worlds[site]
        verdict = world.latest()[intent]
        records = [one for one in world.stored_outcomes if one.intent == intent]
        known = {(one.site, one.resource) for one in records}
        done = {(name, what) for name, at in mesh.worlds.items() for other, what in at.effects if other == intent}
        assert done <= known, f"{intent}: {site} does not know of {done - known}"
        if verdict.decision != "allow":
            if world.intents[intent].scope in ("", site):
                continue  # decided alone: its outcomes are the record
            named = " ".join(one.message for one in verdict.reasons if one.code == "N520")
            missing = [where for where, _ in done if where not in named]
            assert not missing, f"{intent} is {verdict.decision}; done at {missing}, which is not said: {named!r}"
            continue
        ends = {
            one.step: one.state for one in records if one.revision == verdict.revision and one.state in FINAL_STATES
        }
        if not any(state in BAD for state in ends.values()):
            left = [step for step in verdict.plan if step.id not in ends]
            assert not left or _went_wrong(mesh, verdict), f"{intent}: never done: {left}"


def what_failed_is_undone_or_named(mesh: VirtualMesh) -> None:
    """All of it, or nothing, or a word at its entry site on each step that stays.

    An update that a site does not allow when it is back stays at the others: an alert says so (A504).
    """
    for intent, site in mesh.entered.items():
        world = mesh.worlds[site]
        verdict = world.latest()[intent]
        done = {(name, what) for name, at in mesh.worlds.items() for other, what in at.effects if other == intent}
        back = {(name, what) for name, at in mesh.worlds.items() for other, what in at.taken_back if other == intent}
        mine = [one for one in world.stored_outcomes if one.intent == intent]
        if verdict.undoes is None:
            ends = {one.step for one in mine if one.revision == verdict.revision and one.state in ("ready", "done")}
            whole = verdict.decision == "allow" and all(step.id in ends for step in verdict.plan)
            is_behind = any(one.code == "A504" and f" intent {intent} " in one.message for one in world.alerts)
            assert whole or not done or is_behind, f"{intent}: {sorted(done)} stays, and nobody says so"
            continue
        named = {(one.site, one.resource) for one in verdict.reasons if one.code == "W522"}
        stays = {(one.site, one.resource) for one in mine if one.step.startswith("u") and one.state in BAD}
        assert done <= named | stays | back, f"{intent}: {sorted(done - named - stays - back)}"


AT_THE_END = (
    every_intent_has_ended,
    nothing_is_left_over,
    all_is_done_or_what_was_done_is_named,
    what_failed_is_undone_or_named,
)


def said_so_far(mesh: VirtualMesh) -> Mapping[str, int]:
    """Everything that was stored or told. `reminders`: of alerts that stand, each day and once a clock was set back."""
    worlds = mesh.worlds.values()
    return {
        "letters": len(mesh.told),
        "verdicts": sum(len(world.verdicts) for world in worlds),
        "operations": sum(len(world.operations) for world in worlds),
        "outcomes": sum(len(world.stored_outcomes) for world in worlds),
        "alerts": sum(one.again_at is None for world in worlds for one in world.alerts),
        "reminders": sum(one.again_at is not None for world in worlds for one in world.alerts),
    }
