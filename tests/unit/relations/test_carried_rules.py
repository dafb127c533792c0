"""Rules that ConfigMaps carry: what is there is in force, and what is bad takes nothing else along."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.identity import KindId, ResourceId
from schemas.relations.carried import BYTES_MAX, FILES_MAX, HELD, Rulebook, differing, fact_of, said
from schemas.relations.loader import PLACES_MAX, load_catalogue
from schemas.relations.surface import builtin_surface
from schemas.ties import RULES_BEFORE_FACT, RULES_FACT

WIDGET = KindId("example.com/Widget")
GOOD = """area: mine
mounts:
  - kinds: [example.com/Widget]
    rules:
      - rule: widget.secret
        at: spec
        to: {kind: Secret, name: secretName}
        phases: [L]
"""
OTHER = GOOD.replace("widget.secret", "gadget.secret").replace("Widget", "Gadget")
A, B = ResourceId("ConfigMap/cheops/a"), ResourceId("ConfigMap/cheops/b")


def book_of(**config_maps: dict[str, str]) -> Rulebook:
    book = Rulebook(namespace="cheops")
    for name, data in config_maps.items():
        book.note(ResourceId(f"ConfigMap/cheops/{name}"), {RULES_FACT: fact_of(data)})
    book.renew()
    return book


def mounted(book: Rulebook, kind: str = WIDGET) -> list[str]:
    return [one.rule.rule for one in book.catalogue.rules.get(KindId(kind), ())]


def test_rules_of_a_config_map_come_into_force_and_go_with_it() -> None:
    book = book_of(a={"widgets.yaml": GOOD})
    assert mounted(book) == ["widget.secret"]
    assert book.renew() is None, "nothing has changed"
    book.note(A, None)
    assert book.renew() is not None
    assert book.catalogue is load_catalogue()


@pytest.mark.parametrize("facts", [None, {}, {"other": "x"}])
def test_a_config_map_that_carries_nothing_any_more_takes_its_rules_along(facts: dict[str, object] | None) -> None:
    book = book_of(a={"widgets.yaml": GOOD})
    book.note(A, facts)
    book.renew()
    assert mounted(book) == []


def test_only_the_namespace_of_the_setting_counts() -> None:
    book = Rulebook(namespace="cheops")
    for elsewhere in ("ConfigMap/cheops-two/a", "ConfigMap/shop/a", "Secret/cheops/a", "ConfigMap/cheops"):
        book.note(ResourceId(elsewhere), {RULES_FACT: fact_of({"x": GOOD})})
    assert book.renew() is None
    off = Rulebook()
    off.note(A, {RULES_FACT: fact_of({"x": GOOD})})
    assert off.renew() is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("area: [", "ConfigMap cheops/b:2: bad.yaml: "),
        (OTHER.replace("phases: [L]", "phases: [Q]"), "ConfigMap cheops/b:8: bad.yaml: mounts.0.rules.0.phases"),
        (OTHER.replace("at: spec", "at: 'spec[0]'"), "ConfigMap cheops/b:6: bad.yaml: mounts.0.rules.0.at"),
        (GOOD, "ConfigMap cheops/b:3: bad.yaml: rule 'widget.secret' stands twice for example.com/Widget, at spec"),
        ("", "ConfigMap cheops/b:1: bad.yaml: nothing in it"),
        ("area: one\nmounts:\n  - {kinds: [Pod], use: [nobody]}\n", "ConfigMap cheops/b:3: bad.yaml: use: no fragment"),
        ("\0", "ConfigMap cheops/b:1: bad.yaml: not text"),
        ("\ud800", "ConfigMap cheops/b:1: bad.yaml: "),
    ],
)
def test_a_bad_file_is_refused_with_its_place_and_all_others_hold(text: str, words: str) -> None:
    fine = OTHER.replace("gadget", "gizmo").replace("Gadget", "Gizmo")
    book = book_of(a={"widgets.yaml": GOOD}, b={"bad.yaml": text, "fine.yaml": fine})
    assert mounted(book) == ["widget.secret"]
    assert mounted(book, "example.com/Gizmo") == ["gizmo.secret"]
    assert list(book.refused) == [B]
    (said,) = book.words()
    assert said.startswith(words), said
    book.note(B, {RULES_FACT: fact_of({"fine.yaml": fine})})
    book.renew()
    assert not book.refused


BROKEN = (
    "area: [",
    GOOD.replace("phases: [L]", "phases: [Q]"),
    "area: one\nmounts:\n  - {kinds: [Pod], use: [nobody]}\n",
)


@pytest.mark.parametrize("text", BROKEN)
def test_in_place_of_a_file_that_cannot_be_used_holds_what_was_noted_as_said_before(text: str) -> None:
    book = book_of(a={"x": GOOD})
    before = said({"x": GOOD})
    book.note(A, {RULES_FACT: fact_of({"x": text}), RULES_BEFORE_FACT: before})
    assert book.renew() is None, "nothing is read otherwise"
    assert mounted(book) == ["widget.secret"]
    assert (book.held(A), book.in_force) == (before, {A: {"x": GOOD}})
    (words,) = book.words()
    assert words.startswith("ConfigMap cheops/a:")
    assert words.endswith(f"({HELD})")
    book.note(A, {RULES_FACT: fact_of({"x": OTHER}), RULES_BEFORE_FACT: before})
    book.renew()
    assert (mounted(book), mounted(book, "example.com/Gadget")) == ([], ["gadget.secret"]), "it can be used again"
    assert (book.held(A), book.refused) == ("", {})


@pytest.mark.parametrize("facts", [{}, {RULES_FACT: fact_of({}), RULES_BEFORE_FACT: said({"x": GOOD})}])
def test_a_file_that_is_taken_out_is_not_held(facts: dict[str, object]) -> None:
    book = book_of(a={"x": GOOD})
    book.note(A, facts)
    book.renew()
    assert (mounted(book), book.held(A), book.refused) == ([], "", {})


def test_of_one_that_is_too_large_all_files_hold_as_they_were() -> None:
    book = book_of(a={"x": GOOD, "y": OTHER})
    before = said({"x": GOOD, "y": OTHER})
    book.note(A, {RULES_FACT: fact_of({"x": GOOD + "#" * BYTES_MAX}), RULES_BEFORE_FACT: before})
    book.renew()
    assert (mounted(book), mounted(book, "example.com/Gadget")) == (["widget.secret"], ["gadget.secret"])
    assert book.held(A) == before
    (words,) = book.words()
    assert words.endswith(f"more than 256 KiB or 100 files of rules in all ({HELD})")


def test_what_is_held_is_bounded_and_what_cannot_stand_beside_the_others_is_dropped_once() -> None:
    half = GOOD + "#" * (BYTES_MAX * 2 // 3)
    facts = {RULES_FACT: fact_of({"x": "area: ["}), RULES_BEFORE_FACT: said({"x": half})}
    book = Rulebook(namespace="cheops")
    book.note(A, facts)
    book.note(B, facts)
    book.renew()
    assert (book.held(A), book.held(B)) == (facts[RULES_BEFORE_FACT], "")
    assert [HELD in one for one in book.words()] == [True, False]
    book.note(B, {RULES_FACT: fact_of({"x": "area: ["}), RULES_BEFORE_FACT: said({"x": GOOD})})
    book.renew()
    assert (book.held(A), book.held(B)) == (facts[RULES_BEFORE_FACT], ""), "the first by name"
    assert [HELD in one for one in book.words()] == [True, False]


def test_what_others_said_before_takes_no_room_from_what_is_held() -> None:
    half = OTHER + "#" * (BYTES_MAX * 2 // 3)
    broken = {RULES_FACT: fact_of({"x": "area: ["}), RULES_BEFORE_FACT: said({"x": GOOD + "#" * (BYTES_MAX // 2)})}
    good = {RULES_FACT: fact_of({"x": half}), RULES_BEFORE_FACT: said({"x": half})}
    book = Rulebook(namespace="cheops")
    for _ in range(2):
        book.note(A, good)
        book.note(B, broken)
        book.renew()
        assert (book.held(A), book.held(B)) == ("", broken[RULES_BEFORE_FACT])


def test_of_one_that_others_leave_no_room_for_it_is_told_that_it_holds_though_it_says_the_same() -> None:
    facts = {RULES_FACT: fact_of({"x": GOOD}), RULES_BEFORE_FACT: said({"x": GOOD})}
    book = book_of(a={f"{number}": "" for number in range(FILES_MAX)})
    book.note(B, facts)
    book.renew()
    assert (mounted(book), book.held(B)) == (["widget.secret"], facts[RULES_BEFORE_FACT])
    told = book_of(a={f"{number}": "" for number in range(FILES_MAX)})
    told.note(B, {RULES_FACT: facts[RULES_FACT], RULES_BEFORE_FACT: book.held(B)})
    told.renew()
    assert (mounted(told), list(told.words())) == (mounted(book), list(book.words()))


def test_a_file_may_use_the_fragment_of_another_and_falls_with_it() -> None:
    row = "{rule: part.tls, at: tls, to: {kind: Secret, name: name}, phases: [L]}"
    parts = f"area: parts\nfragments:\n  tls: [{row}]\n"
    user = "area: user\nmounts:\n  - {kinds: [example.com/Widget], at: spec, use: [tls]}\n"
    assert mounted(book_of(a={"1": user, "2": parts})) == ["part.tls"]
    book = book_of(a={"1": user, "2": parts.replace("[L]", "[Q]")})
    assert mounted(book) == []
    assert len(list(book.words())) == 2


def test_what_is_too_large_is_refused_and_what_fits_holds() -> None:
    padded = GOOD + "#" * BYTES_MAX
    assert fact_of({"x": padded}) is False
    book = book_of(a={"x": padded}, b={"x": OTHER})
    assert (mounted(book), mounted(book, "example.com/Gadget")) == ([], ["gadget.secret"])
    assert list(book.refused) == [A]
    many = book_of(a={f"{number}": "" for number in range(FILES_MAX + 1)}, b={"x": OTHER})
    assert mounted(many, "example.com/Gadget") == ["gadget.secret"]
    assert "KiB or 100 files of rules in all" in next(many.words())
    half = OTHER + "#" * (BYTES_MAX * 2 // 3)
    assert list(book_of(a={"x": half}, b={"x": half}).refused) == [B]


def test_fragments_that_multiply_are_refused_before_they_fill_the_memory() -> None:
    rows = ["area: bomb", "fragments:", "  f0: [{rule: a.b, at: x, to: {kind: Secret, name: name}, phases: [L]}]"]
    rows += [
        f"  f{step}: [{', '.join(f'{{use: f{step - 1}, at: a{one}}}' for one in range(10))}]" for step in range(1, 10)
    ]
    rows += ["mounts:", "  - {kinds: [example.com/Widget], use: [f9]}"]
    book = book_of(a={"bomb": "\n".join(rows)})
    assert f"more than {PLACES_MAX} places of rules" in next(book.words())
    hollow = [*rows[:2], "  f0: []", *rows[3:]]
    assert mounted(book_of(a={"bomb": "\n".join(hollow)})) == []
    chain = [
        "area: chain",
        "fragments:",
        "  f0: []",
        *(f"  f{step}: [{{use: f{step - 1}}}]" for step in range(1, 3000)),
    ]
    chain += ["mounts:", "  - {kinds: [example.com/Widget], use: [f2999]}"]
    assert "deep" in next(book_of(a={"chain": "\n".join(chain)}).words())


@pytest.mark.parametrize(
    ("kind", "at", "good"),
    [
        ("Secret", '"data[*]"', False),
        ("Secret", "''", False),
        ("Secret", "metadata", False),
        ("Secret", '"metadata.annotations[*]"', False),
        ("Secret", "\"metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']\"", False),
        ("ConfigMap", '"data[*]"', False),
        ("'*'", '"data[*]"', False),
        ("'*'", "spec", False),
        ("Secret", "\"metadata.annotations['example.com/issuer']\"", True),
        ("'*'", "\"metadata.labels['example.com/of']\"", True),
        ("Pod", "spec", True),
    ],
)
def test_no_value_of_a_secret_or_a_config_map_can_be_told_as_a_name(kind: str, at: str, good: bool) -> None:
    row = f"{{rule: mine.leak, at: {at}, to: {{kind: Service, name: .}}, phases: [L]}}"
    book = book_of(a={"x": f"area: leak\nmounts:\n  - kinds: [{kind}]\n    rules: [{row}]\n"})
    assert (not book.refused) == good, list(book.words())
    if not good:
        assert "only a file may read more of it" in next(book.words())


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("{data.password}-*", False),
        ("*-{metadata.annotations}", False),
        ("{metadata.name}-*", True),
        ("*-{metadata.labels['example.com/of']}", True),
        ("*-{.data.password}", True),  # of the label itself, which has none
    ],
)
def test_no_value_of_a_secret_can_be_told_as_a_part_of_a_name(text: str, good: bool) -> None:
    to = f'{{kind: Service, name: ., called: "{text}"}}'
    row = f"{{rule: mine.leak, at: \"metadata.labels['a']\", to: {to}, phases: [L]}}"
    book = book_of(a={"x": f"area: leak\nmounts:\n  - kinds: [Secret]\n    rules: [{row}]\n"})
    assert (not book.refused) == good, list(book.words())


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap", "'*'"])
def test_what_is_known_of_confidential_kinds_is_not_changed(kind: str) -> None:
    book = book_of(a={"x": f"area: leak\nkinds:\n  - {{kind: {kind}, facts: {{password: data.password}}}}\n"})
    assert "only a file may" in next(book.words())
    assert book.catalogue.kinds == load_catalogue().kinds


def test_the_kinds_that_read_otherwise_are_named_and_no_others() -> None:
    surface = builtin_surface()
    pods = book_of(a={"x": GOOD.replace("example.com/Widget", "Pod")}).catalogue
    assert differing(load_catalogue(), pods, surface) == {"Pod"}
    assert differing(pods, load_catalogue(), surface) == {"Pod"}
    assert differing(load_catalogue(), book_of(a={"x": GOOD}).catalogue, surface) == frozenset(), "it is not served"
    star = GOOD.replace("example.com/Widget", "'*'").replace("at: spec", "at: \"metadata.labels['x']\"")
    every = {kind for kind, one in surface.served.items() if one.watched}
    assert differing(load_catalogue(), book_of(a={"x": star}).catalogue, surface) == every
    known = "area: mine\nkinds:\n  - {kind: Service, ownership: identity}\n"
    assert differing(load_catalogue(), book_of(a={"x": known}).catalogue, surface) == {"Service"}


def test_who_reads_by_the_same_files_has_the_same_edition_whatever_config_maps_carry(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text("area: one\n")
    other.write_text("area: two\n")
    by_files = {Rulebook(files).edition for files in ((), (one,), (other,), (one, other))}
    assert len(by_files) == 4
    assert Rulebook((one, other)).edition == Rulebook((other, one)).edition
    assert book_of(a={"widgets.yaml": GOOD}).edition == Rulebook().edition
    one.write_text("area: three\n")
    assert Rulebook((one,)).edition not in by_files


def test_the_shipped_files_are_read_once_and_those_of_a_user_by_each_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, edition, seen = tmp_path / "mine.yaml", Rulebook().edition, list[Path]()
    mine.write_text("area: mine\n")
    monkeypatch.setattr(Path, "read_bytes", lambda path, read=Path.read_bytes: seen.append(path) or read(path))
    assert Rulebook().edition == edition != Rulebook((mine,)).edition
    assert set(seen) == {mine}
