"""An intent that waited is done, or not, by when it was entered: what a later one has declared since stays."""

from __future__ import annotations

import pytest

from schemas.events import BlindKind
from schemas.identity import KindId, ResourceId
from tests.kit.manifests import deployment, mounts_secret, secret, service, without_uid
from tests.unit.resolver.test_sets import NEW, do, keys, mesh, new
from tests.unit.resolver.virtual_mesh import VirtualMesh

__all__ = ["mesh"]


def is_overtaken(mesh: VirtualMesh) -> None:
    """The verdict on i-2 says of what and by whom."""
    late = mesh.verdict("lyon", "i-2")
    assert (late.decision, late.targets, [one.code for one in late.reasons]) == ("deny", (NEW,), ["D512"])
    assert late.reasons[0].message == "Secret shop/new was declared later, by intent i-3: that stays"


def one_that_waits(mesh: VirtualMesh) -> None:
    """An update of i-2 that takes a key away while nice is cut off."""
    do(mesh, "lyon", "create", "lyon & nice", "i-1", manifests=(new("a", "b"),))
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a"),)).decision == "defer"


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_update_that_waited_does_not_replace_what_was_declared_since(mesh: VirtualMesh, is_killed: bool) -> None:
    one_that_waits(mesh)
    mesh.settle(2)
    verdict = do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b", "c"),))
    assert (verdict.decision, keys(mesh, "lyon")) == ("allow", {"a", "b", "c"})
    if is_killed:
        mesh["lyon"].kill()
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"a", "b", "c"}
    is_overtaken(mesh)


@pytest.mark.parametrize("is_killed", [False, True])
def test_of_two_that_wait_the_later_is_done_last(mesh: VirtualMesh, is_killed: bool) -> None:
    one_that_waits(mesh)
    mesh.settle(2)
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(new("b"),)).decision == "defer"
    if is_killed:
        mesh["lyon"].kill()
        mesh.settle(4)
    mesh.mend()
    mesh.settle(200)
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"b"}


def letters_only(mesh: VirtualMesh) -> None:
    """What was decided is told, and nothing of it is carried out."""
    for _ in range(6):
        for world in mesh.worlds.values():
            world.read_again()
            mesh.catches_up(world)
        mesh.exchange()


@pytest.mark.parametrize("ahead_s", [0.0, 0.2])
def test_what_was_on_its_way_when_it_was_entered_does_not_overtake_it(mesh: VirtualMesh, ahead_s: float) -> None:
    mesh["nice"].ahead_s = ahead_s
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("a", "b"),), lifetime_s=1e5)
    mesh.settle(100)
    mesh.enter("nice", "apply", "nice & lyon", "i-0", manifests=(new("a", "b", "c"),), lifetime_s=1e5)
    letters_only(mesh)  # it hears of oslo by the first round, and asks again
    for world in mesh.worlds.values():
        world.now_s += 0.1
    mesh.enter("lyon", "apply", "", "i-2", manifests=(new("a", "b", "d"),), lifetime_s=1e5)
    letters_only(mesh)
    assert mesh.verdict("lyon", "i-2").decision == "defer"
    mesh.pump()
    mesh.settle(100)
    assert mesh.verdict("lyon", "i-2").decision == "allow"
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"a", "b", "d"}


def test_what_was_there_before_a_restart_overtakes_nobody_who_comes_before_all_is_known(mesh: VirtualMesh) -> None:
    mesh["lyon"].ahead_s = -5.0
    do(mesh, "oslo", "create", "lyon & oslo & nice", "i-1", manifests=(new("a", "b"),), lifetime_s=1e5)
    mesh["lyon"].kill()
    mesh.enter("lyon", "apply", "lyon & oslo & nice", "i-2", manifests=(new("a"),), lifetime_s=1e5)
    mesh["lyon"].read_again()
    mesh.pump()
    mesh.settle(60)
    assert mesh.verdict("lyon", "i-2").decision == "allow"
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"a"}


