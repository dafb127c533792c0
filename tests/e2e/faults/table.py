"""What `make faults` says at the end: a row a fault, with the tests that show it and how each went.

A fault's tests are those named by its number here, and those in ELSEWHERE, which show it at one site and were there
before. A row is passed when each of its tests has run and passed; one that did not run is no pass.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final, Literal

import pytest

TITLES: Final = {
    1: "watcher killed between an event and its publication",
    2: "watcher killed after publishing, before it knows",
    8: "events of different kinds in any order",
    9: "every event ten times",
    10: "link down, a backlog at both ends",
    11: "the same changed at both sides of a cut",
    12: "one-way cut",
    13: "link flapping",
    15: "resolver stopped (SIGSTOP)",
    16: "nats-server SIGKILL in a burst",
    25: "two resolvers for one site",
    26: "the world changes between verdict and execution",
    27: "dependent created while the delete is in flight",
    28: "executor killed after the API call, before the outcome",
    29: "API call times out but took effect",
    30: "intent redelivered a day later",
    31: "finalizer holds a delete",
    32: "plan over several sites, a site dies in the middle",
    33: "two intents that together make a cycle across sites",
    38: "site registered again with epoch 0",
    39: "previous-version watcher and peers",
    41: "site A publishes as site B",
    42: "deferred, then healed",
}
SERVICE: Final = "tests/flow/test_executor_service.py"
ELSEWHERE: Final[dict[int, tuple[str, ...]]] = {
    1: (
        "tests/flow/test_watcher_faults.py::test_whatever_fails_after_the_end_of_the_faults_a_replica_equals_the_store",
    ),
    8: (
        "tests/unit/resolver/test_graph_model.py::"
        "test_any_order_that_keeps_each_objects_own_and_any_repetition_ends_in_the_same_graph",
    ),
    16: (
        "tests/flow/test_bus_restarted.py::test_intents_through_two_kills_are_all_decided_and_done_once",
        "tests/flow/test_watcher_nats.py::test_a_server_killed_in_a_burst_loses_nothing",
    ),
    27: (
        "tests/flow/test_conflicting_intents.py::test_a_user_and_the_deletion_of_what_it_uses_are_never_both_allowed",
    ),
    28: (
        "tests/e2e/test_real_cuts.py::"
        "test_an_executor_killed_after_the_api_call_and_before_the_outcome_writes_nothing_twice",
        f"{SERVICE}::test_killed_while_creating_there_is_one_effect_or_a_new_decision",
        f"{SERVICE}::test_killed_while_updating_what_the_verdict_saw_there_is_one_effect",
        f"{SERVICE}::test_killed_while_deleting_exactly_one_object_is_gone",
    ),
    29: (
        f"{SERVICE}::test_a_call_that_took_effect_unheard_is_one_effect",
        "tests/flow/test_executor_cluster.py::test_a_write_whose_answer_is_lost_is_found_again",
    ),
    30: (
        f"{SERVICE}::test_a_redelivered_operation_is_answered_and_not_done_again",
        "tests/flow/test_resolver_repeats.py::test_a_repeated_id_gets_the_first_verdict_and_the_next_intent_its_own",
    ),
    38: (
        "tests/e2e/test_real_takeover.py::test_a_second_watcher_of_a_site_refuses_to_start_and_says_why",
        "tests/e2e/test_real_takeover.py::test_a_watcher_that_hangs_is_replaced_and_leaves_when_it_wakes",
    ),
    39: (
        "tests/unit/chassis/test_pulse.py::"
        "test_the_next_minor_version_is_a_peer_and_another_major_one_is_refused_by_name_on_both_sides",
        "tests/unit/schemas/test_events.py::test_a_field_of_a_newer_minor_version_is_tolerated",
    ),
    41: (
        "tests/contract/mesh/test_permissions.py::test_a_role_may_say_what_it_is_for_and_nothing_else",
        "tests/contract/mesh/test_links.py::test_a_site_cannot_speak_in_the_name_of_another_even_with_its_whole_server",
    ),
}
NUMBERED: Final = re.compile(r"::test_fault_(\d+)_")
Ended = Literal["passed", "failed", "skipped"]


@dataclass
class Row:
    """How the tests of one fault went, and how long they took together."""

    ended: dict[Ended, int] = field(default_factory=lambda: defaultdict(int))
    took_s: float = 0.0
    missing: int = 0

    @property
    def word(self) -> str:
        """For the table."""
        if self.ended["failed"]:
            return "FAILED"
        return "passed" if self.ended["passed"] and not self.ended["skipped"] and not self.missing else "NOT RUN"


class Table:
    """A pytest plugin."""

    def __init__(self) -> None:
        self.rows = {number: Row() for number in TITLES}
        self._seen: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Each test once: its call, or what kept it from being called, or what went wrong after it."""
        test = report.nodeid.partition("[")[0]
        self._seen.add(test)
        for number in faults_of(test):
            row = self.rows[number]
            row.took_s += report.duration
            if report.when == "call" or report.outcome != "passed":
                row.ended[report.outcome] += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table, last."""
        for number, row in self.rows.items():
            row.missing = sum(test not in self._seen for test in ELSEWHERE.get(number, ()))
        terminalreporter.section("faults")
        for line in self.lines():
            terminalreporter.write_line(line)

    def lines(self) -> list[str]:
        """One for each fault, and their sum."""
        told = [
            f"{number:>3}  {TITLES[number]:<58} {row.word:<8} {_counts(row):<22} {row.took_s:7.1f} s"
            for number, row in self.rows.items()
        ]
        passed = sum(row.word == "passed" for row in self.rows.values())
        return [*told, f"{passed} of {len(self.rows)} faults passed"]


def faults_of(test: str) -> list[int]:
    """The faults that a test shows."""
    numbered = NUMBERED.search(test)
    found = [int(numbered.group(1))] if numbered else []
    return found + [number for number, tests in ELSEWHERE.items() if test in tests]


def _counts(row: Row) -> str:
    return ", ".join(f"{count} {word}" for word, count in row.ended.items() if count) or "no test ran"
