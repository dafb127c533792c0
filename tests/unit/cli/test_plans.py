"""A plan by site: every step and every wait is there, as text, for Graphviz and drawn; names are never markup."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest
import yaml

from cheops.cli.options import PlanOutput
from cheops.cli.planning import print_plan
from cheops.cli.render.plan import plan_dot, plan_svg, plan_text, state_of
from cheops.cli.render.signs import Signs
from schemas.identity import ResourceId, SiteName
from schemas.outcomes import Outcome, OutcomeState
from schemas.verdicts import Action, Step, Verdict
from tests.kit.needs import GRAPHVIZ

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def step(name: str, site: str, resource: str, *after: str, action: Action = "apply") -> Step:
    return Step(id=name, site=SiteName(site), action=action, resource=ResourceId(resource), after=after)


def verdict(*steps: Step, undoes: int | None = None) -> Verdict:
    return Verdict(
        intent="i-1",
        decision="allow",
        verb="apply",
        site=SiteName("lyon"),
        summary="apply",
        decided_at=NOW,
        decided_by="resolver/lyon@test",
        valid_until=NOW,
        plan=steps,
        undoes=undoes,
    )


def outcome(of: Step, state: OutcomeState) -> Outcome:
    names = {"operation": f"i-1.1.{of.id}", "intent": "i-1", "revision": 1, "step": of.id, "site": of.site}
    return Outcome(**names, action=of.action, resource=of.resource, state=state, at=NOW)


STEPS = (
    step("1", "nice", "Secret/shop/ca", action="annotate"),
    step("2", "lyon", "Secret/shop/ca", "1"),
    step("3", "lyon", "apps/Deployment/shop/web", "2"),
    step("4", "oslo", 'ConfigMap/shop/say-"hi"\\n', action="delete"),
)


def test_each_site_has_its_steps_and_each_step_says_what_it_waits_for() -> None:
    lines = plan_text(verdict(*STEPS), {}, Signs())
    assert [line for line in lines if line.startswith("@")] == ["@ nice", "@ lyon", "@ oslo"]
    assert "  3  apply Deployment shop/web" in "\n".join(lines)
    assert [line.rpartition("after ")[2] for line in lines if "after" in line] == ["1", "2"]


def test_what_became_of_each_step_is_a_word_and_a_sign() -> None:
    outcomes = {"1": outcome(STEPS[0], "ready"), "2": outcome(STEPS[1], "failed"), "3": outcome(STEPS[2], "expired")}
    assert [state_of(one, outcomes) for one in STEPS] == ["done", "failed", "not begun", "waiting"]
    text = "\n".join(plan_text(verdict(*STEPS), outcomes, Signs()))
    assert "✗ failed" in text
    assert "✓ done" in text


def test_an_undo_says_so() -> None:
    undo = step("u1", "lyon", "Secret/shop/ca", action="delete").model_copy(update={"undoes": "i-1.1.2"})
    lines = plan_text(verdict(undo, undoes=1), {}, Signs())
    assert lines[0] == "undo of revision 1: 1 step"
    assert "undo: delete Secret shop/ca" in lines[2]


def test_a_plan_is_the_same_document_in_json_and_in_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = {"1": outcome(STEPS[0], "ready")}
    print_plan(verdict(*STEPS), outcomes, PlanOutput.JSON, ascii_only=False)
    body = json.loads(capsys.readouterr().out)
    print_plan(verdict(*STEPS), outcomes, PlanOutput("yaml"), ascii_only=False)
    assert yaml.safe_load(capsys.readouterr().out) == body
    assert (body["schema"], [one["state"] for one in body["steps"]][:2]) == ("plan/v1", ["done", "waiting"])


@GRAPHVIZ
def test_the_picture_has_a_frame_a_site_a_box_a_step_and_an_arrow_a_wait() -> None:
    drawn = ET.fromstring(plan_svg(verdict(*STEPS), {"2": outcome(STEPS[1], "failed")}))
    groups = [(one.get("class"), one.findtext(f"{SVG}title")) for one in drawn.iter(f"{SVG}g")]
    assert [title for kind, title in groups if kind == "node"] == ["1", "2", "3", "4"]
    assert sorted(title or "" for kind, title in groups if kind == "edge") == ["1->2", "2->3"]
    assert sum(kind == "cluster" for kind, _ in groups) == 3
    words = "".join(drawn.itertext())
    assert all(word in words for word in ("lyon", "oslo", "nice", "failed", 'say-"hi"'))


def test_an_arrow_between_sites_stands_out() -> None:
    lines = plan_dot(verdict(*STEPS), {}).splitlines()
    assert sum("penwidth=1.8" in line for line in lines) == 1


def test_a_picture_of_no_steps_is_one_and_why_there_are_none_is_told_beside_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_plan(verdict(), {}, PlanOutput.DOT, ascii_only=True)
    printed = capsys.readouterr()
    assert printed.out.startswith("digraph plan {")
    assert "ALLOW" in printed.err
