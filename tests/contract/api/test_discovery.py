"""What is served, in both forms of discovery."""

from __future__ import annotations

from tests.contract.api.client import Api

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
STABLE = {  # what people deploy; plural → kind, namespaced
    ("v1", "configmaps"): ("ConfigMap", True),
    ("v1", "secrets"): ("Secret", True),
    ("v1", "pods"): ("Pod", True),
    ("v1", "services"): ("Service", True),
    ("v1", "namespaces"): ("Namespace", False),
    ("v1", "nodes"): ("Node", False),
    ("v1", "persistentvolumes"): ("PersistentVolume", False),
    ("apps/v1", "deployments"): ("Deployment", True),
    ("apps/v1", "statefulsets"): ("StatefulSet", True),
    ("batch/v1", "cronjobs"): ("CronJob", True),
    ("autoscaling/v2", "horizontalpodautoscalers"): ("HorizontalPodAutoscaler", True),
    ("networking.k8s.io/v1", "ingresses"): ("Ingress", True),
    ("policy/v1", "poddisruptionbudgets"): ("PodDisruptionBudget", True),
    ("rbac.authorization.k8s.io/v1", "clusterroles"): ("ClusterRole", False),
    ("storage.k8s.io/v1", "storageclasses"): ("StorageClass", False),
    ("apiextensions.k8s.io/v1", "customresourcedefinitions"): ("CustomResourceDefinition", False),
    ("discovery.k8s.io/v1", "endpointslices"): ("EndpointSlice", True),
    ("gateway.none/v1", "nothing"): ("", False),
}


def _path(group_version: str) -> str:
    return f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"


async def test_the_stable_kinds_are_served_in_plain_discovery(api: Api) -> None:
    for (group_version, plural), (kind, namespaced) in STABLE.items():
        listed = await api.get(_path(group_version))
        if not kind:
            assert listed.status == 404
            continue
        assert listed.content["kind"] == "APIResourceList"
        assert listed.content["groupVersion"] == group_version
        found = next(row for row in listed.content["resources"] if row["name"] == plural)
        assert (found["kind"], found["namespaced"]) == (kind, namespaced)
        assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(found["verbs"])
        assert found["singularName"] == kind.lower()


async def test_aggregated_discovery_says_the_same_as_plain_discovery(api: Api) -> None:
    for root in ("/api", "/apis"):
        answer = await api.call("GET", root, accept=AGGREGATED)
        assert answer.headers["Content-Type"] == AGGREGATED
        assert answer.content["kind"] == "APIGroupDiscoveryList"
        for group in answer.content["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                plain = await api.get(f"{root}/{name}/{version['version']}" if name else f"{root}/{version['version']}")
                rows = {row["name"]: row["kind"] for row in plain.content["resources"] if "/" not in row["name"]}
                assert rows == {row["resource"]: row["responseKind"]["kind"] for row in version["resources"]}


async def test_a_client_that_prefers_plain_discovery_gets_it(api: Api) -> None:
    assert (await api.get("/apis")).content["kind"] == "APIGroupList"
    assert (await api.get("/api")).content == {
        **(await api.get("/api")).content,
        "kind": "APIVersions",
        "versions": ["v1"],
    }


async def test_a_group_names_its_preferred_version(api: Api) -> None:
    found = (await api.get("/apis/autoscaling")).content
    assert found["preferredVersion"] == {"groupVersion": "autoscaling/v2", "version": "v2"}
    assert [version["version"] for version in found["versions"]] == ["v2", "v1"]


async def test_subresources_are_listed_beside_their_resource(api: Api) -> None:
    rows = {row["name"]: row for row in (await api.get("/apis/apps/v1")).content["resources"]}
    assert rows["deployments/scale"]["kind"] == "Scale"
    assert rows["deployments/scale"]["group"] == "autoscaling"
    assert set(rows["deployments/status"]["verbs"]) == {"get", "patch", "update"}


async def test_the_version_is_1_36(api: Api) -> None:
    version = (await api.get("/version")).content
    assert (version["major"], version["minor"]) == ("1", "36")
    assert version["gitVersion"].startswith("v1.36.")


async def test_health_is_asked_without_json(api: Api) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        assert (await api.get(path)).text == "ok"


async def test_openapi_tells_how_containers_merge(api: Api) -> None:
    schemas = (await api.get("/openapi/v3/api/v1")).content["components"]["schemas"]
    (pod_spec,) = (schema for name, schema in schemas.items() if name.endswith("PodSpec"))
    containers = pod_spec["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]


async def test_every_served_version_has_its_openapi_document(api: Api) -> None:
    groups = (await api.get("/apis")).content["groups"]
    served = [version["groupVersion"] for group in groups for version in group["versions"]]
    assert "networking.k8s.io/v1" in served
    for name in served:
        found = await api.get(f"/openapi/v3/apis/{name}")
        assert (found.status, bool(found.content["components"]["schemas"])) == (200, True), name


async def test_unknown_resources_and_groups_are_404(api: Api) -> None:
    unknown = await api.get("/api/v1/foos")
    assert unknown.status == 404
    assert unknown.content["kind"] == "Status"
    assert unknown.message == "the server could not find the requested resource"
    assert (await api.get("/apis/nope/v1/things")).text == "404 page not found\n"
