"""What a manifest asks of quotas: quantities, containers that run beside and before each other, claims, Services."""

from __future__ import annotations

from typing import Any

import pytest

from services.resolver.judge.demand import amounts_of, demand_of, is_best_effort, shown, thousandths


@pytest.mark.parametrize(
    ("quantity", "wanted"),
    [
        ("500m", 500),
        ("2", 2_000),
        (2, 2_000),
        ("0.1", 100),
        ("1Ki", 1_024_000),
        ("1k", 1_000_000),
        ("1e3", 1_000_000),
        ("1u", 1),
        ("many", None),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
        ("NaN", None),
        ("Infinity", None),
        ("1e999999999", 1_000 * (2**63 - 1)),  # no API server keeps more of anything
        ("-1e900000", -1_000 * (2**63 - 1)),
        ("9999E", 1_000 * (2**63 - 1)),
        ("1e-999999999", 1),
        ("1Zi", None),
    ],
)
def test_a_quantity_is_read_as_the_api_server_reads_it(quantity: object, wanted: int | None) -> None:
    assert thousandths(quantity) == wanted


def test_an_amount_is_shown_in_the_unit_that_fits() -> None:
    assert shown(1_500, "requests.cpu") == "1500m"
    assert shown(2_000, "pods") == "2"
    assert shown(1024**3 * 1000, "requests.memory") == "1Gi"


def pod(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def asking(name: str = "main", restart: str = "", **cpu: str) -> dict[str, Any]:
    resources = {sort: {"cpu": amount} for sort, amount in cpu.items()}
    return {"name": name, "resources": resources, **({"restartPolicy": restart} if restart else {})}


def test_side_cars_run_beside_the_containers_and_other_init_containers_before_them() -> None:
    found = demand_of(
        pod(
            containers=[asking(requests="1"), asking("other", requests="500m")],
            initContainers=[asking("side", "Always", requests="250m"), asking("init", requests="1")],
        )
    )
    assert found is not None
    assert amounts_of(found, {}, {}) == {"requests.cpu": 1_750}


def test_a_limit_is_the_request_of_who_says_none_and_a_default_is_for_who_says_neither() -> None:
    found = demand_of(pod(containers=[asking(limits="2"), asking("other")]))
    assert found is not None
    assert amounts_of(found, {"cpu": 100}, {"cpu": 300}) == {"requests.cpu": 2_100, "limits.cpu": 2_300}


def test_a_pod_that_says_nothing_is_best_effort() -> None:
    silent, speaking = demand_of(pod(containers=[{"name": "a"}])), demand_of(pod(containers=[asking(requests="1")]))
    assert silent is not None
    assert speaking is not None
    assert is_best_effort(silent, {}, {})
    assert not is_best_effort(speaking, {}, {})


@pytest.mark.parametrize("spec", [5, None, [], {"containers": 5}, {"containers": [5, {"resources": 5}]}])
def test_what_is_malformed_asks_for_nothing(spec: Any) -> None:
    found = demand_of({"kind": "Pod", "spec": spec})
    assert found is None or amounts_of(found, {}, {}) == {}
