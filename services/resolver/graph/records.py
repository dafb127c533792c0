"""ResourceState → record → ResourceState. Pure. What recurs is kept once: that is where the memory goes.

A record holds what is a resource's own (uid, version, digest, the numbers of its targets) and shares the rest with
whoever has the same: labels, traits (facts, parts …) as packed bytes, and the shape of its references, which is the
references without their targets. Replicas share everything but their own line; a hundred thousand references to one
ConfigMap are a hundred thousand numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.events import Reference, ResourceState, Selector
from schemas.identity import ResourceId
from services.resolver.graph.forms import form_of, long, shape_of, short, with_target
from services.resolver.graph.kept import Form, Record, Shape, Short, Target
from services.resolver.graph.names import Names
from services.resolver.graph.packing import pack, pack_line, pack_traits, unpack_line, unpack_traits
from services.resolver.graph.pool import Pool, remembered
from services.resolver.graph.standing import Standing

RECENT_MAX: Final = 2_048  # references that are remembered for the next resource
SWEEP_MIN: Final = 8_192  # interned values; fewer are not worth a look
SWEEP_ROWS: Final = 4_096  # records that are looked at in one piece: some milliseconds
LOOKED_AT: Final = 16_384  # the same, when nothing is done about most of them

Labels = dict[str, str]


_replace = msgspec.structs.replace
_labels = msgspec.msgpack.Decoder(Labels)
_selectors = msgspec.msgpack.Decoder(Selector)


class Records:
    """Packs and unpacks the states of one graph."""

    def __init__(self, names: Names) -> None:
        self.crowded = False  # `tidy` is due
        self.rows: list[Record | None] = []  # by number; None: only named
        self.standing = Standing()
        self._names = names
        self._bytes: Pool[bytes, bytes] = Pool()
        self._forms: Pool[tuple[Reference, bool, bool], Form] = Pool()
        self._shapes: Pool[tuple[Form, ...], Shape] = Pool()
        self._recent: dict[Reference, tuple[Form, tuple[Target, ...]]] = {}
        self._recent_targets: dict[tuple[Target, ...], tuple[Target, ...]] = {}
        self._wholes: dict[tuple[Form, Target, Short], Reference] = {}
        self._unpacked_labels: dict[bytes, Labels] = {}
        self._unpacked_traits: dict[bytes, ResourceState] = {}
        self._unpacked_selectors: dict[bytes, Selector] = {}
        self._sweep_at = SWEEP_MIN
        self._swept: int | None = None  # up to this number, while a sweep is under way

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def pack(self, state: ResourceState) -> Record:
        """State → record; names what it refers to."""
        template = state.template_labels
        shape, targets = self._references(state.references)
        return Record(
            pack_line(state.uid, state.resource_version, state.digest),
            self.share(pack(state.labels)),
            None if template is None else self.share(pack(template)),
            self.share(pack_traits(state)),
            shape,
            targets,
        )

    def share(self, packed: bytes) -> bytes:
        """The very bytes that equals have."""
        found = self._bytes.now.get(packed)
        if found is None:
            found = self._bytes.keep(packed, packed)
            self.crowded = self.crowded or len(self._bytes.now) > self._sweep_at
        return found

    def _references(self, references: tuple[Reference, ...]) -> tuple[Shape, tuple[Target, ...]]:
        try:
            found = [*map(self._recent.get, references)]
        except TypeError:  # a selector has no hash
            found = [None] * len(references)
        if None in found:
            found = [one or self._placed(reference) for one, reference in zip(found, references, strict=True)]
        key = tuple([form for form, _ in found])  # type: ignore[misc]  # no None is left
        made = tuple([target for _, mine in found for target in mine])  # type: ignore[misc]  # as above
        return self.shape(key), self.recent_targets().setdefault(made, made)

    def recent_targets(self) -> dict[tuple[Target, ...], tuple[Target, ...]]:
        """Those that were met lately, each by itself: replicas name the same ones, and share the tuple."""
        if len(self._recent_targets) > RECENT_MAX:
            self._recent_targets.clear()
        return self._recent_targets

    def _placed(self, reference: Reference) -> tuple[Form, tuple[Target, ...]]:
        if reference.selector is not None:
            return self._choosing(reference, reference.selector)
        return self._recent.get(reference) or self._named(reference)

    def _named(self, reference: Reference) -> tuple[Form, tuple[Target, ...]]:
        uid = (short(reference.uid),) if reference.uid else ()
        form = self._form(reference, ResourceId(""), selects=False)
        made = self._recent[reference] = (form, (self._names.number(reference.target), *uid))
        self.crowded = self.crowded or len(self._recent) > RECENT_MAX
        return made

    def _choosing(self, reference: Reference, selector: Selector) -> tuple[Form, tuple[Target, ...]]:
        uid = (short(reference.uid),) if reference.uid else ()
        return self._form(reference, reference.target, selects=True), (self.share(pack(selector)), *uid)

    def _form(self, reference: Reference, target: ResourceId, *, selects: bool) -> Form:
        return self.form(_replace(reference, target=target, uid="", selector=None), bool(reference.uid), selects)

    def form(self, bare: Reference, pinned: bool, selects: bool) -> Form:
        """The form that equal references have."""
        key = (bare, pinned, selects)
        return self._forms.find(key) or self._forms.keep(key, form_of(*key))

    def shape(self, forms: tuple[Form, ...]) -> Shape:
        """The shape of these forms."""
        found = self._shapes.find(forms)
        if found is None:
            found = self._shapes.keep(forms, shape_of(forms))
            self.crowded = self.crowded or self._shared_len > self._sweep_at
        return found

    # ── upkeep ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def tidy(self) -> bool:
        """Forget the recent references; when what is shared has doubled, also what no record uses, piece by piece.

        True when that begins: from now on it counts as used when it is asked for, and not when it is remembered.
        """
        self.forget_recent()
        self.crowded = False
        pools = (self._bytes, self._forms, self._shapes)
        begins = self._swept is None
        if self._swept is None:
            if self._shared_len <= self._sweep_at:
                return False
            for pool in pools:
                pool.begin()
            self._swept = 0
        for record in self.rows[self._swept : self._swept + SWEEP_ROWS]:
            if record is not None:
                self._keep(record)
        self._swept += SWEEP_ROWS
        if self._swept < len(self.rows):
            self._sweep_at = self._shared_len + SWEEP_ROWS // 4  # on, before much is new
            return begins
        for pool in pools:
            pool.end()
        self._swept, self._sweep_at = None, max(SWEEP_MIN, 2 * self._shared_len)
        return begins

    def forget_recent(self) -> None:
        """The recent references: their numbers may mean something else now."""
        self._recent.clear()
        self._wholes.clear()
        self.standing.forget()

    @property
    def _shared_len(self) -> int:
        return max(len(self._bytes), len(self._shapes))

    def _keep(self, record: Record) -> None:
        kept = self._bytes.now
        for packed in (record.labels, record.traits, record.template_labels):
            if packed is not None and packed not in kept:
                self._bytes.keep(packed, packed)
        shape = record.shape
        if shape.forms not in self._shapes.now:
            self._shapes.keep(shape.forms, shape)
            for form in shape.forms:
                self._forms.keep((form.reference, form.pinned, form.selects), form)
        for form, place in zip(shape.forms, shape.places, strict=True) if shape.selects else ():
            target = record.targets[place]
            if form.selects and isinstance(target, bytes):
                self._bytes.keep(target, target)

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def unpack(self, resource: ResourceId, record: Record) -> ResourceState:
        """Record → state, equal to the one that was packed."""
        uid, resource_version, digest = unpack_line(record.line)
        template, where = record.template_labels, (record.shape.forms, record.shape.places)
        return _replace(
            self.traits(record),
            resource=resource,
            uid=long(uid),
            resource_version=resource_version,
            digest=long(digest),
            labels=self.labels(record.labels),
            template_labels=None if template is None else self.labels(template),
            references=tuple([self.whole(form, record.targets, place) for form, place in zip(*where, strict=True)]),
        )

    def version(self, record: Record) -> tuple[str, str]:
        """Its uid and resourceVersion."""
        uid, resource_version, _ = unpack_line(record.line)
        return long(uid), resource_version

    def same_object(self, one: Record, other: Record) -> bool:
        """Whether both have the same uid."""
        return self.uid(one) == self.uid(other)

    def naming(self, record: Record, number: int, *, owning: bool) -> list[Reference]:
        """Its references that name the resource of this number: those to an owner, or the others."""
        targets, at = record.targets, record.shape.at
        rows = ((place, at[place]) for place in self.standing.places(targets, number))
        return [self.whole(form, targets, place) for place, form in rows if form is not None and form.owning == owning]

    def uid(self, record: Record) -> Short:
        """Its uid, as it is kept."""
        return unpack_line(record.line)[0]

    def means(self, record: Record, number: int, uid: Short) -> bool:
        """Whether one of its references to this number is to the object of this uid, or to whatever has the name."""
        for place in record.shape.pinned:
            if record.targets[place] == number:
                break
        else:
            return True
        found = zip(record.shape.forms, record.shape.places, strict=True)
        return any(
            _uid(form, record.targets, place) in ("", uid) for form, place in found if record.targets[place] == number
        )

    def selecting(self, record: Record) -> list[tuple[Selector, Reference]]:
        """Its references that select."""
        found = []
        for form, place in zip(record.shape.forms, record.shape.places, strict=True):
            if form.selects:
                reference = self.whole(form, record.targets, place)
                assert reference.selector is not None, "the form says so"
                found.append((reference.selector, reference))
        return found

    def selectors(self, record: Record) -> list[Selector]:
        """The selectors alone."""
        at = zip(record.shape.forms, record.shape.places, strict=True)
        return [self.selector(record.targets[place]) for form, place in at if form.selects]

    def whole(self, form: Form, targets: tuple[Target, ...], place: int) -> Reference:
        """A form with its target, which stands at this place."""
        target = targets[place]
        uid = _uid(form, targets, place) if form.pinned else ""
        key = (form, target, uid)
        found = self._wholes.get(key)
        if found is None:
            if len(self._wholes) > RECENT_MAX:
                self._wholes.clear()
            if isinstance(target, int):
                found = with_target(form, self._names.resource(target), None, long(uid))
            else:
                found = with_target(form, form.reference.target, self.selector(target), long(uid))
            self._wholes[key] = found
        return found

    def labels(self, packed: bytes) -> Labels:
        """Unpacked labels; shared, so nobody may change them."""
        return remembered(self._unpacked_labels, _labels, packed)

    def traits(self, record: Record) -> ResourceState:
        """What is known besides labels and references, as a state of nobody; shared as well."""
        found = self._unpacked_traits.get(record.traits)
        if found is None:
            if len(self._unpacked_traits) > RECENT_MAX:
                self._unpacked_traits.clear()
            found = self._unpacked_traits[record.traits] = unpack_traits(record.traits)
        return found

    def bearing(self, fact: str) -> Iterator[list[int]]:
        """Numbers of what this fact is known of, slice by slice; traits are shared, so few are unpacked."""
        bears: dict[bytes, bool] = {}
        for first in range(0, len(self.rows), LOOKED_AT):
            found = []
            for number, record in enumerate(self.rows[first : first + LOOKED_AT], first):
                if record is not None:
                    if record.traits not in bears:
                        bears[record.traits] = fact in self.traits(record).facts
                    if bears[record.traits]:
                        found.append(number)
            yield found

    def selector(self, packed: Target) -> Selector:
        """Unpacked selector."""
        assert isinstance(packed, bytes), "a form that selects has a packed selector"
        return remembered(self._unpacked_selectors, _selectors, packed)


def _uid(form: Form, targets: tuple[Target, ...], place: int) -> Short:
    if not form.pinned:
        return ""
    uid = targets[place + 1]
    assert not isinstance(uid, int), "a pinned target is followed by a uid"
    return uid
