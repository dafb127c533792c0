"""Hubs: as much of one is looked at as decides, and no more; nothing that would block is missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.events import ResourceEvent
from schemas.identity import ResourceId, SiteName
from schemas.intents import Override
from schemas.policy import PolicyFile
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from schemas.verdicts import Evidence, Verdict
from services.resolver.graph.store import Graph
from services.resolver.judge.case import Case, Change
from services.resolver.judge.decide import decide
from services.resolver.judge.delete import USERS_LOOKED_AT
from services.resolver.judge.policy import Policy

LYON = SiteName("lyon")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CATALOGUE = load_catalogue()
EXTRACTOR = Extractor(CATALOGUE, builtin_surface())
FRESH = Evidence(site=LYON, epoch=1, seq=9, age_s=0.2, bound_s=10, observed=56, fresh=True)
DEFAULT = Policy()
MANY = 5 * USERS_LOOKED_AT
HUB = ResourceId("ConfigMap/shop/settings")


def named(kind: str, name: str, api: str = "v1", owner: str = "", **rest: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": "shop", "uid": name}
    if owner:
        group, kind_of_owner, owner_name = owner.split("/")
        reference = {"apiVersion": f"{group}/v1", "kind": kind_of_owner, "name": owner_name, "uid": owner_name}
        metadata["ownerReferences"] = [reference]
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def mounting(optional: bool = False, key: str = "") -> dict[str, Any]:
    items = [{"key": key, "path": key}] if key else []
    source = {"name": "settings", "optional": optional, "items": items}
    return {"restartPolicy": "Always", "volumes": [{"name": "settings", "configMap": source}]}


def pod(place: int, owner: str = "", **how: Any) -> dict[str, Any]:
    return named("Pod", f"web-{place:04d}", owner=owner, spec=mounting(**how), status={"phase": "Running"})


def graph_of(*bodies: dict[str, Any]) -> Graph:
    graph = Graph(LYON)
    for body in (named("ConfigMap", "settings", data={"a": "1", "b": "2"}), *bodies):
        graph.apply(ResourceEvent("put", EXTRACTOR.state(body)))
    return graph


def verdict(graph: Graph, change: Change, overrides: tuple[Override, ...] = (), policy: Policy = DEFAULT) -> Verdict:
    expires_at = NOW + timedelta(hours=1)
    case = Case("i-1", change.action, LYON, (change,), FRESH, expires_at, 10.0, overrides=overrides)  # type: ignore[arg-type]  # verbs are actions
    return decide(case, graph, policy, NOW, CATALOGUE.sources_of)


def deleting(graph: Graph, *overrides: Override) -> Verdict:
    return verdict(graph, Change(HUB, "delete"), overrides)


def without_b(graph: Graph, policy: Policy = DEFAULT) -> Verdict:
    after = EXTRACTOR.state(named("ConfigMap", "settings", data={"a": "1"}))
    return verdict(graph, Change(HUB, "update", "v1", after), policy=policy)


def test_a_hub_in_use_is_denied_naming_a_few_and_counting_all() -> None:
    found = deleting(graph_of(*(pod(place) for place in range(MANY))))
    assert found.decision == "deny"
    assert len(found.reasons) == USERS_LOOKED_AT
    assert found.impact.direct == MANY
    assert found.summary.endswith(f"still used: {MANY:,} dependents, of which {USERS_LOOKED_AT} are named")


def test_one_blocker_behind_many_that_do_without_is_found() -> None:
    weak = [pod(place, optional=True) for place in range(MANY)]
    assert deleting(graph_of(*weak)).decision == "allow"
    assert deleting(graph_of(*weak, pod(MANY))).decision == "deny"


def test_an_override_makes_all_of_a_hub_be_looked_at() -> None:
    claims = [pod(place) for place in range(MANY)]
    override = Override(code="D310", reason="moving away")
    found = deleting(graph_of(*claims), override)
    assert found.decision == "allow"
    assert len([reason for reason in found.reasons if reason.code == "W310"]) == MANY


def test_the_workload_stands_for_the_pods_of_a_hub_that_were_met_before_it() -> None:
    pods = [pod(place, owner="apps/Deployment/web") for place in range(MANY)]
    spec = {"replicas": MANY, "template": {"spec": mounting()}}
    found = deleting(graph_of(*pods, named("Deployment", "web", "apps/v1", spec=spec)))
    assert [reason.resource for reason in found.reasons] == ["apps/Deployment/shop/web"]


def test_a_key_that_one_of_many_users_needs_cannot_be_taken_away() -> None:
    others = [pod(place, key="a") for place in range(MANY)]
    assert without_b(graph_of(*others)).decision == "allow"
    assert without_b(graph_of(*others, pod(MANY, key="b"))).decision == "deny"


def test_a_policy_about_one_of_many_users_is_heard() -> None:
    """Who reads the whole map is only warned about; a policy makes it a denial for what carries a label."""
    others = [pod(place) for place in range(MANY)]
    strict = pod(MANY)
    strict["metadata"]["labels"] = {"strict": "yes"}
    rule = {"code": "210", "set": "deny", "labels": {"strict": "yes"}}
    policy = Policy(PolicyFile.model_validate({"schema": "policy/v1", "rules": [rule]}))
    assert without_b(graph_of(*others), policy).decision == "allow"
    assert without_b(graph_of(*others, strict), policy).decision == "deny"
    assert without_b(graph_of(*others, strict)).decision == "allow"
