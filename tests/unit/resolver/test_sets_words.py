"""Who is of a set is written on its members again whenever a site goes, or something is brought along to one."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import ResourceEvent
from schemas.identity import ResourceId
from schemas.ties import PART_OF, PARTS, REPLICA_SET, REPLICAS, SCOPE, SHARED_FROM
from tests.kit.manifests import deployment, mounts_secret, namespace, secret, without_uid
from tests.unit.resolver.test_sets import NEW, WEB, body, do, keys, new, sets_of, web, words
from tests.unit.resolver.virtual_mesh import VirtualMesh

USER = ResourceId("apps/Deployment/shop/user")


@pytest.fixture
def mesh() -> VirtualMesh:
    made = VirtualMesh(["lyon", "oslo", "nice"])
    for world in made.worlds.values():
        world.cluster.put(secret("ca"))
    made.settle()
    return made


def user() -> dict[str, Any]:
    return without_uid(deployment("user", mounts_secret("new"), app="user"))


def test_replicas_that_stay_do_not_name_a_site_whose_replica_was_deleted(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    verdict = do(mesh, "oslo", "delete", "lyon", "i-2", resources=("secret/new",))
    assert verdict.decision == "allow", verdict
    assert [one.at for one in verdict.reasons if one.code == "W340"] == [("nice", "oslo")]
    assert {(one.site, one.action) for one in verdict.plan} == {
        ("lyon", "delete"),
        ("oslo", "annotate"),
        ("nice", "annotate"),
    }
    assert mesh.verdict("nice", "i-2").summary == "delete Secret shop/new @ nice: only its marks change here"
    assert verdict.summary == "delete Secret shop/new @ lyon: 3 steps", "what stays is not said to be deleted"
    assert {row[1] for row in sets_of(mesh, NEW, "oslo", "nice")} == {"nice,oslo"}
    assert do(mesh, "nice", "apply", "", "i-3", manifests=(new("a", "b"),)).decision == "allow"
    assert (body(mesh, "lyon", NEW), keys(mesh, "oslo"), keys(mesh, "nice")) == (None, {"a", "b"}, {"a", "b"})


def test_the_last_replica_is_of_no_set(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("a"),))
    do(mesh, "lyon", "delete", "lyon", "i-2", resources=("secret/new",))
    assert {REPLICA_SET, REPLICAS} & set(words(mesh, "oslo", NEW)) == set()
    assert do(mesh, "oslo", "apply", "", "i-3", manifests=(new("a", "b"),)).decision == "allow"
    assert body(mesh, "lyon", NEW) is None
    assert keys(mesh, "oslo") == {"a", "b"}


def test_parts_that_stay_do_not_name_a_site_whose_part_was_deleted(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon*2 % oslo % nice {prime: lyon}", "i-1", manifests=(web(8),))
    assert do(mesh, "lyon", "delete", "lyon", "i-2", resources=("deployment/web",)).decision == "allow"
    found = words(mesh, "oslo", WEB)
    assert (found[PARTS], found[SCOPE]) == ("nice=2,oslo=2", "oslo % nice")
    assert do(mesh, "oslo", "apply", "", "i-3", manifests=(web(6),)).decision == "allow"
    numbers = [(body(mesh, one, WEB) or {}).get("spec", {}).get("replicas") for one in ("lyon", "oslo", "nice")]
    assert numbers == [None, 3, 3]
    do(mesh, "oslo", "delete", "oslo", "i-4", resources=("deployment/web",))
    assert {PART_OF, PARTS, SCOPE} & set(words(mesh, "nice", WEB)) == set()


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_site_that_stays_and_is_away_is_told_when_it_is_back(mesh: VirtualMesh, is_killed: bool) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    verdict = do(mesh, "lyon", "delete", "lyon", "i-2", resources=("secret/new",))
    assert verdict.decision == "allow", verdict
    assert [one.site for one in verdict.reasons if one.code == "W503"] == ["nice"]
    assert words(mesh, "oslo", NEW)[REPLICAS] == "nice,oslo"
    assert words(mesh, "nice", NEW)[REPLICAS] == "lyon,nice,oslo"
    if is_killed:
        mesh["lyon"].kill()
        mesh.settle(2)
    mesh.mend()
    mesh.settle(8)
    assert words(mesh, "nice", NEW)[REPLICAS] == "nice,oslo"
    assert "W503" not in {one.code for one in mesh.verdict("lyon", "i-2").reasons}


def test_a_site_that_stays_and_does_not_answer_holds_nothing_up(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("a"),))
    mesh.sever("oslo")  # nobody has noticed
    mesh.enter("lyon", "delete", "lyon", "i-2", resources=("secret/new",))
    mesh.settle(10)
    assert mesh.verdict("lyon", "i-2").decision == "allow"
    assert body(mesh, "lyon", NEW) is None
    mesh.mend()
    mesh.settle(40)
    assert REPLICAS not in words(mesh, "oslo", NEW)


def test_what_another_site_had_done_before_a_kill_is_heard_although_it_begins_anew(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    mesh["lyon"].cut_after = 2  # the verdict is stored, and oslo is told
    mesh.enter("lyon", "delete", "lyon & oslo", "i-2", resources=("secret/new",))
    mesh.settle(20)
    assert mesh["lyon"].kills == 1
    assert body(mesh, "lyon", NEW) is body(mesh, "oslo", NEW) is None
    records = [one for one in mesh["lyon"].stored_outcomes if one.intent == "i-2"]
    assert {(one.site, one.state) for one in records} >= {("oslo", "done"), ("lyon", "done"), ("nice", "ready")}


@pytest.mark.parametrize("dies_at", range(3))
def test_a_choice_that_was_begun_at_one_site_is_not_done_at_the_other_after_a_kill(
    mesh: VirtualMesh, dies_at: int
) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("a"),))
    do(mesh, "nice", "create", "nice", "i-2", manifests=(new("of its own"),))
    mesh["nice"].cut_after = dies_at
    mesh.enter("nice", "delete", "lyon ; nice", "i-3", resources=("secret/new",))
    mesh.settle(60)
    assert mesh["nice"].kills == 1
    gone = {site for site in ("lyon", "nice") if body(mesh, site, NEW) is None}
    assert len(gone) == 1, gone


def test_a_site_that_is_heard_and_falls_silent_before_it_answers_is_asked_once_more(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    do(mesh, "lyon", "delete", "lyon", "i-2", resources=("secret/new",))
    mesh.mend()
    rounds = mesh["lyon"].machine.together.coordinator.rounds
    while not rounds:
        mesh.pass_time(0.5)
    mesh.sever("nice")
    mesh.settle(20)
    assert not rounds
    assert mesh.verdict("lyon", "i-2").revision == 1, "still open"
    mesh.mend()
    mesh.settle(40)
    assert words(mesh, "nice", NEW)[REPLICAS] == "nice,oslo"


def test_a_site_is_not_struck_out_that_is_of_the_set_again(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    do(mesh, "lyon", "delete", "lyon", "i-2", resources=("secret/new",))
    do(mesh, "lyon", "apply", "lyon & oslo & nice", "i-3", manifests=(new("a"),))
    mesh.mend()
    mesh.settle(40)
    assert {row[1] for row in sets_of(mesh, NEW, "lyon", "oslo", "nice")} == {"lyon,nice,oslo"}


def test_what_is_brought_along_and_its_original_are_a_set(mesh: VirtualMesh) -> None:
    mesh["nice"].see(ResourceEvent("put", mesh["nice"].cluster.put(new("a"))))
    mesh.settle()
    verdict = do(mesh, "lyon", "create", "deployment: lyon, secret: nice & lyon", "i-1", manifests=(user(),))
    assert verdict.decision == "allow", verdict
    assert ("nice", "annotate") in {(one.site, one.action) for one in verdict.plan}
    assert {row[1] for row in sets_of(mesh, NEW, "lyon", "nice")} == {"lyon,nice"}
    assert SHARED_FROM not in words(mesh, "lyon", NEW)
    assert do(mesh, "nice", "apply", "", "i-2", manifests=(new("a", "b"),)).decision == "allow"
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"a", "b"}


def test_what_is_brought_along_from_a_set_joins_it(mesh: VirtualMesh) -> None:
    do(mesh, "nice", "create", "nice & oslo", "i-1", manifests=(new("a"),))
    scope = "deployment: lyon, secret: nice & lyon"
    assert do(mesh, "lyon", "create", scope, "i-2", manifests=(user(),)).decision == "allow"
    assert {row[1] for row in sets_of(mesh, NEW, "lyon", "nice", "oslo")} == {"lyon,nice,oslo"}
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b"),)).decision == "allow"
    assert keys(mesh, "lyon") == keys(mesh, "nice") == keys(mesh, "oslo") == {"a", "b"}


def test_what_is_copied_from_a_site_that_the_scope_does_not_name_is_of_no_set_of_that_site(mesh: VirtualMesh) -> None:
    do(mesh, "nice", "create", "nice & oslo", "i-1", manifests=(new("a"),))
    assert do(mesh, "lyon", "create", "deployment: lyon, secret: lyon", "i-2", manifests=(user(),)).decision == "allow"
    assert {REPLICA_SET, REPLICAS} & set(words(mesh, "lyon", NEW)) == set()
    assert {row[1] for row in sets_of(mesh, NEW, "nice", "oslo")} == {"nice,oslo"}


def test_a_replica_that_is_shared_gives_a_copy_without_the_words_of_its_set(mesh: VirtualMesh) -> None:
    do(mesh, "nice", "create", "nice & oslo", "i-1", manifests=(new("a"),))
    assert do(mesh, "lyon", "create", "deployment: lyon, secret: nice", "i-2", manifests=(user(),)).decision == "allow"
    assert words(mesh, "lyon", NEW)[SHARED_FROM] == "nice"
    assert REPLICA_SET not in words(mesh, "lyon", NEW)


def test_a_read_without_scope_is_answered_by_the_nearest_fresh_replica(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("a"),))
    here = do(mesh, "lyon", "read", "", "r-1", resources=("secret/new",))
    assert [(one.site, one.action) for one in here.plan] == [("lyon", "read")]
    mesh["lyon"].beat = lambda: True  # type: ignore[method-assign]  # its watcher is dead
    mesh.settle(20)
    there = do(mesh, "lyon", "read", "", "r-2", resources=("secret/new",))
    assert there.decision == "allow", there
    assert [(one.site, one.action) for one in there.plan] == [("oslo", "read")]
    assert "N505" in {one.code for one in there.reasons}


def test_an_update_that_is_open_for_a_site_does_not_bring_back_what_was_deleted_since(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("a"),))
    mesh.sever("lyon")
    mesh.settle(5)
    assert do(mesh, "lyon", "apply", "lyon & oslo", "i-2", manifests=(new("a", "b"),)).decision == "allow"
    mesh.enter("lyon", "delete", "", "i-3", resources=("secret/new",))
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert body(mesh, "lyon", NEW) is body(mesh, "oslo", NEW) is None
    assert "W503" not in {one.code for one in mesh.verdict("lyon", "i-2").reasons}


def test_words_that_an_undo_takes_back_are_gone_and_nobody_is_alarmed(mesh: VirtualMesh) -> None:
    mesh["nice"].see(ResourceEvent("put", mesh["nice"].cluster.put(new("a"))))
    mesh.settle()
    mesh["lyon"].refuses.add(NEW)
    verdict = do(mesh, "lyon", "create", "deployment: lyon, secret: nice & lyon", "i-1", manifests=(user(),))
    mesh.settle(30)
    assert verdict.undoes is not None, verdict
    assert body(mesh, "lyon", NEW) is None
    assert {REPLICA_SET, REPLICAS} & set(words(mesh, "nice", NEW)) == set()
    assert [one.code for world in mesh.worlds.values() for one in world.alerts] == []


def test_a_site_is_struck_out_that_has_something_of_its_own_by_that_name_since(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    do(mesh, "lyon", "delete", "lyon & oslo", "i-2", resources=("secret/new",))
    do(mesh, "lyon", "apply", "", "i-3", manifests=(new("b"),))
    mesh.mend()
    mesh.settle(40)
    assert (keys(mesh, "lyon"), body(mesh, "oslo", NEW), keys(mesh, "nice")) == ({"b"}, None, {"a"})
    assert REPLICAS not in words(mesh, "nice", NEW)


def test_a_copy_that_is_copied_on_stays_while_its_copy_is_used(mesh: VirtualMesh) -> None:
    do(mesh, "nice", "create", "", "i-0", manifests=(new("a"),))
    do(mesh, "lyon", "apply", "deployment: oslo, secret: nice", "i-1", manifests=(user(),))
    mesh.sever("nice")  # else it would be a copy of what is there
    mesh.settle(6)
    do(mesh, "lyon", "apply", "deployment: lyon, secret: oslo", "i-2", manifests=(user(),))
    mesh.mend()
    mesh.settle(6)
    assert do(mesh, "lyon", "delete", "oslo", "i-3", resources=("deployment/user",)).decision == "allow"
    assert (keys(mesh, "lyon"), keys(mesh, "oslo")) == ({"a"}, {"a"})


def test_what_is_changed_while_it_waits_to_join_a_set_is_read_again(mesh: VirtualMesh) -> None:
    """i-3 holds the secret at nice when i-1 asks; it is done, and i-1 would bring to oslo what was there before."""
    cert = ResourceId("Secret/shop/cert")
    mesh["nice"].see(ResourceEvent("put", mesh["nice"].cluster.put(secret("cert", "a"))))
    mesh.sever("oslo")
    mesh.settle(5)
    user = without_uid(deployment("user", mounts_secret("cert"), app="user"))
    do(mesh, "lyon", "apply", "deployment: oslo, secret: nice & oslo", "i-1", manifests=(user,))
    do(mesh, "lyon", "apply", "nice", "i-2", manifests=(without_uid(secret("cert", "a", "b")),))
    do(mesh, "oslo", "apply", "nice", "i-3", manifests=(without_uid(secret("cert", "a", "c")),))
    mesh.mend()
    mesh.settle(60)
    assert [set((body(mesh, one, cert) or {})["data"]) for one in ("oslo", "nice")] == [{"a", "c"}] * 2
    assert words(mesh, "oslo", cert)[REPLICAS] == words(mesh, "nice", cert)[REPLICAS] == "nice,oslo"


def test_a_namespace_that_a_scope_brings_along_is_of_a_set(mesh: VirtualMesh) -> None:
    mesh["nice"].see(ResourceEvent("put", mesh["nice"].cluster.put(namespace("mall"))))
    mesh.settle()
    load = without_uid(deployment("load", app="load", namespace="mall"))
    made = do(mesh, "lyon", "create", "deployment: lyon, namespace: nice & lyon", "i-1", manifests=(load,))
    assert made.decision == "allow", made
    mall = ResourceId("Namespace/mall")
    assert {words(mesh, one, mall)[REPLICAS] for one in ("lyon", "nice")} == {"lyon,nice"}
    gone = do(mesh, "nice", "delete", "", "i-2", resources=("namespace/mall",))
    assert gone.decision == "allow", gone
    assert body(mesh, "lyon", mall) is body(mesh, "nice", mall) is None


@pytest.mark.parametrize(("verb", "scope"), [("delete", ""), ("apply", "lyon & oslo"), ("apply", "oslo")])
def test_what_only_has_the_name_of_a_replica_is_not_deleted_with_its_set(
    mesh: VirtualMesh, verb: Any, scope: str
) -> None:
    """It was somebody's own when `min` left its site out: the words of the set name that all the same."""
    mine = secret("new", "mine")
    mesh["nice"].see(ResourceEvent("put", mesh["nice"].cluster.put(mine)))
    mesh.settle()
    made = do(mesh, "lyon", "create", "lyon & oslo & nice {min: 2}", "i-1", manifests=(new(),))
    assert (made.decision, {one.site for one in made.plan}) == ("allow", {"lyon", "oslo"})
    what = {"resources": ("secret/new",)} if verb == "delete" else {"manifests": (new("crt", "more"),)}
    verdict = do(mesh, "lyon", verb, scope, "i-2", **what)
    assert verdict.decision == "allow", verdict.summary
    assert set((body(mesh, "nice", NEW) or {})["data"]) == {"mine"}
    assert "nice" not in {one.site for one in verdict.plan}
    said = [(one.code, one.site) for one in verdict.reasons if "neither of a set" in one.message]
    assert said == [("N102", "nice")]


def test_a_deletion_that_names_a_site_means_whatever_is_there(mesh: VirtualMesh) -> None:
    mesh["nice"].see(ResourceEvent("put", mesh["nice"].cluster.put(secret("new", "mine"))))
    mesh.settle()
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new(),))
    do(mesh, "lyon", "delete", "lyon & oslo & nice", "i-2", resources=("secret/new",))
    assert [body(mesh, one, NEW) for one in ("lyon", "oslo", "nice")] == [None] * 3
