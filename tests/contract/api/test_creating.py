"""Create: names, identity, what the server fills in, what it refuses."""

from __future__ import annotations

import re

import pytest

from tests.contract.api.client import YAML, Api
from tests.contract.api.things import configmap, configmaps, deployment, deployments, pod, pods, secrets, services


async def test_a_created_object_gets_uid_version_and_time(api: Api, namespace: str) -> None:
    created = await api.post(configmaps(namespace), configmap("a", {"k": "v"}))
    assert created.status == 201
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", created.metadata["uid"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created.metadata["creationTimestamp"])
    assert created.version.isdecimal()
    assert created.metadata["namespace"] == namespace
    assert "generation" not in created.metadata
    assert (await api.get(f"{configmaps(namespace)}/a")).content == created.content


async def test_the_creator_owns_what_it_wrote(api: Api, namespace: str) -> None:
    created = await api.post(configmaps(namespace), configmap("a", {"k": "v"}), fieldManager="me")
    (entry,) = created.metadata["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("me", "Update", "v1")
    assert entry["fieldsV1"] == {"f:data": {".": {}, "f:k": {}}}


async def test_without_a_manager_the_user_agent_is_taken(api: Api, namespace: str) -> None:
    created = await api.post(configmaps(namespace), configmap("a", {"k": "v"}))
    assert created.metadata["managedFields"][0]["manager"] == "contract"


async def test_a_name_that_is_taken_is_409(api: Api, namespace: str) -> None:
    await api.post(configmaps(namespace), configmap("a"))
    again = await api.post(configmaps(namespace), configmap("a"))
    assert (again.status, again.reason) == (409, "AlreadyExists")
    assert again.message == 'configmaps "a" already exists'
    assert again.content["details"] == {"name": "a", "kind": "configmaps"}


async def test_generate_name_makes_names(api: Api, namespace: str) -> None:
    body = {"metadata": {"generateName": "run-"}}
    names = {(await api.post(configmaps(namespace), body)).metadata["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(re.fullmatch(r"run-[a-z0-9]{5}", name) for name in names)


async def test_an_object_without_any_name_is_422(api: Api, namespace: str) -> None:
    nameless = await api.post(configmaps(namespace), {"metadata": {}})
    assert (nameless.status, nameless.reason) == (422, "Invalid")
    assert (
        nameless.message == 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'
    )
    assert nameless.causes == [
        {
            "reason": "FieldValueRequired",
            "message": "Required value: name or generateName is required",
            "field": "metadata.name",
        }
    ]


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a-", "a b", ".", "a..b", "x" * 254])
async def test_a_name_that_is_no_subdomain_is_422(api: Api, namespace: str, name: str) -> None:
    refused = await api.post(configmaps(namespace), configmap(name))
    assert (refused.status, refused.reason) == (422, "Invalid")
    assert refused.content["details"]["kind"] == "ConfigMap"
    assert {cause["field"] for cause in refused.causes} == {"metadata.name"}


async def test_names_of_namespaces_are_labels_and_names_of_roles_are_freer(api: Api, namespace: str) -> None:
    for name, wrong in (("a.b", "must not contain dots"), ("A", "a lowercase RFC 1123 label must consist of")):
        refused = await api.post("/api/v1/namespaces", {"metadata": {"name": name}})
        assert refused.status == 422
        assert f'Namespace "{name}" is invalid: metadata.name: Invalid value: "{name}": {wrong}' in refused.message
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles"
    assert (await api.post(path, {"metadata": {"name": "My:Role.x"}, "rules": []})).status == 201
    assert (await api.post(path, {"metadata": {"name": "a%b"}, "rules": []})).status == 422


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("a/b", "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',"),
        ("", "a valid config key must consist of"),
        ("..", "must not be '..'"),
        ("..a", "must not start with '..'"),
    ],
)
async def test_keys_of_config_maps_and_secrets_are_names_of_files(
    api: Api, namespace: str, key: str, wrong: str
) -> None:
    for path, kind, value in ((configmaps(namespace), "ConfigMap", "v"), (secrets(namespace), "Secret", "dg==")):
        refused = await api.post(path, {"metadata": {"name": "a"}, "data": {key: value}})
        assert (refused.status, refused.reason) == (422, "Invalid")
        assert refused.message.startswith(f'{kind} "a" is invalid: data[{key}]: Invalid value: "{key}": {wrong}')
        assert [cause["field"] for cause in refused.causes] == [f"data[{key}]"]


async def test_a_key_is_text_or_binary_and_not_both(api: Api, namespace: str) -> None:
    refused = await api.post(configmaps(namespace), {**configmap("a", {"k": "v"}), "binaryData": {"k": "dg=="}})
    assert refused.message.endswith('data[k]: Invalid value: "k": duplicate of key present in binaryData')


async def test_labels_and_annotations_are_checked_one_by_one(api: Api, namespace: str) -> None:
    body = configmap("a", labels={"a b": "c", "x": "y z"}, annotations={"bad key": "1"})
    refused = await api.post(configmaps(namespace), body)
    assert refused.status == 422
    fields = [cause["field"] for cause in refused.causes]
    assert fields == ["metadata.labels", "metadata.labels", "metadata.annotations"]
    assert 'Invalid value: "a b": name part must consist of alphanumeric characters' in refused.message


async def test_an_object_of_another_kind_version_or_namespace_is_400(api: Api, namespace: str) -> None:
    for change in ({"kind": "Pod"}, {"apiVersion": "v2"}):
        refused = await api.post(configmaps(namespace), {**configmap("a"), **change})
        assert (refused.status, refused.reason) == (400, "BadRequest")
        assert "cannot be handled as a ConfigMap" in refused.message
    elsewhere = await api.post(configmaps(namespace), configmap("a", namespace="other"))
    assert elsewhere.status == 400
    expected = "the namespace of the provided object does not match the namespace sent on the request"
    assert elsewhere.message == expected


async def test_kind_and_version_may_be_left_to_the_url(api: Api, namespace: str) -> None:
    created = await api.post(configmaps(namespace), {"metadata": {"name": "a"}})
    assert (created.content["kind"], created.content["apiVersion"]) == ("ConfigMap", "v1")


async def test_yaml_is_taken_and_other_types_are_415(api: Api, namespace: str) -> None:
    text = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata: {k: v}\n"
    assert (await api.call("POST", configmaps(namespace), text, YAML)).content["data"] == {"k": "v"}
    assert (await api.call("POST", configmaps(namespace), "x", "text/plain")).status == 415


async def test_an_object_of_a_mebibyte_is_made_and_one_above_three_is_413(api: Api, namespace: str) -> None:
    within = await api.post(configmaps(namespace), {"metadata": {"name": "a"}, "data": {"k": "v" * 2**20}})
    assert within.status == 201
    above = await api.post(configmaps(namespace), {"metadata": {"name": "a"}, "data": {"k": "v" * 3 * 2**20}})
    assert (above.status, above.content["reason"]) == (413, "RequestEntityTooLarge")
    assert above.message == "Request entity too large: limit is 3145728"


@pytest.mark.parametrize("body", ["{nope", "[]", ""])
async def test_what_is_no_object_is_400(api: Api, namespace: str, body: str) -> None:
    refused = await api.call("POST", configmaps(namespace), body)
    assert (refused.status, refused.reason) == (400, "BadRequest")


async def test_a_version_or_time_of_ones_own_does_not_help(api: Api, namespace: str) -> None:
    assert (await api.post(configmaps(namespace), configmap("a", resourceVersion="5"))).status == 500
    body = configmap(
        "b", uid="mine", creationTimestamp="2001-01-01T00:00:00Z", deletionTimestamp="2001-01-01T00:00:00Z"
    )
    created = await api.post(configmaps(namespace), body)
    assert created.status == 201
    assert created.metadata["uid"] != "mine"
    assert "deletionTimestamp" not in created.metadata


async def test_a_dry_run_answers_and_stores_nothing(api: Api, namespace: str) -> None:
    tried = await api.post(configmaps(namespace), configmap("a", {"k": "v"}), dryRun="All")
    assert (tried.status, tried.content["data"]) == (201, {"k": "v"})
    assert "resourceVersion" not in tried.metadata
    assert (await api.get(f"{configmaps(namespace)}/a")).status == 404
    assert (await api.post(configmaps(namespace), configmap("a"), dryRun="Some")).status == 422


async def test_unknown_and_duplicate_fields_are_refused_warned_about_or_dropped(api: Api, namespace: str) -> None:
    body = '{"metadata":{"name":"a"},"dat":{"k":"v"},"data":{"x":"1","x":"2"}}'
    strict = await api.call("POST", configmaps(namespace), body, fieldValidation="Strict")
    assert (strict.status, strict.reason) == (400, "BadRequest")
    assert strict.message.endswith('strict decoding error: unknown field "dat", duplicate field "data.x"')
    warned = await api.call("POST", configmaps(namespace), body)
    assert warned.status == 201
    assert warned.warnings == ['299 - "unknown field \\"dat\\""', '299 - "duplicate field \\"data.x\\""']
    assert warned.content["data"] == {"x": "2"}
    assert "dat" not in warned.content
    ignored = await api.call("POST", configmaps(namespace), body.replace('"a"', '"b"'), fieldValidation="Ignore")
    assert (ignored.status, ignored.warnings) == (201, [])
    assert (await api.call("POST", configmaps(namespace), body, fieldValidation="Maybe")).status == 422


async def test_unknown_fields_deep_in_a_pod_are_named_by_their_path(api: Api, namespace: str) -> None:
    body = deployment("web", 0)
    body["spec"]["template"]["spec"]["containers"][0]["prots"] = [{"containerPort": 80}]
    refused = await api.post(deployments(namespace), body, fieldValidation="Strict")
    assert 'unknown field "spec.template.spec.containers[0].prots"' in refused.message


async def test_a_value_of_the_wrong_type_is_400(api: Api, namespace: str) -> None:
    for path, body in (
        (configmaps(namespace), {"metadata": {"name": "a"}, "data": {"k": 5}}),
        (deployments(namespace), {**deployment("web"), "spec": {**deployment("web")["spec"], "replicas": "two"}}),
        (secrets(namespace), {"metadata": {"name": "a"}, "data": {"k": "not base64"}}),
    ):
        refused = await api.post(path, body)
        assert (refused.status, refused.reason) == (400, "BadRequest"), refused.text
        assert "cannot be handled as a" in refused.message


async def test_required_fields_are_named(api: Api, namespace: str) -> None:
    refused = await api.post(deployments(namespace), {"metadata": {"name": "web"}, "spec": {}})
    assert refused.status == 422
    assert [cause["field"] for cause in refused.causes] == [
        "spec.selector",
        "spec.template.metadata.labels",
        "spec.template.spec.containers",
    ]
    nameless = await api.post(pods(namespace), {"metadata": {"name": "p"}, "spec": {"containers": [{"image": "x"}]}})
    assert [cause["field"] for cause in nameless.causes] == ["spec.containers[0].name"]


async def test_secrets_turn_texts_into_data(api: Api, namespace: str) -> None:
    body = {"metadata": {"name": "s"}, "stringData": {"a": "b"}, "data": {"c": "ZA=="}}
    created = await api.post(secrets(namespace), body)
    assert created.content["data"] == {"a": "Yg==", "c": "ZA=="}
    assert created.content["type"] == "Opaque"
    assert "stringData" not in created.content


async def test_services_get_an_address_and_defaults(api: Api, namespace: str) -> None:
    body = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}}
    spec = (await api.post(services(namespace), body)).content["spec"]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert (spec["type"], spec["sessionAffinity"]) == ("ClusterIP", "None")
    body = {"metadata": {"name": "headless"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}}
    assert (await api.post(services(namespace), body)).content["spec"]["clusterIP"] == "None"


