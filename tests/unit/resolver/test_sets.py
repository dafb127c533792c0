"""Replicas and parts know that they belong together: later intents, sites that come and go, cuts, restarts."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.identity import ResourceId, SiteName
from schemas.peers import Wake
from schemas.ties import PART_OF, PARTS, REPLICA_SET, REPLICAS, SCOPE, SHARED_TO
from services.resolver.signals import PeerSeen
from tests.kit.manifests import deployment, mounts_secret, secret, without_uid
from tests.unit.resolver.virtual_mesh import VirtualMesh

LYON, NICE = SiteName("lyon"), SiteName("nice")
WEB = ResourceId("apps/Deployment/shop/web")
NEW = ResourceId("Secret/shop/new")


@pytest.fixture
def mesh() -> VirtualMesh:
    made = VirtualMesh(["lyon", "oslo", "nice"])
    for world in made.worlds.values():
        world.cluster.put(secret("ca"))
    made.settle()
    return made


def new(*keys: str) -> dict[str, Any]:
    return without_uid(secret("new", *keys))


def web(replicas: int = 4) -> dict[str, Any]:
    return without_uid(deployment("web", mounts_secret("ca"), app="web", replicas=replicas))


def do(mesh: VirtualMesh, site: str, verb: Any, scope: str, name: str, **what: Any) -> Any:
    """An intent and all that comes of it at once; the verdict on it."""
    mesh.enter(site, verb, scope, name, **what)
    mesh.pump()
    mesh.settle()
    return mesh.verdict(site, name)


def body(mesh: VirtualMesh, site: str, resource: ResourceId) -> dict[str, Any] | None:
    found: dict[str, Any] | None = mesh[site].cluster.objects.get(resource)
    return found


def keys(mesh: VirtualMesh, site: str) -> set[str]:
    found = body(mesh, site, NEW)
    return set(found["data"]) if found else set()


def words(mesh: VirtualMesh, site: str, resource: ResourceId) -> dict[str, str]:
    found = body(mesh, site, resource)
    assert found is not None, f"{resource} is not at {site}"
    return {**(found["metadata"].get("labels") or {}), **(found["metadata"].get("annotations") or {})}


def sets_of(mesh: VirtualMesh, resource: ResourceId, *sites: str) -> set[tuple[str, str]]:
    return {(words(mesh, one, resource)[REPLICA_SET], words(mesh, one, resource)[REPLICAS]) for one in sites}


def test_replicas_carry_their_set_and_its_sites(mesh: VirtualMesh) -> None:
    assert do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new(),)).decision == "allow"
    assert len(sets_of(mesh, NEW, "lyon", "oslo")) == 1
    assert words(mesh, "oslo", NEW)[REPLICAS] == "lyon,oslo"


def test_what_is_at_one_site_carries_nothing(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "oslo", "i-1", manifests=(new(),))
    assert REPLICA_SET not in words(mesh, "oslo", NEW)


def test_a_deletion_at_one_site_says_that_replicas_stay(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new(),))
    verdict = do(mesh, "lyon", "delete", "lyon", "i-2", resources=("secret/new",))
    assert verdict.decision == "allow"
    assert [(one.code, one.at) for one in verdict.reasons if one.code == "W340"] == [("W340", ("oslo",))]
    assert (body(mesh, "lyon", NEW), body(mesh, "oslo", NEW) is not None) == (None, True)


@pytest.mark.parametrize("everything_is_lost", [False, True])
def test_a_deletion_without_scope_deletes_all_replicas(mesh: VirtualMesh, everything_is_lost: bool) -> None:
    """What the clusters hold is enough: no stream remembers the intent that made the set."""
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new(),))
    if everything_is_lost:
        forget_all(mesh)
    verdict = do(mesh, "oslo", "delete", "", "i-2", resources=("secret/new",))
    assert verdict.decision == "allow", verdict
    assert {one.site for one in verdict.plan} == {"lyon", "oslo"}
    assert "W340" not in {one.code for one in verdict.reasons}
    assert body(mesh, "lyon", NEW) is body(mesh, "oslo", NEW) is None


def forget_all(mesh: VirtualMesh) -> None:
    for world in mesh.worlds.values():
        world.intents.clear()
        world.verdicts.clear()
        world.stored_outcomes.clear()
        world.alerts.clear()
        world.kill()
    mesh.settle()


def test_a_deletion_without_scope_survives_a_kill_after_it_was_done_here(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new(),))
    mesh.enter("lyon", "delete", "", "i-2", resources=("secret/new",))
    lyon, oslo = SiteName("lyon"), SiteName("oslo")
    mesh.collect()
    mesh.arrive((lyon, oslo))
    mesh.collect()
    mesh.arrive((oslo, lyon))
    mesh.sever("lyon")
    mesh.pump()
    assert body(mesh, "lyon", NEW) is None
    mesh["lyon"].kill()
    mesh.pump()
    mesh.mend()
    mesh.settle(80)
    assert body(mesh, "oslo", NEW) is None


def test_an_update_without_scope_reaches_every_replica_and_keeps_their_words(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("a"),))
    before = sets_of(mesh, NEW, "lyon", "oslo")
    assert do(mesh, "oslo", "apply", "", "i-2", manifests=(new("a", "b"),)).decision == "allow"
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == {"a", "b"}
    assert sets_of(mesh, NEW, "lyon", "oslo") == before


def test_an_update_whose_namespace_stands_in_the_intent_reaches_every_replica(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "apply", "lyon & oslo", "i-1", manifests=(new("crt"),))
    bare = new("crt", "key")
    del bare["metadata"]["namespace"]
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(bare,)).decision == "allow"
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == {"crt", "key"}


def test_an_update_without_scope_that_waited_for_its_set_to_be_made_reaches_every_replica(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "lyon & oslo", "i-1", manifests=(new("crt"),))
    mesh.catches_up(mesh["lyon"])
    mesh.enter("lyon", "apply", "", "i-2", manifests=(new("crt", "key"),))
    mesh.pump()
    mesh.settle()
    assert mesh.verdict("lyon", "i-2").decision == "allow"
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == {"crt", "key"}


def test_an_update_without_scope_that_comes_before_its_site_is_known_reaches_every_replica(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("crt"),))
    mesh["lyon"].kill()
    mesh.enter("lyon", "apply", "", "i-2", manifests=(new("crt", "key"),))
    mesh.settle()
    assert mesh.verdict("lyon", "i-2").decision == "allow"
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == {"crt", "key"}


def test_a_wider_scope_adds_a_site_and_a_narrower_one_removes_it_there(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new(),))
    assert do(mesh, "lyon", "apply", "lyon & oslo & nice", "i-2", manifests=(new(),)).decision == "allow"
    assert len(sets_of(mesh, NEW, "lyon", "oslo", "nice")) == 1
    verdict = do(mesh, "nice", "apply", "lyon & nice", "i-3", manifests=(new(),))
    assert verdict.decision == "allow", verdict
    assert {(one.site, one.action) for one in verdict.plan} >= {("oslo", "delete")}
    assert body(mesh, "oslo", NEW) is None
    assert {row[1] for row in sets_of(mesh, NEW, "lyon", "nice")} == {"lyon,nice"}
    assert do(mesh, "lyon", "apply", "lyon", "i-4", manifests=(new(),)).decision == "allow"
    assert body(mesh, "nice", NEW) is None
    assert REPLICA_SET not in words(mesh, "lyon", NEW)


def test_a_site_is_left_only_with_the_word_of_all_that_are_asked(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("crt"),))
    mesh.sever("nice")  # nobody has noticed
    mesh.enter("lyon", "apply", "lyon & nice", "i-2", manifests=(new("crt", "key"),))
    mesh.settle(10.0)
    assert mesh.verdict("lyon", "i-2").decision == "defer"
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == {"crt"}
    mesh.mend()
    mesh.settle(60.0)
    assert mesh.verdict("lyon", "i-2").decision == "allow"
    assert body(mesh, "oslo", NEW) is None


def test_a_site_is_not_left_while_a_dependent_there_needs_it(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new(),))
    user = without_uid(deployment("user", mounts_secret("new"), app="user"))
    do(mesh, "oslo", "create", "", "i-2", manifests=(user,))
    verdict = do(mesh, "lyon", "apply", "lyon", "i-3", manifests=(new("other"),))
    assert verdict.decision == "deny", verdict
    assert ("D310", "oslo") in {(one.code, one.site) for one in verdict.reasons}
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == {"crt"}


def test_a_site_that_is_back_while_an_update_is_done_elsewhere_gets_it_right_after(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    mesh.enter("lyon", "apply", "", "i-2", manifests=(new("a", "b"),))
    while "i-2" not in mesh["lyon"].latest():
        mesh.exchange()
    mesh.mend()
    mesh.ping()
    mesh.settle(4)
    assert keys(mesh, "nice") == {"a", "b"}


def test_a_site_that_is_back_while_the_others_are_asked_is_asked_right_after(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    mesh.enter("lyon", "delete", "", "i-2", resources=("secret/new",))
    mesh.mend()
    mesh.ping()
    mesh.settle(4)
    assert mesh.verdict("lyon", "i-2").decision == "allow", mesh.verdict("lyon", "i-2")


def test_an_update_that_was_lost_is_not_said_to_be_done_at_all_sites(mesh: VirtualMesh) -> None:
    """An older one of the same site, which is asked about late, ends no alert on a later one."""
    lyon, nice = SiteName("lyon"), SiteName("nice")
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    do(mesh, "nice", "apply", "", "i-2", manifests=(new("a", "b"),))
    do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "c"),))
    mesh.mend()
    mesh.cut = {(lyon, nice), (nice, lyon)}
    mesh.settle(4)
    mesh.sever("nice")
    mesh.settle(6)
    do(mesh, "nice", "apply", "", "i-4", manifests=(new("a", "b", "d"),))
    do(mesh, "lyon", "apply", "", "i-5", manifests=(new("a", "c", "e"),))
    mesh.mend()
    mesh.settle(6)
    assert keys(mesh, "nice") == keys(mesh, "lyon") == {"a", "c", "e"}
    said = [(one.state, one.cause, one.message) for one in mesh["nice"].alerts if one.code == "A506"]
    assert {cause for state, cause, _ in said if state == "raised"} == {"i-2", "i-4"}
    assert not [message for state, _, message in said if state == "healed" and "i-5" not in message], said


def test_an_update_with_a_site_away_is_done_elsewhere_and_there_when_it_is_back(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    verdict = do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "b"),))
    assert verdict.decision == "allow", verdict
    assert [(one.code, one.site) for one in verdict.reasons if one.severity == "warning"] == [("W503", "nice")]
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == {"a", "b"}
    assert keys(mesh, "nice") == {"a"}
    mesh.mend()
    mesh.settle(4)
    assert keys(mesh, "nice") == {"a", "b"}
    last = mesh.verdict("lyon", "i-2")
    assert last.decision == "allow"
    assert "W503" not in {one.code for one in last.reasons}
    assert {one.site for one in last.plan} == {"nice"}


def test_what_is_open_for_a_site_survives_a_kill(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "b"),))
    mesh["lyon"].kill()
    mesh.settle(4)
    mesh.mend()
    mesh.settle(8)
    assert keys(mesh, "nice") == {"a", "b"}
    assert "W503" not in {one.code for one in mesh.verdict("lyon", "i-2").reasons}


def test_an_update_that_takes_something_away_waits_for_a_site_that_is_away(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & nice", "i-1", manifests=(new("a", "b"),))
    mesh.sever("nice")
    mesh.settle(6)
    verdict = do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a"),))
    assert (verdict.decision, {one.code for one in verdict.reasons}) == ("defer", {"F501"})
    assert keys(mesh, "lyon") == {"a", "b"}


def test_of_two_updates_at_both_sides_of_a_cut_the_later_stays_and_the_earlier_is_recorded(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("a"),))
    mesh.sever("lyon")
    mesh.settle(6)
    do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "earlier"),))
    do(mesh, "oslo", "apply", "", "i-3", manifests=(new("a", "later"),))
    assert keys(mesh, "lyon") == {"a", "earlier"}
    mesh.mend()
    mesh.settle(8)
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == {"a", "later"}
    lost = [one for world in mesh.worlds.values() for one in world.alerts if one.code == "A506"]
    assert [(one.site, one.resource, "i-2" in one.message) for one in lost] == [("lyon", NEW, True)]
    assert "W503" not in {one.code for one in mesh.verdict("lyon", "i-2").reasons}


def test_parts_say_how_it_was_divided_and_an_update_without_scope_divides_anew(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon*3 % oslo {prime: oslo}", "i-1", manifests=(web(4),))
    found = words(mesh, "oslo", WEB)
    assert (found[PARTS], found[SCOPE]) == ("lyon=3,oslo=1", "lyon*3 % oslo {prime: oslo}")
    assert found[PART_OF] == words(mesh, "lyon", WEB)[PART_OF]
    assert do(mesh, "oslo", "apply", "", "i-2", manifests=(web(9),)).decision == "allow"
    numbers = [(body(mesh, one, WEB) or {})["spec"]["replicas"] for one in ("lyon", "oslo")]
    assert numbers == [6, 3]
    assert words(mesh, "lyon", WEB)[PARTS] == "lyon=6,oslo=3"
    assert do(mesh, "lyon", "delete", "", "i-3", resources=("deployment/web",)).decision == "allow"
    assert body(mesh, "lyon", WEB) is body(mesh, "oslo", WEB) is None


def test_an_original_that_is_applied_again_stays_marked_as_shared(mesh: VirtualMesh) -> None:
    user = without_uid(deployment("user", mounts_secret("new"), app="user"))
    do(mesh, "lyon", "create", "deployment: lyon, secret: oslo", "i-1", manifests=(user, new("a")))
    assert words(mesh, "oslo", NEW)[SHARED_TO] == "lyon"
    assert do(mesh, "oslo", "apply", "", "i-2", manifests=(new("a", "b"),)).decision == "allow"
    assert words(mesh, "oslo", NEW)[SHARED_TO] == "lyon"


@pytest.mark.parametrize("days", [1 / 24, 2, 400])
def test_what_was_declared_by_a_clock_that_was_ahead_can_be_updated_when_the_clock_is_right_again(
    mesh: VirtualMesh, days: float
) -> None:
    mesh["lyon"].ahead_s = days * 24 * 3600.0
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("a"),), lifetime_s=1e9)
    mesh["lyon"].ahead_s = 0.0
    mesh["lyon"].kill()
    mesh.settle(5)
    assert do(mesh, "oslo", "apply", "", "i-2", manifests=(new("a", "b"),)).decision == "allow"
    do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b", "c"),))
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == {"a", "b", "c"}
    assert not [one for world in mesh.worlds.values() for one in world.alerts if one.code == "A506"]


def test_what_is_open_for_a_site_that_leaves_the_set_meanwhile_ends(mesh: VirtualMesh) -> None:
    """What is asked of the site then was nothing, and that ended the resolver."""
    do(mesh, "lyon", "create", "lyon % oslo % nice", "i-1", manifests=(web(3),))
    mesh.sever("lyon")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(web(6),)).decision == "allow"
    mesh.mend()
    mesh.sever("nice")
    mesh.settle(0.5)
    do(mesh, "lyon", "apply", "lyon % oslo", "i-3", manifests=(web(3),))
    mesh.mend()
    mesh.settle(40)
    assert "W503" not in {one.code for one in mesh.verdict("lyon", "i-2").reasons}
    numbers = [(body(mesh, one, WEB) or {}).get("spec", {}).get("replicas") for one in ("lyon", "oslo", "nice")]
    assert sum(one or 0 for one in numbers) == 3


def test_a_site_that_knows_a_later_round_of_what_is_open_for_it_is_asked_alone_again(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "b"),))
    mesh.mend()
    rounds = mesh["lyon"].machine.together.coordinator.rounds
    while not rounds:
        mesh.pass_time(0.5)
    later = Wake(sender=NICE, receiver=LYON, intent="i-2", round=rounds["i-2"].number + 7)
    mesh["lyon"].step(PeerSeen(later))
    assert rounds["i-2"].only == (NICE,)
    mesh.settle(4)
    assert keys(mesh, "nice") == {"a", "b"}
    assert {mesh[site].effects["i-2", NEW] for site in ("lyon", "oslo", "nice")} == {1}


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_replica_that_cannot_be_updated_when_its_site_is_back_is_an_alert(mesh: VirtualMesh, is_killed: bool) -> None:
    do(mesh, "lyon", "create", "lyon & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "b"),), lifetime_s=30)
    if is_killed:
        mesh["lyon"].kill()
    mesh.settle(40)
    mesh.mend()
    mesh.settle(40)
    assert keys(mesh, "nice") == {"a"}
    assert keys(mesh, "lyon") == {"a", "b"}, "what was done as a whole is not undone"
    raised = [one for one in mesh["lyon"].alerts if one.code == "A504"]
    assert [(one.resource, "nice" in one.message) for one in raised] == [(NEW, True)]
    assert mesh.verdict("lyon", "i-2").decision == "deny"