def test_an_update_that_waited_is_done_over_what_kubectl_has_changed_since(mesh: VirtualMesh) -> None:
    one_that_waits(mesh)
    body = mesh["lyon"].cluster.objects[NEW]
    mesh["lyon"].cluster.put({**body, "data": {"a": "eA==", "b": "eA==", "by-hand": "eA=="}})
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert mesh.verdict("lyon", "i-2").decision == "allow"
    assert keys(mesh, "nice") == {"a"}


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_deletion_that_waited_does_not_take_what_was_declared_since(mesh: VirtualMesh, is_killed: bool) -> None:
    do(mesh, "lyon", "create", "lyon & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "delete", "", "i-2", resources=("secret/new",)).decision == "defer"
    mesh.settle(2)
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b"),)).decision == "allow"
    if is_killed:
        mesh["lyon"].kill()
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"a", "b"}
    is_overtaken(mesh)


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("ahead_s", [-3600.0, -300.0, 300.0, 3600.0])
def test_what_was_declared_before_by_another_clock_overtakes_nobody(
    mesh: VirtualMesh, ahead_s: float, is_killed: bool
) -> None:
    """The clock of its site is behind the one that the replicas were declared by, or ahead of it."""
    mesh["lyon"].ahead_s = ahead_s
    do(mesh, "oslo", "create", "lyon & oslo & nice", "i-1", manifests=(new("a", "b"),), lifetime_s=1e5)
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a"),), lifetime_s=1e5).decision == "defer"
    if is_killed:
        mesh["lyon"].kill()
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert [keys(mesh, site) for site in ("lyon", "oslo", "nice")] == [{"a"}] * 3, mesh.verdict("lyon", "i-2")


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("ahead_s", [-300.0, 300.0])
def test_what_is_declared_later_stays_whatever_the_clock_of_the_site_that_waits(
    mesh: VirtualMesh, ahead_s: float, is_killed: bool
) -> None:
    mesh["lyon"].ahead_s = ahead_s
    do(mesh, "oslo", "create", "lyon & oslo & nice", "i-1", manifests=(new("a", "b"),), lifetime_s=1e5)
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a"),), lifetime_s=1e5).decision == "defer"
    mesh.settle(2)
    assert do(mesh, "oslo", "apply", "", "i-3", manifests=(new("a", "b", "c"),), lifetime_s=1e5).decision == "allow"
    if is_killed:
        mesh["lyon"].kill()
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert [keys(mesh, site) for site in ("lyon", "oslo", "nice")] == [{"a", "b", "c"}] * 3
    is_overtaken(mesh)


@pytest.mark.parametrize("entry", ["lyon", "nice"])
@pytest.mark.parametrize("verb", ["apply", "delete"])
def test_what_was_declared_at_the_other_side_of_a_cut_stays_too(mesh: VirtualMesh, entry: str, verb: str) -> None:
    other = {"lyon": "nice", "nice": "lyon"}[entry]
    do(mesh, "lyon", "create", "lyon & nice", "i-1", manifests=(new("a", "b"),))
    mesh.sever("nice")
    mesh.settle(6)
    what = {"manifests": (new("a"),)} if verb == "apply" else {"resources": ("secret/new",)}
    assert do(mesh, entry, verb, "", "i-2", **what).decision == "defer"
    mesh.settle(2)
    assert do(mesh, other, "apply", "", "i-3", manifests=(new("a", "b", "c"),)).decision == "allow"
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"a", "b", "c"}
    assert [one.code for one in mesh.verdict(entry, "i-2").reasons] == ["D512"]


def test_what_a_clock_that_was_days_ahead_had_declared_before_overtakes_nobody(mesh: VirtualMesh) -> None:
    mesh["lyon"].ahead_s = 400 * 24 * 3600.0
    do(mesh, "lyon", "create", "lyon & nice", "i-1", manifests=(new("a", "b"),), lifetime_s=1e9)
    mesh["lyon"].ahead_s = 0.0
    mesh["lyon"].kill()
    mesh.settle(5)
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a"),)).decision == "defer"
    mesh.mend()
    mesh.settle(60)
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"a"}


def test_since_when_it_waits_outlasts_restarts_in_which_it_is_deferred_in_other_words(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(new("a", "b"),))
    mesh.sever("nice")
    mesh.settle(6)
    first = do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a"),))
    assert (first.decision, first.since > 0) == ("defer", True)
    mesh.settle(2)
    assert do(mesh, "nice", "apply", "", "i-3", manifests=(new("a", "b", "c"),)).decision == "allow"
    mesh.sever("oslo")
    mesh["lyon"].kill()
    mesh.settle(20)
    again = mesh.verdict("lyon", "i-2")
    assert (again.decision, again.revision) == ("defer", 2), "it waits for oslo as well"
    assert (again.since, again.decided_at > first.decided_at) == (first.since, True)
    mesh["lyon"].kill()
    mesh.mend()
    mesh.settle(100)
    assert [keys(mesh, site) for site in ("lyon", "oslo", "nice")] == [{"a", "b", "c"}] * 3
    is_overtaken(mesh)


# ── at one site ───────────────────────────────────────────────────────────────────────────────────────────────────────


def look_away(mesh: VirtualMesh, *kinds: str) -> None:
    """From now on the watcher at lyon cannot see these kinds."""
    mesh["lyon"].blind = {KindId(kind): BlindKind("failing", 1.0) for kind in kinds}
    mesh["lyon"].beat()


