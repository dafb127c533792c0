"""Labelled manifests are put to a real API server: what it fills in of them is known, by its value or by its name.

A policy of the site sees the object so, and `cheops check` must not deny what is only left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cheops.forms.filled import OTHERS, filled_in
from tests.contract.api.client import Api
from tests.contract.api.test_forms import CASES, placed

OF_JOBS = ("job-name", "controller-uid")  # labels that no policy can know before
pytestmark = [pytest.mark.controlplane, pytest.mark.parametrize("engine", ["real"])]


async def test_what_an_api_server_fills_in_is_known(api: Api, namespace: str) -> None:
    seen, wrong = 0, set()
    for case in CASES:
        for body in case.act["manifests"]:
            path, content = placed(body, namespace)
            answer = await api.post(path, content, dryRun="All", fieldValidation="Strict")
            if answer.status == 201:
                seen += 1
                ours = filled_in(content)
                wrong |= {f"{content['kind']}: {one}" for one in _unknown(ours, answer.content, "")}
    assert not wrong, "\n".join(sorted(wrong))
    assert seen > 50


def _unknown(ours: Any, theirs: Any, path: str) -> Iterator[str]:
    """What they have and ours has not, under a name that is not known; and what ours has otherwise."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name, value in theirs.items():
            if name in ours:
                yield from _unknown(ours[name], value, f"{path}.{name}")
            elif not OTHERS.fullmatch(name) and not name.endswith(OF_JOBS):
                yield f"{path}.{name} is filled in"
        yield from (f"{path}.{name} is not filled in" for name in ours if name not in theirs and ours[name])
    elif isinstance(theirs, list) and isinstance(ours, list):
        for one, other in zip(ours, theirs, strict=False):
            yield from _unknown(one, other, f"{path}[]")


AMOUNTS = (
    "1",
    "1000m",
    "0.5",
    "1024Mi",
    "2048Ki",
    "1.5Gi",
    "1000M",
    "1500M",
    "512",
    "0.5Ki",
    "2Ei",
    "0",
    "1k",
    "12000n",
)


async def test_amounts_are_written_as_an_api_server_writes_them(api: Api, namespace: str) -> None:
    wrong = []
    for amount in AMOUNTS:
        limits = {"example.com/a": "1", "memory": amount}
        containers = [{"name": "main", "image": "web", "resources": {"limits": limits, "requests": {"cpu": amount}}}]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": containers}}
        answer = await api.post(f"/api/v1/namespaces/{namespace}/pods", pod, dryRun="All")
        theirs = answer.content["spec"]["containers"][0]["resources"]
        ours = filled_in(pod)["spec"]["containers"][0]["resources"]
        wrong += [f"{ours}, and not {theirs}"] if ours != theirs else []
    assert not wrong, "\n".join(wrong)
