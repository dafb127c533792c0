"""Admission policies on manifests alone: what cannot be told denies nothing."""

from __future__ import annotations

from typing import Any

import pytest

from cheops.offline.policies import Request, denials
from schemas.events import ServedKind
from schemas.identity import KindId, ResourceId
from tests.kit.needs import CEL

pytestmark = CEL
Body = dict[str, Any]
HEAD = {"apiVersion": "admissionregistration.k8s.io/v1"}
RULE = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}
DEPLOYMENTS = ServedKind(KindId("apps/Deployment"), "deployments", ("v1",))
PODS = ServedKind(KindId("Pod"), "pods", ("v1",))
MANY = "object.spec.replicas < 3"


def _policy(expression: str, rule: Body | None = None, **spec: Any) -> Body:
    constraints = {"resourceRules": [RULE | (rule or {})]}
    return {"spec": {"matchConstraints": constraints, "validations": [{"expression": expression}], **spec}}


def _site(policy: Body, *more: str, **binding: Any) -> dict[ResourceId, Body]:
    bound = {"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"], **binding}}
    group = "admissionregistration.k8s.io"
    return {
        ResourceId(f"{group}/ValidatingAdmissionPolicy/p"): policy,
        ResourceId(f"{group}/ValidatingAdmissionPolicyBinding/b"): bound,
        ResourceId("Namespace/shop"): {"metadata": {"name": "shop", "labels": {"tier": "front"}}},
        **{ResourceId(one): {} for one in more},
    }


def _web(**spec: Any) -> Body:
    metadata = {"name": "web", "namespace": "shop", "labels": {"app": "web"}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 3, **spec}}


def _denied(bodies: dict[ResourceId, Body], after: Body | None = None, before: Body | None = None) -> bool:
    request = Request(ResourceId("apps/Deployment/shop/web"), DEPLOYMENTS, before, after or _web())
    return bool(denials(request, bodies, {}))


def test_what_a_policy_forbids_is_denied_in_its_words() -> None:
    request = Request(ResourceId("apps/Deployment/shop/web"), DEPLOYMENTS, None, _web())
    told = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: object.spec.replicas < 3"
    assert denials(request, _site(_policy(MANY)), {}) == [told]


def test_a_field_that_nobody_says_denies_where_a_policy_reads_it_without_asking() -> None:
    assert _denied(_site(_policy("object.spec.nobody == 1")))
    assert not _denied(_site(_policy("!has(object.spec.nobody) || object.spec.nobody == 1")))


@pytest.mark.parametrize(
    "policy",
    [
        _policy(MANY, paramKind={"apiVersion": "v1", "kind": "ConfigMap"}),
        _policy("request.userInfo.username == 'me'"),
        _policy("authorizer.group('apps').resource('deployments').check('delete').allowed()"),
        _policy("object.spec.nobody == 1", failurePolicy="Ignore"),
        _policy("object.spec.template.spec.tolerations[0].key == 'a'"),  # likewise, of a pod
        _policy("namespaceObject.metadata.annotations.a == '1'"),  # who knows
        _policy("variables.s == 'a'", variables=[{"name": "s", "expression": "request.userInfo.username"}]),
        _policy("has(object.spec.strategy)"),  # the API server fills it in
        _policy("variables.s != 'a'", variables=[{"name": "s", "expression": "object.spec.?strategy.orValue('a')"}]),
        _policy(MANY, matchConditions=[{"name": "c", "expression": "nobody()"}]),
        _policy(MANY, matchConditions=[{"name": "c", "expression": "object.metadata.name == 'other'"}]),
        _policy(MANY, {"operations": ["DELETE"]}),
        _policy(MANY, {"resources": ["deployments/scale"]}),
        _policy(MANY, {"apiVersions": ["v1beta1"]}),
        _policy(MANY, {"scope": "Cluster"}),
        _policy(MANY, {"resourceNames": ["other"]}),
    ],
)
def test_a_policy_that_is_about_something_else_or_cannot_be_told_denies_nothing(policy: Body) -> None:
    assert not _denied(_site(policy))


@pytest.mark.parametrize(
    ("binding", "is_denied"),
    [
        ({"validationActions": ["Warn", "Audit"]}, False),
        ({"policyName": "other"}, False),
        ({"matchResources": {"namespaceSelector": {"matchLabels": {"tier": "front"}}}}, True),
        ({"matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}}, True),
        ({"matchResources": {"namespaceSelector": {"matchLabels": {"tier": "back"}}}}, False),
        ({"matchResources": {"objectSelector": {"matchLabels": {"app": "web"}}}}, True),
        ({"matchResources": {"objectSelector": {"matchLabels": {"app": "shop"}}}}, False),
        ({"matchResources": {"excludeResourceRules": [RULE]}}, False),
    ],
)
def test_a_binding_says_whether_and_where_a_policy_denies(binding: Body, is_denied: bool) -> None:
    assert _denied(_site(_policy(MANY), **binding)) is is_denied


@pytest.mark.parametrize("kind", ["MutatingWebhookConfiguration", "MutatingAdmissionPolicyBinding"])
def test_where_objects_may_be_changed_before_they_are_judged_nothing_is_denied(kind: str) -> None:
    assert not _denied(_site(_policy(MANY), f"admissionregistration.k8s.io/{kind}/m"))


def test_an_update_shows_what_was_there_and_a_selector_reads_both() -> None:
    policy = _policy("object.spec.replicas >= oldObject.spec.replicas")
    assert _denied(_site(policy), before=_web(replicas=4))
    assert not _denied(_site(policy), before=_web(replicas=2))
    assert not _denied(_site(policy))
    selects = {"objectSelector": {"matchLabels": {"app": "old"}}}
    old = {**_web(replicas=4), "metadata": {"labels": {"app": "old"}}}
    assert _denied(_site(policy, matchResources=selects), before=old)


def test_what_a_limit_range_gives_a_pod_is_not_missed() -> None:
    policy = _policy(
        "object.spec.containers.all(one, has(one.resources.limits))", {"apiGroups": [""], "resources": ["pods"]}
    )
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"image": "b"}]}}
    request = Request(ResourceId("Pod/shop/a"), PODS, None, pod)
    assert denials(request, _site(policy), {})
    assert not denials(request, _site(policy, "LimitRange/shop/l"), {})
