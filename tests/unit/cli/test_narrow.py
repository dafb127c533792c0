"""Text on narrow terminals: lines end between words, and what is copied (names, commands, fields) is never broken."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cheops.cli.failures import explained
from cheops.cli.main import app
from cheops.cli.render import alert, code, sites
from cheops.cli.render.signs import Signs, signs_for
from cheops.cli.render.steps import outcome_line, plan_lines
from schemas.alerts import Alert
from schemas.codes import CODES
from schemas.identity import ResourceId, SiteName
from schemas.outcomes import Outcome
from schemas.queries import PeerLink, SiteLinks, SiteStatus
from schemas.verdicts import Evidence, Preconditions, Step

LYON, OSLO = SiteName("lyon"), SiteName("oslo")
WEB = ResourceId("apps/Deployment/shop/web")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
FRESH = SiteStatus(
    site=LYON,
    version="0.1.0",
    evidence=Evidence(site=LYON, epoch=1, seq=116, age_s=0.1, bound_s=10.0, observed=56, fresh=True),
    state="fresh",
    resources=22,
    edges=10,
    started_at=NOW,
)
LINKS = [SiteLinks(site=LYON, speaks="1.0", peers=(PeerLink(site=OSLO, state="up", round_trip_s=0.0099, heard_s=1.0),))]
REFUSED = Outcome.model_validate(
    {
        "operation": "i-1.1.1",
        "intent": "i-1",
        "revision": 1,
        "step": "1",
        "site": LYON,
        "action": "apply",
        "resource": WEB,
        "state": "failed",
        "message": "admission webhook denied the request because of a policy that nobody has read for years",
        "at": NOW,
    }
)
DRIFT = Alert.model_validate(
    {
        "id": "a-1",
        "code": "A507",
        "state": "raised",
        "site": LYON,
        "at": NOW,
        "resource": WEB,
        "message": "Deployment shop/web is not as declared @ lyon: spec.replicas was changed by kubectl",
        "cause": "somebody has changed it as kubectl, which is not who declared it",
        "evidence": FRESH.evidence,
    }
)


@pytest.mark.parametrize("width", [40, 60, 79])
def test_every_line_of_a_table_an_alert_and_an_outcome_fits(width: int) -> None:
    signs = Signs(width=width)
    text = "\n".join(
        [
            *sites.table([FRESH], ["oslo"], signs),
            *sites.links_table(LINKS, signs),
            *[line for line in alert.render(DRIFT, signs) if "cheops heal" not in line],
            outcome_line(REFUSED, signs),
            *[line for one in CODES for line in code.page(one, width)],
        ]
    )
    assert [line for line in text.splitlines() if len(line) > width] == []
    assert "Deployment shop/web @ lyon" in text
    assert "in flight 0" in text or "IN FLIGHT" in text


def test_a_step_that_does_not_fit_says_its_conditions_below() -> None:
    step = Step(id="1", site=LYON, action="delete", resource=WEB, preconditions=Preconditions(uid="a7a79f89"))
    assert plan_lines([step], Signs(width=60), followed=False, used=13) == [
        "1   delete Deployment shop/web @ lyon",
        "      if uid=a7a79f89",
    ]


def test_what_heals_is_a_command_on_a_line_of_its_own() -> None:
    last = alert.render(DRIFT, Signs(width=40))[-1]
    assert last.strip() == "help   cheops heal deployment/web -n shop --site lyon"


def test_a_field_stands_below_its_target_where_both_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n"
        "spec: {volumes: [{name: ca, secret: {secretName: edge-ca}}]}\n"
    )
    monkeypatch.setenv("COLUMNS", "60")
    words = ["relations", "-f", str(file)]
    assert explained(lambda: app(words, standalone_mode=False, prog_name="cheops")) == 0
    said = capsys.readouterr().out
    arrow = signs_for(False).arrow
    assert f"  {arrow} Secret shop/edge-ca [not here]\n      spec.volumes[0].secret.secretName (reliance SL)\n" in said


def test_that_nothing_is_missing_is_told_within_the_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "map.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\n")
    monkeypatch.setenv("COLUMNS", "40")
    words = ["missing", "-f", str(file), "-n", "shop"]
    assert explained(lambda: app(words, standalone_mode=False, prog_name="cheops")) == 0
    said = capsys.readouterr().out
    assert said.startswith("nothing is missing at manifests in\n    namespace shop\n")
    assert max(map(len, said.splitlines())) <= 40
