"""Labelled objects are put to a real API server with admission policies in force: it says what `cheops check` says.

The embedded one stores policies and asks none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import pytest

from tests.accuracy.verdicts.cases import Case, load_cases
from tests.accuracy.verdicts.court import verdict_on
from tests.contract.api.client import Api

ROW = "Create, does the API server refuse it (an admission policy), D150"
CASES = [one for one in load_cases() if one.row == ROW]
ROOT = "/apis/admissionregistration.k8s.io/v1/{}"
PLURALS = {
    "ValidatingAdmissionPolicy": ROOT.format("validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": ROOT.format("validatingadmissionpolicybindings"),
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
}
Body = dict[str, Any]
pytestmark = [pytest.mark.controlplane, pytest.mark.parametrize("engine", ["real"])]


def _given(case: Case) -> list[Body]:
    return [one.body for one in case.sites["lyon"] if one.body["kind"] != "Namespace"]


@pytest.fixture
async def policies(api: Api, namespace: str) -> AsyncIterator[None]:
    """Those of the first case, all of them in force."""
    rows = _given(CASES[0])
    for body in rows:
        made = await api.post(PLURALS[body["kind"]], body)
        assert made.status == 201, made.text

    async def are_in_force() -> bool:
        return all([await _is_refused(api, namespace, case) for case in (CASES[0], CASES[-1])])

    await api.until_true(are_in_force)
    yield
    for body in rows:
        await api.delete(f"{PLURALS[body['kind']]}/{body['metadata']['name']}")

    async def are_gone() -> bool:
        return not any([await _is_refused(api, namespace, case) for case in (CASES[0], CASES[-1])])

    await api.until_true(are_gone)


async def _is_refused(api: Api, namespace: str, case: Case) -> bool:
    path, body = _placed(case.act["manifests"][0], namespace)
    return (await api.apply(path, body, dryRun="All", force=True)).status == 422


def _placed(body: Body, namespace: str) -> tuple[str, Body]:
    made = deepcopy(body)
    made["metadata"]["namespace"] = namespace
    return f"{PLURALS[body['kind']].format(namespace)}/{body['metadata']['name']}", made


@pytest.mark.usefixtures("policies")
async def test_an_api_server_denies_what_the_labels_say_and_in_the_same_words(api: Api, namespace: str) -> None:
    wrong = [line for case in CASES for line in await _differences(api, namespace, case)]
    assert not wrong, "\n".join(wrong)
    assert len(CASES) >= 15


async def _differences(api: Api, namespace: str, case: Case) -> list[str]:
    standing = [_placed(one, namespace) for one in _given(case) if one["kind"] not in list(PLURALS)[:2]]
    for path, body in standing:
        there = await api.apply(path, {**body, "metadata": {**body["metadata"], **_spared(body)}}, force=True)
        assert there.status == 201, f"{case.name}: {there.text}"
        there = await api.patch(path, {"metadata": {"labels": body["metadata"].get("labels")}})
        assert there.status == 200, f"{case.name}: {there.text}"
    path, body = _placed(case.act["manifests"][0], namespace)
    answer = await api.apply(path, body, dryRun="All", force=True)
    for path, _ in standing:
        await api.delete(path)
    if (answer.status == 422) is not (case.expect.decision == "deny"):
        return [f"{case.name}: {answer.status} {answer.text}"]
    ours = [one.message.partition("refuses it: ")[2] for one in verdict_on(case).reasons if one.code == "D150"]
    return [f"{case.name}: {one}, and not {answer.message}" for one in ours if not answer.message.endswith(one)]


def _spared(body: Body) -> Body:
    """So that it may be made, although a policy asks for what it is not."""
    return {"labels": {"exempt": "yes"}} if body["kind"] == "Deployment" else {"labels": None}
