"""Decisions, each with a minimal pair: the same case with one detail changed gives the other answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.events import ResourceEvent
from schemas.identity import KindId, ResourceId, SiteName
from schemas.intents import Verb
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from schemas.verdicts import Evidence, Verdict
from services.resolver.graph.store import Graph
from services.resolver.judge.case import Case, Change
from services.resolver.judge.decide import decide
from services.resolver.judge.policy import Policy

LYON = SiteName("lyon")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CATALOGUE = load_catalogue()
EXTRACTOR = Extractor(CATALOGUE, builtin_surface())
FRESH = Evidence(site=LYON, epoch=1, seq=9, age_s=0.2, bound_s=10, observed=56, fresh=True)
STALE = FRESH.model_copy(update={"age_s": 60.0, "fresh": False})
SECRET = ResourceId("Secret/shop/ca")


def named(kind: str, name: str, api: str = "v1", **rest: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "shop", "uid": name}, **rest}


def deployment(pod: dict[str, Any], replicas: int = 1) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    return named("Deployment", "web", "apps/v1", spec={"replicas": replicas, "template": template})


def mounting(optional: bool = False) -> dict[str, Any]:
    return {"volumes": [{"name": "ca", "secret": {"secretName": "ca", "optional": optional}}]}


def reading(key: str = "crt") -> dict[str, Any]:
    reference = {"secretKeyRef": {"name": "ca", "key": key}}
    return {"containers": [{"name": "web", "env": [{"name": "CA", "valueFrom": reference}]}]}


SECRET_BODY = named("Secret", "ca", data={"crt": "eA=="})
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}


def verdict(verb: Verb, there: list[dict[str, Any]], *acts: Any, evidence: Evidence = FRESH) -> Verdict:
    graph = Graph(LYON)
    for body in (NAMESPACE, *there):
        graph.apply(ResourceEvent("put", EXTRACTOR.state(body)))
    changes = []
    for act in acts:
        state = None if isinstance(act, str) else EXTRACTOR.state(act)
        changes.append(Change(state.resource if state else ResourceId(act), verb, after=state))
    case = Case("i-1", verb, LYON, tuple(changes), evidence, NOW + timedelta(hours=1), 10.0)
    return decide(case, graph, Policy(), NOW, CATALOGUE.sources_of)


def first(found: Verdict) -> tuple[str, str]:
    return found.decision, found.reasons[0].code if found.reasons else ""


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([SECRET_BODY, deployment(mounting())], ("deny", "D310")),
        ([SECRET_BODY, deployment(reading())], ("deny", "D311")),
        ([SECRET_BODY, deployment(mounting(optional=True))], ("allow", "W310")),
        ([SECRET_BODY, deployment(mounting(), replicas=0)], ("allow", "N311")),
        ([SECRET_BODY, deployment({})], ("allow", "")),
        ([], ("allow", "N302")),
    ],
)
def test_a_secret_goes_only_when_nothing_lives_on_it(there: list[dict[str, Any]], expected: tuple[str, str]) -> None:
    assert first(verdict("delete", there, SECRET)) == expected


def test_a_stale_yes_blocks_and_a_stale_no_defers() -> None:
    used = verdict("delete", [SECRET_BODY, deployment(mounting())], SECRET, evidence=STALE)
    unused = verdict("delete", [SECRET_BODY], SECRET, evidence=STALE)
    assert (first(used), first(unused)) == (("deny", "D310"), ("defer", "F502"))


def test_a_kind_that_is_not_observed_defers_only_what_it_could_use() -> None:
    blind = FRESH.model_copy(update={"blind": (KindId("apps/Deployment"),)})
    assert first(verdict("delete", [SECRET_BODY], SECRET, evidence=blind)) == ("defer", "F503")
    away = FRESH.model_copy(update={"blind": (KindId("networking.k8s.io/NetworkPolicy"),)})
    assert first(verdict("delete", [SECRET_BODY], SECRET, evidence=away))[0] == "allow"


@pytest.mark.parametrize(
    ("there", "acts", "expected"),
    [
        ([], [deployment(mounting())], ("deny", "D110")),
        ([], [deployment(mounting()), SECRET_BODY], ("allow", "")),
        ([], [deployment(mounting(optional=True))], ("allow", "N120")),
        ([], [deployment(mounting(), replicas=0)], ("allow", "W110")),
        ([SECRET_BODY], [deployment(reading("crt"))], ("allow", "")),
        ([SECRET_BODY], [deployment(reading("other"))], ("deny", "D112")),
        ([SECRET_BODY], [SECRET_BODY], ("deny", "D101")),
    ],
)
def test_a_create_needs_its_dependencies(
    there: list[dict[str, Any]], acts: list[dict[str, Any]], expected: tuple[str, str]
) -> None:
    assert first(verdict("create", there, *acts)) == expected


def test_a_bundle_is_planned_in_the_order_of_its_needs() -> None:
    plan = verdict("create", [], deployment(mounting()), SECRET_BODY).plan
    assert [step.resource for step in plan] == ["Secret/shop/ca", "apps/Deployment/shop/web"]
    assert plan[1].after == (plan[0].id,)


def test_a_key_in_use_cannot_be_taken_away() -> None:
    without = named("Secret", "ca", data={"other": "eA=="})
    there = [SECRET_BODY, deployment(reading("crt"))]
    assert first(verdict("update", there, without)) == ("deny", "D211")
    assert verdict("update", there, named("Secret", "ca", data={"crt": "eQ==", "other": "eA=="})).decision == "allow"


def test_a_namespace_that_is_missing_or_ends_takes_nothing_new() -> None:
    elsewhere = {**SECRET_BODY, "metadata": {"name": "ca", "namespace": "nowhere"}}
    assert first(verdict("create", [], elsewhere)) == ("deny", "D140")
    ending = {**NAMESPACE, "metadata": {"name": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert first(verdict("create", [ending], SECRET_BODY)) == ("deny", "D141")


def test_the_same_case_gives_the_same_bytes() -> None:
    there = [SECRET_BODY, deployment(mounting())]
    assert verdict("delete", there, SECRET).to_json() == verdict("delete", there, SECRET).to_json()
