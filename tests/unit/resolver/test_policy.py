"""How strict a number is: the first rule that fits, else the tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.documents import DocumentError
from schemas.events import Reference, Relation
from schemas.identity import ResourceId, site_name
from schemas.policy import PolicyFile, load_policy
from services.resolver.graph.view import Edge
from services.resolver.judge.findings import Finding
from services.resolver.judge.policy import Policy

LYON = site_name("lyon")
USER = ResourceId("apps/Deployment/dev-shop/web")


def _finding(code: str = "D311", relation: Relation = "requirement") -> Finding:
    reference = Reference("podspec.env.secret", "spec", relation, "S", ResourceId("Secret/dev-shop/key"))
    return Finding(code, "…", "presence", USER, Edge(USER, ResourceId("Secret/dev-shop/key"), reference))


def _letter(rule: dict[str, object], finding: Finding | None = None, labels: dict[str, str] | None = None) -> str:
    policy = Policy(PolicyFile.model_validate({"schema": "policy/v1", "rules": [rule]}))
    return policy.letter(finding or _finding(), LYON, lambda _: labels or {})


@pytest.mark.parametrize(("setting", "letter"), [("deny", "D"), ("warn", "W"), ("note", "N"), ("ignore", "")])
def test_a_rule_sets_the_letter(setting: str, letter: str) -> None:
    assert _letter({"code": "311", "set": setting}) == letter


@pytest.mark.parametrize(
    "condition",
    [{"relation": "requirement"}, {"sites": ["l*"]}, {"namespaces": ["dev-*"]}, {"labels": {"tier": "test"}}],
)
def test_a_condition_that_fits_lets_the_rule_hold(condition: dict[str, object]) -> None:
    assert _letter({"code": "311", "set": "warn", **condition}, labels={"tier": "test"}) == "W"


@pytest.mark.parametrize(
    "condition",
    [{"relation": "reliance"}, {"sites": ["oslo"]}, {"namespaces": ["prod-*"]}, {"labels": {"tier": "prod"}}],
)
def test_a_condition_that_does_not_fit_leaves_the_table_in_force(condition: dict[str, object]) -> None:
    assert _letter({"code": "311", "set": "warn", **condition}, labels={"tier": "test"}) == "D"


def test_the_first_rule_that_fits_wins() -> None:
    rules = [{"code": "311", "set": "note", "sites": ["lyon"]}, {"code": "311", "set": "ignore"}]
    policy = Policy(PolicyFile.model_validate({"schema": "policy/v1", "rules": rules}))
    assert policy.letter(_finding(), LYON, lambda _: {}) == "N"


def test_what_is_unknown_stays_unknown() -> None:
    assert _letter({"code": "311", "set": "ignore"}, Finding("F502", "…", "nothing")) == "F"


def test_the_digest_names_the_policy_and_the_default_is_called_default() -> None:
    one = PolicyFile.model_validate({"schema": "policy/v1", "rules": [{"code": "311", "set": "warn"}]})
    other = PolicyFile.model_validate({"schema": "policy/v1", "rules": [{"code": "311", "set": "note"}]})
    assert Policy().digest == "default"
    assert len({Policy(one).digest, Policy(other).digest, "default"}) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema: policy/v1\nrules:\n- {code: 999, set: warn}\n", r":3: rules\.0\.code: no finding has the number 999"),
        ("schema: policy/v1\nrules:\n- {code: '010', set: warn}\n", r":3: rules\.0\.code: 010 is about the intent"),
        ("schema: policy/v1\nrules:\n- code: 311\n  set: maybe\n", r":4: rules\.0\.set: "),
        ("schema: policy/v1\nrules:\n- {code: 311, set: warn, site: x}\n", r":3: rules\.0\.site: "),
        ("schema: policy/v2\n", r":1: schema: "),
        ("rules: []\n", r":1: schema: missing"),
        ("a: 1\n---\nb: 2\n", r"2 documents \(expected one policy\)"),
    ],
)
def test_a_bad_policy_file_is_refused_with_file_line_and_field(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(DocumentError, match=message):
        load_policy(file)


def _shadows(*rules: dict[str, object]) -> list[tuple[int, int]]:
    return PolicyFile.model_validate({"schema": "policy/v1", "rules": list(rules)}).shadowed()


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({}, {"namespaces": ["shop"]}),
        ({"namespaces": ["dev-*"]}, {"namespaces": ["dev-a*", "dev-b"], "labels": {"tier": "test"}}),
        ({"sites": ["l*", "oslo"]}, {"sites": ["oslo"], "relation": "requirement"}),
        ({"labels": {"tier": "test"}}, {"labels": {"tier": "test", "team": "sre"}}),
    ],
)
def test_a_rule_that_never_gets_its_turn_is_known_by_the_one_before_it(
    earlier: dict[str, object], later: dict[str, object]
) -> None:
    one, other = {"code": "310", "set": "warn", **earlier}, {"code": "310", "set": "deny", **later}
    assert _shadows(one, {"code": "311", "set": "note"}, other) == [(2, 0)]
    assert _shadows(other, one) == [], "what is narrower comes first"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"namespaces": ["dev-?"]}, {"namespaces": ["dev-*"]}),
        ({"namespaces": ["[ab*]"]}, {"namespaces": ["*"]}),
        ({"relation": "reliance"}, {"relation": "requirement"}),
        ({"sites": ["lyon"]}, {"sites": ["lyon", "oslo"]}),
        ({"labels": {"tier": "test"}}, {"labels": {"tier": "live"}}),
    ],
)
def test_a_rule_that_may_get_its_turn_is_not_said_to_get_none(
    earlier: dict[str, object], later: dict[str, object]
) -> None:
    assert _shadows({"code": "310", "set": "warn", **earlier}, {"code": "310", "set": "deny", **later}) == []
