"""`cheops show ID`: what of a plan is not over yet is said, and where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cheops.chains import Chain
from cheops.cli.render.signs import Signs
from cheops.cli.showing import say_chain
from tests.unit.cli.test_verdicts import WEB, outcome, step, verdict

PLAN = (step(1), step(2, site="oslo"), step(3, site="oslo"))
ALLOWED = verdict(decision="allow", verb="apply", targets=(WEB,), plan=PLAN, reasons=())


def shown(capsys: pytest.CaptureFixture[str], chain: Chain) -> list[str]:
    say_chain(chain, Signs())
    return capsys.readouterr().out.splitlines()


def test_steps_without_an_end_are_counted_by_site_with_what_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    chain = Chain(None, (ALLOWED,), (outcome(1, "ready"), outcome(2, "begun")))
    assert shown(capsys, chain)[-1] == f"  … 2 of 3 steps are not over: 2 at oslo  (cheops plan {ALLOWED.intent})"


def test_a_plan_that_is_over_and_one_that_was_replaced_have_no_such_line(capsys: pytest.CaptureFixture[str]) -> None:
    ended = tuple(outcome(number, "ready") for number in (1, 2, 3))
    later = verdict(revision=2, verb="apply", targets=(WEB,))
    for chain in (Chain(None, (ALLOWED,), ended), Chain(None, (ALLOWED, later), ())):
        assert not [line for line in shown(capsys, chain) if "not over" in line]


def test_what_is_to_be_done_next_is_said_of_the_verdict_in_force_only(capsys: pytest.CaptureFixture[str]) -> None:
    deferred = verdict(decision="defer", expires_at=datetime.now(UTC) + timedelta(hours=1))
    denied = verdict(revision=2, decision="deny")
    for verdicts, count in (((deferred,), 1), ((deferred, denied), 0)):
        assert sum("decided by itself" in line for line in shown(capsys, Chain(None, verdicts, ()))) == count
