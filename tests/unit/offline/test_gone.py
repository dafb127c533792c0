"""Sites that somebody has said are gone for good (--gone), in verdicts on directories of manifests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cheops.cli.main import app
from cheops.offline.check import Act, Court
from cheops.offline.scoped import check
from cheops.offline.sites import Flaws, site_of
from schemas.documents import Document
from schemas.identity import SiteName
from schemas.relations.loader import load_catalogue
from schemas.ties import REPLICA_SET, REPLICAS, SHARED_FROM, SHARED_TO
from schemas.verdicts import Verdict
from services.resolver.judge.policy import Policy
from tests.kit.manifests import Manifest, namespace, settings

LYON, OSLO, ROME = map(SiteName, ("lyon", "oslo", "rome"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DELETE = Act(verb="delete", resources=("configmap/settings",), namespace="shop")


def replica(sites: str = "lyon,oslo,rome", *keys: str) -> Manifest:
    body = settings("settings", *keys)
    return {**body, "metadata": {**body["metadata"], "labels": {REPLICA_SET: "x"}, "annotations": {REPLICAS: sites}}}


def original(*sites: str) -> Manifest:
    body = settings("settings")
    return {**body, "metadata": {**body["metadata"], "annotations": {SHARED_TO: ",".join(sites)}}}


def judged(act: Act, *sites: list[Manifest], scope: str = "", gone: tuple[SiteName, ...] = (ROME,)) -> Verdict:
    catalogue = load_catalogue()
    rows = zip((LYON, OSLO), sites, strict=False)
    made = {
        name: site_of(name, [Document("x.yaml", 1, one) for one in (namespace(), *bodies)], catalogue, Flaws())
        for name, bodies in rows
    }
    return check(Court(made, catalogue, Policy(), NOW, frozenset(gone)), act, scope)


def said(verdict: Verdict) -> tuple[str, set[str]]:
    return verdict.decision, {one.code for one in verdict.reasons}


def test_replicas_are_deleted_without_one_that_is_gone_and_wait_for_it_otherwise() -> None:
    assert said(judged(DELETE, [replica()], [replica()], gone=())) == ("defer", {"F501"})
    verdict = judged(DELETE, [replica()], [replica()])
    assert said(verdict) == ("allow", {"W511"})
    assert [(one.site, one.resource) for one in verdict.reasons] == [(ROME, None)]
    assert [step.site for step in verdict.plan] == [LYON, OSLO]


@pytest.mark.parametrize("scope", ["", "lyon & oslo", "lyon & oslo & rome"])
def test_replicas_are_written_without_one_that_is_gone_whoever_names_it(scope: str) -> None:
    act = Act(manifests=(settings("settings", "more"),), verb="apply")
    verdict = judged(act, [replica()], [replica()], scope=scope)
    assert verdict.decision == "allow", verdict
    assert {step.site for step in verdict.plan} == {LYON, OSLO}
    assert "W511" in said(verdict)[1]


def test_an_original_is_deleted_without_copies_that_are_gone() -> None:
    assert said(judged(DELETE, [original("rome")], gone=())) == ("defer", {"F501"})
    assert said(judged(DELETE, [original("rome")])) == ("allow", {"W511"})
    copy = settings("settings")
    copy["metadata"]["labels"] = {SHARED_FROM: "lyon"}
    verdict = judged(DELETE, [original("oslo", "rome")], [copy])
    assert said(verdict) == ("allow", {"W511"})
    assert {step.site for step in verdict.plan} == {LYON, OSLO}


def run(folder: Path, *words: str, **environment: str) -> Any:
    where = [f"--site={name}={folder / name}" for name in (LYON, OSLO)]
    return CliRunner().invoke(app, ["check", *where, *words], env=environment)


def test_the_option_and_the_setting_say_it(tmp_path: Path) -> None:
    for name in (LYON, OSLO):
        (tmp_path / name).mkdir()
        (tmp_path / name / "all.yaml").write_text(yaml.safe_dump(replica()))
    words = ("--delete", "configmap/settings", "-n", "shop", "-o", "json")
    assert run(tmp_path, *words).exit_code == 4
    assert "its manifests are given" in str(run(tmp_path, *words, "--gone", "oslo").exception)
    for done in (run(tmp_path, *words, "--gone", "rome"), run(tmp_path, *words, CHEOPS_GONE="nice,rome")):
        assert done.exit_code == 0, done.output
        assert [one["code"] for one in json.loads(done.stdout)["reasons"]] == ["W511"]
