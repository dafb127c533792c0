"""Verdicts on directories of manifests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from cheops.offline.check import Act, Court
from cheops.offline.scoped import check
from cheops.offline.sites import Flaws, load_site
from schemas.documents import DocumentError
from schemas.identity import IdentityError, site_name
from schemas.relations.loader import load_catalogue
from schemas.verdicts import Verdict
from services.resolver.judge.policy import Policy

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Body = dict[str, Any]


def _settings(name: str = "settings", namespace: str = "shop", **data: str) -> Body:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _web(key: str | None = None, replicas: int = 1, settings: str = "settings") -> Body:
    wanted = {"configMapKeyRef": {"name": settings, "key": key}}
    env = {"env": [{"name": "K", "valueFrom": wanted}]} if key else {"envFrom": [{"configMapRef": {"name": settings}}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "w", **env}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    metadata = {"name": "web", "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def _judged(tmp_path: Path, act: Act, sites: Mapping[str, list[Body]], scope: str = "", **flaws: Flaws) -> Verdict:
    catalogue = load_catalogue()
    made = {}
    for name, bodies in sites.items():
        directory = tmp_path / name
        directory.mkdir()
        (directory / "all.yaml").write_text(yaml.safe_dump_all(bodies))
        made[site_name(name)] = load_site(site_name(name), [directory], catalogue, flaws.get(name, Flaws()))
    return check(Court(made, catalogue, Policy(), NOW), act, scope)


def _codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def test_what_is_used_may_not_go_and_what_is_not_may(tmp_path: Path) -> None:
    act = Act(verb="delete", resources=("configmap/settings",), namespace="shop")
    verdict = _judged(tmp_path, act, {"lyon": [_settings(a="1"), _web("a")]})
    assert (verdict.decision, _codes(verdict)) == ("deny", ["D311"])
    (tmp_path / "again").mkdir()
    assert _judged(tmp_path / "again", act, {"lyon": [_settings(a="1"), _web("a", replicas=0)]}).decision == "allow"


def test_an_update_is_judged_on_what_the_object_becomes(tmp_path: Path) -> None:
    verdict = _judged(tmp_path, Act(manifests=(_settings(b="2"),)), {"lyon": [_settings(a="1", b="2"), _web("a")]})
    assert (verdict.decision, _codes(verdict)) == ("deny", ["D211", "N230"])


def test_what_is_not_there_is_created_and_its_dependency_may_come_along(tmp_path: Path) -> None:
    site = {"lyon": [_settings("other")]}
    (tmp_path / "alone").mkdir()
    alone = _judged(tmp_path / "alone", Act(manifests=(_web("a"),)), site)
    assert (alone.decision, _codes(alone)) == ("deny", ["D110"])
    bundle = _judged(tmp_path, Act(manifests=(_web("a"), _settings(a="1"))), site)
    assert bundle.decision == "allow"
    assert [(step.id, step.resource) for step in bundle.plan] == [
        ("1", "ConfigMap/shop/settings"),
        ("2", "apps/Deployment/shop/web"),
    ]


def test_a_create_of_the_same_is_unchanged_and_of_another_is_refused(tmp_path: Path) -> None:
    for place, (body, decision, codes) in enumerate(
        ((_settings(a="1"), "allow", ["N102"]), (_settings(a="2"), "deny", ["D101"]))
    ):
        (tmp_path / str(place)).mkdir()
        act = Act(verb="create", manifests=(body,))
        verdict = _judged(tmp_path / str(place), act, {"lyon": [_settings(a="1")]})
        assert (verdict.decision, _codes(verdict), verdict.plan) == (decision, codes, ())


def test_a_dependency_at_another_site_is_named_with_the_site(tmp_path: Path) -> None:
    sites = {"oslo": [_settings("other")], "lyon": [_settings(a="1")]}
    verdict = _judged(tmp_path, Act(manifests=(_web("a"),)), sites)
    assert (verdict.decision, _codes(verdict)) == ("deny", ["D113"])
    assert "is at lyon, not at oslo" in verdict.reasons[0].message


def test_every_site_of_the_scope_is_judged_and_one_denial_denies(tmp_path: Path) -> None:
    sites = {"lyon": [_settings(a="1")], "oslo": [_settings(b="1")]}
    verdict = _judged(tmp_path, Act(manifests=(_web("a"),)), sites, "lyon & oslo")
    assert (verdict.decision, [(one.code, one.site) for one in verdict.reasons]) == ("deny", [("D112", "oslo")])
    assert [one.site for one in verdict.evidence] == ["lyon", "oslo"]
    assert verdict.evidence[verdict.reasons[0].evidence].site == "oslo"


def test_steps_of_several_sites_are_numbered_on(tmp_path: Path) -> None:
    sites = {"lyon": [_settings("other")], "oslo": [_settings("other")]}
    verdict = _judged(tmp_path, Act(manifests=(_web("a"), _settings(a="1"))), sites, "lyon & oslo")
    assert [(one.id, one.site, one.after) for one in verdict.plan] == [
        ("1", "lyon", ()), ("2", "lyon", ("1",)), ("3", "oslo", ()), ("4", "oslo", ("3",)),
    ]  # fmt: skip


def test_a_route_into_another_namespace_comes_after_the_grant_that_it_needs_and_goes_before_it(tmp_path: Path) -> None:
    api = "gateway.networking.k8s.io"
    route: Body = {"apiVersion": f"{api}/v1", "kind": "HTTPRoute", "metadata": {"name": "r", "namespace": "edge"}}
    route["spec"] = {"rules": [{"backendRefs": [{"name": "web", "namespace": "shop", "port": 80}]}]}
    grant: Body = {"apiVersion": f"{api}/v1", "kind": "ReferenceGrant", "metadata": {"name": "r", "namespace": "shop"}}
    whose = {"group": api, "kind": "HTTPRoute", "namespace": "edge"}
    grant["spec"] = {"from": [whose], "to": [{"group": "", "kind": "Service"}]}
    service: Body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}
    service["spec"] = {"ports": [{"port": 80}]}
    sort: Body = {"apiVersion": f"{api}/v1", "kind": "GatewayClass", "metadata": {"name": "envoy"}}
    spaces: list[Body] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one}} for one in ("edge", "shop")
    ]
    there = [sort, service, *spaces]
    names = (f"{api}/ReferenceGrant/shop/r", f"{api}/HTTPRoute/edge/r")
    (tmp_path / "again").mkdir()
    made = _judged(tmp_path, Act(manifests=(route, grant)), {"lyon": there})
    gone = _judged(tmp_path / "again", Act(verb="delete", resources=names), {"lyon": [*there, route, grant]})
    assert [(one.resource, one.after) for one in made.plan] == [(names[0], ()), (names[1], ("1",))]
    assert [(one.resource, one.after) for one in gone.plan] == [(names[1], ()), (names[0], ("1",))]


@pytest.mark.parametrize(
    ("flaw", "code"),
    [(Flaws(stale=True), "F502"), (Flaws(unreachable=True), "F501"), (Flaws(blind=("deployments.apps",)), "F503")],
)
def test_absence_is_not_claimed_on_flawed_evidence_but_use_is(tmp_path: Path, flaw: Flaws, code: str) -> None:
    act = Act(verb="delete", resources=("configmap/settings",), namespace="shop")
    verdict = _judged(tmp_path, act, {"lyon": [_settings(a="1")]}, lyon=flaw)
    assert (verdict.decision, _codes(verdict)) == ("defer", [code])
    (tmp_path / "used").mkdir()
    used = _judged(tmp_path / "used", act, {"lyon": [_settings(a="1"), _web("a")]}, lyon=flaw)
    assert (used.decision, _codes(used)) == ("deny", ["D311"])


def test_a_blind_kind_that_cannot_refer_to_the_target_does_not_matter(tmp_path: Path) -> None:
    act = Act(verb="delete", resources=("configmap/settings",), namespace="shop")
    verdict = _judged(tmp_path, act, {"lyon": [_settings()]}, lyon=Flaws(blind=("networkpolicies.networking.k8s.io",)))
    assert verdict.decision == "allow"


def test_a_namespace_is_there_when_anything_is_in_it(tmp_path: Path) -> None:
    act = Act(manifests=(_settings("new", "shop"),))
    assert _judged(tmp_path, act, {"lyon": [_settings()]}).decision == "allow"
    (tmp_path / "empty").mkdir()
    verdict = _judged(tmp_path / "empty", act, {"lyon": [_settings(namespace="other")]})
    assert (verdict.decision, _codes(verdict)) == ("deny", ["D140"])


def test_a_kind_of_which_an_object_is_held_is_served(tmp_path: Path) -> None:
    body = {"apiVersion": "x.io/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}}
    other = {**body, "metadata": {"name": "v", "namespace": "shop"}}
    assert _judged(tmp_path, Act(manifests=(body,)), {"lyon": [other]}).decision == "allow"
    (tmp_path / "none").mkdir()
    verdict = _judged(tmp_path / "none", Act(manifests=(body,)), {"lyon": [_settings()]})
    assert (verdict.decision, _codes(verdict)) == ("deny", ["D001"])


@pytest.mark.parametrize("scope", ["deployment: lyon, configmap: oslo", "deployment: lyon, configmap: lyon & oslo"])
@pytest.mark.parametrize("flaw", [Flaws(unreachable=True), Flaws(blind=("configmaps",))])
def test_what_a_silent_site_of_the_scope_may_have_is_not_taken_from_a_third(
    tmp_path: Path, scope: str, flaw: Flaws
) -> None:
    sites = {"lyon": [_settings("else")], "oslo": [_settings("else")], "rome": [_settings(a="1")]}
    verdict = _judged(tmp_path, Act(manifests=(_web("a"),)), sites, scope, oslo=flaw)
    assert (verdict.decision, {one.site for one in verdict.waits_for}) == ("defer", {"oslo"}), verdict.summary


def test_nothing_is_shared_from_a_site_that_the_scope_does_not_name(tmp_path: Path) -> None:
    sites = {"lyon": [_settings("else")], "oslo": [_settings("else")], "rome": [_settings(a="1")]}
    verdict = _judged(tmp_path, Act(manifests=(_web("a"),)), sites, "deployment: lyon, configmap: oslo")
    assert (verdict.decision, _codes(verdict)) == ("deny", ["D113"])
    assert "'configmap/settings: rome, deployment: lyon, configmap: oslo'" in verdict.remedies[0].command


def test_what_only_has_the_name_of_a_replica_or_a_copy_stays(tmp_path: Path) -> None:
    own = _settings(a="1")
    tied = {"labels": {"cheops.io/replica-set": "x"}, "annotations": {"cheops.io/replicas": "lyon,oslo,rome"}}
    replica = {**own, "metadata": {**own["metadata"], **tied}}
    sites = {"lyon": [replica], "oslo": [replica], "rome": [own]}
    narrower = _judged(tmp_path, Act(manifests=(_settings(a="2"),)), sites, "lyon & oslo")
    assert (narrower.decision, {one.site for one in narrower.plan}) == ("allow", {"lyon", "oslo"})
    (tmp_path / "shared").mkdir()
    shared = {**own, "metadata": {**own["metadata"], "annotations": {"cheops.io/shared-to": "oslo"}}}
    delete = Act(verb="delete", resources=("configmap/settings",), namespace="shop")
    gone = _judged(tmp_path / "shared", delete, {"lyon": [shared], "oslo": [own]})
    assert (gone.decision, {one.site for one in gone.plan}) == ("allow", {"lyon"})


def test_an_unknown_site_in_the_scope_is_a_verdict_that_names_near_ones(tmp_path: Path) -> None:
    verdict = _judged(tmp_path, Act(manifests=(_settings("new"),)), {"lyon": [_settings()]}, "lion")
    assert (verdict.decision, _codes(verdict)) == ("deny", ["D601"])
    assert "near: lyon" in verdict.reasons[0].message


def test_an_unknown_blind_kind_is_the_callers_error(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match=r"--blind lyon=secretz: .*did you mean secret"):
        load_site(site_name("lyon"), [tmp_path], load_catalogue(), Flaws(blind=("secretz",)))


def test_a_manifest_of_a_site_without_a_name_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels: {}\n")
    with pytest.raises(DocumentError, match=r"a\.yaml:\d: metadata\.name: missing"):
        load_site(site_name("lyon"), [tmp_path], load_catalogue())


def test_of_a_hub_the_user_that_means_a_port_by_saying_none_is_found(tmp_path: Path) -> None:
    names = [{"name": "tls", "port": 443}, {"name": "http", "port": 80}]
    metadata = {"name": "hub", "namespace": "shop"}
    hub = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": names}}
    backend = {"service": {"name": "hub", "port": {"number": 80}}}
    doors = [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": f"door-{number:03}", "namespace": "shop"},
            "spec": {"defaultBackend": backend},
        }
        for number in range(130)
    ]
    served = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1.things.example.org"},
        "spec": {"group": "things.example.org", "version": "v1", "service": {"name": "hub", "namespace": "shop"}},
    }
    act = Act(manifests=({**hub, "spec": {"ports": names[1:]}},), namespace="shop")
    verdict = _judged(tmp_path, act, {"lyon": [hub, *doors, served]})
    blocking = [reason.resource for reason in verdict.reasons if reason.code == "D210"]
    assert blocking == ["apiregistration.k8s.io/APIService/v1.things.example.org"]


def _made(app: str) -> Body:
    template = {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "web", "image": "w"}]}}
    spec = {"selector": {"matchLabels": {"app": app}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": app, "namespace": "shop"}, "spec": spec}


def _door(name: str, app: str) -> Body:
    spec = {"selector": {"app": app}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def test_a_service_turns_to_other_pods_when_they_are_there(tmp_path: Path) -> None:
    """One that is new waits for nobody."""
    act = Act(manifests=(_door("door", "green"), _door("new", "green"), _made("green")))
    verdict = _judged(tmp_path, act, {"lyon": [_made("blue"), _door("door", "blue")]})
    assert verdict.decision == "allow"
    steps = {str(one.resource): one for one in verdict.plan}
    assert steps["Service/shop/door"].after == (steps["apps/Deployment/shop/green"].id,)
    assert steps["Service/shop/new"].after == ()


@pytest.mark.parametrize("kind", ["authorization.k8s.io/v1 SubjectAccessReview", "policy/v1 Eviction", "v1 Binding"])
def test_of_a_question_to_an_api_server_it_is_said_that_nobody_keeps_it(tmp_path: Path, kind: str) -> None:
    version, _, name = kind.partition(" ")
    asked = {"apiVersion": version, "kind": name, "metadata": {"name": "web", "namespace": "shop"}}
    verdict = _judged(tmp_path, Act(manifests=(asked,)), {"lyon": [_settings(namespace="shop")]})
    assert _codes(verdict) == ["D001"]
    assert "nothing that an API server keeps" in verdict.reasons[0].message


def _of_gateways(kind: str, name: str, version: str = "v1") -> Body:
    body = {"apiVersion": f"gateway.networking.k8s.io/{version}", "kind": kind}
    return {**body, "metadata": {"name": name, "namespace": "shop"}, "spec": {}}


@pytest.mark.parametrize(
    ("coming", "codes"),
    [
        (_of_gateways("HTTPRoute", "b", "v1beta1"), []),
        (_of_gateways("ReferenceGrant", "b", "v1beta1"), []),
        (_of_gateways("HttpRoute", "b"), ["D001"]),  # nobody knows such a kind
        ({**_of_gateways("ServiceMonitor", "b"), "apiVersion": "monitoring.coreos.com/v1"}, ["D001"]),
    ],
)
def test_where_definitions_are_not_kept_a_group_is_served_of_which_objects_are(
    tmp_path: Path, coming: Body, codes: list[str]
) -> None:
    verdict = _judged(tmp_path, Act(manifests=(coming,)), {"lyon": [_of_gateways("HTTPRoute", "a")]})
    assert [one for one in _codes(verdict) if one.startswith("D")] == codes
