"""Which tests one worker does."""

from __future__ import annotations

from tests.kit.spread import unit_of


def test_a_file_stays_whole() -> None:
    units = {unit_of("tests/flow/test_sdk.py::test_one"), unit_of("tests/flow/test_sdk.py::test_two[a::b]")}
    assert units == {"tests/flow/test_sdk.py"}
    assert unit_of("tests/flow/test_sets.py::test_one") not in units


def test_files_that_share_clusters_stay_together() -> None:
    real = {unit_of(f"tests/e2e/{file}.py::test_it") for file in ("test_main_job", "test_real_cuts", "test_real_shop")}
    assert len(real) == 1
    faults = {unit_of(f"tests/e2e/faults/{file}.py::test_it") for file in ("test_acting", "test_links")}
    assert len(faults) == 1
    assert real != faults


def test_a_control_plane_that_only_some_files_use_is_started_in_one_worker() -> None:
    plane = {unit_of(f"tests/contract/{file}.py::test_it") for file in ("api/test_kubectl", "test_merging")}
    assert len(plane) == 1
    assert len({unit_of(f"tests/flow/{file}.py::test_it") for file in ("test_executor_words", "test_sdk")}) == 2


def test_what_the_rules_say_about_every_kind_is_worked_out_in_one_worker() -> None:
    assert len({unit_of(f"tests/unit/relations/{file}.py::test_it") for file in ("test_quick", "test_stating")}) == 1
