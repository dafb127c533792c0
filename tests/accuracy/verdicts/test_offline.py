"""The labelled cases, decided offline, as `cheops check` does."""

from __future__ import annotations

import pytest

from tests.accuracy.verdicts.cases import Case, differences, load_cases
from tests.accuracy.verdicts.court import verdict_on

CASES = list(load_cases())


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_verdict_is_the_label(case: Case) -> None:
    assert not differences(case.expect, verdict_on(case)), case.row
