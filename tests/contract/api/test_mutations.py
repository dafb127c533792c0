"""Valid manifests, each changed in one place, put to a real API server: what it refuses, and what `cheops check` does.

seeds.yaml ─▶ one field gone, added or given another value, by the types of shapes.json ─▶ dry run ─▶ the same answer?

A wrong deny is a defect. What is let through and refused is counted, with a bound that may only be lowered: a field
that is left out is left open on purpose, CEL is not read, and flow schemas, endpoints and drivers are not looked into.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cheops.forms.fields import wrong_with
from cheops.forms.types import FILE
from schemas.documents import parse_value
from schemas.identity import kind_id
from schemas.relations.surface import builtin_surface
from tests.contract.api.client import Api, Reply

SEEDS = Path(__file__).with_name("seeds.yaml")
EVERY = 7  # the whole of it takes a minute
LET_THROUGH_MAX = 0.065  # of what is tried
SERVERS = ("uid", "resourceVersion", "generation", "selfLink", "managedFields", "namespace", "creationTimestamp")
ENDING = ("deletionTimestamp", "deletionGracePeriodSeconds")
DRY = ("nodePort",)  # a dry run does not look into the range
GONE = object()
VALUES: dict[str, list[Any]] = {
    "text": ["", "x", "A_b", "a b", "a" * 64, "a" * 300, "1.2.3.4", "/x", "x/y", "../x", "-x", "5"],
    "whole": [-1, 0, 1, 2, 40_000, 70_000, 2**31 - 1],
    "long": [-1, 0, 1, 2, 40_000, 70_000, 2**31 - 1],
    "amount": ["-1", "0", "1", "500m", "1Gi"],
    "port": [-1, 0, 80, 70_000, "x", "A", "80", "10%", "110%"],
    "yes-no": [True, False],
    "bytes": ["", "eA==", "x"],
    "time": ["2026-01-01T00:00:00Z", "today"],
}
KEYS = ["A b", "a/b/c", "", "..", "a" * 64, "a.b/c", "x", "x=y", "cpu"]
Path_ = tuple[str | int, ...]
Mutation = tuple[Path_, Any]


@pytest.mark.controlplane
@pytest.mark.parametrize("engine", ["real"])
async def test_whatever_is_changed_in_a_valid_manifest_nothing_is_refused_that_an_api_server_accepts(
    api: Api, namespace: str
) -> None:
    shapes = msgspec.json.decode(FILE.read_bytes())
    jobs = []
    for seed in parse_value(SEEDS.read_bytes(), SEEDS.name):
        if "namespace" in seed["metadata"]:
            seed["metadata"]["namespace"] = namespace
        assert wrong_with(seed, whole=True) == []
        word = shapes["kinds"][f"{seed['apiVersion']}/{seed['kind']}"]
        jobs += [(seed, *one) for one in _mutations(seed, word, (), shapes["shapes"]) if one[0][-1] not in DRY]
    wrong_denies, let_through = [], []
    lock = asyncio.Semaphore(4)
    chosen = jobs[::EVERY]

    async def tried(seed: Any, path: Path_, value: Any) -> None:
        body = _changed(seed, path, value)
        ours = wrong_with(body, whole=True)
        async with lock:
            answer = await api.post(_collection(body, namespace), body, dryRun="All", fieldValidation="Strict")
        what = f"{seed['kind']} {path} {value!r:.40}"
        if ours and answer.status == 201:
            wrong_denies.append(f"{what}: {ours[0]}")
        elif not ours and answer.status in (400, 422) and not _only_misses(answer):
            let_through.append(f"{what}: {answer.message[:200]}")

    async with asyncio.TaskGroup() as group:
        for job in chosen:
            group.create_task(tried(*job))
    assert not wrong_denies, "\n".join(wrong_denies)
    told = "\n".join([f"{len(let_through)} of {len(chosen)}", *let_through])
    assert len(let_through) <= LET_THROUGH_MAX * len(chosen), told
    assert len(chosen) > 2_000


def _only_misses(answer: Reply) -> bool:
    """What is left out is left open here, and nothing else was wrong."""
    return bool(answer.causes) and all(one["reason"] == "FieldValueRequired" for one in answer.causes)


def _mutations(value: Any, word: str, path: Path_, shapes: dict[str, dict[str, str]]) -> Iterator[Mutation]:
    if word in shapes and isinstance(value, dict):
        for field, inner in shapes[word].items():
            place = (*path, field)
            if place in (("apiVersion",), ("kind",), ("status",)) or field in (*SERVERS, *ENDING):
                continue
            if field not in value:
                yield from ((place, one) for one in _added(inner, shapes))
                continue
            if place != ("metadata",):
                yield place, GONE
            yield from _mutations(value[field], inner, place, shapes)
    elif word[0] == "[" and isinstance(value, list):
        yield path, []
        yield path, [*value, *value[:1]]
        if word[1:] in shapes:
            yield path, [*value, {}]
        for place, item in enumerate(value):
            yield from _mutations(item, word[1:], (*path, place), shapes)
    elif word[0] == "{" and isinstance(value, dict):
        yield path, {}
        first = next(iter(value.values()), "x")
        yield from ((path, {**value, key: first}) for key in KEYS)
        for key, item in value.items():
            yield from _mutations(item, word[1:], (*path, key), shapes)
    else:
        yield from ((path, one) for one in VALUES.get(word, ()) if one != value)


def _added(word: str, shapes: dict[str, dict[str, str]]) -> list[Any]:
    if word in shapes:
        return [{}]
    if word[0] == "[":
        return [[], *([one] for one in VALUES.get(word[1:], ())[1:4])]
    return [{}, *({"a": one} for one in VALUES.get(word[1:], ())[:2])] if word[0] == "{" else VALUES.get(word, [])


def _changed(seed: Any, path: Path_, value: Any) -> Any:
    body = copy.deepcopy(seed)
    inner = body
    for step in path[:-1]:
        inner = inner[step]
    if value is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = copy.deepcopy(value)
    return body


def _collection(body: dict[str, Any], namespace: str) -> str:
    group, _, version = body["apiVersion"].rpartition("/")
    served = builtin_surface().served[kind_id(group, body["kind"])]
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    return f"{root}/namespaces/{namespace}/{served.plural}" if served.namespaced else f"{root}/{served.plural}"
