"""What breaks outside an intent, through the machine: alerts that are raised once, and heal."""

from __future__ import annotations

from schemas.alerts import Alert
from schemas.events import BlindKind, ResourceEvent
from schemas.identity import KindId, ResourceId
from tests.kit.manifests import Manifest, deployment, mounts_secret, secret, service
from tests.unit.resolver.world import KINDS, World

WEB = ResourceId("apps/Deployment/shop/web")


def world(*there: Manifest) -> World:
    made = World()
    for one in there:
        made.cluster.put(one)
    made.settle()
    return made


def removed(made: World, resource: ResourceId) -> list[Alert]:
    """Somebody deletes it by hand; the alerts that are new."""
    before = len(made.alerts)
    made.cluster.remove(resource)
    made.see(ResourceEvent("delete", resource=resource))
    made.settle()
    return made.alerts[before:]


def written(made: World, manifest: Manifest) -> list[Alert]:
    before = len(made.alerts)
    made.see(ResourceEvent("put", made.cluster.put(manifest)))
    made.settle()
    return made.alerts[before:]


def test_a_secret_in_use_that_vanishes_is_an_alert_that_heals_when_it_is_back() -> None:
    made = world(secret("ca"), deployment("web", mounts_secret("ca")))
    (raised,) = removed(made, ResourceId("Secret/shop/ca"))
    assert (raised.code, raised.state, raised.dependents, raised.broken[0].source) == ("A310", "raised", 1, WEB)
    (healed,) = written(made, secret("ca"))
    assert (healed.id, healed.state) == (raised.id, "healed")


def test_a_secret_that_nobody_uses_vanishes_without_an_alert() -> None:
    assert removed(world(secret("ca"), deployment("web")), ResourceId("Secret/shop/ca")) == []


def test_the_last_match_of_a_service_that_vanishes_is_an_alert_that_heals_when_there_is_a_match_again() -> None:
    made = world(deployment("web"), service("web", "web"))
    (raised,) = removed(made, WEB)
    assert (raised.code, raised.state, raised.broken[0].source) == ("A310", "raised", "Service/shop/web")
    assert removed(world(deployment("web"), service("web"), deployment("two", app="web")), WEB) == []
    (healed,) = written(made, deployment("other", app="web"))
    assert (healed.id, healed.state) == (raised.id, "healed")


def test_the_last_match_of_a_service_that_is_scaled_to_zero_or_relabelled_is_an_alert() -> None:
    for changed in (deployment("web", replicas=0), deployment("web", app="other")):
        made = world(deployment("web"), service("web"))
        (raised,) = written(made, changed)
        assert (raised.code, raised.broken[0].source) == ("A210", "Service/shop/web")


def test_what_goes_with_the_last_match_of_a_service_is_told_once_and_heals_once() -> None:
    made = world(deployment("web"), deployment("two", app="web"), service("web"))
    assert removed(made, ResourceId("apps/Deployment/shop/two")) == []
    (raised,) = written(made, deployment("web", replicas=0))
    assert raised.message == "Deployment shop/web serves its dependents no more @ lyon: 1 resource still needs it"
    assert written(made, deployment("web", replicas=0, app="other")) == []
    assert removed(made, WEB) == []
    (healed,) = written(made, deployment("web"))
    assert (healed.id, healed.message) == (raised.id, "Deployment shop/web @ lyon serves its dependents again")


def test_who_names_what_another_selects_is_told_beside_a_selector_that_is_told_already() -> None:
    made = world(secret("ca"), deployment("web", mounts_secret("ca")), service("web"))
    (first,) = written(made, deployment("web", mounts_secret("ca"), app="other"))
    (second,) = removed(made, ResourceId("Secret/shop/ca"))
    assert (first.code, second.code) == ("A210", "A310")


def test_what_was_raised_is_not_raised_again_by_the_next_process() -> None:
    made = world(deployment("web"), service("web"))
    removed(made, WEB)
    made.kill()
    made.settle()
    assert [one.state for one in made.alerts] == ["raised"]
    (healed,) = written(made, deployment("web"))
    assert healed.state == "healed"


def blinded(made: World, *kinds: str, for_s: float = 6.0) -> list[str]:
    """The watcher cannot see these kinds; what is told of it: states and messages."""
    before = len(made.alerts)
    made.blind = {KindId(kind): BlindKind("failing", for_s, "no answer within 5 s") for kind in kinds}
    made.settle()
    return [f"{one.code} {one.state}: {one.message}" for one in made.alerts[before:]]


def test_a_kind_that_is_not_observed_is_an_alert_once_and_heals() -> None:
    made = world()
    assert blinded(made, "Secret", for_s=1.0) == [], "a connection that is made again"
    (raised,) = blinded(made, "Secret")
    assert raised == "A503 raised: Secret is not observed @ lyon (failing: no answer within 5 s)"
    assert blinded(made, "Secret", for_s=7.0) == []
    assert blinded(made) == ["A503 healed: Secret is observed again @ lyon"]


def test_a_site_of_which_nothing_is_observed_is_one_alert_and_what_stays_unseen_is_another() -> None:
    made = world()
    (raised,) = blinded(made, *KINDS)
    assert raised == "A503 raised: its whole application is not observed @ lyon (failing: no answer within 5 s)"
    assert sorted(blinded(made, "Secret")) == [
        "A503 healed: its whole application is observed again @ lyon",
        "A503 raised: Secret is not observed @ lyon (failing: no answer within 5 s)",
    ]
    assert blinded(made) == ["A503 healed: Secret is observed again @ lyon"]
