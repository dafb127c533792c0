"""tree, why, missing and order of manifests, without any server, as the command line answers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cheops.cli.failures import BadInputError
from cheops.cli.main import app
from cheops.demo.stage import MANIFESTS
from cheops.offline.sites import site_of
from schemas.documents import Document
from schemas.identity import SiteName
from schemas.queries import MissingQuery
from schemas.relations.loader import load_catalogue
from services.resolver import questions
from services.resolver.graph.walk import SLICE
from services.resolver.questions import NoNamespaceError


def typed(*words: str | Path, code: int = 0) -> str:
    """What a command prints."""
    ran = CliRunner().invoke(app, [str(word) for word in words], prog_name="cheops")
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    assert ran.exit_code == code, ran.output
    return ran.stdout


def test_a_tree_of_manifests_needs_no_server_and_says_what_it_rests_on() -> None:
    lines = typed("tree", "deployment/web", "-n", "shop", "-f", MANIFESTS).splitlines()
    assert lines[0] == "Deployment shop/web @ manifests"
    assert any(line.startswith("├─ Secret shop/edge-ca") for line in lines)
    assert any(line.startswith("   └─ Ingress shop/shop") for line in lines)
    assert lines[-1].endswith("those that every cluster has included")
    named = typed("tree", "deployment/web", "-n", "shop", "-f", MANIFESTS, "--site", "paris")
    assert named.startswith("Deployment shop/web @ paris")


def test_json_is_the_same_document_as_online() -> None:
    body = json.loads(typed("dependents", "secret/edge-ca", "-n", "shop", "-f", MANIFESTS, "-o", "json"))
    assert (body["schema"], body["site"]) == ("graph/v1", "manifests")
    assert {edge["source"] for edge in body["edges"] if edge["target"] == "Secret/shop/edge-ca"} == {
        "apps/Deployment/shop/web",
        "apps/Deployment/shop/cart",
    }


def test_why_and_missing_exit_as_online() -> None:
    assert "Service shop/web" in typed("why", "ingress/shop", "secret/edge-ca", "-n", "shop", "-f", MANIFESTS)
    typed("why", "secret/edge-ca", "ingress/shop", "-n", "shop", "-f", MANIFESTS, code=1)
    alone = typed("missing", "-f", MANIFESTS / "checkout.yaml").splitlines()
    assert alone[0] == "✗ ConfigMap shop/checkout-settings"
    assert alone[-2] == "1 missing at manifests, needed by 1"
    assert typed("missing", "-f", MANIFESTS).startswith("nothing is missing")


def test_a_namespace_that_is_not_there_is_named_with_those_that_are_near() -> None:
    with pytest.raises(NoNamespaceError, match=r"^no namespace is called 'shopp' at manifests; did you mean shop\?$"):
        typed("missing", "-n", "shopp", "-f", MANIFESTS)
    with pytest.raises(NoNamespaceError, match=r"^no namespace is called 'zz' at manifests$"):
        typed("missing", "-n", "zz", "-f", MANIFESTS, "-o", "json")
    for there in ("shop", "default", "kube-system"):
        said = typed("missing", "-n", there, "-f", MANIFESTS)
        assert said.startswith(f"nothing is missing at manifests in namespace {there}")


@pytest.mark.parametrize("unknown", [{"blind": ("Namespace",)}, {"fresh": False}])
def test_of_a_namespace_nothing_is_claimed_where_none_is_observed(unknown: dict[str, Any]) -> None:
    site = site_of(SiteName("lyon"), [], load_catalogue())
    evidence = site.evidence(10.0).model_copy(update=unknown)
    (answer,) = questions.missing(site.graph, site.graph, MissingQuery(namespace="shopp"), evidence)
    assert answer is not None
    assert answer.edges == ()


def test_a_namespace_that_is_not_there_is_found_among_many_without_holding_up_others() -> None:
    bodies = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"team-{one}"}} for one in range(1_000)]
    site = site_of(SiteName("lyon"), [Document("many.yaml", 1, one) for one in bodies], load_catalogue())
    turns = questions.missing(site.graph, site.graph, MissingQuery(namespace="team-77x"), site.evidence(10.0))
    assert [next(turns) for _ in range(len(bodies) // SLICE)] == [None] * (len(bodies) // SLICE)
    with pytest.raises(NoNamespaceError, match="; did you mean team-77, "):
        list(turns)


def test_what_every_cluster_has_is_not_missing(tmp_path: Path) -> None:
    (tmp_path / "binding.yaml").write_text(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: x}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: 'system:auth-delegator'}\n"
    )
    assert typed("missing", "-f", tmp_path).startswith("nothing is missing")


def test_an_order_to_create_puts_what_is_needed_first_and_to_delete_last() -> None:
    create = json.loads(typed("order", "-f", MANIFESTS, "-o", "json"))
    assert create["schema"] == "order/v1"
    place = {step["resource"]: number for number, step in enumerate(create["steps"])}
    assert place["Namespace/shop"] == 0
    assert place["Secret/shop/edge-ca"] < place["apps/Deployment/shop/web"]
    assert place["Service/shop/web"] < place["networking.k8s.io/Ingress/shop/shop"]
    for step in create["steps"]:
        assert all(int(before) < int(step["id"]) for before in step["after"])
    delete = json.loads(typed("order", "-f", MANIFESTS, "--delete", "-o", "json"))
    back = {step["resource"]: number for number, step in enumerate(delete["steps"])}
    assert back["Namespace/shop"] == len(back) - 1
    assert back["apps/Deployment/shop/web"] < back["Secret/shop/edge-ca"]


def test_all_brings_what_is_needed_along_but_nothing_that_every_cluster_has() -> None:
    text = typed("order", "deployment/web", "--all", "-n", "shop", "-f", MANIFESTS)
    assert [line.split("  ")[1].strip() for line in text.splitlines()[1:-1]] == [
        "Namespace shop",
        "ConfigMap shop/web-settings",
        "Secret shop/edge-ca",
        "Deployment shop/web",
    ]


def test_what_is_named_and_not_there_is_said() -> None:
    assert "✗ Deployment shop/nobody [missing]" in typed("order", "deployment/nobody", "-n", "shop", "-f", MANIFESTS)


def test_no_order_names_the_cycle_and_exits_1(tmp_path: Path) -> None:
    claim = (
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: %s}\n"
        "spec: {dataSource: {kind: PersistentVolumeClaim, name: %s}}\n"
    )
    (tmp_path / "cycle.yaml").write_text(f"{claim % ('a', 'b')}---\n{claim % ('b', 'a')}")
    lines = typed("order", "-f", tmp_path, code=1).splitlines()
    assert lines[0] == "✗ no order to create in: these need each other"
    assert [line.strip("└─ ") for line in lines[1:4]] in (
        [f"PersistentVolumeClaim default/{name}" for name in names] for names in ("aba", "bab")
    )


def test_nothing_to_order_is_a_wrong_command_line() -> None:
    with pytest.raises(BadInputError, match="what"):
        typed("order")
