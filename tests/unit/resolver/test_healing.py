"""`heal`: what was declared is put back, at each site of a set, for parts and copies, as an intent like any other."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.events import ResourceEvent
from schemas.identity import ResourceId
from schemas.ties import PARTS, REPLICA_SET, REPLICAS, SHARED_FROM, SHARED_TO
from tests.kit.manifests import deployment, mounts_secret, namespace, secret, without_uid
from tests.unit.resolver.test_drift import LOAD, drifts, of_updates, raised
from tests.unit.resolver.test_sets import NEW, WEB, body, do, forget_all, keys, mesh, new, web, words
from tests.unit.resolver.virtual_mesh import VirtualMesh

__all__ = ["mesh"]
EDGE = ResourceId("Secret/shop/edge")
MALL = ResourceId("Namespace/mall")


def heal(mesh: VirtualMesh, site: str, resource: str, name: str = "i-heal", scope: str = "", **how: Any) -> Any:
    """Healed, and everything that comes of it."""
    verdict = do(mesh, site, "apply", scope, name, resources=(resource,), heal=True, on_failure="continue", **how)
    mesh.settle(4)
    return verdict


def replicas(mesh: VirtualMesh, *sites: str) -> list[int]:
    return [(body(mesh, one, WEB) or {"spec": {"replicas": 0}})["spec"]["replicas"] for one in sites]


def written(verdict: Any) -> set[str]:
    return {step.site for step in verdict.plan}


def replicated(mesh: VirtualMesh, scope: str = "lyon & oslo") -> None:
    assert do(mesh, "lyon", "create", scope, "i-1", manifests=(web(),)).decision == "allow"


@pytest.mark.parametrize("entry", ["lyon", "oslo", "nice"])
@pytest.mark.parametrize("everything_is_lost", [False, True])
def test_a_replica_is_put_back_wherever_the_intent_is_entered(
    mesh: VirtualMesh, entry: str, everything_is_lost: bool
) -> None:
    """nice has never heard of the set: it asks. After the loss of all streams the objects themselves say it."""
    replicated(mesh)
    mesh["oslo"].edit(WEB, "spec", "replicas", value=9)
    if everything_is_lost:
        forget_all(mesh)
    mesh.settle(3)
    verdict = heal(mesh, entry, "deployment/web")
    assert verdict.decision == "allow", verdict
    assert verdict.summary.startswith("heal Deployment shop/web @ ")
    assert replicas(mesh, "lyon", "oslo") == [4, 4]
    assert body(mesh, "nice", WEB) is None
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised", "healed"]
    assert "N345" in {one.code for one in verdict.reasons}, "the verdict says that it takes back what others changed"


def test_what_is_healed_is_still_of_its_set_and_declared_when_it_was(mesh: VirtualMesh) -> None:
    replicated(mesh)
    before = words(mesh, "oslo", WEB)
    mesh["oslo"].edit(WEB, "metadata", "labels", REPLICA_SET)
    mesh.settle(3)
    assert heal(mesh, "lyon", "deployment/web").decision == "allow"
    assert words(mesh, "oslo", WEB) == before
    assert not raised(mesh, "oslo")


@pytest.mark.parametrize("entry", ["lyon", "oslo"])
def test_a_replica_that_was_deleted_is_made_again_from_another_one(mesh: VirtualMesh, entry: str) -> None:
    replicated(mesh)
    mesh["oslo"].wipe(WEB)
    mesh.settle(3)
    verdict = heal(mesh, entry, "deployment/web")
    assert verdict.decision == "allow", verdict
    assert replicas(mesh, "lyon", "oslo") == [4, 4]
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised", "healed"]


def test_only_the_sites_of_the_scope_are_healed(mesh: VirtualMesh) -> None:
    replicated(mesh)
    for site in ("lyon", "oslo"):
        mesh[site].edit(WEB, "spec", "replicas", value=9)
    assert written(heal(mesh, "lyon", "deployment/web", scope="oslo")) == {"oslo"}
    assert replicas(mesh, "lyon", "oslo") == [9, 4]


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_part_gets_its_own_share_again(mesh: VirtualMesh, is_gone: bool) -> None:
    manifest = without_uid(deployment("load", app="load", replicas=6))
    do(mesh, "lyon", "create", "lyon*2 % oslo", "i-1", manifests=(manifest,))
    if is_gone:
        mesh["oslo"].wipe(LOAD)
    else:
        mesh["oslo"].edit(LOAD, "spec", "replicas", value=6)
    mesh.settle(3)
    assert heal(mesh, "oslo", "deployment/load").decision == "allow"
    numbers = {one: (body(mesh, one, LOAD) or {})["spec"]["replicas"] for one in ("lyon", "oslo")}
    assert numbers == {"lyon": 4, "oslo": 2}
    assert words(mesh, "oslo", LOAD)[PARTS] == "lyon=4,oslo=2"
    assert not raised(mesh, "oslo")


def shared(mesh: VirtualMesh) -> None:
    """lyon has a copy of oslo's Secret edge, which mounts it."""
    mesh["oslo"].see(ResourceEvent("put", mesh["oslo"].cluster.put(secret("edge"))))
    mesh.settle()
    manifest = without_uid(deployment("web", mounts_secret("edge"), app="web"))
    done = do(mesh, "lyon", "create", "deployment: lyon, secret: oslo", "i-1", manifests=(manifest,))
    assert done.decision == "allow", done


