"""The labelled cases, decided offline, as `cheops check` does."""

from __future__ import annotations

import pytest

from schemas.codes import CODES
from tests.accuracy.verdicts.cases import Case, differences, load_cases
from tests.accuracy.verdicts.court import verdict_on
from tests.kit.needs import CEL

CASES = list(load_cases())
# No manifests of sites alone can show these: why, and where they are shown instead.
SHOWN_ELSEWHERE = {
    "011": "who may override is a policy's word: unit/resolver/test_policy.py",
    "012": "an intent that expires: unit/resolver/test_machine_states.py",
    "341": "a round between sites, whose end is one verdict without it: unit/resolver/test_supply.py",
    "345": "an intent that heals has no manifest to be judged here: unit/resolver/test_healing.py",
    "506": "two updates at both sides of a cut: unit/resolver/test_sets.py, e2e/faults/test_links.py",
    "510": "two intents at one time: flow/test_conflicting_intents.py",
    "511": "a setting of a resolver: unit/resolver/test_gone.py",
    "512": "one that waited, and a later one: unit/resolver/test_overtaken.py",
    "520": "something was done before: unit/resolver/test_undoing_together.py",
    "521": "a step failed: unit/resolver/test_undoing.py",
    "522": "a step failed: unit/resolver/test_undoing.py",
    "346": "a site is lost: unit/resolver/test_rebalance.py",
    "630": "as 345",
    "631": "as 346",
}


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=CEL if case.reads_cel else ()) for case in CASES]
)
def test_the_verdict_is_the_label(case: Case) -> None:
    assert not differences(case.expect, verdict_on(case)), case.row


def test_every_code_of_a_verdict_has_a_case_or_is_shown_elsewhere() -> None:
    labelled = {code[1:] for case in CASES for code in (*case.expect.codes, *case.expect.also)}
    numbers = {one.number for one in CODES if one.letter != "A"}
    assert numbers - labelled == set(SHOWN_ELSEWHERE)
    assert labelled <= numbers