def uses(mesh: VirtualMesh, name: str) -> list[str]:
    """The Secrets that a Deployment at lyon mounts."""
    pod = mesh["lyon"].cluster.objects[ResourceId(f"apps/Deployment/shop/{name}")]["spec"]["template"]["spec"]
    return [volume["secret"]["secretName"] for volume in pod.get("volumes", ())]


@pytest.mark.parametrize("is_killed", [False, True])
def test_what_is_declared_at_one_site_while_a_deletion_of_it_waits_there_stays(
    mesh: VirtualMesh, is_killed: bool
) -> None:
    do(mesh, "lyon", "create", "", "i-1", manifests=(new("a"),))
    look_away(mesh, "apps/Deployment")
    assert do(mesh, "lyon", "delete", "", "i-2", resources=("secret/new",)).decision == "defer"
    mesh.settle(2)
    if is_killed:
        mesh["lyon"].kill()
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b"),)).decision == "allow"
    is_overtaken(mesh)
    look_away(mesh)
    mesh.settle(5)
    assert keys(mesh, "lyon") == {"a", "b"}


def test_a_write_that_waits_at_one_site_does_not_replace_what_was_declared_there_since(mesh: VirtualMesh) -> None:
    look_away(mesh, "Secret")
    old = without_uid(deployment("shop", mounts_secret("ca")))
    waits = do(mesh, "lyon", "apply", "", "i-2", manifests=(old,))
    assert waits.decision == "defer"
    mesh.settle(2)
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(without_uid(deployment("shop")),)).decision == "allow"
    late = mesh.verdict("lyon", "i-2")
    assert (late.decision, late.reasons[0].message) == (
        "deny",
        "Deployment shop/shop was declared later, by intent i-3: that stays",
    )
    assert late.since == waits.first_stamp
    look_away(mesh)
    mesh.settle(5)
    assert uses(mesh, "shop") == []


def test_what_waits_at_one_site_does_not_bring_back_what_was_deleted_since(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "", "i-1", manifests=(without_uid(deployment("shop")),))
    look_away(mesh, "Secret")
    changed = without_uid(deployment("shop", mounts_secret("ca")))
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(changed,)).decision == "defer"
    mesh.settle(2)
    assert do(mesh, "lyon", "delete", "", "i-3", resources=("deployment/shop",)).decision == "allow"
    late = mesh.verdict("lyon", "i-2")
    assert [one.message for one in late.reasons] == [
        "Deployment shop/shop was deleted later, by intent i-3: it stays away"
    ]


def test_of_two_deletions_of_one_thing_at_one_site_neither_overtakes_the_other(mesh: VirtualMesh) -> None:
    both = (without_uid(secret("one")), without_uid(service("two", "none")))
    do(mesh, "lyon", "create", "", "i-1", manifests=both)
    look_away(mesh, "Secret")
    names = ("service/two", "secret/one")
    assert do(mesh, "lyon", "delete", "", "i-2", resources=names).decision == "defer"
    mesh.settle(2)
    assert do(mesh, "lyon", "delete", "", "i-3", resources=("service/two",)).decision == "allow"
    assert mesh.verdict("lyon", "i-2").decision == "defer"


def test_what_waits_at_one_site_is_not_overtaken_by_what_was_undone(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "", "i-1", manifests=(new("a"),))
    look_away(mesh, "apps/Deployment")
    assert do(mesh, "lyon", "delete", "", "i-2", resources=("secret/new",)).decision == "defer"
    mesh.settle(2)
    other = without_uid(secret("other"))
    mesh["lyon"].refuses = {ResourceId("Secret/shop/other")}
    do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b"), other), on_failure="undo")
    assert mesh.verdict("lyon", "i-2").decision == "defer"
    look_away(mesh)
    mesh.settle(20)
    assert mesh.verdict("lyon", "i-3").undoes == 1
    assert (mesh.verdict("lyon", "i-2").decision, keys(mesh, "lyon")) == ("allow", set())


def test_who_waits_longer_overtakes_nobody_who_came_later(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "", "i-1", manifests=(without_uid(secret("cb")),))
    look_away(mesh, "Secret")
    first = without_uid(deployment("shop", mounts_secret("ca")))
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(first,)).decision == "defer"
    mesh.settle(2)
    second = (without_uid(deployment("shop", mounts_secret("cb"))), without_uid(service("shop", "shop")))
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=second).decision == "defer"
    look_away(mesh)
    mesh.settle(20)
    assert [mesh.verdict("lyon", name).decision for name in ("i-2", "i-3")] == ["allow", "allow"]
    assert uses(mesh, "shop") == ["cb"]