@pytest.mark.parametrize("entry", ["lyon", "oslo"])
@pytest.mark.parametrize("is_gone", [False, True])
def test_a_copy_is_what_its_original_is_again(mesh: VirtualMesh, entry: str, is_gone: bool) -> None:
    shared(mesh)
    if is_gone:
        mesh["lyon"].wipe(EDGE)
    else:
        mesh["lyon"].edit(EDGE, "data", "crt", value="Y2FuYXJ5")
    mesh.settle(3)
    assert heal(mesh, entry, "secret/edge").decision == "allow"
    copy, original = body(mesh, "lyon", EDGE), body(mesh, "oslo", EDGE)
    assert copy is not None
    assert original is not None
    assert copy["data"] == original["data"]
    assert (words(mesh, "lyon", EDGE)[SHARED_FROM], words(mesh, "oslo", EDGE)[SHARED_TO]) == ("oslo", "lyon")
    assert not raised(mesh, "lyon")


def test_a_part_that_an_update_goes_without_is_an_alert_until_it_is_healed(mesh: VirtualMesh) -> None:
    """It goes on as a share of what is no whole any more."""
    assert do(mesh, "lyon", "create", "lyon % oslo % nice", "i-1", manifests=(web(),)).decision == "allow"
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "lyon & oslo & nice {min: 2}", "i-2", manifests=(web(),)).decision == "allow"
    (alert,) = [one for one in mesh["lyon"].alerts if one.code == "A504"]
    assert alert.sites == ("nice",)
    assert "Deployment shop/web @ nice is not what intent i-2 declared: " in alert.message
    mesh.mend()
    mesh.settle(10)
    assert heal(mesh, "lyon", "deployment/web").decision == "allow"
    assert len({str(words(mesh, one, WEB).get(REPLICAS)) for one in ("lyon", "oslo", "nice")}) == 1
    assert replicas(mesh, "lyon", "oslo", "nice") == [4, 4, 4]
    assert [one.state for one in mesh["lyon"].alerts if one.code == "A504"] == ["raised", "healed"]


@pytest.mark.parametrize("entry", ["lyon", "oslo"])
@pytest.mark.parametrize("is_all", [False, True])
def test_who_heals_what_was_in_a_namespace_that_is_gone_is_told_what_else_to_heal(
    mesh: VirtualMesh, entry: str, is_all: bool
) -> None:
    user = deployment("user", mounts_secret("ca"), app="user", namespace="mall")
    bundle = [without_uid(one) for one in (namespace("mall"), secret("ca", namespace="mall"), user)]
    assert do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=tuple(bundle)).decision == "allow"
    user_there, ca_there = ResourceId("apps/Deployment/mall/user"), ResourceId("Secret/mall/ca")
    for one in (user_there, ca_there, MALL):
        mesh["oslo"].wipe(one)
    mesh.settle(3)
    asked = (ca_there, user_there) if is_all else (user_there,)
    how = {"heal": True, "on_failure": "continue"}
    denied = do(mesh, entry, "apply", "", "i-2", resources=asked, **how)
    assert {one.code for one in denied.reasons if one.severity == "deny"} == {"D113"}
    (told,) = denied.remedies
    assert {*told.command.split()} == {
        *("cheops", "heal", "namespace/mall", "secret/ca", "deployment/user", "-n", "mall", "--site", entry)
    }
    done = do(mesh, entry, "apply", "", "i-3", resources=(MALL, ca_there, user_there), **how)
    assert done.decision == "allow", done
    assert None not in [body(mesh, "oslo", one) for one in (MALL, ca_there, user_there)]


