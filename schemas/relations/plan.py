"""How the objects of one kind are read: everything that can be known before an object comes. Pure.

rules and facts of the kind ──▶ one tree of places ──▶ one function ──▶ references, and slots for facts and parts
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import intern

from schemas.events import Grant
from schemas.identity import KindId, kind_id, split_kind
from schemas.kinds import Surface, one_group
from schemas.relations.by_labels import LabelReader
from schemas.relations.by_name import NameReader, name_reader
from schemas.relations.by_text import OWN_NAMESPACE, OwnNamespaceReader, TextReader
from schemas.relations.facts import Facts
from schemas.relations.grants import grants_reader
from schemas.relations.health import LOOKED_AT
from schemas.relations.loader import ANY_KIND, STRANGE_KIND, Catalogue, MountedRule
from schemas.relations.mounts import VOLUME_RULES, copies_in, start_only
from schemas.relations.overridden import SET, without_overridden
from schemas.relations.path import ANYWHERE, ROOT, Where
from schemas.relations.places import Read, Row, Slot, place_of, roam
from schemas.relations.quick import Quick
from schemas.relations.reading import RuleReader
from schemas.relations.resting import changes_by_itself
from schemas.relations.rule import Rule
from schemas.relations.run import Run
from schemas.relations.silence import can_speak
from schemas.relations.stating import Stating
from schemas.relations.walking import compiled


class Plan:
    """One kind, of one catalogue and one surface.

    head        how its identities begin: `apps/Deployment`
    namespaced  None: nobody serves it
    rests       what `read` finds is the same when the object's digest is
    rests_in_bytes   then metadata and status are all that need be decoded
    stating     makes states of what was found
    quick       reads objects from their bytes
    """

    def __init__(self, version: str, kind: str, catalogue: Catalogue, surface: Surface) -> None:
        self.group = one_group(version.rpartition("/")[0], kind)
        self.kind, self.version = kind, intern((version or "v1").rpartition("/")[2])
        self.head = kind_id(self.group, kind)
        served = surface.find(self.head)
        self.namespaced = None if served is None else served.namespaced
        known = catalogue.kinds.get(self.head)
        self.confidential = known is not None and known.confidential
        self.facts = Facts(self.head, known, catalogue.kinds.get(KindId(ANY_KIND)))
        self.stating = Stating(self.head, self.version, self.facts)
        self._grants = grants_reader(known.grants or "" if known else "")
        mine = catalogue.rules.get(self.head, ())
        rules = (*mine, *catalogue.rules.get(KindId(ANY_KIND), ()))
        volumes = [at for one in rules if one.rule.rule.startswith(VOLUME_RULES) for at in one.at]
        self._copies = self.facts.mark("copies", copies_in(volumes)) if volumes else None
        rows = rows_of(rules, ROOT, self.head, surface)
        every = [*rows, *self.facts.rows]
        moving = [row for row in every if not row.named and changes_by_itself(row.steps)]
        resting = [row for row in every if row.named or not changes_by_itself(row.steps)]
        self._read = compiled(place_of(resting))
        self._read_moving = compiled(place_of(moving)) if moving else None
        slots = {row.read.number for row in moving if isinstance(row.read, Slot)}
        self.rests = not self.confidential and not self.facts.offers_from(slots)
        self.rests_in_bytes = self.rests and not any(map(_looks_around, moving))
        self._roams: Read | None = None
        if known is None and not mine and not surface.is_built_in(split_kind(self.head)[0]):
            strange = catalogue.rules.get(KindId(STRANGE_KIND), ())
            self._roams = compiled(place_of(rows_of(strange, ANYWHERE, self.head, surface)))
        self.quick = Quick(
            self.head,
            self.namespaced,
            resting,
            _first(moving),
            self.confidential,
            self._copies,
            reads_all=self._roams is not None or self._grants is not None or self.kind == SET,
            moves_all=any(row.steps[:1] != ("status",) for row in moving),
        )

    def read(self, run: Run) -> None:
        """Find the references, and what facts and parts are made of, but for what changes by itself (resting.py)."""
        self._read(run.body, (), run)
        self.finish(run)

    def finish(self, run: Run) -> None:
        """Of that, what looks at all of an object once its fields were gone through."""
        if self._roams is not None:
            roam(self._roams, run.body, run)
        if self._copies is not None and run.values[self._copies] is not None:
            run.found = start_only(run.found, run.body)
        if self.kind == SET:
            run.found = without_overridden(run.found, run.body)

    def read_moving(self, run: Run) -> None:
        """The same of what changes by itself: the status above all."""
        if self._read_moving is not None:
            self._read_moving(run.body, (), run)

    def grants(self, run: Run) -> tuple[Grant, ...]:
        """Permissions that the object gives."""
        return () if self._grants is None else tuple(self._grants(run.body, run.namespace))


def _first(moving: Iterable[Row]) -> frozenset[str] | None:
    """The fields of the status that somebody looks at; None: at all of it."""
    fields = {row.steps[1] if len(row.steps) > 1 else None for row in moving}
    return None if None in fields else frozenset(one for one in (*fields, *LOOKED_AT) if one)


def _looks_around(row: Row) -> bool:
    """Whether it looks at more than status and metadata."""
    return row.looks_around or row.steps[:1] not in (("status",), ("metadata",))


def rows_of(rules: Iterable[MountedRule], root: Where, source: KindId, surface: Surface) -> list[Row]:
    """Each rule at each of its places → what reads it, and where."""
    rules = [one for one in rules if can_speak(one.rule.to.reads, source, surface)]
    readers = [reader_of(one.rule, root.deeper(at), source, surface) for one in rules for at in one.at]
    return [
        Row(
            one.where.steps,
            one.reading(),
            one.needs,
            one.lacks,
            isinstance(one, OwnNamespaceReader),
            isinstance(one, (TextReader, NameReader)) and one.looks_around,
            one,
        )
        for one in readers
    ]


def reader_of(rule: Rule, where: Where, source: KindId, surface: Surface) -> RuleReader:
    """The reader that fits the rule's way of pointing."""
    to = rule.to
    if to.reads:
        says_the_same = to.reads == OWN_NAMESPACE and not (where.has_items or rule.when or rule.unless or rule.absent)
        return (OwnNamespaceReader if says_the_same else TextReader)(rule, where, source, surface)
    if to.selector is not None or to.every or to.marked_default:
        return LabelReader(rule, where, source, surface)
    return name_reader(rule, where, source, surface)
