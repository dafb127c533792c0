"""What waits for several sites, and what is declared at some of them since: sets that shrink, copies, undone ones."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.identity import ResourceId
from schemas.rehearsals import RehearsalAnswer, RehearsedResult
from schemas.ties import DECLARED, REPLICAS
from services.resolver.signals import Rehearsed, Tick
from tests.kit.manifests import deployment, mounts_secret, secret, without_uid
from tests.unit.resolver.test_overtaken import look_away, one_that_waits
from tests.unit.resolver.test_sets import NEW, body, do, keys, mesh, new, words
from tests.unit.resolver.virtual_mesh import VirtualMesh

__all__ = ["mesh"]
SITES = ("lyon", "oslo", "nice")


def codes(mesh: VirtualMesh, site: str = "lyon", name: str = "i-2") -> list[str]:
    return [one.code for one in mesh.verdict(site, name).reasons]


def all_keys(mesh: VirtualMesh) -> list[set[str]]:
    return [keys(mesh, site) for site in SITES]


@pytest.mark.parametrize("scope", ["", "lyon & oslo & nice"])
@pytest.mark.parametrize("left", ["lyon", "oslo"])
@pytest.mark.parametrize("is_killed", [False, True])
def test_an_update_that_waited_does_not_bring_back_a_replica_that_was_deleted_since(
    mesh: VirtualMesh, scope: str, left: str, is_killed: bool
) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a", "b"),))
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", scope, "i-2", manifests=(new("a"),)).decision == "defer"
    mesh.settle(2)
    assert do(mesh, "lyon", "delete", left, "i-3", resources=("secret/new",)).decision == "allow"
    if is_killed:
        mesh["lyon"].kill()
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert keys(mesh, left) == set()
    if scope or left == "lyon":
        assert mesh.verdict("lyon", "i-2").reasons[0].message == (
            "Secret shop/new was deleted later, by intent i-3: it stays away"
        )
    else:  # it is for whoever is of the set, as it is now
        assert (codes(mesh), keys(mesh, "lyon"), keys(mesh, "nice")) == ([], {"a"}, {"a"})


def test_what_a_site_declares_for_itself_does_not_overtake_what_waits_for_another_one(mesh: VirtualMesh) -> None:
    """They have one name, and nothing else in common."""
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "nice", "i-2", manifests=(new("a"),)).decision == "defer"
    mesh.settle(2)
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b"),)).decision == "allow"
    mesh.mend()
    mesh.settle(60)
    assert mesh.verdict("lyon", "i-2").decision == "allow"
    assert all_keys(mesh) == [{"a", "b"}, set(), {"a"}]


def test_what_was_declared_for_another_site_since_overtakes_what_waits_for_it(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "oslo", "i-1", manifests=(new("a", "b"),))
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "oslo & nice", "i-2", manifests=(new("a"),)).decision == "defer"
    mesh.settle(2)
    assert do(mesh, "lyon", "apply", "oslo", "i-3", manifests=(new("a", "b", "c"),)).decision == "allow"
    assert codes(mesh) == ["D512"]
    mesh.mend()
    mesh.settle(60)
    assert all_keys(mesh) == [set(), {"a", "b", "c"}, set()]


def nothing_to_do(mesh: VirtualMesh, name: str) -> None:
    """The API servers say of this intent that it changes nothing."""
    answers = mesh.catches_up

    def catches_up(world: Any) -> bool:
        if name in world.rehearsals:
            world.rehearsals.remove(name)
            same = RehearsedResult(resource=NEW, unchanged=True)
            world.step(Rehearsed(name, RehearsalAnswer(site=world.site, results=(same,))))
        return answers(world)

    mesh.catches_up = catches_up  # type: ignore[method-assign]


def test_who_declares_replicas_again_as_they_are_overtakes_the_change_that_waits(mesh: VirtualMesh) -> None:
    one_that_waits(mesh)
    mesh.settle(2)
    nothing_to_do(mesh, "i-3")
    verdict = do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b"),))
    assert (verdict.decision, verdict.plan, codes(mesh)) == ("allow", (), ["D512"])
    mesh.mend()
    mesh.settle(60)
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"a", "b"}


def test_a_change_of_an_original_that_waited_does_not_replace_what_was_declared_since(mesh: VirtualMesh) -> None:
    """It is no replica, and says nothing of when it was declared; its copies follow it."""
    do(mesh, "lyon", "create", "", "i-0", manifests=(new("a", "b"),))
    web = without_uid(deployment("web", mounts_secret("new")))
    do(mesh, "lyon", "create", "deployment: nice, secret: lyon", "i-1", manifests=(web,))
    look_away(mesh, "apps/Deployment")
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a"),)).decision == "defer"
    mesh.settle(2)
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b", "c"),)).decision == "allow"
    look_away(mesh)
    mesh.settle(30)
    assert codes(mesh) == ["D512"]
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"a", "b", "c"}


def half_done(mesh: VirtualMesh) -> None:
    """i-2 waits until lyon sees all; i-3 is done and seen at lyon, and has not begun at oslo."""
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("a", "b"),))
    look_away(mesh, "apps/Deployment")
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a"),)).decision == "defer"
    mesh.settle(2)
    both = (new("a", "b", "c"), without_uid(secret("other")))
    mesh.enter("lyon", "apply", "lyon & oslo", "i-3", manifests=both, on_failure="undo")
    for _ in range(6):
        mesh.exchange()
    lyon = mesh["lyon"]
    mesh.goes_on(lyon)
    look_away(mesh)
    mesh.catches_up(lyon)
    for world in mesh.worlds.values():
        world.now_s += 0.5
    lyon.step(Tick())
    for _ in range(3):
        mesh.exchange()


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_what_waits_is_overtaken_by_a_later_one_of_several_sites_when_that_is_done_everywhere(
    mesh: VirtualMesh, fails: bool, is_killed: bool
) -> None:
    half_done(mesh)
    assert (mesh.verdict("lyon", "i-2").decision, codes(mesh)) == ("defer", ["F510"])
    assert [one.intent for one in mesh.verdict("lyon", "i-2").waits_for] == ["i-3"]
    if is_killed:
        mesh["lyon"].kill()
    if fails:
        mesh["oslo"].refuses = {ResourceId("Secret/shop/other")}
    mesh.settle(60)
    assert body(mesh, "oslo", ResourceId("Secret/shop/other")) is None or not fails
    assert mesh.verdict("lyon", "i-2").decision == ("allow" if fails else "deny")
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == ({"a"} if fails else {"a", "b", "c"})


def test_what_waits_for_several_sites_is_not_done_over_a_later_one_of_its_own_that_is_not_ready_yet(
    mesh: VirtualMesh,
) -> None:
    mesh.sever("nice")
    mesh.settle(6)
    old = without_uid(deployment("shop", mounts_secret("ca")))
    assert do(mesh, "lyon", "apply", "lyon & nice", "i-2", manifests=(old,)).decision == "defer"
    mesh.settle(2)
    mesh.enter("lyon", "apply", "", "i-3", manifests=(without_uid(deployment("shop")),))
    lyon = mesh["lyon"]
    mesh.catches_up(lyon)
    lyon.execute(len(lyon.operations) - 1)
    last = lyon.outcomes.pop()
    assert last == lyon.stored_outcomes.pop()
    lyon.report()
    mesh.catches_up(lyon)
    assert not len(lyon.machine.holds)
    mesh.mend()
    mesh.settle(10)
    assert (mesh.verdict("lyon", "i-2").decision, codes(mesh)) == ("defer", ["F510"])
    lyon.stored_outcomes.append(last)
    lyon.outcomes.append(last)
    mesh.settle(10)
    assert codes(mesh) == ["D512"]


def test_what_is_done_late_at_a_site_that_was_away_does_not_overtake_who_came_after_it(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a", "b"),))
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "b", "c"),)).decision == "allow"
    mesh.settle(2)
    assert do(mesh, "lyon", "delete", "", "i-3", resources=("secret/new",)).decision == "defer"
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert mesh.verdict("lyon", "i-3").decision == "allow"
    assert all_keys(mesh) == [set(), set(), set()]


@pytest.mark.parametrize("scope", ["", "lyon & oslo & nice"])
@pytest.mark.parametrize("entry", ["lyon", "oslo"])
@pytest.mark.parametrize("left", ["lyon", "oslo"])
def test_an_update_that_is_open_for_a_site_reaches_it_in_the_set_as_it_is_when_another_one_has_left_it(
    mesh: VirtualMesh, left: str, entry: str, scope: str
) -> None:
    """Also when that is where it was entered: nobody there has the set any more."""
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a", "b"),))
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", scope, "i-2", manifests=(new("a", "b", "c"),)).decision == "allow"
    mesh.settle(2)
    assert do(mesh, entry, "delete", left, "i-3", resources=("secret/new",)).decision == "allow"
    mesh.mend()
    mesh.settle(60)
    stays = {"lyon": "oslo", "oslo": "lyon"}[left]
    assert (keys(mesh, left), keys(mesh, stays), keys(mesh, "nice")) == (set(), {"a", "b", "c"}, {"a", "b", "c"})
    assert words(mesh, "nice", NEW)[REPLICAS] == words(mesh, stays, NEW)[REPLICAS] == ",".join(sorted((stays, "nice")))
    assert words(mesh, "nice", NEW)[DECLARED].endswith(".i-2")


def test_an_update_that_is_open_for_a_site_is_not_done_over_what_was_declared_there_since(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a", "b"),))
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "b", "c"),)).decision == "allow"
    mesh.settle(2)
    assert do(mesh, "lyon", "delete", "lyon", "i-3", resources=("secret/new",)).decision == "allow"
    assert do(mesh, "nice", "apply", "", "i-4", manifests=(new("a", "b", "d"),)).decision == "allow"
    mesh.mend()
    mesh.settle(60)
    assert keys(mesh, "oslo") == keys(mesh, "nice") == {"a", "b", "d"}
    assert [one.code for one in mesh["lyon"].alerts] == ["A506"]


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_update_that_is_open_for_a_site_is_not_done_over_what_only_has_the_name_there(
    mesh: VirtualMesh, is_killed: bool
) -> None:
    """nice has left the set while it was cut off, and has made another one since, of its own."""
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "nice", "delete", "nice", "i-2", resources=("secret/new",)).decision == "allow"
    mesh.settle(2)
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b"),)).decision == "allow"
    assert do(mesh, "nice", "apply", "", "i-4", manifests=(new("own"),)).decision == "allow"
    if is_killed:
        mesh["lyon"].kill()
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert all_keys(mesh) == [{"a", "b"}, {"a", "b"}, {"own"}]
    assert words(mesh, "lyon", NEW)[REPLICAS] == words(mesh, "oslo", NEW)[REPLICAS] == "lyon,oslo"
    assert "W503" not in codes(mesh, "lyon", "i-3")


def test_sites_that_are_heard_again_one_after_the_other_are_all_told_who_has_left_their_set(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "nice", "delete", "nice", "i-2", resources=("secret/new",)).decision == "allow"
    mesh.mend()
    mesh.sever("oslo")
    mesh.settle(20)
    assert [words(mesh, one, NEW)[REPLICAS] for one in ("lyon", "oslo")] == ["lyon,oslo", "lyon,nice,oslo"]
    mesh.mend()
    mesh.settle(60)
    assert [words(mesh, one, NEW)[REPLICAS] for one in ("lyon", "oslo")] == ["lyon,oslo", "lyon,oslo"]
    assert codes(mesh, "nice", "i-2") == []
