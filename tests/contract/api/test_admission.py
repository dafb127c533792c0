"""Validating webhooks, called for real over HTTPS: what they are told and what comes of their answer."""

from __future__ import annotations

import base64
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.contract.api.client import Api, Content
from tests.contract.api.things import configmap, configmaps, deployment, deployments

WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@dataclass(slots=True)
class Judge:
    """A webhook that allows all but what is labelled as forbidden."""

    namespace: str
    url: str = ""
    bundle: str = ""
    asked: list[Content] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = (await request.json())["request"]
        self.asked.append(asked)
        labels = (asked["object"] or asked["oldObject"])["metadata"].get("labels", {})
        response: Content = {"uid": asked["uid"], "allowed": True, "warnings": ["mind the gap"]}
        if "forbidden" in labels:
            status = {"message": "not like this", "code": 403, "reason": "Forbidden"}
            response = {"uid": asked["uid"], "allowed": False, **({"status": status} if labels["forbidden"] else {})}
        body = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response}
        return web.json_response(body)

    def configuration(self, **changes: Any) -> Content:
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
        hook = {"name": "judge.example.com", "rules": [rule], "sideEffects": "None", "admissionReviewVersions": ["v1"]}
        hook["clientConfig"] = {"url": self.url, "caBundle": self.bundle}
        hook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}
        hook["objectSelector"] = {"matchExpressions": [{"key": "judged", "operator": "Exists"}]}
        return {"metadata": {"name": f"judge-of-{self.namespace}"}, "webhooks": [{**hook, **changes}]}


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    directory = tmp_path_factory.mktemp("judge")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=judge"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
async def judge(api: Api, namespace: str, identity: tuple[Path, Path]) -> AsyncIterator[Judge]:
    certificate, key = identity
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    found = Judge(namespace, bundle=base64.b64encode(certificate.read_bytes()).decode())
    runner = web.ServerRunner(web.Server(found.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    found.url = f"https://127.0.0.1:{runner.addresses[0][1]}/judge"
    yield found
    await api.delete(f"{WEBHOOKS}/judge-of-{namespace}")
    await runner.cleanup()


async def installed(api: Api, judge: Judge, **changes: Any) -> None:
    """The real server takes up a webhook in its own time: until it asks."""
    created = await api.post(WEBHOOKS, judge.configuration(**changes))
    assert created.status == 201, created.text
    probe = configmap("probe", labels={"judged": "yes"})
    await api.until_true(lambda: _is_asked(api, judge, probe))
    judge.asked.clear()


async def _is_asked(api: Api, judge: Judge, probe: Content) -> bool:
    answer = await api.post(configmaps(judge.namespace), probe, dryRun="All")
    return bool(judge.asked) or answer.status == 500


async def test_a_webhook_is_told_what_happens_and_its_warnings_are_passed_on(api: Api, judge: Judge) -> None:
    await installed(api, judge)
    path = configmaps(judge.namespace)
    created = await api.post(path, configmap("a", {"k": "v"}, labels={"judged": "yes"}))
    assert (created.status, created.warnings) == (201, ['299 - "mind the gap"'])
    await api.patch(f"{path}/a", {"data": {"k": "w"}})
    await api.delete(f"{path}/a")
    create, update, delete = judge.asked
    assert [one["operation"] for one in judge.asked] == ["CREATE", "UPDATE", "DELETE"]
    assert create["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert create["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (create["name"], create["namespace"], create["oldObject"]) == ("a", judge.namespace, None)
    assert create["object"]["data"] == {"k": "v"}
    assert (update["oldObject"]["data"], update["object"]["data"]) == ({"k": "v"}, {"k": "w"})
    assert (delete["object"], delete["oldObject"]["data"]) == (None, {"k": "w"})
    assert create["dryRun"] is False
    assert "system:masters" in create["userInfo"]["groups"]


async def test_a_refusal_comes_back_in_the_words_of_the_webhook(api: Api, judge: Judge) -> None:
    await installed(api, judge)
    refused = await api.post(configmaps(judge.namespace), configmap("a", labels={"judged": "yes", "forbidden": "yes"}))
    assert (refused.status, refused.reason) == (403, "Forbidden")
    assert refused.message == 'admission webhook "judge.example.com" denied the request: not like this'
    silent = await api.post(configmaps(judge.namespace), configmap("a", labels={"judged": "yes", "forbidden": ""}))
    assert silent.status == 400
    assert silent.message == 'admission webhook "judge.example.com" denied the request without explanation'
    assert (await api.get(f"{configmaps(judge.namespace)}/a")).status == 404


async def test_only_what_rules_and_selectors_name_is_asked_about(api: Api, judge: Judge) -> None:
    await installed(api, judge)
    assert (await api.post(configmaps(judge.namespace), configmap("a"))).warnings == []
    labelled = {"metadata": {"name": "a", "labels": {"judged": "yes"}}}
    assert (await api.post(f"/api/v1/namespaces/{judge.namespace}/secrets", labelled)).warnings == []
    elsewhere = await api.post(configmaps("default"), configmap("a", labels={"judged": "yes"}), dryRun="All")
    assert elsewhere.warnings == []
    assert judge.asked == []


async def test_of_a_scale_a_webhook_sees_the_scale_alone_whatever_labels_its_workload_has(
    api: Api, judge: Judge
) -> None:
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["configmaps", "*/scale"]}
    unlabelled = {"matchExpressions": [{"key": "kept", "operator": "NotIn", "values": ["yes"]}]}
    await installed(api, judge, rules=[rule], objectSelector=unlabelled)
    body = deployment("web", 2)
    labelled = {**body, "metadata": {**body["metadata"], "labels": {"kept": "yes"}}}
    created = await api.post(deployments(judge.namespace), labelled)
    path = f"{deployments(judge.namespace)}/web/scale"
    for replicas in (0, 3):
        assert (await api.patch(path, {"spec": {"replicas": replicas}})).status == 200
    scales = [one for one in judge.asked if one.get("subResource") == "scale"]
    to_zero, to_three = scales[0], scales[-1]  # the real server asks again when a controller was first
    assert to_zero["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert to_zero["resource"] == {"group": "apps", "version": "v1", "resource": "deployments"}
    assert (to_zero["name"], to_zero["operation"]) == ("web", "UPDATE")
    asked = to_zero["object"]
    assert (asked["kind"], asked["spec"], to_zero["oldObject"]["spec"]) == ("Scale", {}, {"replicas": 2})
    assert asked["metadata"]["uid"] == created.content["metadata"]["uid"]
    assert "labels" not in asked["metadata"]
    assert to_three["object"]["spec"] == {"replicas": 3}


async def test_a_webhook_that_cannot_be_reached_refuses_or_is_passed_over(api: Api, judge: Judge) -> None:
    nowhere = {"url": "https://127.0.0.1:1/none", "caBundle": judge.bundle}
    await installed(api, judge, clientConfig=nowhere)
    body = configmap("a", labels={"judged": "yes"})
    refused = await api.post(configmaps(judge.namespace), body)
    assert (refused.status, refused.reason) == (500, "InternalError")
    assert 'Internal error occurred: failed calling webhook "judge.example.com": ' in refused.message
    path = f"{WEBHOOKS}/judge-of-{judge.namespace}"
    operations = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
    assert (await api.patch(path, operations, "application/json-patch+json")).status == 200

    async def is_passed_over() -> bool:
        return (await api.post(configmaps(judge.namespace), body, dryRun="All")).status == 201

    await api.until_true(is_passed_over)
