"""What a resolver does when the rules that ConfigMaps carry change: hears by them, and doubts what was read before."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.alerts import Alert
from schemas.events import BlindKind, Scalar, ServedKind
from schemas.identity import KindId, ResourceId, SiteName
from schemas.kinds import Surface
from schemas.relations.carried import HELD, Rulebook, fact_of
from schemas.ties import RULES_BEFORE_FACT, RULES_FACT
from services.resolver.evidence import SiteEvidence, Standing
from services.resolver.graph.snapshot import Chunk
from services.resolver.hearing import Hearing
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.preserving import Preserving
from services.resolver.ruling import Ruling
from services.resolver.signals import Moment
from services.resolver.snapshots import CURRENT, End, Head, Snapshots

LYON = SiteName("lyon")
WIDGET, POD, CONFIG_MAP = KindId("example.com/Widget"), KindId("Pod"), KindId("ConfigMap")
MINE = ResourceId("ConfigMap/cheops/mine")
GOOD = """area: mine
mounts:
  - kinds: [example.com/Widget]
    rules:
      - {rule: widget.secret, at: spec, to: {kind: Secret, name: secretName}, phases: [L]}
"""
DIGESTS = {WIDGET: "1:a", POD: "2:b", CONFIG_MAP: "3:c"}
MOMENT = Moment(1.0, datetime(2026, 1, 1, tzinfo=UTC))


def facts(text: str) -> Mapping[str, Scalar]:
    return {RULES_FACT: fact_of({"x.yaml": text})}


class Site:
    """A ruling, and evidence of which every kind is confirmed."""

    def __init__(self, namespace: str = "cheops") -> None:
        self.ruling = Ruling(LYON, Rulebook(namespace=namespace))
        self.evidence = SiteEvidence(LYON)
        self.hearing = Hearing(self.evidence, self.ruling.book.catalogue, Policy(), "test")
        self.evidence.surface = Surface([ServedKind(one, "things", ("v1",)) for one in (WIDGET, POD, CONFIG_MAP)])
        self.confirm()

    def confirm(self) -> None:
        """The watcher answers, and says of each kind that nothing was missed."""
        seq = self.evidence.seq
        self.evidence.answered(self.evidence.epoch, seq, 0.0)
        self.evidence.mark("surface", KindId(""), seq + 1)
        for kind in self.evidence.surface.served:
            self.evidence.mark("sync_same", kind, seq + 1)
        self.evidence.seq = seq + 1

    def settle(self) -> str:
        """Why everything is to be listed; "" when nothing is."""
        self.ruling.settle(self.evidence, self.hearing)
        return self.evidence.wants_resync(100.0)

    def finds(self) -> list[str]:
        body = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}}
        state = self.hearing._extractor.state({**body, "spec": {"secretName": "ca"}})
        return [one.target for one in state.references if one.rule == "widget.secret"]

    def alerts(self) -> list[Alert]:
        return list(self.ruling.due(self.evidence, MOMENT))


def test_new_rules_are_heard_by_at_once_and_what_they_read_otherwise_is_asked_for_whole() -> None:
    site = Site()
    assert (site.settle(), site.finds()) == ("", [])
    site.ruling.note(MINE, facts(GOOD))
    assert site.settle() == "the rules of relationships have changed"
    assert site.finds() == ["Secret/shop/ca"]
    assert not site.ruling.is_settled
    assert site.ruling.vouched(DIGESTS) == {POD: "2:b"}, "what was told of widgets and of ConfigMaps does not count"
    site.confirm()
    assert site.settle() == ""
    assert site.ruling.is_settled
    assert site.ruling.vouched(DIGESTS) == {WIDGET: "1:a", POD: "2:b"}


def test_rules_that_go_are_doubted_as_those_that_come() -> None:
    site = Site()
    site.ruling.note(MINE, facts(GOOD))
    site.settle()
    site.confirm()
    site.settle()
    site.ruling.note(MINE, {})
    assert site.settle()
    assert site.finds() == []
    assert WIDGET not in site.ruling.vouched(DIGESTS)


def test_what_changes_while_something_else_is_doubted_is_asked_for_after_it() -> None:
    site = Site()
    site.evidence.distrust("gap")
    site.ruling.note(MINE, facts(GOOD))
    assert site.settle() == "gap"
    assert site.ruling.vouched(DIGESTS) == {WIDGET: "1:a", POD: "2:b"}
    site.confirm()
    assert site.settle() == "the rules of relationships have changed"
    assert WIDGET not in site.ruling.vouched(DIGESTS)


def test_a_kind_that_is_not_seen_is_asked_for_until_it_was_listed() -> None:
    site = Site()
    site.ruling.note(MINE, facts(GOOD))
    site.settle()
    site.confirm()
    site.evidence.blind = {WIDGET: BlindKind("failing", 1.0)}
    site.settle()
    assert not site.ruling.is_settled
    assert WIDGET not in site.ruling.vouched(DIGESTS)
    site.evidence.blind = {}
    site.settle()
    assert site.ruling.is_settled


def test_rules_of_kinds_that_are_not_served_make_nobody_list_anything() -> None:
    site = Site()
    site.ruling.note(MINE, facts(GOOD.replace("Widget", "Gadget")))
    assert site.settle() == ""


def test_what_another_watcher_has_read_is_asked_for_whole_once_nothing_else_is_doubted() -> None:
    site = Site()
    site.ruling.hear("one", [])
    assert (site.settle(), site.ruling.vouched(DIGESTS)) == ("", {WIDGET: "1:a", POD: "2:b"}), "nothing was known yet"
    site.ruling.hear("one", [POD, WIDGET])
    assert site.settle() == "", "the same one has started again"
    site.evidence.distrust("unknown epoch")
    site.ruling.hear("two", [POD, WIDGET])
    assert site.settle() == "unknown epoch"
    site.confirm()
    assert site.settle() == "the watcher reads by another version or other rules than before"
    assert site.ruling.vouched(DIGESTS) == {}
    assert not site.ruling.is_settled, "no snapshot is taken meanwhile"
    site.confirm()
    assert (site.settle(), site.ruling.is_settled) == ("", True)
    assert site.ruling.vouched(DIGESTS) == {WIDGET: "1:a", POD: "2:b"}


def test_a_watcher_that_does_not_say_how_it_reads_or_reads_as_the_resolver_does_is_not_told_of() -> None:
    site = Site()
    for read_by, otherwise in (("", False), (site.ruling.book.edition, False), ("two", True), ("", False)):
        site.ruling.hear(read_by, [POD])
        assert site.ruling.reads_otherwise == otherwise


def test_a_graph_from_a_snapshot_is_heard_by_the_rules_in_it_and_not_doubted() -> None:
    site = Site()
    site.ruling.note(MINE, facts(GOOD))
    site.ruling.begin(site.hearing)
    assert site.finds() == ["Secret/shop/ca"]
    assert site.settle() == ""


def test_without_the_setting_a_fact_is_nothing() -> None:
    site = Site("")
    site.ruling.note(MINE, facts(GOOD))
    assert (site.settle(), site.finds()) == ("", [])
    assert site.ruling.vouched(DIGESTS) == DIGESTS


def test_a_refused_file_is_alerted_of_once_and_heals() -> None:
    site = Site()
    site.ruling.note(MINE, facts("area: ["))
    site.settle()
    (raised,) = site.alerts()
    assert (raised.code, raised.state, raised.resource) == ("A505", "raised", MINE)
    assert "ConfigMap cheops/mine:2: x.yaml: " in raised.message
    assert site.alerts() == []
    site.ruling.note(MINE, facts(GOOD.replace("[L]", "[Q]")))
    site.settle()
    (again,) = site.alerts()
    assert (again.id, again.state) == (raised.id, "raised")
    assert "x.yaml: mounts.0.rules.0.phases" in again.message, "another reason is told"
    after_a_restart = Site()
    after_a_restart.ruling.recover([raised, again])
    after_a_restart.ruling.note(MINE, facts(GOOD.replace("[L]", "[Q]")))
    after_a_restart.settle()
    assert after_a_restart.alerts() == [], "it was told of before"
    for one in (site, after_a_restart):
        one.ruling.note(MINE, facts(GOOD))
        one.settle()
        assert one.alerts() == [], "not before all is known again"
        one.confirm()
        one.settle()
        (healed,) = one.alerts()
        assert (healed.id, healed.state) == (raised.id, "healed")
        assert one.alerts() == []


def test_a_file_that_is_broken_holds_as_the_watcher_says_that_it_was_and_nothing_is_doubted() -> None:
    site = Site()
    site.ruling.note(MINE, facts(GOOD))
    site.settle()
    site.confirm()
    site.settle()
    site.ruling.note(MINE, {**facts("area: ["), RULES_BEFORE_FACT: fact_of({"x.yaml": GOOD})})
    assert (site.settle(), site.finds()) == ("", ["Secret/shop/ca"])
    (raised,) = site.alerts()
    assert raised.message.endswith(f"({HELD})")
    restored = Site()
    restored.ruling.note(MINE, {**facts("area: ["), RULES_BEFORE_FACT: fact_of({"x.yaml": GOOD})})
    restored.ruling.begin(restored.hearing)
    assert restored.finds() == ["Secret/shop/ca"], "a snapshot has the same facts"
    site.ruling.note(MINE, None)
    assert site.settle()
    assert site.finds() == []


@pytest.mark.parametrize("fact", [False, True, None, 7, "[]", "{", '{"x": 1}'])
def test_a_fact_that_no_watcher_of_ours_tells_ends_nothing(fact: Scalar) -> None:
    site = Site()
    site.ruling.note(MINE, {RULES_FACT: fact})
    assert site.settle() == ""
    assert site.finds() == []


@pytest.mark.parametrize("changes", [False, True])
async def test_a_snapshot_during_which_the_rules_change_is_none(tmp_path: Path, changes: bool) -> None:
    book = Rulebook(namespace="cheops")

    class Written(Snapshots):
        def acts(
            self, head: Head, chunks: Iterable[Chunk], end: Callable[[], End]
        ) -> Generator[Callable[[], object], None, None]:
            if changes:
                book.note(MINE, facts(GOOD))
                book.renew()
            yield from super().acts(head, chunks, end)

    machine = Machine(LYON, book.catalogue, Policy(), "test", book=book)
    snapshots = Written(tmp_path, LYON, "us")
    head = Head(LYON, "us", 1, 0, (), Standing(1, 1, "", 0, 1, {}, ()))
    await Preserving(machine, snapshots, lambda: MOMENT)._take(snapshots, head)
    assert (tmp_path / CURRENT).exists() != changes
