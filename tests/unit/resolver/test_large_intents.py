"""What a decision costs grows with what it is about, not with the square of it.

Counted are calls, of Python and of what is built in: where everything is compiled there are fewer to count, and the
pieces' own tests (among, standing, overlay, plan) say the same of each.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from schemas.events import Reference
from schemas.identity import ResourceId
from schemas.intents import Intent
from services.resolver.graph.view import Edge
from services.resolver.judge.cascade import Cascade
from tests.kit.calls import calls_of
from tests.kit.manifests import Manifest, deployment, namespace, secret, settings, thing, without_uid
from tests.unit.resolver.sketches import NOW
from tests.unit.resolver.test_gate import Site

FEW: Final = 40
TIMES: Final = 4
Asked = tuple[Site, Intent]


def work(asked: Asked) -> int:
    """Calls of a preview."""
    site, intent = asked
    return calls_of(lambda: site.machine.preview(intent, site.moment))


def intent(site: Site, **what: Any) -> Asked:
    until = NOW + timedelta(hours=1)
    return site, Intent(id="i-1", site=site.machine.site, created_at=NOW, expires_at=until, preview=True, **what)


def applied(site: Site, *manifests: Manifest) -> Asked:
    return intent(site, verb="apply", manifests=tuple(map(without_uid, manifests)))


def deleted(site: Site, *resources: str, **how: Any) -> Asked:
    return intent(site, verb="delete", resources=tuple(map(ResourceId, resources)), **how)


def reading(many: int, image: str = "a") -> Manifest:
    """A Deployment that reads a key of each of many Secrets."""
    env = [{"name": f"E{one}", "valueFrom": {"secretKeyRef": {"name": f"s{one}", "key": "k"}}} for one in range(many)]
    return deployment("web", {"containers": [{"name": "web", "image": image, "env": env}]})


def whole(name: str, of: str) -> Manifest:
    """A Deployment that reads all of a Secret."""
    containers = [{"name": "web", "image": "a", "envFrom": [{"secretRef": {"name": of}}]}]
    return deployment(name, {"containers": containers})


def selected(number: int) -> list[Manifest]:
    labels = {"app": f"a{number}"}
    made = thing("Pod", f"p{number}", labels=labels, spec={"containers": [{"name": "a", "image": "b"}]})
    return [thing("Service", f"s{number}", spec={"selector": labels, "ports": [{"port": 80}]}), made]


def change_of_one_that_names_many(many: int) -> Asked:
    return applied(Site(namespace(), reading(many)), reading(many, "b"))


def change_of_one_whose_many_are_there(many: int) -> Asked:
    there = [secret(f"s{one}", "k") for one in range(many)]
    return applied(Site(namespace(), reading(many), *there), reading(many, "b"))


def reading_keys(many: int) -> Manifest:
    """A Deployment that reads many keys of one Secret."""
    env = [{"name": f"E{one}", "valueFrom": {"secretKeyRef": {"name": "s", "key": f"k{one}"}}} for one in range(many)]
    return deployment("web", {"containers": [{"name": "web", "image": "a", "env": env}]})


def keys_that_go(many: int) -> Asked:
    there = secret("s", *(f"k{one}" for one in range(many)))
    return applied(Site(namespace(), there, reading_keys(many)), secret("s", "k0"))


def keys_that_are_not_there(many: int) -> Asked:
    return applied(Site(namespace(), secret("s")), reading_keys(many))


def keys_of_what_is_not_there(many: int) -> Asked:
    return applied(Site(namespace()), reading_keys(many))


def namespace_that_holds_many(many: int) -> Asked:
    return deleted(Site(namespace(), *(settings(f"c{one}") for one in range(many))), "Namespace/shop")


def namespace_in_which_many_bindings_are_for_many_workloads(many: int) -> Asked:
    rbac = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": "shop"}
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": "view"}
    bindings = [
        thing("RoleBinding", f"b{one}", api=f"{rbac}/v1", subjects=[subject], roleRef=role) for one in range(many)
    ]
    workloads = [deployment(f"d{one}", {"serviceAccountName": "robot"}) for one in range(many)]
    return deleted(Site(namespace(), thing("ServiceAccount", "robot"), *bindings, *workloads), "Namespace/shop")


def dependents_that_go_too(many: int) -> Asked:
    users = [whole(f"w{one}", "s") for one in range(many)]
    made = [thing("ReplicaSet", f"r{one}", owners=(user,), spec=user["spec"]) for one, user in enumerate(users)]
    return deleted(Site(namespace(), secret("s"), *users, *made), "Secret/shop/s", cascade="dependents")


def services_with_their_pods(many: int) -> Asked:
    return applied(Site(namespace()), *(one for number in range(many) for one in selected(number)))


@pytest.mark.parametrize(
    "asked",
    [
        change_of_one_that_names_many,
        change_of_one_whose_many_are_there,
        keys_that_go,
        keys_that_are_not_there,
        keys_of_what_is_not_there,
        namespace_that_holds_many,
        namespace_in_which_many_bindings_are_for_many_workloads,
        dependents_that_go_too,
        services_with_their_pods,
    ],
)
def test_what_a_decision_costs_grows_with_what_it_is_about(asked: Callable[[int], Asked]) -> None:
    work(asked(FEW))  # what is made once
    few, many = work(asked(FEW)), work(asked(TIMES * FEW))
    assert many < 1.25 * TIMES * few


def test_what_goes_is_put_together_once() -> None:
    home, within = ResourceId("Namespace/shop"), Reference("home", "metadata.namespace", "containment", "A")
    pods = [ResourceId(f"Pod/shop/p{one}") for one in range(100)]
    cascade = Cascade((home,), {one: Edge(one, home, within) for one in pods})
    assert cascade.all == {home, *pods}
    assert cascade.all is cascade.all, "whoever looks at each child asks for it"
