"""A bad rule file is refused when it is loaded, with file, line and reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.identity import KindId
from schemas.relations.examples import compared, examples_of
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.rule import Target
from schemas.relations.rule_file import RuleError
from schemas.relations.surface import builtin_surface

GOOD = """area: mine
mounts:
  - kinds: [example.com/Widget]
    rules:
      - rule: widget.secret
        at: spec
        to: {kind: Secret, name: secretName}
        phases: [L]
"""


def refusal(tmp_path: Path, text: str) -> RuleError:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(RuleError) as caught:
        load_catalogue([path])
    assert caught.value.file == str(path)
    return caught.value


def test_a_good_file_adds_its_rules_to_the_shipped_ones(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    catalogue = load_catalogue([path])
    assert [one.rule.rule for one in catalogue.rules["example.com/Widget"]] == ["widget.secret"]  # type: ignore[index]  # a KindId is its text
    assert set(load_catalogue().rules) < set(catalogue.rules)


@pytest.mark.parametrize(
    ("was", "now", "line", "reason"),
    [
        ("secretName}", "secretName, colour: red}", 7, "colour"),
        ("area: mine", "area: mine\nowner: me", 2, "owner"),
        ("at: spec", "at: 'spec[0]'", 6, "not a path"),
        ("name: secretName", "name: 'a b'", 7, "not a path"),
        ("phases: [L]", "phases: [X]", 8, "phases"),
        ("phases: [L]", "phases: []", 8, "phases"),
        ("kind: Secret, ", "", 7, "needs kind, kind_from or reads"),
        (", name: secretName", "", 7, "needs one of name"),
        ("name: secretName", "reads: tea-leaves", 7, "tea-leaves"),
        ("name: secretName", "name: secretName, namespace: every", 5, "only what is made is in every namespace"),
        ("kind: Secret", "kind: secret", 7, "kind"),
        ("widget.secret", "Widget Secret", 5, "rule"),
        ("kinds: [example.com/Widget]", "kinds: []", 3, "kinds"),
        ("phases: [L]", "phases: [L", 9, "expected"),
        ("at: spec", "at: spec\n        at: spec", 7, "twice"),
        (GOOD, "", 1, "nothing in it"),
        (GOOD, "- a\n", 1, "expected"),
    ],
)
def test_a_bad_file_names_line_and_reason(tmp_path: Path, was: str, now: str, line: int, reason: str) -> None:
    assert was in GOOD
    error = refusal(tmp_path, GOOD.replace(was, now))
    assert (error.line, reason in error.reason) == (line, True), str(error)


def test_a_fragment_that_uses_itself_is_refused(tmp_path: Path) -> None:
    text = "area: mine\nfragments:\n  loop:\n    - {use: hoop}\n  hoop:\n    - {use: loop}\n"
    error = refusal(tmp_path, text + "mounts:\n  - {kinds: [Widget], use: [loop]}\n")
    assert "uses itself (loop → hoop → loop)" in error.reason
    assert error.line == 6


def test_an_unknown_fragment_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, "area: mine\nmounts:\n  - {kinds: [Widget], use: [potspec]}\n")
    assert "no fragment is called 'potspec'" in error.reason
    assert error.line == 3


def test_a_rule_that_stands_twice_is_refused(tmp_path: Path) -> None:
    rules = GOOD[GOOD.index("  - kinds") :]
    error = refusal(tmp_path, GOOD + rules)
    assert "stands twice for example.com/Widget" in error.reason
    assert error.line == 9


def test_the_same_file_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    with pytest.raises(RuleError, match="stands twice"):
        load_catalogue([path, path])


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="cannot be read"):
        load_catalogue([tmp_path / "none.yaml"])
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RuleError, match="not text"):
        load_catalogue([tmp_path / "bytes.yaml"])


def test_a_third_document_is_refused(tmp_path: Path) -> None:
    assert "a third document" in refusal(tmp_path, GOOD + "\n---\nexamples: {}\n---\nmore: 1\n").reason


def test_an_example_of_a_rule_that_the_file_does_not_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        GOOD + "---\nexamples:\n  widget.other:\n    - {object: {}, finds: [{path: a}], not_found: {a: 1}}\n"
    )
    with pytest.raises(RuleError, match=r"no rule of this file is called 'widget\.other'") as caught:
        list(examples_of(path))
    assert caught.value.line == 11


def test_the_file_of_the_manual_is_good_and_its_example_holds(tmp_path: Path) -> None:
    manual = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(manual.partition("```yaml\n")[2].partition("```")[0])
    rows = list(compared([path], Extractor(load_catalogue([path]), builtin_surface())))
    assert [(rule, wrong) for _, rule, wrong in rows] == [("widget.secret", [])]


def test_a_fragment_that_is_called_as_a_shipped_one_is_its_files_own(tmp_path: Path) -> None:
    row = "{rule: mine.secret, at: tls, to: {kind: Secret, name: secretName}, phases: [L]}"
    mount = "mounts:\n  - {kinds: [example.com/Widget], at: spec, use: [podvolume]}\n"
    mine, other = tmp_path / "mine.yaml", tmp_path / "other.yaml"
    mine.write_text(f"area: mine\nfragments:\n  podvolume: [{row}]\n{mount}")
    other.write_text(f"area: other\n{mount.replace('Widget', 'Gadget')}")
    found = load_catalogue([mine, other]).rules
    assert [one.rule.rule for one in found[KindId("example.com/Widget")]] == ["mine.secret"]
    assert "mine.secret" not in {one.rule.rule for one in found[KindId("example.com/Gadget")]}
    assert len(found[KindId("example.com/Gadget")]) > 1


@pytest.mark.parametrize("called", ["*-{spec.a", "*-spec.a}", "*-{}", "*-{spec[a}", "{spec.a}", "*-{spec.a}-*"])
def test_a_name_that_is_put_together_of_what_is_no_path_is_refused(called: str) -> None:
    with pytest.raises(ValidationError, match=r"called|path|pattern"):
        Target(kind="Secret", name="metadata.name", called=called)
