"""Sites that a person has said are gone for good: nobody waits for them, and nothing of theirs is touched."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.identity import ResourceId, SiteName
from schemas.ties import DECLARED, PART_OF, PARTS, REPLICA_SET, REPLICAS, SCOPE, SHARED_TO
from schemas.verdicts import Verdict
from services.resolver.across.declared import naming_nobody_gone
from services.resolver.across.gone import told
from services.resolver.signals import PeerBeat
from tests.kit.manifests import deployment, mounts_secret, secret, without_uid
from tests.unit.cli.test_verdicts import reason, verdict
from tests.unit.resolver.mesh_oracles import said_so_far
from tests.unit.resolver.test_sets import NEW, WEB, body, do, keys, new, web, words
from tests.unit.resolver.virtual_mesh import GOOD_FOR_S, VirtualMesh

LYON, OSLO, ROME = map(SiteName, ("lyon", "oslo", "rome"))
ORIGINAL = ResourceId("Secret/shop/k")
THREE = "lyon & oslo & rome"


@pytest.fixture
def mesh() -> VirtualMesh:
    made = VirtualMesh(["lyon", "oslo", "rome"])
    for world in made.worlds.values():
        world.cluster.put(secret("ca"))
    made.settle()
    return made


def lose(mesh: VirtualMesh) -> None:
    mesh.sever("rome")
    mesh.settle(10)


def give_up(mesh: VirtualMesh, *sites: str, for_s: float = 5) -> None:
    """The resolvers of these sites are told, and started again."""
    for name in sites or ("lyon", "oslo"):
        mesh[name].gone = (ROME,)
        mesh[name].kill()
    mesh.settle(for_s)


def left_out(verdict: Verdict) -> list[str]:
    return [one.site for one in verdict.reasons if one.code == "W511"]


def settled(mesh: VirtualMesh, site: str, intent_id: str) -> Verdict:
    """The verdict, when everything is over at the sites that are left."""
    mesh.settle_down(200, 2.0)
    for name in ("lyon", "oslo"):
        assert not len(mesh[name].machine.holds), f"something is still under way at {name}"
    return mesh.verdict(site, intent_id)


def test_silence_alone_leaves_nobody_out(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new(),))
    lose(mesh)
    mesh.settle(600, 5.0)
    assert do(mesh, "lyon", "delete", "", "i-2", resources=("secret/new",)).decision == "defer"
    assert body(mesh, "lyon", NEW) is not None


def test_a_deletion_that_waits_for_a_site_is_done_without_it_once_it_is_gone_for_good(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new(),))
    lose(mesh)
    assert do(mesh, "lyon", "delete", "", "i-2", resources=("secret/new",)).decision == "defer"
    give_up(mesh)
    verdict = mesh.verdict("lyon", "i-2")
    assert (verdict.decision, left_out(verdict)) == ("allow", ["rome"])
    assert "rome" not in {step.site for step in verdict.plan} | {one.site for one in verdict.evidence}
    assert body(mesh, "lyon", NEW) is body(mesh, "oslo", NEW) is None
    assert words(mesh, "rome", NEW)[REPLICAS] == "lyon,oslo,rome"  # nobody decides for it


@pytest.mark.parametrize(
    ("scope", "manifest"),
    [("", new("a")), ("", new("a", "b", "c")), ("lyon & oslo", new("a", "b")), (THREE, new("a")), ("all", new("a"))],
    ids=["takes away", "adds", "narrows", "names it all the same", "all"],
)
def test_what_is_written_names_it_no_more(mesh: VirtualMesh, scope: str, manifest: dict[str, Any]) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a", "b"),))
    lose(mesh)
    give_up(mesh)
    verdict = do(mesh, "oslo", "apply", scope, "i-2", manifests=(manifest,))
    assert (verdict.decision, left_out(verdict)) == ("allow", ["rome"]), verdict
    assert not [one for one in verdict.reasons if "deleted there" in one.message]
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == {*manifest["data"]}
    assert words(mesh, "lyon", NEW)[REPLICAS] == words(mesh, "oslo", NEW)[REPLICAS] == "lyon,oslo"
    assert keys(mesh, "rome") == {"a", "b"}
    assert left_out(do(mesh, "oslo", "apply", "", "i-3", manifests=(new("z"),))) == []


def test_the_last_one_that_is_left_is_of_no_set(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & rome", "i-1", manifests=(new("a"),))
    lose(mesh)
    give_up(mesh)
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(new("b"),)).decision == "allow"
    assert REPLICA_SET not in words(mesh, "lyon", NEW)


def test_what_is_divided_is_divided_over_those_that_are_left(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon % oslo % rome*2 {prime: rome}", "i-1", manifests=(web(8),))
    lose(mesh)
    give_up(mesh)
    verdict = do(mesh, "lyon", "apply", "", "i-2", manifests=(web(8),))
    assert (verdict.decision, left_out(verdict)) == ("allow", ["rome"])
    for site in ("lyon", "oslo"):
        found = body(mesh, site, WEB)
        assert found is not None
        assert found["spec"]["replicas"] == 4
        assert (words(mesh, site, WEB)[PARTS], words(mesh, site, WEB)[SCOPE]) == ("lyon=4,oslo=4", "lyon % oslo")


def test_parts_are_deleted_without_it(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon % oslo % rome", "i-1", manifests=(web(6),))
    lose(mesh)
    give_up(mesh)
    assert left_out(do(mesh, "oslo", "delete", "", "i-2", resources=("deployment/web",))) == ["rome"]
    assert body(mesh, "lyon", WEB) is body(mesh, "oslo", WEB) is None
    assert body(mesh, "rome", WEB) is not None


def test_a_part_that_is_deleted_leaves_parts_that_do_not_name_it_either(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon % oslo % rome", "i-1", manifests=(web(6),))
    lose(mesh)
    give_up(mesh)
    assert do(mesh, "lyon", "delete", "lyon", "i-2", resources=("deployment/web",)).decision == "allow"
    assert PART_OF not in words(mesh, "oslo", WEB)


def test_the_share_of_one_that_is_gone_moves_though_it_was_the_first_of_two(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon % rome {prime: rome, rebalance: true}", "i-1", manifests=(web(6),))
    lose(mesh)
    mesh.settle(200, 1.0)
    assert words(mesh, "lyon", WEB)[PARTS] == "lyon=3,rome=3"  # on which side of a cut it is, it cannot know
    give_up(mesh, for_s=60)
    found = body(mesh, "lyon", WEB)
    assert found is not None
    assert found["spec"]["replicas"] == 6


@pytest.mark.parametrize("first", ["apply", "delete"])
def test_as_many_as_are_left_are_enough_of_what_is_divided(mesh: VirtualMesh, first: str) -> None:
    """A `min` beyond them would be words that nobody can read, and so a whole at each of them."""
    do(mesh, "lyon", "create", "lyon % oslo % rome {min: 3}", "i-1", manifests=(web(6),))
    lose(mesh)
    give_up(mesh)
    if first == "apply":
        do(mesh, "lyon", "apply", "", "i-2", manifests=(web(6),))
    else:
        do(mesh, "rome", "delete", "rome", "i-2", resources=("deployment/web",))
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(web(6),)).decision == "allow"
    for site in ("lyon", "oslo"):
        found = body(mesh, site, WEB)
        assert found is not None
        assert found["spec"]["replicas"] == 3
        assert words(mesh, site, WEB)[SCOPE] == "lyon % oslo {min: 2}"


def test_a_part_that_leaves_takes_its_place_in_min_along(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon % oslo % rome {min: 3}", "i-1", manifests=(web(6),))
    assert do(mesh, "lyon", "delete", "rome", "i-2", resources=("deployment/web",)).decision == "allow"
    assert words(mesh, "lyon", WEB)[SCOPE] == "lyon % oslo {min: 2}"


def test_that_its_share_is_lost_is_over(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon % rome {prime: rome, rebalance: true}", "i-1", manifests=(web(6),))
    lose(mesh)
    mesh.settle(200, 1.0)
    assert [one.state for one in mesh["lyon"].alerts if one.code == "A509"] == ["raised"]
    give_up(mesh, for_s=60)
    told = [(one.state, one.message) for one in mesh["lyon"].alerts if one.code == "A509"]
    assert told[1:] == [("healed", "Deployment shop/web: rome is gone for good (CHEOPS_GONE)")]


def test_that_it_is_behind_is_over(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & rome", "i-1", manifests=(new("a"),))
    lose(mesh)
    do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "b"),), lifetime_s=30)
    mesh.settle(40)
    mesh.mend()
    mesh.settle(40)
    assert [one.state for one in mesh["lyon"].alerts if one.code == "A504"] == ["raised"]
    lose(mesh)
    give_up(mesh)
    assert [one.state for one in mesh["lyon"].alerts if one.code == "A504"] == ["raised", "healed"]


def test_what_was_done_for_one_that_is_still_waited_for_is_named_when_that_denies(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a"),))
    mesh.sever("rome", "oslo")
    mesh.cut |= {(OSLO, ROME), (ROME, OSLO)}
    mesh.settle(6)
    do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "b"),), lifetime_s=60)
    mesh["lyon"].gone = (ROME,)
    mesh["lyon"].kill()
    mesh.settle(5)
    mesh.settle(70)
    mesh.cut -= {(LYON, OSLO), (OSLO, LYON)}
    mesh.settle(40)
    verdict = mesh.verdict("lyon", "i-2")
    assert verdict.decision == "deny"
    assert "N520" in {one.code for one in verdict.reasons}, "it was done at lyon"


def test_what_a_policy_denies_of_its_replica_stays_the_reason() -> None:
    stays = reason("D343", "leaves rome: it is deleted there", at=(ROME,))
    assert told(verdict(reasons=(stays,)), (), {ROME}).reasons == (stays,)
    warned = reason("N343", "leaves rome: it is deleted there", at=(ROME,))
    assert [one.code for one in told(verdict(reasons=(warned,)), (), {ROME}).reasons] == ["W511"]


@pytest.mark.parametrize("expires_s", [3600, 60])
def test_what_is_open_for_it_is_done(mesh: VirtualMesh, expires_s: float) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a"),))
    lose(mesh)
    verdict = do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "b"),), lifetime_s=expires_s)
    assert "W503" in {one.code for one in verdict.reasons}
    mesh.settle(120, 2.0)
    give_up(mesh)
    verdict = mesh.verdict("lyon", "i-2")
    assert (verdict.decision, left_out(verdict)) == ("allow", ["rome"])
    assert "W503" not in {one.code for one in verdict.reasons}
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == {"a", "b"}
    assert not mesh["lyon"].alerts


def test_what_is_open_for_another_one_too_stays_open_for_that(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a"),))
    mesh.sever("lyon")
    mesh.settle(10)
    do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "b"),))
    mesh["oslo"].gone = (ROME,)
    give_up(mesh, "lyon")
    assert left_out(mesh.verdict("lyon", "i-2")) == ["rome"]
    assert keys(mesh, "oslo") == {"a"}
    mesh.cut = {wire for wire in mesh.cut if ROME in wire}
    mesh.settle(60)
    assert keys(mesh, "oslo") == {"a", "b"}


@pytest.mark.parametrize("more", [0, 1], ids=["it had heard nothing of it", "it had begun"])
@pytest.mark.parametrize("verb", ["delete", "apply"])
def test_what_was_under_way_there_is_decided_again_without_it(mesh: VirtualMesh, verb: Any, more: int) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a", "b"),))
    what: dict[str, Any] = {"resources": ("secret/new",)} if verb == "delete" else {"manifests": (new("a"),)}
    mesh.enter("lyon", verb, "", "i-2", **what)
    while "i-2" not in mesh["lyon"].latest():
        mesh.exchange()
    for _ in range(more):
        mesh.exchange()
    assert mesh.verdict("lyon", "i-2").decision == "allow"
    lose(mesh)
    assert len(mesh["lyon"].machine.together.coordinator.following), "it waits for what rome has done"
    give_up(mesh)
    verdict = settled(mesh, "lyon", "i-2")
    assert (verdict.decision, left_out(verdict)) == ("allow", ["rome"])
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == (set() if verb == "delete" else {"a"})


@pytest.mark.parametrize("is_begun", [True, False])
def test_what_is_being_undone_does_not_wait_for_it(mesh: VirtualMesh, is_begun: bool) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a"),))
    mesh["oslo"].refuses.add(NEW)
    mesh.enter("lyon", "apply", "", "i-2", manifests=(new("a", "b"),))
    while "i-2" not in mesh["lyon"].latest():
        mesh.exchange()
    mesh.exchange()
    while mesh.goes_on(mesh["rome"]):
        mesh.collect()
    while mesh.wires[ROME, LYON]:
        mesh.arrive((ROME, LYON))
    lose(mesh)
    assert keys(mesh, "rome") == {"a", "b"}
    following = mesh["lyon"].machine.together.coordinator.following
    assert len(following), "it waits for what rome takes back"
    if not is_begun:
        assert mesh["lyon"].verdicts.pop().undoes is not None  # killed before it was stored
    give_up(mesh, for_s=60)
    settled(mesh, "lyon", "i-2")
    assert not len(mesh["lyon"].machine.together.coordinator.following)
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == {"a"}


def test_a_part_whose_entry_site_is_gone_begins_nothing_more(mesh: VirtualMesh) -> None:
    """The Secret is made at rome first, then copied to lyon."""
    mesh["rome"].cluster.put(secret("k"))
    mesh["rome"].kill()
    mesh.settle()
    user = without_uid(deployment("user", mounts_secret("k"), app="user"))
    mesh.enter("rome", "apply", "deployment: lyon, secret: rome", "i-1", manifests=(user,))
    for _ in range(8):
        mesh.exchange()
    assert len(mesh["lyon"].machine.holds), "lyon waits for what rome is to do first"
    lose(mesh)
    give_up(mesh, for_s=70)
    assert not len(mesh["lyon"].machine.holds)
    assert body(mesh, "lyon", ResourceId("apps/Deployment/shop/user")) is None
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(without_uid(secret("k")), user)).decision == "allow"


def shared(mesh: VirtualMesh, origin: str, user: str) -> None:
    mesh[origin].cluster.put(secret("k"))
    mesh[origin].kill()
    mesh.settle()
    web2 = without_uid(deployment("user", mounts_secret("k"), app="user"))
    scope = f"deployment: {user}, secret: {origin}"
    assert do(mesh, "lyon", "apply", scope, "i-1", manifests=(web2,)).decision == "allow"


def test_an_original_is_changed_and_deleted_without_its_copy_there(mesh: VirtualMesh) -> None:
    shared(mesh, "lyon", "rome")
    lose(mesh)
    give_up(mesh)
    mesh["lyon"].edit(ORIGINAL, "data", "more", value="eA==")
    mesh.settle(60)
    assert not [one for one in mesh["lyon"].intents if one.startswith("follow-")], "nobody there follows"
    assert left_out(do(mesh, "lyon", "delete", "", "i-2", resources=("secret/k",))) == ["rome"]
    assert body(mesh, "lyon", ORIGINAL) is None
    assert body(mesh, "rome", ORIGINAL) is not None


def test_a_copy_from_there_is_as_it_was_and_goes_with_its_last_user(mesh: VirtualMesh) -> None:
    shared(mesh, "rome", "lyon")
    lose(mesh)
    give_up(mesh)
    healed = do(mesh, "lyon", "apply", "", "i-2", heal=True, on_failure="stop", resources=("secret/k",))
    assert healed.decision == "allow"
    assert do(mesh, "lyon", "delete", "", "i-3", resources=("deployment/user",)).decision == "allow"
    assert body(mesh, "lyon", ORIGINAL) is None


def test_a_set_is_healed_without_it(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a"),))
    lose(mesh)
    give_up(mesh)
    mesh["oslo"].edit(NEW, "data", "mine", value="eA==")
    mesh.settle()
    healed = do(mesh, "lyon", "apply", "", "i-2", heal=True, on_failure="stop", resources=("secret/new",))
    assert healed.decision == "allow", healed
    assert "rome" not in {one.site for one in healed.evidence}


def heal(mesh: VirtualMesh, site: str, intent_id: str, name: str, scope: str = "") -> Verdict:
    found: Verdict = do(mesh, site, "apply", scope, intent_id, heal=True, on_failure="continue", resources=(name,))
    return found


@pytest.mark.parametrize("entry", ["lyon", "oslo"])
def test_an_original_whose_only_copy_is_there_is_healed_and_says_no_more_that_it_is_shared(
    mesh: VirtualMesh, entry: str
) -> None:
    shared(mesh, "lyon", "rome")
    lose(mesh)
    give_up(mesh, entry)  # the other one was not told
    verdict = heal(mesh, entry, "i-2", "secret/k")
    assert (verdict.decision, left_out(verdict)) == ("allow", ["rome"]), verdict
    assert [(step.site, step.action) for step in verdict.plan] == [("lyon", "annotate")]
    assert SHARED_TO not in words(mesh, "lyon", ORIGINAL)
    assert body(mesh, "rome", ORIGINAL) is not None, "nobody decides for it"
    again = heal(mesh, entry, "i-3", "secret/k")
    assert [one.code for one in again.reasons] == ["D630"], "it is like any other now"


def test_the_copies_that_are_left_are_healed_and_the_original_names_these(mesh: VirtualMesh) -> None:
    shared(mesh, "lyon", "oslo & rome")
    lose(mesh)
    give_up(mesh)
    verdict = heal(mesh, "lyon", "i-2", "secret/k")
    assert (verdict.decision, left_out(verdict)) == ("allow", ["rome"]), verdict
    assert words(mesh, "lyon", ORIGINAL)[SHARED_TO] == "oslo"
    assert left_out(heal(mesh, "lyon", "i-3", "secret/k")) == []


def test_only_the_copy_that_is_named_is_healed(mesh: VirtualMesh) -> None:
    shared(mesh, "lyon", "oslo & rome")
    lose(mesh)
    give_up(mesh)
    assert heal(mesh, "lyon", "i-2", "secret/k", "oslo").decision == "allow"
    assert body(mesh, "oslo", ORIGINAL) is not None


def test_words_of_a_set_name_it_no_more_when_it_is_healed(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a"),))
    lose(mesh)
    give_up(mesh)
    assert left_out(heal(mesh, "lyon", "i-2", "secret/new")) == ["rome"]
    assert words(mesh, "lyon", NEW)[REPLICAS] == words(mesh, "oslo", NEW)[REPLICAS] == "lyon,oslo"
    assert words(mesh, "lyon", NEW)[DECLARED] == words(mesh, "oslo", NEW)[DECLARED]
    assert left_out(heal(mesh, "lyon", "i-3", "secret/new")) == []


@pytest.mark.parametrize("site", ["lyon", "oslo"])
def test_the_last_one_of_a_set_is_of_none_when_it_is_healed(mesh: VirtualMesh, site: str) -> None:
    do(mesh, site, "create", f"{site} & rome", "i-1", manifests=(new("a"),))
    lose(mesh)
    give_up(mesh)
    assert heal(mesh, site, "i-2", "secret/new").decision == "allow"
    assert not {REPLICA_SET, REPLICAS} & words(mesh, site, NEW).keys()


def test_words_of_what_is_divided_name_it_no_more_once_its_share_has_moved(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon % oslo % rome {min: 3, prime: rome, rebalance: true}", "i-1", manifests=(web(6),))
    lose(mesh)
    give_up(mesh, for_s=60)
    assert words(mesh, "lyon", WEB)[PARTS] == "lyon=3,oslo=3,rome=0"
    verdict = heal(mesh, "oslo", "i-2", "deployment/web")
    assert (verdict.decision, left_out(verdict)) == ("allow", ["rome"])
    assert not [one for one in verdict.reasons if "more than was asked for" in one.message], verdict.reasons
    for site in ("lyon", "oslo"):
        found = body(mesh, site, WEB)
        assert found is not None
        assert found["spec"]["replicas"] == 3
        assert words(mesh, site, WEB)[PARTS] == "lyon=3,oslo=3"
        assert words(mesh, site, WEB)[SCOPE] == "lyon % oslo {min: 2, rebalance: true}"
    mesh.settle(60)
    assert words(mesh, "lyon", WEB)[PARTS] == "lyon=3,oslo=3", "nothing is to be moved"


def test_a_share_that_nobody_has_taken_over_stays_in_the_words(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon % oslo % rome", "i-1", manifests=(web(6),))
    lose(mesh)
    give_up(mesh)
    mesh["lyon"].edit(WEB, "spec", "replicas", value=9)
    mesh.settle()
    assert heal(mesh, "lyon", "i-2", "deployment/web").decision == "allow"
    assert words(mesh, "lyon", WEB)[PARTS] == "lyon=2,oslo=2,rome=2", "a third of the whole would be lost in silence"


def test_the_last_part_is_the_whole_when_it_is_healed(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon % rome {prime: rome, rebalance: true}", "i-1", manifests=(web(6),))
    lose(mesh)
    give_up(mesh, for_s=60)
    assert heal(mesh, "lyon", "i-2", "deployment/web").decision == "allow"
    assert not {PART_OF, PARTS, SCOPE} & words(mesh, "lyon", WEB).keys()
    found = body(mesh, "lyon", WEB)
    assert found is not None
    assert found["spec"]["replicas"] == 6


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({REPLICAS: "lyon,oslo,rome"}, {REPLICAS: "lyon,oslo"}),
        ({REPLICAS: "rome", PARTS: "lyon=1"}, {PARTS: "lyon=1"}),
        ({PARTS: "lyon, rome ,oslo"}, {PARTS: "lyon,oslo"}),
        ({PARTS: "lyon=1,rome=x,oslo=1", SCOPE: "{"}, {PARTS: "lyon=1,oslo=1"}),
        ({PARTS: "lyon=1,rome=1", SCOPE: "lyon % rome"}, {PARTS: "lyon=1,rome=1", SCOPE: "lyon % rome"}),
        ({PARTS: "=,,rome=0"}, {}),
        ({SCOPE: "rome"}, {SCOPE: "rome"}),
    ],
)
def test_whatever_somebody_has_written_into_its_words_it_can_be_healed(
    before: dict[str, str], after: dict[str, str]
) -> None:
    made = {"kind": "Secret", "metadata": {"name": "new", "annotations": {**before, "of": "others"}}}
    body, _ = naming_nobody_gone(made, {ROME})
    assert body["metadata"]["annotations"] == {**after, "of": "others"}


def test_a_resolver_that_was_not_told_goes_on_waiting(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a", "b"),))
    lose(mesh)
    give_up(mesh, "lyon")
    assert do(mesh, "oslo", "apply", "", "i-2", manifests=(new("a"),)).decision == "defer"
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(new("b"),)).decision in ("allow", "defer")
    mesh.settle(60)
    assert keys(mesh, "lyon") == keys(mesh, "oslo")


def test_a_set_that_names_a_site_that_is_no_peer_any_more_waits_for_it(mesh: VirtualMesh) -> None:
    """Its resolver was started without it among its peers, and was not told that it is gone: unknown is not absent."""
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a", "b"),))
    lose(mesh)
    mesh["lyon"].peers = (LYON, OSLO)
    mesh["lyon"].kill()
    mesh.settle()
    verdict = do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a"),))
    assert (verdict.decision, [one.site for one in verdict.waits_for]) == ("defer", ["rome"])
    assert do(mesh, "lyon", "delete", "", "i-3", resources=("secret/new",)).decision == "defer"


def test_a_scope_that_names_nobody_else_names_no_site(mesh: VirtualMesh) -> None:
    lose(mesh)
    give_up(mesh)
    verdict = do(mesh, "lyon", "apply", "rome", "i-2", manifests=(new("a"),))
    assert verdict.decision == "deny"
    assert [one.code for one in verdict.reasons] == ["D601"]
    assert "gone for good (CHEOPS_GONE)" in verdict.reasons[0].message
    assert do(mesh, "lyon", "apply", "rome ; lyon", "i-3", manifests=(new("a"),)).decision == "allow"


def test_one_that_comes_back_is_told_and_keeps_what_it_has(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a", "b"),))
    lose(mesh)
    give_up(mesh)
    do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a"),))
    mesh.mend()
    mesh.settle(20)
    assert [(one.code, one.sites) for one in mesh["lyon"].alerts] == [("A511", ("rome",))]
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(new("c"),)).decision == "allow"
    assert keys(mesh, "rome") == {"a", "b"}
    mesh.enter("rome", "delete", "", "i-4", resources=("secret/new",))  # it cannot take anything away from the others
    mesh.pump()
    mesh.settle(20)
    assert mesh.verdict("rome", "i-4").decision == "defer"
    assert keys(mesh, "lyon") == {"c"}


def test_one_that_is_let_in_again_has_what_is_applied_to_it(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a", "b"),))
    lose(mesh)
    give_up(mesh)
    do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a"),))
    mesh.mend()
    mesh.settle(20)
    for name in ("lyon", "oslo"):
        mesh[name].gone = ()
        mesh[name].kill()
    mesh.settle(20)
    assert mesh["lyon"].alerts[-1].state == "healed"
    assert do(mesh, "lyon", "apply", THREE, "i-3", manifests=(new("c"),)).decision == "allow"
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == keys(mesh, "rome") == {"c"}
    assert words(mesh, "rome", NEW)[REPLICAS] == "lyon,oslo,rome"


@pytest.mark.parametrize("verb", ["delete", "apply"])
def test_what_had_waited_at_one_that_is_let_in_again_does_nothing_to_what_was_declared_since(
    mesh: VirtualMesh, verb: Any
) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a", "b"),))
    lose(mesh)
    what: Any = {"manifests": (new("a"),)} if verb == "apply" else {"resources": ("secret/new",)}
    assert do(mesh, "rome", verb, "", "i-2", **what).decision == "defer"
    give_up(mesh)
    do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b", "c"),))
    mesh.mend()
    mesh.settle(20)
    for name in ("lyon", "oslo"):
        mesh[name].gone = ()
        mesh[name].kill()
    mesh.settle(120)
    assert {one.code for one in mesh.verdict("rome", "i-2").reasons} == {"D512"}
    assert (keys(mesh, "lyon"), keys(mesh, "oslo"), keys(mesh, "rome")) == (*[{"a", "b", "c"}] * 2, {"a", "b"})


@pytest.mark.parametrize("verb", ["delete", "apply"])
@pytest.mark.parametrize("effect", range(10))
@pytest.mark.parametrize("site", ["lyon", "oslo"])
def test_whenever_a_resolver_is_killed_it_is_done_at_all_that_are_left(
    mesh: VirtualMesh, site: str, effect: int, verb: Any
) -> None:
    do(mesh, "lyon", "create", THREE, "i-1", manifests=(new("a", "b"),))
    lose(mesh)
    give_up(mesh)
    what: dict[str, Any] = {"resources": ("secret/new",)} if verb == "delete" else {"manifests": (new("a"),)}
    mesh[site].cut_after = effect % 3
    for _ in range(effect // 3):
        mesh.exchange()
    mesh.enter("lyon", verb, "", "i-2", **what)
    mesh.pump()
    verdict = settled(mesh, "lyon", "i-2")
    assert verdict.decision == "allow"
    assert keys(mesh, "lyon") == keys(mesh, "oslo") == (set() if verb == "delete" else {"a"})
    assert keys(mesh, "rome") == {"a", "b"}


def test_a_ping_of_one_that_is_gone_wakes_nothing(mesh: VirtualMesh) -> None:
    give_up(mesh)
    mesh["lyon"].step(PeerBeat(ROME, 0.01, GOOD_FOR_S))
    near = mesh["lyon"].machine.desk.neighbours
    assert ROME not in near.near(mesh["lyon"].now_s)
    assert ROME not in near.known


def test_a_wider_scope_that_is_tried_for_what_is_elsewhere_asks_only_those_that_are_left(mesh: VirtualMesh) -> None:
    mesh["lyon"].cluster.put(secret("k"))
    mesh.settle()
    lose(mesh)
    give_up(mesh)
    user = without_uid(deployment("web", mounts_secret("k")))
    denied = do(mesh, "lyon", "apply", "rome ; oslo", "i-1", manifests=(user,))
    assert [one.code for one in denied.reasons if one.severity == "deny"] == ["D113"]
    assert left_out(denied) == ["rome"]
    assert denied.remedies[0].command.endswith("--scope 'rome ; oslo, secret/k: lyon'")


def test_that_it_is_heard_all_the_same_is_said_once_more_when_a_clock_is_set_back(mesh: VirtualMesh) -> None:
    lose(mesh)
    give_up(mesh)
    mesh["lyon"].step(PeerBeat(ROME, 0.01, GOOD_FOR_S))
    mesh.settle(2)
    before = said_so_far(mesh)
    mesh["lyon"].ahead_s = -3600.0
    mesh.settle(180, 6.0)
    after = said_so_far(mesh)
    assert (before["alerts"], after["alerts"]) == (1, 1)
    assert (before["reminders"], after["reminders"]) == (0, 1)