def test_what_cannot_be_healed_does_not_hide_what_can(mesh: VirtualMesh) -> None:
    shared(mesh)
    assert do(mesh, "lyon", "create", "lyon & oslo", "i-2", manifests=(new("a"),)).decision == "allow"
    mesh["oslo"].wipe(NEW)
    mesh["oslo"].wipe(EDGE)
    mesh.settle(5)
    both = {"resources": ("secret/new", "secret/edge"), "heal": True, "on_failure": "continue"}
    denied = do(mesh, "lyon", "apply", "", "i-3", **both)
    assert [one.code for one in denied.reasons if one.severity == "deny"] == ["D630"]
    assert "cheops heal secret/new -n shop --site lyon" in [one.command for one in denied.remedies]


@pytest.mark.parametrize("entry", ["lyon", "oslo", "nice"])
def test_a_copy_whose_original_is_gone_cannot_be_healed_and_it_is_said_how_to_go_on(
    mesh: VirtualMesh, entry: str
) -> None:
    shared(mesh)
    mesh["oslo"].wipe(EDGE)
    mesh.settle(5)
    verdict = heal(mesh, entry, "secret/edge", scope="" if entry != "nice" else "lyon")
    assert (verdict.decision, [one.code for one in verdict.reasons]) == ("deny", ["D630"])
    assert "the original Secret shop/edge @ oslo is gone; its copies at lyon stay as they are" in verdict.summary
    assert verdict.summary.startswith(f"heal Secret shop/edge @ {entry}: ")
    assert [one.command for one in verdict.remedies] == [
        "cheops apply -f ORIGINAL.yaml --site oslo",
        "cheops delete secret/edge -n shop --site lyon",
    ]


def test_a_copy_whose_original_is_away_is_as_it_was_last(mesh: VirtualMesh) -> None:
    shared(mesh)
    mesh.sever("oslo")
    mesh.settle(10)
    mesh["lyon"].edit(EDGE, "data", "crt", value="Y2FuYXJ5")
    mesh.settle(3)
    assert heal(mesh, "lyon", "secret/edge").decision == "allow"
    assert (body(mesh, "lyon", EDGE) or {})["data"] == {"crt": "eA=="}


def test_a_site_that_is_away_is_healed_when_it_is_back(mesh: VirtualMesh) -> None:
    replicated(mesh, "lyon & oslo & nice")
    for site in ("oslo", "nice"):
        mesh[site].edit(WEB, "spec", "replicas", value=9)
    mesh.sever("nice")
    mesh.settle(10)
    verdict = heal(mesh, "lyon", "deployment/web")
    assert verdict.decision == "allow", verdict
    assert "W503" in {one.code for one in verdict.reasons}
    assert replicas(mesh, "lyon", "oslo", "nice") == [4, 4, 9]
    mesh.mend()
    mesh.settle(40)
    assert replicas(mesh, "lyon", "oslo", "nice") == [4, 4, 4]
    assert "W503" not in {one.code for one in mesh.verdict("lyon", "i-heal").reasons}


def test_a_site_that_is_back_is_healed_though_nobody_can_give_what_was_declared_at_first(mesh: VirtualMesh) -> None:
    """What is not said is not nothing: it stays open for the site."""
    replicated(mesh, "lyon & oslo & nice")
    mesh["nice"].wipe(WEB)
    mesh.sever("nice")
    mesh.settle(10)
    assert "W503" in {one.code for one in heal(mesh, "lyon", "deployment/web").reasons}
    mesh.withholding |= mesh.worlds.keys()
    mesh.mend()
    mesh.settle(10)
    assert "W503" in {one.code for one in mesh.verdict("lyon", "i-heal").reasons}
    mesh.withholding.clear()
    mesh.settle(40)
    assert replicas(mesh, "lyon", "oslo", "nice") == [4, 4, 4]
    assert raised(mesh, "nice") == []


