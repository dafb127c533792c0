"""What waits at one site, and what is done there since: the habits of those who work with it, and accidents."""

from __future__ import annotations

import pytest

from schemas.identity import ResourceId
from schemas.intents import Override
from schemas.policy import PolicyFile
from schemas.rehearsals import RehearsalAnswer, RehearsedResult
from services.resolver.judge.policy import Policy
from services.resolver.signals import CancelSeen, Rehearsed
from tests.kit.manifests import deployment, mounts_secret, secret, without_uid
from tests.unit.resolver.test_overtaken import look_away, uses
from tests.unit.resolver.test_sets import NEW, do, keys, mesh, new
from tests.unit.resolver.virtual_mesh import VirtualMesh
from tests.unit.resolver.world import World

__all__ = ["mesh"]
SHOP = ResourceId("apps/Deployment/shop/shop")
OTHER = ResourceId("Secret/shop/other")


def a_deletion_that_waits(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "", "i-1", manifests=(new("a"),))
    look_away(mesh, "apps/Deployment")
    assert do(mesh, "lyon", "delete", "", "i-2", resources=("secret/new",)).decision == "defer"
    mesh.settle(2)


def a_write_that_waits(mesh: VirtualMesh) -> None:
    look_away(mesh, "Secret")
    old = without_uid(deployment("shop", mounts_secret("ca")))
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(old,)).decision == "defer"
    mesh.settle(2)


def codes(mesh: VirtualMesh, name: str = "i-2") -> list[str]:
    return [one.code for one in mesh.verdict("lyon", name).reasons]


def test_who_only_reads_what_waits_overtakes_nobody(mesh: VirtualMesh) -> None:
    a_deletion_that_waits(mesh)
    assert do(mesh, "lyon", "read", "", "i-3", resources=("secret/new",)).decision == "allow"
    assert mesh.verdict("lyon", "i-2").decision == "defer"
    look_away(mesh)
    mesh.settle(5)
    assert mesh.verdict("lyon", "i-2").decision == "allow"


def test_who_declares_again_what_is_there_overtakes_the_change_that_waits(mesh: VirtualMesh) -> None:
    """The old file is applied again: nothing is to be done for that, but the newer one is not wanted any more."""
    do(mesh, "lyon", "create", "", "i-1", manifests=(without_uid(deployment("shop")),))
    a_write_that_waits(mesh)
    mesh.enter("lyon", "apply", "", "i-3", manifests=(without_uid(deployment("shop")),))
    lyon = mesh["lyon"]
    assert lyon.rehearsals.popleft() == "i-3"
    result = RehearsedResult(resource=SHOP, unchanged=True)
    lyon.step(Rehearsed("i-3", RehearsalAnswer(site=lyon.site, results=(result,))))
    assert (mesh.verdict("lyon", "i-3").decision, mesh.verdict("lyon", "i-3").plan) == ("allow", ())
    assert codes(mesh) == ["D512"]


def under_way(mesh: VirtualMesh) -> None:
    """What i-3 has written is seen, and is not ready yet; what i-2 waited for can be seen again."""
    mesh.enter("lyon", "apply", "", "i-3", manifests=(without_uid(deployment("shop")),))
    lyon = mesh["lyon"]
    mesh.catches_up(lyon)
    lyon.execute(len(lyon.operations) - 1)
    assert lyon.outcomes.pop() == lyon.stored_outcomes.pop()
    lyon.report()
    mesh.catches_up(lyon)
    assert not len(lyon.machine.holds)
    look_away(mesh)
    mesh.catches_up(lyon)


def gets_ready(mesh: VirtualMesh) -> None:
    """The last outcome of i-3 is in the stream, and on its way."""
    last = mesh["lyon"].ledger["i-3.1.1"][-1]
    mesh["lyon"].stored_outcomes.append(last)
    mesh["lyon"].outcomes.append(last)


@pytest.mark.parametrize("is_killed", [False, True])
def test_what_waited_is_not_done_over_a_later_one_that_is_not_ready_yet(mesh: VirtualMesh, is_killed: bool) -> None:
    a_write_that_waits(mesh)
    under_way(mesh)
    lyon = mesh["lyon"]
    late = mesh.verdict("lyon", "i-2")
    assert (late.decision, codes(mesh)) == ("defer", ["F510"])
    assert late.reasons[0].message == "intent i-3, which was entered later, changes Deployment shop/shop"
    assert [(one.intent, one.kind) for one in late.waits_for] == [("i-3", None)]
    if is_killed:
        lyon.kill()
    mesh.settle(5)
    assert mesh.verdict("lyon", "i-2").decision == "defer"
    assert len([one for one in lyon.verdicts if one.intent == "i-2"]) == 2, "it is said once"
    gets_ready(mesh)
    mesh.pump()
    assert codes(mesh) == ["D512"]
    mesh.settle(5)
    assert uses(mesh, "shop") == []


def test_what_ended_while_no_resolver_ran_overtakes_what_waits_all_the_same(mesh: VirtualMesh) -> None:
    a_write_that_waits(mesh)
    under_way(mesh)
    lyon = mesh["lyon"]
    lyon.stored_outcomes.append(lyon.ledger["i-3.1.1"][-1])
    lyon.kill()
    mesh.settle(5)
    assert codes(mesh) == ["D512"]
    assert uses(mesh, "shop") == []