async def test_deployments_get_their_defaults(api: Api, namespace: str) -> None:
    body = deployment("web")
    del body["spec"]["replicas"]
    created = await api.post(deployments(namespace), body, dryRun="All")
    spec, pod_spec = created.content["spec"], created.content["spec"]["template"]["spec"]
    assert created.metadata["generation"] == 1
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert pod_spec["containers"][0] == {
        "name": "main",
        "image": "example/web:1",
        "imagePullPolicy": "IfNotPresent",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    assert (pod_spec["restartPolicy"], pod_spec["dnsPolicy"]) == ("Always", "ClusterFirst")


async def test_pods_need_a_service_account_and_a_priority_class_that_exist(api: Api, namespace: str) -> None:
    refused = await api.post(pods(namespace), pod("p", serviceAccountName="none"))
    assert (refused.status, refused.reason) == (403, "Forbidden")
    assert refused.message.endswith('serviceaccount "none" not found')
    refused = await api.post(pods(namespace), pod("p", priorityClassName="none"))
    assert (refused.status, refused.message) == (
        403,
        'pods "p" is forbidden: no PriorityClass with name none was found',
    )


async def test_pods_get_their_account_token_mounted(api: Api, namespace: str) -> None:
    created = await api.post(pods(namespace), pod("p", nodeSelector={"none": "such"}))
    spec = created.content["spec"]
    assert spec["serviceAccountName"] == "default"
    (volume,) = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    sources = [next(iter(source)) for source in volume["projected"]["sources"]]
    assert sources == ["serviceAccountToken", "configMap", "downwardAPI"]
    (mount,) = spec["containers"][0]["volumeMounts"]
    assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    without = await api.post(
        pods(namespace), pod("q", automountServiceAccountToken=False, nodeSelector={"none": "such"})
    )
    assert "volumes" not in without.content["spec"]
