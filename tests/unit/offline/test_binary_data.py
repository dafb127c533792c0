"""What a ConfigMap keeps as `binaryData` is mounted like the rest, and read by no variable."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cheops.offline.check import Act, Court
from cheops.offline.scoped import check
from cheops.offline.sites import Flaws, site_of
from schemas.documents import Document
from schemas.identity import SiteName
from schemas.relations.loader import load_catalogue
from schemas.verdicts import Verdict
from services.resolver.judge.policy import Policy
from tests.kit.manifests import Manifest, deployment, namespace, reads_all_of, thing

LYON = SiteName("lyon")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CODED = "AA=="


def config_map(data: tuple[str, ...] = (), binary: tuple[str, ...] = ()) -> Manifest:
    return thing("ConfigMap", "cfg", data=dict.fromkeys(data, "x"), binaryData=dict.fromkeys(binary, CODED))


def reads(key: str, **more: Any) -> Manifest:
    named = {"configMapKeyRef": {"name": "cfg", "key": key, **more}}
    return {"containers": [{"name": "main", "image": "main", "env": [{"name": "MODE", "valueFrom": named}]}]}


def mounts(*keys: str) -> Manifest:
    items = {"items": [{"key": key, "path": key} for key in keys]} if keys else {}
    volume = {"name": "cfg", "configMap": {"name": "cfg", **items}}
    return {"containers": [{"name": "main", "image": "main"}], "volumes": [volume]}


def judged(act: Act, *there: Manifest) -> Verdict:
    catalogue = load_catalogue()
    documents = [Document("x.yaml", 1, one) for one in (namespace(), *there)]
    return check(Court({LYON: site_of(LYON, documents, catalogue, Flaws())}, catalogue, Policy(), NOW), act)


def said(verdict: Verdict) -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in verdict.reasons if one.severity != "note"]


def created(pod: Manifest) -> Verdict:
    return judged(Act(manifests=(deployment("web", pod),), verb="create"), config_map(("mode",), ("logo",)))


def updated(pod: Manifest, before: Manifest, after: Manifest) -> Verdict:
    return judged(Act(manifests=(after,), verb="update"), before, deployment("web", pod))


def test_a_variable_reads_text_only() -> None:
    assert created(reads("mode")).decision == "allow"
    (finding,) = said(created(reads("logo")))
    assert finding == (
        "D112",
        "ConfigMap shop/cfg has key 'logo' in binaryData only, which no variable reads, Deployment shop/web needs it",
    )
    assert created(reads("logo", optional=True)).decision == "allow"
    assert said(created(reads("other")))[0][1] == "ConfigMap shop/cfg has no key 'other', Deployment shop/web needs it"


@pytest.mark.parametrize("keys", [("mode", "logo"), ()])
def test_a_volume_mounts_both(keys: tuple[str, ...]) -> None:
    assert created(mounts(*keys)).decision == "allow"


def test_a_key_that_becomes_binary_is_lost_to_a_variable_and_to_nobody_else() -> None:
    before, after = config_map(("mode", "more")), config_map(("more",), ("mode",))
    denied = updated(reads("mode"), before, after)
    assert denied.decision == "deny"
    assert [code for code, _ in said(denied)] == ["D211"]
    assert updated(mounts("mode"), before, after).decision == "allow"
    (warned,) = said(updated(reads_all_of("cfg"), before, after))
    assert warned == ("W210", "Deployment shop/web @ lyon reads it whole and may need key 'mode'")
    assert said(updated(mounts(), before, after)) == []


def test_a_binary_key_that_goes_is_missed_by_who_mounts_it_and_by_no_variable() -> None:
    before, after = config_map(("mode",), ("logo", "icon")), config_map(("mode",), ("icon",))
    assert [code for code, _ in said(updated(mounts("logo"), before, after))] == ["D210"]
    assert [code for code, _ in said(updated(mounts(), before, after))] == ["W210"]
    assert said(updated(reads_all_of("cfg"), before, after)) == []
    assert said(updated(reads("mode"), before, after)) == []