def test_what_ended_before_it_was_entered_overtakes_nobody_after_a_restart(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "", "i-1", manifests=(without_uid(deployment("shop")),))
    a_write_that_waits(mesh)
    mesh["lyon"].kill()
    mesh.settle(2)
    look_away(mesh)
    mesh.settle(5)
    assert mesh.verdict("lyon", "i-2").decision == "allow"


def test_what_waits_for_a_later_one_goes_on_when_that_has_failed(mesh: VirtualMesh) -> None:
    a_write_that_waits(mesh)
    mesh.enter("lyon", "apply", "", "i-3", manifests=(without_uid(deployment("shop")),))
    lyon = mesh["lyon"]
    mesh.catches_up(lyon)
    look_away(mesh)
    mesh.catches_up(lyon)
    assert codes(mesh) == ["F510"]
    lyon.refuses = {SHOP}
    mesh.goes_on(lyon)
    lyon.refuses = set()
    mesh.settle(5)
    assert mesh.verdict("lyon", "i-2").decision == "allow"
    assert uses(mesh, "shop") == ["ca"]


def test_what_waits_for_a_later_one_expires_all_the_same(mesh: VirtualMesh) -> None:
    a_write_that_waits(mesh)
    under_way(mesh)
    mesh["lyon"].now_s += 4000
    mesh.settle(1)
    assert "D012" in codes(mesh)


def a_later_bundle(mesh: VirtualMesh) -> World:
    """What waits, and another Secret that is new, declared since by one intent; its site."""
    mesh.enter("lyon", "apply", "", "i-3", manifests=(new("a", "b"), without_uid(secret("other"))), on_failure="undo")
    mesh.catches_up(mesh["lyon"])
    return mesh["lyon"]


def test_what_conflicted_and_is_undone_in_the_end_overtakes_nobody(mesh: VirtualMesh) -> None:
    a_deletion_that_waits(mesh)
    lyon = a_later_bundle(mesh)
    lyon.cluster.put(secret("other"))  # somebody is faster: it is decided again
    mesh.pump()
    assert mesh.verdict("lyon", "i-3").revision > 1
    assert mesh.verdict("lyon", "i-2").decision == "defer"
    look_away(mesh)
    mesh.settle(20)
    assert (mesh.verdict("lyon", "i-3").undoes, mesh.verdict("lyon", "i-2").decision) == (5, "allow")
    assert keys(mesh, "lyon") == set()


def test_what_earlier_revisions_of_a_later_one_did_overtakes_when_it_ends(mesh: VirtualMesh) -> None:
    a_deletion_that_waits(mesh)
    lyon = a_later_bundle(mesh)
    made = lyon.cluster.put(secret("other"))
    mesh.goes_on(lyon)
    lyon.cluster.remove(made.resource)
    mesh.pump()
    assert [one.revision for one in lyon.verdicts if one.intent == "i-3"][-1] > 1
    assert (mesh.verdict("lyon", "i-3").plan[0].resource, codes(mesh)) == (OTHER, ["D512"])


def test_what_waits_for_several_sites_does_not_replace_what_was_declared_at_its_own_since(mesh: VirtualMesh) -> None:
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "lyon & nice", "i-2", manifests=(new("a"),)).decision == "defer"
    mesh.settle(2)
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b"),)).decision == "allow"
    late = mesh.verdict("lyon", "i-2")
    assert (late.decision, late.targets, codes(mesh)) == ("deny", (NEW,), ["D512"])
    mesh.mend()
    mesh.settle(60)
    assert (keys(mesh, "lyon"), keys(mesh, "nice")) == ({"a", "b"}, set())


def test_what_is_overtaken_while_other_sites_are_asked_about_it_is_not_decided_once_more(mesh: VirtualMesh) -> None:
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "lyon & nice", "i-2", manifests=(new("a"),)).decision == "defer"
    mesh.settle(2)
    lyon = mesh["lyon"]
    mesh.enter("lyon", "apply", "", "i-3", manifests=(new("a", "b"),))
    mesh.catches_up(lyon)
    mesh.mend()
    mesh.ping()
    assert lyon.machine.undecided("i-2")
    mesh.pump()
    mesh.settle(60)
    assert codes(mesh) == ["D512"]
    assert (keys(mesh, "lyon"), keys(mesh, "nice")) == ({"a", "b"}, set())


@pytest.mark.parametrize("code", ["D512", "D012"])
def test_nobody_overrides_that_it_was_overtaken_or_given_up(mesh: VirtualMesh, code: str) -> None:
    """Nothing else of it was judged: it would be done unseen."""
    policy = Policy(PolicyFile(overriders=("*",)))
    mesh["lyon"].machine.desk.hearing._policy = policy  # as if it had been started with it
    do(mesh, "lyon", "create", "", "i-1", manifests=(new("a"),))
    look_away(mesh, "apps/Deployment")
    override = Override(code=code, reason="whatever comes")
    waits = do(mesh, "lyon", "delete", "", "i-2", resources=("secret/new",), requester="eve", overrides=(override,))
    assert waits.decision == "defer"
    mesh.settle(2)
    if code == "D512":
        do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b"),))
    else:
        mesh["lyon"].step(CancelSeen("i-2", "eve"))
    mesh.settle(5)
    assert (mesh.verdict("lyon", "i-2").decision, codes(mesh)) == ("deny", [code])
    assert keys(mesh, "lyon") >= {"a"}
