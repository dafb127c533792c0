"""What goes with what is deleted, who is left behind, and who would have to go too: by number. Pure.

The same rules as delete.py, for the usual case that the site is observed as it is: no change in flight, no hub, no
permission in play. Where one of those is met the answer is None, and the walk over states (delete.py) decides. Both
give the same answers (tests/unit/resolver/test_judge_by_number.py); this one makes no state and names nothing that the
verdict does not name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from schemas.identity import KindId, ResourceId
from services.resolver.graph.kept import Choosing, Record
from services.resolver.graph.names import NOWHERE
from services.resolver.graph.numbers import Numbers
from services.resolver.graph.remembered import numbers_of
from services.resolver.graph.view import Edge, View
from services.resolver.judge.cascade import Taken
from services.resolver.judge.makers import is_making
from services.resolver.judge.ranks import ASK, NONE, OVER, WEAKER, may_be_relied_on, may_be_woken, rank_of, ranks
from services.resolver.judge.use import ALTERNATIVES, POLICY_ONLY, STRONGEST_FIRST, Use

USERS_MAX: Final = 128  # more make it a hub (delete.py)
STORAGE_CLASS: Final = KindId("storage.k8s.io/StorageClass")


class Left(NamedTuple):
    """A user that stays behind: how it uses what goes. `owned`: somebody else made it."""

    edge: Edge
    use: Use
    owned: bool


class Together(NamedTuple):
    """Targets and everybody who would have to go, too. `harmless`: nothing else would miss any of them."""

    resources: list[ResourceId]
    harmless: bool


class Going(Taken):
    """What goes, and what that means for the others."""

    def __init__(self, numbers: Numbers) -> None:
        super().__init__(numbers)
        self._lives: dict[int, bool] = {}
        self._others: dict[int, int] = {}  # another match of a selector, found before
        self._alike: dict[int, list[Choosing]] = {}
        self._by_name: dict[int, list[int]] = {}  # who stays and breaks because it names this one
        self._settled: set[int] = set()  # who breaks, or cannot, whatever else goes by its name

    # ── who is left behind ──────────────────────────────────────────────────────────────────────────────────────────

    def left_by(self, resource: ResourceId) -> list[Left] | None:
        """The users of one of them that stay, by name: of each the strongest use, and owners stand for what they make.

        None when it is for the walk over states.
        """
        numbers, number, going = self._numbers, self._numbers.find(resource), self._going
        rows = numbers.rows
        if not numbers.is_used_by_at_most(USERS_MAX, number) or numbers.kind(number) == STORAGE_CLASS:
            return None
        strongest: dict[int, tuple[int, int | Choosing]] = {}  # by rank and place, or by what selects
        for source in numbers.users(number):
            if source in going:
                continue
            record = rows[source]
            assert record is not None, "who refers to something is there"
            places = numbers.standing.places(record.targets, number)
            place = places[0]
            known, _, sleeps = ranks(numbers, source, record)
            if sleeps and may_be_woken(numbers, source):
                return None
            rank = known[place]
            if rank == ASK or len(places) > 1:
                rank, place = self._strongest(number, source, record)
            if rank < NONE:
                strongest[source] = rank, place
        self._by_name[number] = [source for source, (rank, _) in strongest.items() if rank < WEAKER]
        for one in numbers.selecting(number):
            if one.source not in going and self._is_alive(number) and not self._has_another(one):
                rank = self._rank(one)
                first = strongest.get(one.source)
                if rank < NONE and (first is None or rank < first[0]):
                    strongest[one.source] = rank, one
        left = []
        for source, (rank, by) in strongest.items():
            top = numbers.top(source)
            above = strongest.get(top)
            if above is not None and top != source and above[0] <= rank:
                continue  # the owner stands for what it makes
            edge = numbers.edge(source, by, resource) if isinstance(by, int) else numbers.choice(by, resource)
            left.append(Left(edge, STRONGEST_FIRST[rank], top != NOWHERE))
        return None if self.strange else sorted(left, key=_by_name)

    def _strongest(self, number: int, source: int, record: Record) -> tuple[int, int]:
        """How a source uses this very object: the rank of its strongest way (or NONE), and where that stands."""
        found = NONE, 0
        for place in self._numbers.places(number, record, owning=False):
            form = record.shape.at[place]
            assert form is not None, "a target stands there"
            if form.reference.needs_permission:
                self._numbers.strange = True
            rank = rank_of(self._numbers, source, record, form.reference)
            if rank < found[0]:
                found = rank, place
        return found

    def _rank(self, choosing: Choosing) -> int:
        reference = choosing.reference
        if reference.needs_permission or reference.rule in ALTERNATIVES:
            self._numbers.strange = True
        rank = rank_of(self._numbers, choosing.source, self._numbers.record(choosing.source), reference)
        if rank == OVER and may_be_woken(self._numbers, choosing.source):
            self._numbers.strange = True
        return rank

    def _has_another(self, choosing: Choosing) -> bool:
        """It selects something else that lives; policy edges never count."""
        if choosing.reference.phases in POLICY_ONLY:
            return True
        key, going = id(choosing.selector), self._going
        known = self._others.get(key)
        if known is not None and known not in going:
            return True
        for one in self._numbers.selected(choosing):
            if one not in going and self._is_alive(one):
                self._others[key] = one
                return True
        return False

    def _is_alive(self, number: int) -> bool:
        found = self._lives.get(number)
        if found is None:
            top = self._numbers.top(number)
            found = self._stays(number) and (top == NOWHERE or self._stays(top))
            self._lives[number] = found
        return found

    def _stays(self, number: int) -> bool:
        record = self._numbers.rows[number]
        return record is not None and may_be_relied_on(self._numbers, record)

    # ── who would have to go, too ───────────────────────────────────────────────────────────────────────────────────

    def together(self, targets: Sequence[ResourceId]) -> Together | None:
        """`with_dependents` (delete.py), and whether the answer on all of them is known to be no denial."""
        numbers, going, top_of = self._numbers, self._going, self._numbers.top
        waiting = [numbers.find(one) for one in targets]
        if NOWHERE in waiting or any(numbers.rows[one] is None for one in waiting):
            return None
        chosen, seen = list(waiting), set(waiting)
        breaking: set[int] = set()
        choosing: dict[tuple[int, int], Choosing] = {}  # selectors that have another match so far
        while True:
            new = self.take(waiting) if waiting[0] not in going else [*going]  # asked about before
            broken = self._naming(new)
            broken += self._left_without(new, choosing)
            if self.strange:
                return None
            breaking.update(broken)
            tops = {(one if (top := top_of(one)) == NOWHERE else top) for one in broken} - seen
            if self.strange:
                return None
            if not tops:
                break
            seen |= tops
            waiting = sorted(tops, key=numbers.resource)
            chosen += waiting
        if any(map(self._stands_for_others, going)):
            return None
        return Together([*map(numbers.resource, chosen)], breaking <= going)

    def _stands_for_others(self, number: int) -> bool:
        """It permits others, or makes what is not there: numbers do not tell who needs that."""
        traits = self._numbers.traits(number)
        return is_making(self._numbers, number) or (traits is not None and bool(traits.grants))

    def _naming(self, new: Iterable[int]) -> list[int]:
        """Sources that stay and break because they name one of these."""
        numbers, going, settled, broken = self._numbers, self._going, self._settled, list[int]()
        rows, user_rows = numbers.rows, numbers.user_rows
        for number in new:
            row = user_rows[number]
            if row is None:
                continue
            known_ = self._by_name.get(number)
            if known_ is not None:
                broken += [one for one in known_ if one not in going]
                continue
            for source in numbers.sources(row):
                if source in going or source in settled:
                    continue
                record = rows[source]
                assert record is not None, "who refers to something is there"
                known, breaks, sleeps = ranks(numbers, source, record)
                if sleeps and may_be_woken(numbers, source):
                    numbers.strange = True
                if not breaks:
                    settled.add(source)
                    continue
                places = numbers.standing.places(record.targets, number)
                rank = known[places[0]] if len(places) == 1 else ASK
                if rank == ASK:
                    rank, _ = self._strongest(number, source, record)
                if rank < WEAKER:
                    settled.add(source)
                    broken.append(source)
        return broken

    def _left_without(self, new: Iterable[int], choosing: dict[tuple[int, int], Choosing]) -> list[int]:
        """Sources that stay and break because nothing is left of what they select."""
        going, broken = self._going, []
        for number in new:
            for one in self._numbers.selecting_alike(number, self._alike) if self._is_alive(number) else ():
                choosing[one.source, id(one.reference)] = one
        for key, one in list(choosing.items()):
            if one.source in going:
                del choosing[key]
            elif not self._has_another(one) and self._rank(one) < WEAKER:
                broken.append(one.source)
        return broken


def _by_name(left: Left) -> str:
    return left.edge.source


def going_of(view: View, targets: Iterable[ResourceId]) -> Going | None:
    """These go, each of which is there; None when states are to be walked over."""
    numbers = numbers_of(view)
    if numbers is None:
        return None
    going = Going(numbers)
    going.take([*map(numbers.find, targets)])
    return None if going.strange else going


def together(view: View, targets: Sequence[ResourceId]) -> Together | None:
    """See Going.together."""
    numbers = numbers_of(view)
    return None if numbers is None else Going(numbers).together(targets)
