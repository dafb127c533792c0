"""What a site serves by the version of its Kubernetes."""

from __future__ import annotations

import pytest

from schemas.identity import KindId
from schemas.relations.surface import BUILTIN_VERSION, builtin_surface

PODS, FLOWS, CRONJOB, SCALER, ADDRESS = (
    KindId("policy/PodSecurityPolicy"),
    KindId("flowcontrol.apiserver.k8s.io/FlowSchema"),
    KindId("batch/CronJob"),
    KindId("autoscaling/HorizontalPodAutoscaler"),
    KindId("networking.k8s.io/IPAddress"),
)


@pytest.mark.parametrize(
    ("version", "kind", "served"),
    [
        ("1.24", CRONJOB, ("v1", "v1beta1")),
        ("1.25", CRONJOB, ("v1",)),
        ("1.24", PODS, ("v1beta1",)),
        ("1.25", PODS, None),
        ("1.22", FLOWS, ("v1beta1",)),
        ("1.25", FLOWS, ("v1beta2", "v1beta1")),
        ("1.28", FLOWS, ("v1beta3", "v1beta2")),
        ("1.22", SCALER, ("v1", "v2beta2", "v2beta1")),
        ("1.25", SCALER, ("v2", "v1", "v2beta2")),
        ("1.36", SCALER, ("v2", "v1")),
        ("1.32", ADDRESS, None),
        ("1.33", ADDRESS, ("v1",)),
        ("v1.36", CRONJOB, ("v1",)),
    ],
)
def test_a_version_serves_what_it_brought_and_has_not_ended(
    version: str, kind: KindId, served: tuple[str, ...] | None
) -> None:
    found = builtin_surface(version).find(kind)
    assert (found.versions if found else None) == served


def test_the_default_is_the_version_that_the_catalogue_names() -> None:
    assert builtin_surface().served == builtin_surface(BUILTIN_VERSION).served


@pytest.mark.parametrize("version", ["1.21", "1.99", "2.0", "", "1.x", "latest"])
def test_an_unknown_version_is_refused_with_the_known_ones(version: str) -> None:
    with pytest.raises(ValueError, match=r"expected 1\.22 to 1\.36"):
        builtin_surface(version)
