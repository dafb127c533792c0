"""Every rule shows what it finds, and that one detail changed takes it away: evidence carried by the rule files."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.relations.examples import examples_of, failures, untested
from schemas.relations.loader import CATALOGUE, load_catalogue
from tests.unit.relations.reading import EXTRACTOR

SHIPPED = load_catalogue()


@pytest.mark.parametrize("path", SHIPPED.files, ids=lambda path: path.stem)
def test_a_rule_finds_what_its_example_says_and_no_longer_when_the_detail_changes(path: Path) -> None:
    wrong = [(rule, failures(rule, example, EXTRACTOR)) for rule, example in examples_of(path)]
    assert [(rule, found) for rule, found in wrong if found] == []


def test_no_rule_is_without_an_example() -> None:
    assert untested(SHIPPED) == []


def test_every_shipped_file_is_read() -> None:
    assert sorted(SHIPPED.files) == sorted(CATALOGUE.rglob("*.yaml"))
