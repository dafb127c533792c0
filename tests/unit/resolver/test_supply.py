"""What a site lacks and the scope names is brought there: shared or replicated, marked, in order, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import ResourceEvent
from schemas.identity import ResourceId, SiteName
from schemas.ties import SHARED_FROM, SHARED_TO
from tests.kit.manifests import deployment, mounts_secret, secret, without_uid
from tests.unit.resolver.virtual_mesh import VirtualMesh

WEB = ResourceId("apps/Deployment/shop/web")
CA = ResourceId("Secret/shop/ca")


@pytest.fixture
def mesh() -> VirtualMesh:
    """The Secret is at nice only."""
    made = VirtualMesh(["lyon", "oslo", "nice"])
    made["nice"].cluster.put(secret("ca"))
    made.settle()
    return made


def web(name: str = "web") -> dict[str, Any]:
    return without_uid(deployment(name, mounts_secret("ca"), app=name))


def notes(mesh: VirtualMesh, site: str, resource: ResourceId = CA) -> dict[str, str]:
    found: dict[str, str] = mesh[site].cluster.objects[resource]["metadata"].get("annotations") or {}
    return found


def labels(mesh: VirtualMesh, site: str, resource: ResourceId = CA) -> dict[str, str]:
    found: dict[str, str] = mesh[site].cluster.objects[resource]["metadata"].get("labels") or {}
    return found


def test_a_shared_dependency_is_copied_before_its_user_and_its_original_says_so(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "deployment: lyon & oslo, secret: nice", manifests=(web(),))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert verdict.decision == "allow", verdict
    steps = {(one.site, one.action, one.resource): one for one in verdict.plan}
    mark = steps[SiteName("nice"), "annotate", CA]
    for site in ("lyon", "oslo"):
        copy, user = steps[SiteName(site), "apply", CA], steps[SiteName(site), "create", WEB]
        assert mark.id in copy.after
        assert copy.id in user.after
        assert labels(mesh, site)[SHARED_FROM] == "nice"
        assert WEB in mesh[site].cluster.objects
    assert notes(mesh, "nice")[SHARED_TO] == "lyon,oslo"
    assert mesh["nice"].cluster.objects[CA]["data"] == secret("ca")["data"]
    mesh.settle()
    assert not any(len(world.machine.holds) for world in mesh.worlds.values())
    assert not mesh["lyon"].machine.together.coordinator.following


def test_a_part_that_names_both_sites_brings_the_same_along_without_a_mark(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "lyon, secret: nice & lyon", manifests=(web(),))
    mesh.pump()
    assert mesh.verdict("lyon").decision == "allow", mesh.verdict("lyon")
    assert SHARED_FROM not in labels(mesh, "lyon")
    assert SHARED_TO not in notes(mesh, "nice")


def test_a_denial_offers_the_smallest_wider_scope_and_it_works(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "lyon & oslo", manifests=(web(),))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert verdict.decision == "deny"
    assert {(one.code, one.site, one.at) for one in verdict.reasons} == {
        ("D113", "lyon", ("nice",)),
        ("D113", "oslo", ("nice",)),
    }
    offer = verdict.remedies[0].command
    assert offer == "cheops create -f FILE --scope 'lyon & oslo, secret/ca: nice'"
    assert not any(len(world.machine.holds) for world in mesh.worlds.values())
    mesh.enter("lyon", "create", offer.split("'")[1], "i-2", manifests=(web(),))
    mesh.pump()
    assert mesh.verdict("lyon", "i-2").decision == "allow"
    assert WEB in mesh["oslo"].cluster.objects


def test_without_a_scope_the_denial_names_the_scope_too(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "", manifests=(web(),))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert verdict.decision == "deny"
    assert verdict.remedies[0].command == "cheops create -f FILE --scope 'lyon, secret/ca: nice'"


def test_a_new_sharing_from_a_site_that_is_cut_off_is_deferred_until_it_is_back(mesh: VirtualMesh) -> None:
    mesh.sever("nice")
    mesh.settle(6)
    mesh.enter("lyon", "create", "lyon, secret: nice", manifests=(web(),))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert (verdict.decision, {one.site for one in verdict.waits_for}) == ("defer", {"nice"}), verdict
    mesh.mend()
    mesh.settle(2)
    assert mesh.verdict("lyon").decision == "allow"
    assert labels(mesh, "lyon")[SHARED_FROM] == "nice"


def test_nothing_is_shared_from_a_site_that_the_scope_does_not_name(mesh: VirtualMesh) -> None:
    """Of the same name there may be another one, with other values."""
    mesh.enter("lyon", "create", "lyon, secret: oslo", manifests=(web(),))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert (verdict.decision, [(one.code, one.at) for one in verdict.reasons]) == ("deny", [("D113", ("nice",))])
    assert verdict.remedies[0].command == "cheops create -f FILE --scope 'secret/ca: nice, lyon, secret: oslo'"
    assert not mesh["lyon"].operations


@pytest.mark.parametrize("scope", ["lyon, secret: oslo", "lyon, secret: lyon & oslo"])
def test_what_is_to_come_from_a_site_that_is_cut_off_is_not_taken_from_a_third(mesh: VirtualMesh, scope: str) -> None:
    mesh["oslo"].see(ResourceEvent("put", mesh["oslo"].cluster.put(secret("ca", "oslo"))))
    mesh.settle()
    mesh.sever("oslo")
    mesh.settle(6)
    mesh.enter("lyon", "create", scope, manifests=(web(),))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert (verdict.decision, {one.site for one in verdict.waits_for}) == ("defer", {"oslo"}), verdict
    mesh.mend()
    mesh.settle(2)
    assert mesh.verdict("lyon").decision == "allow"
    assert mesh["lyon"].cluster.objects[CA]["data"] == secret("ca", "oslo")["data"]


def test_what_is_nowhere_in_the_sites_of_its_part_is_replicated_from_where_it_is(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "lyon, *: lyon & oslo", manifests=(web(),))
    mesh.pump()
    assert mesh.verdict("lyon").decision == "allow", mesh.verdict("lyon")
    assert CA in mesh["lyon"].cluster.objects


def test_a_site_that_is_heard_and_does_not_give_what_it_has_is_waited_for(mesh: VirtualMesh) -> None:
    """Its executor is away, or too slow: that is not nothing."""
    mesh.withholding.add(SiteName("nice"))
    mesh.enter("lyon", "create", "lyon, secret: nice", manifests=(web(),))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert (verdict.decision, [one.code for one in verdict.reasons]) == ("defer", ["F501"]), verdict
    assert {one.site for one in verdict.waits_for} == {"nice"}
    assert "does not give" in verdict.summary
    mesh.withholding.clear()
    mesh.settle(35)
    assert mesh.verdict("lyon").decision == "allow", mesh.verdict("lyon")


def test_what_the_bundle_holds_for_another_site_is_shared_from_there(mesh: VirtualMesh) -> None:
    mesh["nice"].cluster.remove(CA)
    mesh["nice"].see(ResourceEvent("delete", resource=CA))
    mesh.pump()
    bundle = (web(), without_uid(secret("ca")))
    mesh.enter("lyon", "create", "deployment: lyon, secret: oslo", manifests=bundle)
    mesh.pump()
    assert mesh.verdict("lyon").decision == "allow", mesh.verdict("lyon")
    assert labels(mesh, "lyon")[SHARED_FROM] == "oslo"
    assert notes(mesh, "oslo")[SHARED_TO] == "lyon"
    assert CA not in mesh["nice"].cluster.objects


def test_a_token_cannot_be_shared(mesh: VirtualMesh) -> None:
    token = {**secret("ca"), "type": "kubernetes.io/service-account-token"}
    mesh["nice"].see(ResourceEvent("put", mesh["nice"].cluster.put(token)))
    mesh.pump()
    mesh.enter("lyon", "create", "lyon, secret: nice", manifests=(web(),))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert (verdict.decision, verdict.reasons[0].code) == ("deny", "D610"), verdict
    assert CA not in mesh["lyon"].cluster.objects


def test_who_is_denied_when_something_cannot_be_brought_holds_nothing_any_more(mesh: VirtualMesh) -> None:
    """What its entry site had allowed before that was held for half a minute, and others waited for it."""
    token = {**without_uid(secret("own")), "type": "kubernetes.io/service-account-token"}
    user = without_uid(deployment("web", mounts_secret("own"), app="web"))
    mesh.enter("lyon", "create", "deployment: oslo, secret: lyon", manifests=(user, token))
    mesh.pump()
    verdict = mesh.verdict("lyon")
    assert (verdict.decision, verdict.reasons[0].code) == ("deny", "D610"), verdict
    assert [len(world.machine.holds) for world in mesh.worlds.values()] == [0, 0, 0]


def test_a_namespace_is_brought_where_the_scope_names_it(mesh: VirtualMesh) -> None:
    namespace = ResourceId("Namespace/shop")
    mesh["lyon"].cluster.remove(namespace)
    mesh["lyon"].see(ResourceEvent("delete", resource=namespace))
    mesh.pump()
    mesh.enter("lyon", "create", "lyon", manifests=(without_uid(secret("other")),))
    mesh.pump()
    offers = mesh.verdict("lyon").remedies
    assert [one.command for one in offers][:1] == ["cheops create -f FILE --scope 'lyon, namespace/shop: oslo & lyon'"]
    mesh.enter("lyon", "create", offers[0].command.split("'")[1], "i-2", manifests=(without_uid(secret("other")),))
    mesh.pump()
    assert mesh.verdict("lyon", "i-2").decision == "allow", mesh.verdict("lyon", "i-2")
    assert ResourceId("Secret/shop/other") in mesh["lyon"].cluster.objects


def test_an_offer_for_what_is_of_a_set_leaves_nobody_out(mesh: VirtualMesh) -> None:
    other, space = ResourceId("Secret/shop/other"), ResourceId("Namespace/shop")
    mesh.enter("lyon", "create", "lyon & oslo & nice", manifests=(without_uid(secret("other")),))
    mesh.pump()
    mesh.settle()
    for resource in (other, space):
        mesh["oslo"].wipe(resource)
    mesh.settle()
    update = without_uid(secret("other", "crt", "more"))
    mesh.enter("lyon", "apply", "", "i-2", manifests=(update,))
    mesh.pump()
    offers = mesh.verdict("lyon", "i-2").remedies
    assert [one.command for one in offers] == [
        "cheops apply -f FILE --scope 'namespace/shop: lyon & oslo, secret/other: lyon & nice & oslo, lyon'"
    ]
    mesh.enter("lyon", "apply", offers[0].command.split("'")[1], "i-3", manifests=(update,))
    mesh.pump()
    assert mesh.verdict("lyon", "i-3").decision == "allow", mesh.verdict("lyon", "i-3")
    for site in ("lyon", "oslo", "nice"):
        assert set(mesh[site].cluster.objects[other]["data"]) == {"crt", "more"}


def test_the_original_goes_with_its_copies_and_not_while_one_is_in_use(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "deployment: lyon, secret: nice", manifests=(web(),))
    mesh.pump()
    mesh.settle()
    mesh.enter("nice", "delete", "", "d-1", resources=("secret/ca",))
    mesh.pump()
    verdict = mesh.verdict("nice", "d-1")
    assert verdict.decision == "deny", verdict
    assert ("D310", "lyon") in {(one.code, one.site) for one in verdict.reasons}


def test_a_copy_goes_with_its_last_user_and_the_original_is_told(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "deployment: lyon, secret: nice", manifests=(web(),))
    mesh.pump()
    mesh.settle()
    mesh.enter("lyon", "delete", "", "d-1", resources=("deployment/web",))
    mesh.pump()
    verdict = mesh.verdict("lyon", "d-1")
    assert verdict.decision == "allow", verdict
    assert WEB not in mesh["lyon"].cluster.objects
    assert CA not in mesh["lyon"].cluster.objects
    assert SHARED_TO not in notes(mesh, "nice")
    mesh.settle()
    mesh.enter("nice", "delete", "", "d-2", resources=("secret/ca",))
    mesh.pump()
    assert mesh.verdict("nice", "d-2").decision == "allow"


def test_a_deletion_waits_for_a_site_with_a_copy_that_is_cut_off(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "deployment: lyon, secret: nice", manifests=(web(),))
    mesh.pump()
    mesh.sever("lyon")
    mesh.settle(6)
    mesh.enter("nice", "delete", "", "d-1", resources=("secret/ca",))
    mesh.pump()
    verdict = mesh.verdict("nice", "d-1")
    assert (verdict.decision, verdict.waits_for[0].site) == ("defer", "lyon"), verdict
    assert CA in mesh["nice"].cluster.objects


def test_a_crash_of_the_entry_site_amid_a_sharing_is_survived(mesh: VirtualMesh) -> None:
    """What was fetched is in no stream: it is fetched again, and what was done already is found there."""
    for cut_after in range(6):
        name = f"web-{cut_after}"
        mesh["lyon"].cut_after = cut_after
        mesh.enter("lyon", "apply", "deployment: lyon & oslo, secret: nice", f"i-{cut_after}", manifests=(web(name),))
        mesh.pump()
        mesh["lyon"].cut_after = cut_after
        mesh.settle(3)
        mesh["lyon"].cut_after = None
        mesh.settle(40)
        assert mesh.verdict("lyon", f"i-{cut_after}").decision == "allow", mesh.verdict("lyon", f"i-{cut_after}")
        for site in ("lyon", "oslo"):
            assert ResourceId(f"apps/Deployment/shop/{name}") in mesh[site].cluster.objects, (site, name)
            assert labels(mesh, site)[SHARED_FROM] == "nice"
    assert mesh["lyon"].kills


def test_a_copy_follows_its_original_and_keeps_its_words(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "deployment: lyon & oslo, secret: nice", manifests=(web(),))
    mesh.pump()
    mesh.settle()
    mesh.enter("nice", "apply", "", "u-1", manifests=(without_uid(secret("ca", "crt", "more")),))
    mesh.pump()
    mesh.settle()
    verdict = mesh.verdict("nice", "u-1")
    assert verdict.decision == "allow", verdict
    assert "N344" in {one.code for one in verdict.reasons}
    for site in ("lyon", "oslo"):
        assert set(mesh[site].cluster.objects[CA]["data"]) == {"crt", "more"}
        assert labels(mesh, site)[SHARED_FROM] == "nice"
    assert notes(mesh, "nice")[SHARED_TO] == "lyon,oslo"


def test_a_copy_that_conflicts_is_brought_again_though_its_original_is_done(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "deployment: lyon & oslo, secret: nice", manifests=(web(),))
    mesh.settle(4)
    mesh.enter("nice", "apply", "", "u-1", manifests=(without_uid(secret("ca", "crt", "more")),))
    oslo = mesh["oslo"]
    while not any(one.intent == "u-1" for one in oslo.operations):
        for name in ("lyon", "nice"):
            mesh.goes_on(mesh[name])
        mesh.exchange()
    place = next(place for place, one in enumerate(oslo.operations) if one.intent == "u-1")
    oslo.ledger[oslo.operations[place].id] = [oslo._outcome(oslo.operations[place], "conflict")]
    oslo.execute(place)
    mesh.settle(6)
    for site in ("lyon", "oslo"):
        assert set(mesh[site].cluster.objects[CA]["data"]) == {"crt", "more"}, site
    assert mesh.verdict("nice", "u-1").decision == "allow"


def test_who_waits_for_a_step_of_another_site_goes_on_when_the_entry_site_decides_anew(mesh: VirtualMesh) -> None:
    """It was killed after its commit, before it told that the original is done, and lacks what was brought to it."""
    mesh.enter("lyon", "create", "deployment: lyon & oslo, secret: nice", manifests=(web(),))
    mesh.settle(4)
    mesh.enter("oslo", "apply", "nice", "u-1", manifests=(without_uid(secret("ca", "crt", "more")),))
    while not mesh["nice"].operations or mesh["nice"].operations[-1].intent != "u-1":
        mesh.exchange()
    mesh["oslo"].kill()
    mesh.settle(6)
    mesh.settle(70, 2.0)
    for site in ("lyon", "oslo"):
        assert set(mesh[site].cluster.objects[CA]["data"]) == {"crt", "more"}, site


def test_a_copy_follows_when_its_original_can_be_given(mesh: VirtualMesh) -> None:
    """Somebody has changed it past us, and its executor (or what to seal it with) is not there at that moment."""
    mesh.enter("lyon", "create", "deployment: lyon & oslo, secret: nice", manifests=(web(),))
    mesh.settle(4)
    mesh.pass_time()
    nice = mesh["nice"]
    changed = {**nice.cluster.objects[CA], "data": {"crt": "eA==", "more": "eA=="}}
    withheld = SiteName("nice")
    mesh.withholding.add(withheld)
    nice.see(ResourceEvent("put", nice.cluster.put(changed)))
    mesh.settle(6)
    assert not nice.alerts, "it waits: nobody says that the original is gone, or that nothing differs"
    mesh.withholding.clear()
    mesh.settle(70, 2.0)
    for site in ("lyon", "oslo"):
        assert set(mesh[site].cluster.objects[CA]["data"]) == {"crt", "more"}, site
    assert not nice.alerts


@pytest.mark.parametrize("keys", [(), ("crt", "more")])
def test_an_original_is_told_of_a_copy_that_leaves_with_its_user_by_a_narrower_scope(
    mesh: VirtualMesh, keys: tuple[str, ...]
) -> None:
    """Whether it comes along in the bundle or not: else its next write would make the copy again."""
    mesh.enter("lyon", "create", "lyon & oslo, secret: nice", manifests=(web(),))
    mesh.pump()
    mesh.settle()
    assert notes(mesh, "nice")[SHARED_TO] == "lyon,oslo"
    bundle = (web(), without_uid(secret("ca", *keys))) if keys else (web(),)
    mesh.enter("lyon", "apply", "lyon, secret: nice", "i-2", manifests=bundle)
    mesh.pump()
    mesh.settle()
    assert mesh.verdict("lyon", "i-2").decision == "allow", mesh.verdict("lyon", "i-2").summary
    assert CA not in mesh["oslo"].cluster.objects
    assert notes(mesh, "nice")[SHARED_TO] == "lyon"
    for site in ("nice", "lyon"):
        assert mesh[site].cluster.objects[CA]["data"] == secret("ca", *keys)["data"], site
    assert not any(len(world.machine.holds) for world in mesh.worlds.values())


def test_a_copy_that_others_use_is_no_reason_to_leave_it_as_it_was(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "lyon & oslo, secret: nice", manifests=(web(),))
    mesh.pump()
    mesh.settle()
    used(mesh, "oslo", "oslo", "other")
    bundle = (web(), without_uid(secret("ca", "crt", "more")))
    mesh.enter("lyon", "apply", "lyon, secret: nice", "i-2", manifests=bundle)
    mesh.pump()
    verdict = mesh.verdict("lyon", "i-2")
    assert (verdict.decision, verdict.reasons[0].code) == ("deny", "D600"), "one part of an intent cannot do both"


def test_a_copy_that_becomes_a_replica_is_none_to_its_original_any_more(mesh: VirtualMesh) -> None:
    """When the set leaves its site later, the next write on the original would make it a copy again."""
    mesh.enter("lyon", "create", "lyon & oslo, secret: nice", manifests=(web(),))
    mesh.pump()
    mesh.settle()
    mesh.enter("nice", "apply", "nice & lyon", "i-2", manifests=(without_uid(secret("ca", "crt", "more")),))
    mesh.pump()
    mesh.settle()
    assert mesh.verdict("nice", "i-2").decision == "allow", mesh.verdict("nice", "i-2").summary
    assert SHARED_FROM not in labels(mesh, "lyon")
    assert notes(mesh, "nice")[SHARED_TO] == "oslo"
    mesh.enter("nice", "apply", "nice & lyon & oslo", "i-3", manifests=(without_uid(secret("ca", "crt", "more")),))
    mesh.pump()
    mesh.settle()
    assert not notes(mesh, "nice").get(SHARED_TO)


def test_who_writes_on_a_copy_is_told_that_its_original_replaces_it(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "lyon, secret: nice", manifests=(web(),))
    mesh.pump()
    mesh.settle()
    mesh.enter("lyon", "apply", "", "u-1", manifests=(without_uid(secret("ca", "crt", "more")),))
    mesh.pump()
    mesh.settle()
    verdict = mesh.verdict("lyon", "u-1")
    said = [(one.code, one.message) for one in verdict.reasons if one.code == "W240"]
    assert said == [("W240", "Secret shop/ca is a copy from nice, whose next write replaces it: change that")]
    mesh.enter("nice", "apply", "", "u-2", manifests=(without_uid(secret("ca", "crt", "other")),))
    mesh.pump()
    assert "W240" not in {one.code for one in mesh.verdict("nice", "u-2").reasons}, "that is the original's own word"


def test_an_update_of_an_original_is_judged_with_the_users_of_its_copies(mesh: VirtualMesh) -> None:
    user = without_uid(deployment("web", mounts_secret("ca", "crt"), app="web"))
    mesh.enter("lyon", "create", "deployment: lyon, secret: nice", manifests=(user,))
    mesh.pump()
    mesh.settle()
    mesh.enter("nice", "apply", "", "u-1", manifests=(without_uid(secret("ca", "other")),))
    mesh.pump()
    mesh.settle()
    verdict = mesh.verdict("nice", "u-1")
    assert (verdict.decision, {one.site for one in verdict.reasons if one.severity == "deny"}) == ("deny", {"lyon"})
    assert set(mesh["nice"].cluster.objects[CA]["data"]) == {"crt"}


def test_an_original_is_updated_while_a_site_with_a_copy_is_away(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "deployment: lyon, secret: nice", manifests=(web(),))
    mesh.pump()
    mesh.sever("lyon")
    mesh.settle(6)
    mesh.enter("nice", "apply", "", "u-1", manifests=(without_uid(secret("ca", "crt", "more")),))
    mesh.pump()
    assert mesh.verdict("nice", "u-1").decision == "allow"
    assert set(mesh["lyon"].cluster.objects[CA]["data"]) == {"crt"}


@pytest.mark.parametrize("entry", ["nice", "lyon"])
def test_an_original_does_not_forget_a_copy_that_is_away_while_another_one_follows(
    mesh: VirtualMesh, entry: str
) -> None:
    """Else it would stay as it was for ever, and nobody would ask its users when the original goes."""
    scope, changed = "deployment: lyon & oslo, secret: nice", without_uid(secret("ca", "crt", "more"))
    mesh.enter("lyon", "create", scope, manifests=(web(),))
    mesh.pump()
    mesh.sever("oslo")
    mesh.settle(6)
    if entry == "nice":
        mesh.enter("nice", "apply", "", "u-1", manifests=(changed,))
    else:
        mesh.enter("lyon", "apply", scope, "u-1", manifests=(web(), changed))
    mesh.pump()
    verdict = mesh.verdict(entry, "u-1")
    assert verdict.decision == "allow", verdict
    assert [set(mesh[one].cluster.objects[CA]["data"]) for one in ("lyon", "oslo")] == [{"crt", "more"}, {"crt"}]
    assert notes(mesh, "nice")[SHARED_TO] == "lyon,oslo"
    mesh.mend()
    mesh.settle(60)
    assert set(mesh["oslo"].cluster.objects[CA]["data"]) == {"crt", "more"}


def test_what_a_site_that_is_away_would_say_is_its_last_word_and_not_what_it_lacked_before_that_was_brought(
    mesh: VirtualMesh,
) -> None:
    scope = "lyon & oslo, secret: nice"
    mesh.enter("lyon", "apply", scope, manifests=(web(),))
    mesh.pump()
    mesh.sever("oslo")
    mesh.settle(6)
    mesh.enter("lyon", "apply", scope, "i-2", manifests=(web(),))
    mesh.pump()
    (pending,) = [one.message for one in mesh.verdict("lyon", "i-2").reasons if one.code == "W503"]
    assert "; it would likely allow, as " in pending


def used(mesh: VirtualMesh, site: str, scope: str, name: str) -> None:
    mesh.enter(site, "create", scope, name, manifests=(web(name),))
    mesh.pump()
    mesh.settle()
    assert mesh.verdict(site, name).decision == "allow", mesh.verdict(site, name)


def unused(mesh: VirtualMesh, site: str, name: str) -> None:
    mesh.enter(site, "delete", "", f"d-{name}", resources=(f"deployment/{name}",))
    mesh.pump()
    mesh.settle()
    assert mesh.verdict(site, f"d-{name}").decision == "allow"


def test_a_copy_of_a_copy_is_made_from_the_original_and_keeps_nobody_else_alive(mesh: VirtualMesh) -> None:
    used(mesh, "oslo", "deployment: oslo, secret: nice", "first")
    used(mesh, "lyon", "deployment: lyon, secret: oslo", "second")
    assert labels(mesh, "lyon")[SHARED_FROM] == labels(mesh, "oslo")[SHARED_FROM] == "nice"
    assert notes(mesh, "nice")[SHARED_TO] == "lyon,oslo"
    assert SHARED_TO not in notes(mesh, "oslo")
    unused(mesh, "oslo", "first")
    assert CA not in mesh["oslo"].cluster.objects, "nobody uses it there any more"
    assert CA in mesh["lyon"].cluster.objects
    unused(mesh, "lyon", "second")
    assert CA not in mesh["lyon"].cluster.objects
    assert not notes(mesh, "nice").get(SHARED_TO)


def test_a_copy_whose_original_cannot_be_heard_is_good_enough_to_copy(mesh: VirtualMesh) -> None:
    used(mesh, "oslo", "deployment: oslo, secret: nice", "first")
    mesh.sever("nice")
    mesh.settle(6)
    used(mesh, "lyon", "deployment: lyon, secret: oslo", "second")
    assert labels(mesh, "lyon")[SHARED_FROM] == "oslo"
    assert notes(mesh, "oslo")[SHARED_TO] == "lyon"


def test_two_copies_that_say_they_are_of_each_other_are_no_circle(mesh: VirtualMesh) -> None:
    """Somebody has written on them."""
    for site, other in (("oslo", "nice"), ("nice", "oslo")):
        mesh[site].see(ResourceEvent("put", mesh[site].cluster.put(secret("ca", labels={SHARED_FROM: other}))))
    mesh.settle()
    used(mesh, "lyon", "deployment: lyon, secret: oslo", "second")
    assert CA in mesh["lyon"].cluster.objects
