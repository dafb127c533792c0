"""The compiled rules say what the rule files say, and are believed only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.relations import loader, rule_file
from schemas.relations.compiled import bodies_of, compiled


def test_the_compiled_rules_are_current_and_hold_what_the_files_hold() -> None:
    files = loader.shipped_files()
    bodies = bodies_of(files)
    assert bodies is not None, "make docs"
    for file, body in zip(files, bodies, strict=True):
        found = rule_file.read_part(file, 0, rule_file.RuleFile)
        assert found is not None
        assert body == found[0].body, file
        assert rule_file.RuleFile.model_validate(body) == found[1], file


@pytest.mark.parametrize("kept", ["", "{}", "[]", '{"of": 1, "bodies": []}', "{", "\x00"])
def test_what_is_none_is_not_believed(tmp_path: Path, kept: str) -> None:
    (tmp_path / "rules.json").write_text(kept)
    assert bodies_of(loader.shipped_files(), tmp_path / "rules.json") is None
    assert bodies_of(loader.shipped_files(), tmp_path / "missing.json") is None


def test_who_edits_a_rule_file_is_read_at_once(tmp_path: Path) -> None:
    rules, kept = tmp_path / "mine.yaml", tmp_path / "rules.json"
    rules.write_text("area: mine\n")
    kept.write_text(compiled([rules], [{"area": "mine"}]))
    assert bodies_of([rules], kept) == [{"area": "mine"}]
    rules.write_text("area: other\n")
    assert bodies_of([rules], kept) is None
