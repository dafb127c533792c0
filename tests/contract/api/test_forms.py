"""Labelled manifests are put to API servers: what `cheops check` refuses because of its form, they refuse as well."""

from __future__ import annotations

from typing import Any

import pytest

from cheops.forms.shaping import written
from cheops.forms.types import FILE
from schemas.identity import kind_id
from schemas.relations.surface import builtin_surface
from tests.accuracy.verdicts.cases import load_cases
from tests.contract.api.client import Api

ROW = "Create, does the API server refuse it (a schema), D150"
TRIED = ("Service",)  # a dry run does not look into the range of node ports
CASES = [one for one in load_cases() if one.row == ROW and not one.offline_only]


async def test_an_api_server_refuses_what_the_labels_say(api: Api, namespace: str) -> None:
    wrong = []
    for case in CASES:
        for body in case.act["manifests"]:
            path, content = placed(body, namespace)
            dry = {} if content["kind"] in TRIED else {"dryRun": "All"}
            answer = await api.post(path, content, fieldValidation="Strict", **dry)
            if answer.status == 201 and not dry:
                await api.delete(f"{path}/{content['metadata']['name']}")
            if (answer.status in (400, 422)) is not (case.expect.decision == "deny"):
                wrong.append(f"{case.name}: {answer.status} {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)
    assert len(CASES) > 100


@pytest.mark.controlplane
@pytest.mark.parametrize("engine", ["real"])
async def test_the_types_of_fields_are_those_that_a_real_api_server_tells(api: Api) -> None:
    answer = await api.get("/openapi/v2")
    assert written(answer.content) == FILE.read_text(encoding="utf-8"), "see cheops/forms/shaping.py"


def placed(body: dict[str, Any], namespace: str) -> tuple[str, dict[str, Any]]:
    """The path of its collection, and the same object in a namespace of this run."""
    group, _, version = body["apiVersion"].rpartition("/")
    served = builtin_surface().served[kind_id(group, body["kind"])]
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    if not served.namespaced:
        return f"{root}/{served.plural}", body
    metadata = {**body["metadata"], "namespace": namespace}
    return f"{root}/namespaces/{namespace}/{served.plural}", {**body, "metadata": metadata}
