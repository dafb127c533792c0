"""Objects and the rules in CEL of their definitions are put to a real API server: it says what `cheops check` says.

The embedded one does not read CEL.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cheops.forms.custom import rules_broken, wrong_with_custom
from schemas.documents import read_documents
from tests.accuracy.verdicts.cases import Case, load_cases
from tests.accuracy.verdicts.court import verdict_on
from tests.contract.api.client import Api
from tests.kit.needs import CEL

ROW = "Create, does the API server refuse it (a rule of its definition), D150"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
REGISTERS = "/apis/rules.example.com/v1/namespaces/{}/registers"
CORPUS = Path(__file__).parents[4] / "shared" / "corpora" / "kube-prometheus" / "setup"
MONITORING = "/apis/monitoring.coreos.com/{}/namespaces/{}/{}"
CASES = [one for one in load_cases() if one.row == ROW]
Body = dict[str, Any]
pytestmark = [pytest.mark.controlplane, pytest.mark.parametrize("engine", ["real"])]


@pytest.fixture
async def registers(api: Api, namespace: str) -> AsyncIterator[str]:
    """Where they are made, while their definition is there."""
    definition = next(one.body for one in CASES[0].sites["lyon"] if one.body["kind"] == "CustomResourceDefinition")
    made = await api.post(DEFINITIONS, definition)
    assert made.status == 201, made.text
    name = definition["metadata"]["name"]
    await api.until(DEFINITIONS, name, _is_served)
    yield REGISTERS.format(namespace)
    await api.delete(f"{DEFINITIONS}/{name}")
    await api.until(DEFINITIONS, name, lambda found: found is None)


def _is_served(definition: Body | None) -> bool:
    conditions = (definition or {}).get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


async def test_an_api_server_says_what_the_labels_say_and_in_the_same_words(api: Api, registers: str) -> None:
    differences = [line for case in CASES for line in await _differences(api, registers, case)]
    assert not differences, "\n".join(differences)
    assert len(CASES) >= 38


async def _differences(api: Api, registers: str, case: Case) -> list[str]:
    for one in case.sites["lyon"]:
        if one.body["kind"] == "Register":
            there = await api.apply(f"{registers}/front", _moved(one.body, registers), force=True)
            assert there.status == 201, f"{case.name}: {there.text}"
    for body in case.act["manifests"]:
        answer = await api.apply(f"{registers}/front", _moved(body, registers), dryRun="All", force=True)
    await api.delete(f"{registers}/front")
    if answer.status not in (200, 201, 422):
        return [f"{case.name}: {answer.status} {answer.text}"]
    if (answer.status == 422) is not (case.expect.decision == "deny"):
        return [f"{case.name}: {answer.status} {answer.message}"]
    causes = [(one["field"].replace("<nil>", "."), one["message"]) for one in answer.causes]
    ours = [one.message for one in verdict_on(case).reasons if one.code == "D150"]
    return [
        f"{case.name}: {text}, and the API server says {answer.message}"
        for text in ours
        if not any(f" {field}: " in text and said.endswith(text.partition(f" {field}: ")[2]) for field, said in causes)
    ]


def _moved(body: Body, registers: str) -> Body:
    return {**body, "metadata": {**body["metadata"], "namespace": registers.split("/")[-2]}}


SIGNED = {"remoteWrite": [{"url": "http://a", "sigv4": {"externalId": "a"}}]}
AGENT = {"mode": "DaemonSet"}


@CEL
@pytest.mark.skipif(not CORPUS.exists(), reason="the corpora are not beside the repository")
@pytest.mark.parametrize(
    ("file", "version", "specs"),
    [
        (
            "0prometheusCustomResourceDefinition.yaml",
            "v1",
            [
                SIGNED,
                {"shardingStrategy": {"topology": {"values": ["a"]}}},
                {"shards": 1, "shardingStrategy": {"mode": "Topology", "topology": {"values": ["a", "b"]}}},
                {"shards": 2, "shardingStrategy": {"mode": "Topology", "topology": {"values": ["a", "b"]}}},
                {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"maxUnavailable": 1}}},
                {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}},
                {
                    "alerting": {
                        "alertmanagers": [{"name": "a", "port": 1, "sigv4": {"externalId": "a", "roleArn": "b"}}]
                    }
                },
            ],
        ),
        (
            "0prometheusagentCustomResourceDefinition.yaml",
            "v1alpha1",
            [
                AGENT,
                {**AGENT, "replicas": 1},
                {**AGENT, "shards": 1},
                {**AGENT, "shards": 2, "probeSelector": {}},
                SIGNED,
            ],
        ),
        (
            "0scrapeconfigCustomResourceDefinition.yaml",
            "v1alpha1",
            [{"authorization": {}}, {"authorization": {}, "basicAuth": {}}],
        ),
    ],
)
async def test_definitions_of_a_real_project_are_read_as_an_api_server_reads_them(
    api: Api, namespace: str, file: str, version: str, specs: list[Body]
) -> None:
    definition = read_documents(CORPUS / file)[0].body
    name, names = definition["metadata"]["name"], definition["spec"]["names"]
    made = await api.post(DEFINITIONS, definition)
    assert made.status == 201, made.text
    await api.until(DEFINITIONS, name, _is_served)
    head = {"apiVersion": f"monitoring.coreos.com/{version}", "kind": names["kind"], "metadata": {"name": "front"}}
    told, ours = [], []
    for spec in specs:
        body = {**head, "spec": spec}
        path = MONITORING.format(version, namespace, names["plural"])
        answer = await api.post(path, body, dryRun="All", fieldValidation="Strict")
        told.append(sorted(f"{one['field']}: {one['message'].rpartition(': ')[2]}" for one in answer.causes))
        ours.append(sorted(wrong_with_custom(body, definition) or rules_broken(None, body, definition)))
    await api.delete(f"{DEFINITIONS}/{name}")
    assert ours == told
    assert any(ours)
    assert not all(ours)