def test_the_newest_declaration_is_the_one_that_is_put_back(mesh: VirtualMesh) -> None:
    """A replica that missed an update is healed to it (A504)."""
    do(mesh, "lyon", "create", "lyon & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "b"),), lifetime_s=30)
    mesh.settle(40)
    mesh.mend()
    mesh.settle(40)
    assert (keys(mesh, "nice"), of_updates(mesh, "lyon", "A504")) == ({"a"}, ["raised"])
    assert [one.sites for one in mesh["lyon"].alerts if one.code == "A504"] == [("nice",)], "who is to be healed"
    assert heal(mesh, "lyon", "secret/new").decision == "allow"
    assert keys(mesh, "nice") == {"a", "b"}
    assert of_updates(mesh, "lyon", "A504") == ["raised", "healed"]


@pytest.mark.parametrize("late", ["lyon", "oslo"])
def test_a_site_that_has_left_gets_nothing_again_though_another_has_not_heard_of_it(
    mesh: VirtualMesh, late: str
) -> None:
    replicated(mesh, "lyon & oslo & nice")
    before = mesh[late].cluster.objects[WEB]
    do(mesh, "nice", "delete", "nice", "i-2", resources=("deployment/web",))
    mesh[late].see(ResourceEvent("put", mesh[late].cluster.put(before)))
    mesh["oslo"].edit(WEB, "spec", "replicas", value=9)
    mesh.settle(3)
    assert "nice" in words(mesh, late, WEB)[REPLICAS]
    assert heal(mesh, "lyon", "deployment/web").decision == "allow"
    assert replicas(mesh, "lyon", "oslo") == [4, 4]
    assert body(mesh, "nice", WEB) is None


def test_what_belongs_to_no_set_cannot_be_healed(mesh: VirtualMesh) -> None:
    verdict = heal(mesh, "lyon", "secret/ca")
    assert [(one.code, one.resource) for one in verdict.reasons] == [("D630", "Secret/shop/ca")]
    assert "it is no replica, no part and no copy" in verdict.summary
    assert verdict.remedies == ()


def test_what_nobody_knows_cannot_be_healed_and_what_somebody_may_know_waits(mesh: VirtualMesh) -> None:
    verdict = heal(mesh, "lyon", "secret/never")
    assert (verdict.decision, verdict.reasons[0].code) == ("deny", "D630")
    mesh.sever("nice")
    mesh.settle(10)
    unknown = heal(mesh, "lyon", "secret/never", "i-later")
    assert (unknown.decision, unknown.reasons[0].code) == ("defer", "F501")
    assert "nice did not say" in unknown.reasons[0].message
    mesh.mend()
    mesh.settle(120)
    assert mesh.verdict("lyon", "i-later").decision == "deny"


def test_an_unknown_kind_cannot_be_healed(mesh: VirtualMesh) -> None:
    assert {one.code for one in heal(mesh, "lyon", "frobnicator/web").reasons} == {"D001"}


def test_a_heal_that_a_dependent_would_not_survive_is_denied(mesh: VirtualMesh) -> None:
    """Since it was declared without the key, somebody has added it past us, and a Deployment needs it."""
    user = without_uid(deployment("user", mounts_secret("new", "b"), app="user"))
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("a"),))
    mesh["oslo"].edit(NEW, "data", "b", value="eA==")
    mesh["oslo"].edit(NEW, "data", "a", value="eQ==")
    mesh.settle(3)
    assert do(mesh, "oslo", "create", "oslo", "i-2", manifests=(user,)).decision == "allow"
    verdict = heal(mesh, "lyon", "secret/new")
    assert (verdict.decision, {one.code for one in verdict.reasons} & {"D210", "D211"}) != ("allow", set())
    assert keys(mesh, "oslo") == {"a", "b"}


