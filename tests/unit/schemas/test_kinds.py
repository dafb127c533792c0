"""What people call a kind → the kind, as kubectl reads it."""

from __future__ import annotations

import pytest

from schemas.identity import KindId
from schemas.kinds import UnknownKindError
from schemas.relations.surface import builtin_surface

SURFACE = builtin_surface()


@pytest.mark.parametrize(
    ("called", "kind"),
    [
        ("deployments.v1.apps", "apps/Deployment"),
        ("deploy.v1.apps", "apps/Deployment"),
        ("Deployment.v1.apps", "apps/Deployment"),
        ("networkpolicies.v1.networking.k8s.io", "networking.k8s.io/NetworkPolicy"),
        ("hpa.v1.autoscaling", "autoscaling/HorizontalPodAutoscaler"),
        ("pods.v1.", "Pod"),
    ],
)
def test_a_kind_is_read_with_its_version_as_kubectl_writes_it(called: str, kind: str) -> None:
    assert SURFACE.kind(called) == KindId(kind)


@pytest.mark.parametrize(
    ("called", "resource"),
    [
        ("deployments.v1.apps/web", "apps/Deployment/shop/web"),
        ("Deployment.v1.apps/web", "apps/Deployment/shop/web"),
        ("pods.v1./web", "Pod/shop/web"),
        ("clusterroles.v1.rbac.authorization.k8s.io/edge:view", "rbac.authorization.k8s.io/ClusterRole/edge:view"),
    ],
)
def test_a_name_is_read_with_the_version_of_its_kind(called: str, resource: str) -> None:
    assert SURFACE.resolve(called, "shop") == resource


@pytest.mark.parametrize(
    ("called", "said"),
    [
        ("deployments.v2.apps", "apps/Deployment is served as apps/v1, not as apps/v2"),
        ("pods.v2.", "Pod is served as v1, not as v2"),
        ("hpa.v9.autoscaling", "HorizontalPodAutoscaler is served as autoscaling/v2, autoscaling/v1, not as autoscal"),
    ],
)
def test_a_version_that_is_not_served_is_refused_with_those_that_are(called: str, said: str) -> None:
    with pytest.raises(UnknownKindError, match=said):
        SURFACE.kind(called)


@pytest.mark.parametrize("called", ["deployments.v1.", "deployments.v1.batch", "deployment.v1", "nothing.v1.apps", "."])
def test_what_no_group_has_is_no_kind_whatever_its_version(called: str) -> None:
    with pytest.raises(UnknownKindError, match="no kind is called"):
        SURFACE.kind(called)
