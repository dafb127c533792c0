"""Replicas, parts and copies that somebody changes past us: said once by their own site, and said when it is over."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.alerts import Alert
from schemas.events import ResourceEvent
from schemas.identity import ResourceId
from schemas.ties import REPLICA_SET, REPLICAS
from tests.kit.manifests import deployment, mounts_secret, namespace, secret, without_uid
from tests.unit.resolver.test_sets import NEW, WEB, do, forget_all, keys, mesh, new, web, words
from tests.unit.resolver.virtual_mesh import VirtualMesh

__all__ = ["mesh"]
DECLARATION_PATH = ("metadata", "annotations", "cheops.io/declaration")
LOAD, SHOP = ResourceId("apps/Deployment/shop/load"), ResourceId("Namespace/shop")


def drifts(mesh: VirtualMesh, site: str) -> list[tuple[str, str]]:
    """What a site has said of drift: raised or healed, and what."""
    alerts = [one for one in mesh[site].alerts if one.code == "A507"]
    return [(one.state, one.message.partition(": ")[2]) for one in alerts]


def raised(mesh: VirtualMesh, site: str) -> list[Alert]:
    last = {one.id: one for one in mesh[site].alerts if one.code == "A507"}
    return [one for one in last.values() if one.state == "raised"]


def replicated(mesh: VirtualMesh, **what: Any) -> None:
    assert do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(web(),), **what).decision == "allow"


def test_a_replica_that_somebody_scales_is_said_by_its_own_site_with_what_differs(mesh: VirtualMesh) -> None:
    replicated(mesh)
    mesh["oslo"].edit(WEB, "spec", "replicas", value=9)
    mesh.pump()
    assert drifts(mesh, "oslo") == [], "what a person does next may put it back"
    mesh.settle(3)
    alert = raised(mesh, "oslo")[0]
    assert alert.message == "Deployment shop/web @ oslo is not what was declared: spec.replicas is 9 (declared 4)"
    assert (alert.resource, alert.sites, alert.id) == (WEB, ("lyon",), f"oslo:A507:{WEB}")
    assert alert.cause.startswith("put ")
    assert drifts(mesh, "lyon") == [], "no site speaks for another"
    assert mesh.said("ask") == 1, "and none asks another: only lyon has asked oslo, when it was made"


def test_a_drift_is_said_once_and_ends_when_it_is_as_declared_again(mesh: VirtualMesh) -> None:
    replicated(mesh)
    for number in (9, 8, 7):
        mesh["oslo"].edit(WEB, "spec", "replicas", value=number)
        mesh.settle(3)
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised"]
    mesh["oslo"].edit(WEB, "spec", "replicas", value=4)
    mesh.settle(3)
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised", "healed"]


def test_what_was_not_declared_is_no_drift(mesh: VirtualMesh) -> None:
    """A status, an annotation of a controller, a label of somebody: they were never declared."""
    replicated(mesh)
    oslo = mesh["oslo"]
    oslo.edit(WEB, "status", "replicas", value=9)
    oslo.edit(WEB, "spec", "paused", value=True)
    oslo.edit(WEB, "metadata", "annotations", "deployment.kubernetes.io/revision", value="7")
    oslo.edit(WEB, "metadata", "labels", "team", value="blue")
    mesh.settle(5)
    assert drifts(mesh, "oslo") == []


def test_replicas_that_were_not_declared_may_be_scaled_by_anybody(mesh: VirtualMesh) -> None:
    manifest = without_uid(deployment("web", mounts_secret("ca"), app="web"))
    del manifest["spec"]["replicas"]
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(manifest,))
    mesh["oslo"].edit(WEB, "spec", "replicas", value=9)
    mesh.settle(5)
    assert drifts(mesh, "oslo") == []


def test_a_replica_that_somebody_deletes_is_a_drift_and_one_that_an_intent_deletes_is_none(mesh: VirtualMesh) -> None:
    replicated(mesh)
    mesh["oslo"].wipe(WEB)
    mesh.settle(3)
    assert drifts(mesh, "oslo") == [("raised", "it is gone, and no intent has deleted it")]
    do(mesh, "lyon", "delete", "", "i-2", resources=("deployment/web",))
    mesh.settle(3)
    assert drifts(mesh, "lyon") == []
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised", "healed"], "who deletes it wants it gone"


def test_what_goes_with_a_namespace_that_an_intent_deletes_is_no_drift(mesh: VirtualMesh) -> None:
    """Each kind is told for itself: what was in it may be told after it."""
    replicated(mesh)
    assert do(mesh, "oslo", "delete", "oslo", "i-2", resources=("namespace/shop",)).decision == "allow"
    mesh["oslo"].wipe(WEB)
    mesh.settle(3)
    assert drifts(mesh, "oslo") == []


def test_what_goes_with_a_namespace_that_somebody_deletes_is_a_drift(mesh: VirtualMesh) -> None:
    replicated(mesh)
    mesh["oslo"].wipe(SHOP)
    mesh["oslo"].wipe(WEB)
    mesh.settle(3)
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised"]


def test_a_drift_ends_when_an_intent_deletes_what_it_was_in(mesh: VirtualMesh) -> None:
    replicated(mesh)
    mesh["oslo"].wipe(WEB)
    mesh.settle(3)
    assert do(mesh, "oslo", "delete", "oslo", "i-2", resources=("namespace/shop",)).decision == "allow"
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised", "healed"]


def test_a_namespace_that_is_made_anew_is_looked_after_again(mesh: VirtualMesh) -> None:
    replicated(mesh)
    assert do(mesh, "oslo", "delete", "oslo", "i-2", resources=("namespace/shop",)).decision == "allow"
    mesh["oslo"].see(ResourceEvent("put", mesh["oslo"].cluster.put(namespace("shop"))))
    mesh.settle()
    mesh["oslo"].wipe(WEB)
    mesh.settle(3)
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised"]


def test_a_namespace_that_was_made_anew_and_that_somebody_deletes_later_takes_replicas_away(mesh: VirtualMesh) -> None:
    replicated(mesh)
    oslo = mesh["oslo"]
    assert do(mesh, "oslo", "delete", "oslo", "i-2", resources=("namespace/shop",)).decision == "allow"
    oslo.wipe(WEB)
    mesh.settle(3)
    oslo.see(
        ResourceEvent("put", oslo.cluster.put(namespace("shop"))), ResourceEvent("put", oslo.cluster.put(secret("ca")))
    )
    mesh.settle(3)
    assert do(mesh, "lyon", "apply", "lyon & oslo", "i-3", manifests=(web(),)).decision == "allow"
    mesh.settle(3)
    assert drifts(mesh, "oslo") == []
    oslo.wipe(SHOP)
    oslo.wipe(WEB)
    mesh.settle(3)
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised"]


def test_a_replica_whose_words_somebody_took_away_goes_with_its_set(mesh: VirtualMesh) -> None:
    """Else what it holds would stay where nobody looks for it."""
    replicated(mesh)
    oslo = mesh["oslo"]
    oslo.edit(WEB, *DECLARATION_PATH)
    oslo.edit(WEB, "metadata", "labels", REPLICA_SET)
    mesh.settle(3)
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised"]
    assert do(mesh, "lyon", "delete", "", "i-2", resources=(WEB,)).decision == "allow"
    mesh.settle(3)
    assert WEB not in oslo.cluster.objects


@pytest.mark.parametrize("word", [("labels", REPLICA_SET), ("annotations", REPLICAS)])
def test_a_word_of_a_set_that_somebody_takes_away_is_a_drift(mesh: VirtualMesh, word: tuple[str, str]) -> None:
    replicated(mesh)
    mesh["oslo"].edit(WEB, "metadata", *word)
    mesh.settle(3)
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised"]
    assert f"{word[1]}'] is gone" in drifts(mesh, "oslo")[0][1]


def test_an_object_that_somebody_replaces_whole_has_lost_its_words(mesh: VirtualMesh) -> None:
    replicated(mesh)
    mesh["oslo"].edit(WEB, *DECLARATION_PATH)
    mesh["oslo"].edit(WEB, "metadata", "labels", REPLICA_SET)
    mesh.settle(3)
    assert drifts(mesh, "oslo") == [("raised", "the words that tie it to other sites are gone")]
    assert raised(mesh, "oslo")[0].sites == ("lyon",), "which it was is still known"


def test_the_part_of_a_divided_one_drifts_from_its_share(mesh: VirtualMesh) -> None:
    manifest = without_uid(deployment("load", app="load", replicas=6))
    do(mesh, "lyon", "create", "lyon*2 % oslo", "i-1", manifests=(manifest,))
    mesh["oslo"].edit(LOAD, "spec", "replicas", value=6)
    mesh.settle(3)
    assert drifts(mesh, "oslo") == [("raised", "spec.replicas is 6 (declared 2)")]


def test_no_value_of_a_secret_is_said_or_compared(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("crt", "key"),))
    mesh["oslo"].edit(NEW, "data", "crt", value="Y2FuYXJ5")
    mesh["oslo"].edit(NEW, "data", "key")
    mesh.settle(3)
    assert drifts(mesh, "oslo") == [("raised", "data.crt differs; data.key is gone")]


def test_a_copy_of_a_shared_one_drifts_too(mesh: VirtualMesh) -> None:
    mesh["oslo"].see(ResourceEvent("put", mesh["oslo"].cluster.put(secret("edge"))))
    mesh.settle()
    manifest = without_uid(deployment("web", mounts_secret("edge"), app="web"))
    done = do(mesh, "lyon", "create", "deployment: lyon, secret: oslo", "i-1", manifests=(manifest,))
    assert done.decision == "allow", done
    mesh["lyon"].edit(ResourceId("Secret/shop/edge"), "data", "crt", value="Y2FuYXJ5")
    mesh.settle(3)
    assert drifts(mesh, "lyon") == [("raised", "data.crt differs")]
    assert raised(mesh, "lyon")[0].sites == ("oslo",)


@pytest.mark.parametrize("everything_is_lost", [False, True])
def test_a_drift_is_known_after_a_restart_and_the_loss_of_every_stream(
    mesh: VirtualMesh, everything_is_lost: bool
) -> None:
    replicated(mesh)
    mesh["oslo"].edit(WEB, "spec", "replicas", value=9)
    if everything_is_lost:
        forget_all(mesh)
    else:
        mesh.settle(3)
        mesh["oslo"].kill()
    mesh.settle(5)
    assert drifts(mesh, "oslo") == [("raised", "spec.replicas is 9 (declared 4)")], "said, and said once"
    mesh["oslo"].edit(WEB, "spec", "replicas", value=4)
    mesh.settle(5)
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised", "healed"]


def test_what_an_update_changes_is_no_drift(mesh: VirtualMesh) -> None:
    replicated(mesh)
    for number in range(2, 5):
        do(mesh, "oslo", "apply", "", f"i-{number}", manifests=(web(number),))
    do(mesh, "oslo", "apply", "lyon", "i-9", manifests=(web(),))
    mesh.settle(5)
    assert [drifts(mesh, one) for one in ("lyon", "oslo", "nice")] == [[], [], []]


# ── updates that did not work everywhere ────────────────────────────────────────────────────────────────────────────


def of_updates(mesh: VirtualMesh, site: str, code: str) -> list[str]:
    return [one.state for one in mesh[site].alerts if one.code == code]


def test_a_replica_that_is_behind_is_so_until_a_later_update_works_everywhere(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "b"),), lifetime_s=30)
    mesh.settle(40)
    do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b", "c"),))
    mesh.mend()
    mesh.settle(1)
    mesh.settle(40)
    assert keys(mesh, "nice") == {"a", "b", "c"}
    assert of_updates(mesh, "lyon", "A504") == ["raised", "healed"]


@pytest.mark.parametrize("later_at", ["lyon", "oslo"])
def test_an_update_that_was_overtaken_is_said_until_the_set_is_updated_again(mesh: VirtualMesh, later_at: str) -> None:
    do(mesh, "lyon", "create", "lyon & oslo", "i-1", manifests=(new("a"),))
    mesh.sever("lyon")
    mesh.settle(6)
    do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a", "earlier"),))
    do(mesh, "oslo", "apply", "", "i-3", manifests=(new("a", "later"),))
    mesh.mend()
    mesh.settle(20)
    assert of_updates(mesh, "lyon", "A506") == ["raised"]
    do(mesh, later_at, "apply", "", "i-4", manifests=(new("a", "later", "last"),))
    mesh.settle(3)
    assert of_updates(mesh, "lyon", "A506") == ["raised", "healed"]


def test_an_update_that_was_overtaken_at_one_site_is_said_although_it_is_done_at_its_own(mesh: VirtualMesh) -> None:
    mesh["oslo"].ahead_s = 3600.0
    do(mesh, "oslo", "create", "nice", "i-0", manifests=(web(),))  # nice has heard of a later time than its own
    mesh.settle(2)
    mesh.enter("nice", "apply", "lyon & nice", "i-1", manifests=(new("a"),))
    mesh.enter("oslo", "apply", "lyon & oslo", "i-2", manifests=(new("b"),))
    mesh.settle(60)
    assert keys(mesh, "nice") == {"a"}
    assert of_updates(mesh, "nice", "A506") == ["raised"]


def test_a_word_that_we_strike_out_is_no_drift_and_what_drifts_besides_stays_known(mesh: VirtualMesh) -> None:
    do(mesh, "lyon", "create", "lyon & oslo & nice", "i-1", manifests=(web(),))
    mesh["oslo"].edit(WEB, "spec", "replicas", value=9)
    do(mesh, "lyon", "delete", "nice", "i-2", resources=("deployment/web",))
    mesh.settle(3)
    assert words(mesh, "oslo", WEB)[REPLICAS] == "lyon,oslo"
    assert drifts(mesh, "lyon") == []
    assert drifts(mesh, "oslo") == [("raised", "spec.replicas is 9 (declared 4)")]


def test_what_an_intent_has_deleted_since_the_snapshot_is_nobodys_drift_after_a_restart(mesh: VirtualMesh) -> None:
    mesh["oslo"].keep()
    replicated(mesh)
    mesh.settle(2)
    assert do(mesh, "lyon", "delete", "", "i-2", resources=("deployment/web",)).decision == "allow"
    mesh.settle(2)
    mesh["oslo"].start()
    mesh.settle(4)
    assert WEB not in mesh["oslo"].cluster.objects
    assert drifts(mesh, "oslo") == []


def test_what_somebody_has_deleted_since_the_snapshot_is_told_after_a_restart(mesh: VirtualMesh) -> None:
    mesh["oslo"].keep()
    replicated(mesh)
    assert do(mesh, "lyon", "delete", "", "i-2", resources=("deployment/web",)).decision == "allow"
    mesh.settle(2)
    assert do(mesh, "lyon", "create", "lyon & oslo", "i-3", manifests=(web(),)).decision == "allow"
    mesh["oslo"].wipe(WEB)
    mesh["oslo"].start()
    mesh.settle(4)
    assert [state for state, _ in drifts(mesh, "oslo")] == ["raised"]


def test_a_copy_that_an_intent_took_away_since_the_snapshot_is_not_brought_again(mesh: VirtualMesh) -> None:
    user = without_uid(deployment("load", mounts_secret("ca"), app="load"))
    mesh["lyon"].wipe(ResourceId("Secret/shop/ca"))
    mesh.settle(2)
    mesh["oslo"].keep()
    mesh["lyon"].keep()
    shared = do(mesh, "lyon", "create", "deployment: lyon, secret: oslo", "i-1", manifests=(user,))
    assert shared.decision == "allow", shared
    mesh.settle(2)
    assert do(mesh, "lyon", "delete", "", "i-2", resources=("deployment/load",)).decision == "allow"
    mesh.settle(2)
    for name in ("oslo", "lyon"):
        mesh[name].start()
        mesh.settle(6)
        assert not mesh[name].alerts, "nothing has drifted, and no copy is older"
    assert {one.intent for one in mesh["oslo"].verdicts} == {"i-1", "i-2"}, "nobody enters another one for it"


def test_what_went_with_its_namespace_by_an_intent_since_the_snapshot_is_nobodys_drift(mesh: VirtualMesh) -> None:
    mesh["oslo"].keep()
    replicated(mesh)
    mesh.settle(2)
    assert do(mesh, "oslo", "delete", "oslo", "i-2", resources=("namespace/shop",)).decision == "allow"
    for resource in (WEB, ResourceId("Secret/shop/ca")):
        mesh["oslo"].wipe(resource)
    mesh.settle(4)
    mesh["oslo"].start()
    mesh.settle(4)
    assert drifts(mesh, "oslo") == []