@pytest.mark.parametrize("place", range(12))
def test_a_heal_survives_a_kill_at_any_of_its_steps(mesh: VirtualMesh, place: int) -> None:
    replicated(mesh)
    mesh["oslo"].edit(WEB, "spec", "replicas", value=9)
    mesh.settle(3)
    what: Any = {"resources": ("deployment/web",), "heal": True, "on_failure": "continue"}
    mesh.enter("lyon", "apply", "", "i-heal", **what)
    for _ in range(place):
        mesh.collect()
        for wire, waiting in mesh.wires.items():
            if waiting:
                mesh.arrive(wire)
        for world in mesh.worlds.values():
            mesh.catches_up(world)
    mesh["lyon"].kill()
    mesh["oslo"].kill()
    mesh.settle(90)
    assert replicas(mesh, "lyon", "oslo") == [4, 4]
    assert mesh.verdict("lyon", "i-heal").decision == "allow"


def test_a_preview_changes_nothing(mesh: VirtualMesh) -> None:
    replicated(mesh)
    mesh["oslo"].edit(WEB, "spec", "replicas", value=9)
    mesh.settle(3)
    intent = mesh.intent("lyon", "apply", "", "i-see", resources=("deployment/web",), heal=True, on_failure="stop")
    from services.resolver.signals import PreviewSeen

    mesh["lyon"].step(PreviewSeen(intent.model_copy(update={"preview": True})))
    mesh.pump()
    assert [one.decision for one in mesh["lyon"].previews] == ["allow"]
    assert replicas(mesh, "oslo") == [9]


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"verb": "delete", "resources": ("secret/a",)}, "expected 'apply'"),
        ({"verb": "apply", "manifests": (web(),)}, "needs 'resources'"),
        ({"verb": "apply", "resources": ("secret/a",), "manifests": (web(),)}, "takes 'resources'"),
        ({"verb": "apply", "resources": ("secret/a",), "on_failure": "undo"}, "stays healed"),
    ],
)
def test_an_intent_that_heals_says_what_and_nothing_else(mesh: VirtualMesh, what: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        mesh.intent("lyon", scope="", heal=True, **{"on_failure": "stop", **what})


# ── copies follow their originals ───────────────────────────────────────────────────────────────────────────────────


def of_copies(mesh: VirtualMesh, site: str) -> list[str]:
    return [one.state for one in mesh[site].alerts if one.code == "A508"]


def follows(mesh: VirtualMesh, site: str) -> list[str]:
    """The intents that a resolver has entered itself."""
    return [one for one in mesh[site].intents if one.startswith("follow-")]


def test_a_copy_follows_an_original_that_somebody_changes_past_us(mesh: VirtualMesh) -> None:
    shared(mesh)
    mesh["oslo"].edit(EDGE, "data", "crt", value="bmV3")
    mesh.settle(5)
    assert (body(mesh, "lyon", EDGE) or {})["data"] == {"crt": "bmV3"}
    assert len(follows(mesh, "oslo")) == 1
    assert mesh.verdict("oslo", follows(mesh, "oslo")[0]).plan[0].site == "lyon"
    assert (drifts(mesh, "lyon"), of_copies(mesh, "oslo")) == ([], [])
    mesh.settle(30)
    assert len(follows(mesh, "oslo")) == 1, "and then nothing is written any more"


def test_what_an_intent_writes_is_followed_by_that_intent_alone(mesh: VirtualMesh) -> None:
    shared(mesh)
    done = do(mesh, "oslo", "apply", "", "i-2", manifests=(without_uid(secret("edge", "crt", "key")),))
    assert {step.site for step in done.plan} == {"lyon", "oslo"}
    mesh.settle(20)
    assert follows(mesh, "oslo") == []


@pytest.mark.parametrize(("by", "seconds"), [("kubectl", 0.0), ("kubectl", 30.0), ("an intent", 30.0)])
def test_copies_follow_an_original_that_is_made_anew(mesh: VirtualMesh, by: str, seconds: float) -> None:
    """As people change a Secret: delete, create. What is made anew does not say who has a copy."""
    shared(mesh)
    mesh["oslo"].wipe(EDGE)
    mesh.settle(seconds)
    again = without_uid(secret("edge", "crt", "key"))
    if by == "kubectl":
        mesh["oslo"].see(ResourceEvent("put", mesh["oslo"].cluster.put(again)))
    else:
        do(mesh, "oslo", "create", "oslo", "i-2", manifests=(again,))
    mesh.settle(15)
    assert set((body(mesh, "lyon", EDGE) or {})["data"]) == {"crt", "key"}
    assert ((body(mesh, "oslo", EDGE) or {})["metadata"]["annotations"])[SHARED_TO] == "lyon"
    alerts = [one for one in mesh["oslo"].alerts if one.resource == EDGE]
    assert [one.state for one in alerts] == (["raised", "healed"] if seconds else [])
    mesh.settle(60)
    assert len(follows(mesh, "oslo")) == 1, "and then nothing is written any more"


def test_an_original_that_is_gone_is_an_alert_that_healing_does_not_end(mesh: VirtualMesh) -> None:
    shared(mesh)
    mesh["oslo"].wipe(EDGE)
    mesh.settle(5)
    alert = next(one for one in mesh["oslo"].alerts if one.resource == EDGE)
    assert (alert.code, alert.sites) == ("A507", ("lyon",))
    assert "its copies at lyon stay as they are until it is there again" in alert.message
    do(mesh, "oslo", "apply", "", "i-2", resources=("secret/edge",), heal=True, on_failure="continue")
    mesh.settle(30)
    assert [one.state for one in mesh["oslo"].alerts if one.resource == EDGE] == ["raised"]


def test_an_original_that_is_deleted_with_its_copies_is_no_drift(mesh: VirtualMesh) -> None:
    shared(mesh)
    do(mesh, "lyon", "delete", "", "i-2", resources=("deployment/web",))
    do(mesh, "oslo", "delete", "", "i-3", resources=("secret/edge",))
    mesh.settle(10)
    assert body(mesh, "oslo", EDGE) is None
    assert [one for one in mesh["oslo"].alerts if one.resource == EDGE] == []


@pytest.mark.parametrize("is_ours", [False, True])
def test_a_copy_at_a_site_that_is_away_follows_when_it_is_back(mesh: VirtualMesh, is_ours: bool) -> None:
    shared(mesh)
    mesh.sever("lyon")
    mesh.settle(10)
    if is_ours:
        do(mesh, "oslo", "apply", "", "i-2", manifests=(without_uid(secret("edge", "crt", "key")),))
    else:
        for number in range(4):
            mesh["oslo"].edit(EDGE, "data", "key", value=f"bm{number}3")
            mesh.settle(15)
    assert len(follows(mesh, "oslo")) == 1, "one that waits stands for all that come after it"
    mesh.mend()
    mesh.settle(60)
    copy, original = body(mesh, "lyon", EDGE), body(mesh, "oslo", EDGE)
    assert copy is not None
    assert original is not None
    assert copy["data"] == original["data"]
    assert set(copy["data"]) == {"crt", "key"}


def test_a_copy_that_may_not_follow_is_an_alert_until_it_does(mesh: VirtualMesh) -> None:
    """lyon's Deployment mounts the key that somebody takes out of the original."""
    mesh["oslo"].see(ResourceEvent("put", mesh["oslo"].cluster.put(secret("edge", "crt", "key"))))
    mesh.settle()
    user = without_uid(deployment("web", mounts_secret("edge", "key"), app="web"))
    done = do(mesh, "lyon", "create", "deployment: lyon, secret: oslo", "i-1", manifests=(user,))
    assert done.decision == "allow", done
    mesh["oslo"].edit(EDGE, "data", "key")
    mesh.settle(5)
    alert = next(one for one in mesh["oslo"].alerts if one.code == "A508")
    assert alert.message.startswith("the copy of Secret shop/edge @ lyon is older than the original: ")
    assert (alert.sites, alert.resource) == (("lyon",), EDGE)
    assert set((body(mesh, "lyon", EDGE) or {})["data"]) == {"crt", "key"}
    mesh["oslo"].edit(EDGE, "data", "key", value="bmV3")
    mesh.settle(30)
    assert (body(mesh, "lyon", EDGE) or {})["data"]["key"] == "bmV3"
    assert of_copies(mesh, "oslo") == ["raised", "healed"]
