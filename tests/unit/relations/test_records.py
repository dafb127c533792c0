"""What `cheops relations -o json` prints of manifests: every field, and when it is true, false or null."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import LabelSelector, Requirement, ResourceState, Selector
from schemas.identity import KindId, ResourceId
from schemas.relations.edges import Given, records
from schemas.relations.selector import selects
from tests.unit.relations.reading import made, state

FIELDS = [
    "source", "relation", "phases", "rule", "path", "target", "selector", "granule", "optional", "soft", "confidence",
    "resolved", "part_resolved", "granted",
]  # fmt: skip
GATEWAY = "gateway.networking.k8s.io/v1"


def rows(rule: str, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in records([state(one) for one in bodies]) if row["rule"] == rule]


def mounting(**items: Any) -> dict[str, Any]:
    return made("Pod", spec={"volumes": [{"secret": {"secretName": "edge-ca", **items}}]})


def test_a_record_has_exactly_the_fields_of_the_contract() -> None:
    (row,) = rows("podspec.volume.secret", mounting())
    assert list(row) == FIELDS
    assert row == {
        "source": "Pod/shop/web",
        "relation": "reliance",
        "phases": ["S", "L"],
        "rule": "podspec.volume.secret",
        "path": "spec.volumes[0].secret.secretName",
        "target": "Secret/shop/edge-ca",
        "selector": None,
        "granule": None,
        "optional": False,
        "soft": False,
        "confidence": "declared",
        "resolved": False,
        "part_resolved": None,
        "granted": None,
    }


@pytest.mark.parametrize(
    ("content", "there"),
    [
        ({"data": {"crt": "eA=="}}, True),
        ({"stringData": {"crt": "x"}}, True),
        ({"data": {"key": "eA=="}}, False),
        ({}, False),
    ],
)
def test_a_key_is_there_when_the_secret_has_it(content: dict[str, Any], there: bool) -> None:
    (row,) = rows("podspec.volume.secret", mounting(items=[{"key": "crt"}]), made("Secret", name="edge-ca", **content))
    assert (row["granule"], row["resolved"], row["part_resolved"]) == ("key:crt", True, there)


def test_a_configmap_offers_its_binary_keys_too() -> None:
    pod = made("Pod", spec={"volumes": [{"configMap": {"name": "cfg", "items": [{"key": "logo"}]}}]})
    (row,) = rows("podspec.volume.configmap", pod, made("ConfigMap", name="cfg", binaryData={"logo": "eA=="}))
    assert row["part_resolved"] is True


@pytest.mark.parametrize(("port", "there"), [({"name": "http"}, True), ({"number": 80}, True), ({"number": 81}, False)])
def test_a_port_is_there_by_name_and_by_number(port: dict[str, Any], there: bool) -> None:
    backend = {"service": {"name": "web", "port": port}}
    door = made("Ingress", "networking.k8s.io/v1", spec={"defaultBackend": backend})
    service = made("Service", spec={"ports": [{"name": "http", "port": 80}]})
    (row,) = rows("ingress.backend.service", door, service)
    assert (row["resolved"], row["part_resolved"]) == (True, there)


def test_a_selector_is_printed_with_its_kind_namespace_and_labels() -> None:
    (row,) = rows("service.selector", made("Service", spec={"selector": {"app": "web"}}))
    assert row["selector"] == {
        "kind": "Pod",
        "namespace": "shop",
        "matchLabels": {"app": "web"},
        "matchExpressions": [],
    }
    assert (row["target"], row["resolved"]) == (None, False)


def test_a_service_is_resolved_by_the_pods_that_a_workload_will_make() -> None:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 80}]}]},
    }
    workload = made("Deployment", "apps/v1", spec={"template": template})
    service = made("Service", spec={"selector": {"app": "web"}, "ports": [{"port": 1, "targetPort": "http"}]})
    (row,) = rows("service.selector", service, workload)
    assert (row["granule"], row["resolved"], row["part_resolved"]) == ("port:http", True, True)


def test_the_default_class_is_the_one_that_is_marked() -> None:
    claim = made("PersistentVolumeClaim", spec={})
    note = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    (row,) = rows("claim.class.default", claim, made("StorageClass", "storage.k8s.io/v1", "fast", "", metadata=note))
    assert row["resolved"]
    (row,) = rows("claim.class.default", claim, made("StorageClass", "storage.k8s.io/v1", "fast", ""))
    assert not row["resolved"]


def test_a_custom_resource_needs_its_definition_and_the_served_version() -> None:
    versions = [{"name": "v1", "served": True}, {"name": "v1alpha1", "served": False}]
    spec = {"group": "example.com", "names": {"kind": "Widget", "plural": "widgets"}, "versions": versions}
    definition = made("CustomResourceDefinition", "apiextensions.k8s.io/v1", "widgets.example.com", "", spec=spec)
    for version, there in (("v1", True), ("v1alpha1", False)):
        (row,) = rows("object.definition", made("Widget", f"example.com/{version}"), definition)
        assert (row["relation"], row["resolved"], row["part_resolved"]) == ("containment", True, there)


def test_what_every_cluster_has_is_resolved() -> None:
    binding = made("RoleBinding", "rbac.authorization.k8s.io/v1", roleRef={"kind": "ClusterRole", "name": "view"})
    assert [row["resolved"] for row in rows("binding.role", binding)] == [True]
    assert [row["resolved"] for row in rows("podspec.serviceaccount.default", made("Pod", spec={}))] == [True]
    assert [row["resolved"] for row in rows("object.namespace", made("Pod"))] == [True]


def test_a_host_that_names_no_given_service_is_not_printed() -> None:
    pod = made("Pod", spec={"containers": [{"env": [{"name": "CART", "value": "cart:7070"}]}]})
    assert rows("podspec.service.env", pod) == []
    (row,) = rows("podspec.service.env", pod, made("Service", name="cart", spec={"ports": [{"port": 7070}]}))
    assert (row["confidence"], row["granule"], row["part_resolved"]) == ("inferred", "port:7070", True)


# ── permissions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def route(namespace: str = "shop", **backend: Any) -> dict[str, Any]:
    parent = {"name": "door", "namespace": "edge", "sectionName": "web"}
    rules = [{"backendRefs": [{"name": "api", "port": 80, **backend}]}]
    return made("HTTPRoute", GATEWAY, namespace=namespace, spec={"parentRefs": [parent], "rules": rules})


def grant(**spec: Any) -> dict[str, Any]:
    origin = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "shop"}
    return made(
        "ReferenceGrant", GATEWAY, namespace="back", spec={"from": [origin], "to": [{"kind": "Service"}], **spec}
    )


def granted(*bodies: dict[str, Any], rule: str = "route.backend") -> bool | None:
    (row,) = rows(rule, *bodies)
    return row["granted"]  # type: ignore[no-any-return]  # a printed record


def test_a_reference_inside_its_namespace_needs_no_permission() -> None:
    assert granted(route()) is None


def test_a_reference_into_another_namespace_needs_a_grant_there() -> None:
    assert granted(route(namespace="shop") | {}, rule="route.backend") is None
    abroad = route()
    abroad["spec"]["rules"][0]["backendRefs"][0]["namespace"] = "back"
    assert granted(abroad) is False
    assert granted(abroad, grant()) is True


@pytest.mark.parametrize(
    "spec",
    [
        {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "other"}]},
        {"from": [{"group": "gateway.networking.k8s.io", "kind": "GRPCRoute", "namespace": "shop"}]},
        {"to": [{"kind": "Secret"}]},
        {"to": [{"kind": "Service", "name": "other"}]},
        {"from": []},
        {"to": "everything"},
    ],
)
def test_a_grant_for_others_or_for_other_things_permits_nothing(spec: dict[str, Any]) -> None:
    abroad = route()
    abroad["spec"]["rules"][0]["backendRefs"][0]["namespace"] = "back"
    assert granted(abroad, grant(**spec)) is False


def test_a_grant_stands_where_the_target_is() -> None:
    abroad = route()
    abroad["spec"]["rules"][0]["backendRefs"][0]["namespace"] = "back"
    elsewhere = grant()
    elsewhere["metadata"]["namespace"] = "shop"
    assert granted(abroad, elsewhere) is False


def gateway(**namespaces: Any) -> dict[str, Any]:
    allowed = {"namespaces": namespaces} if namespaces else {}
    listeners = [{"name": "web", "port": 80, "allowedRoutes": allowed}, {"name": "other", "port": 81}]
    return made("Gateway", GATEWAY, "door", "edge", spec={"gatewayClassName": "x", "listeners": listeners})


def test_a_listener_admits_routes_of_its_own_namespace_unless_it_says_more() -> None:
    assert granted(route(), gateway(), rule="route.parent") is False
    assert granted(route("edge"), gateway(), rule="route.parent") is True
    assert granted(route(), gateway(**{"from": "All"}), rule="route.parent") is True
    assert granted(route("edge"), gateway(**{"from": "None"}), rule="route.parent") is False


def test_a_listener_may_choose_namespaces_by_their_labels() -> None:
    chosen = gateway(**{"from": "Selector", "selector": {"matchLabels": {"edge": "yes"}}})
    labelled = made("Namespace", name="shop", namespace="", metadata={"labels": {"edge": "yes"}})
    assert granted(route(), chosen, rule="route.parent") is False
    assert granted(route(), chosen, labelled, rule="route.parent") is True
    by_name = gateway(**{"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}})
    assert granted(route(), by_name, rule="route.parent") is True


def test_a_listener_may_admit_only_some_kinds() -> None:
    door = gateway(**{"from": "All"})
    door["spec"]["listeners"][0]["allowedRoutes"]["kinds"] = [{"kind": "GRPCRoute"}]
    assert granted(route(), door, rule="route.parent") is False
    door["spec"]["listeners"][0]["allowedRoutes"]["kinds"] = [{"kind": "HTTPRoute"}]
    assert granted(route(), door, rule="route.parent") is True


def test_without_the_gateway_nothing_is_said_of_permission() -> None:
    assert granted(route(), rule="route.parent") is None


# ── selection by the index is selection ─────────────────────────────────────────────────────────────────────────────

label_sets = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2)
pods = st.lists(
    st.tuples(st.sampled_from(["Pod", "apps/Deployment"]), st.sampled_from(["shop", "back"]), label_sets), max_size=6
)
wanted = st.builds(
    LabelSelector,
    label_sets,
    st.lists(
        st.builds(Requirement, st.sampled_from("ab"), st.sampled_from(["Exists", "DoesNotExist"])), max_size=1
    ).map(tuple),
)


@given(pods, wanted, st.sampled_from([(), ("shop",), ("shop", "back")]))
def test_the_index_chooses_what_a_look_at_each_would_choose(
    several: list[tuple[str, str, dict[str, str]]], labels: LabelSelector, namespaces: tuple[str, ...]
) -> None:
    states = [
        ResourceState(
            ResourceId(f"{kind}/{namespace}/p{place}"),
            labels=own if kind == "Pod" else {},
            template_labels=None if kind == "Pod" else own,
        )
        for place, (kind, namespace, own) in enumerate(several)
    ]
    selector = Selector(KindId("Pod"), namespaces, labels)
    chosen = {one.resource for one in Given(states).selected(selector)}
    plain = {
        one.resource
        for one in states
        if selects(selector, one) and (not namespaces or one.resource.split("/")[-2] in namespaces)
    }
    assert chosen == plain
