"""Every rule shows what it finds, and that one detail changed takes it away: evidence carried by the rule files."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.relations.examples import Example, examples_of, failures, untested
from schemas.relations.extract import Extractor
from schemas.relations.loader import CATALOGUE, load_catalogue
from schemas.relations.surface import builtin_surface

SHIPPED = load_catalogue()
EXTRACTOR = Extractor(SHIPPED, builtin_surface())
ROWS = [(path, rule, example) for path in SHIPPED.files for rule, example in examples_of(path)]


@pytest.mark.parametrize(("path", "rule", "example"), ROWS, ids=[f"{path.stem}:{rule}" for path, rule, _ in ROWS])
def test_a_rule_finds_what_its_example_says_and_no_longer_when_the_detail_changes(
    path: Path, rule: str, example: Example
) -> None:
    assert failures(rule, example, EXTRACTOR) == [], f"{path}: {rule}"


def test_no_rule_is_without_an_example() -> None:
    assert untested(SHIPPED) == []


def test_every_shipped_file_is_read() -> None:
    assert sorted(SHIPPED.files) == sorted(CATALOGUE.rglob("*.yaml"))
