"""What goes with what is deleted, who is left behind, and who would have to go too: by number. Pure.

The same rules as delete.py, for the usual case that the site is observed as it is: no change in flight, no hub, no
permission in play. Where one of those is met the answer is None, and the walk over states (delete.py) decides. Both
give the same answers (tests/unit/resolver/test_judge_by_number.py); this one makes no state and names nothing that the
verdict does not name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from schemas.events import Reference
from schemas.identity import KindId, ResourceId
from services.resolver.graph.names import NOWHERE
from services.resolver.graph.numbers import Named, Numbers
from services.resolver.graph.remembered import numbers_of
from services.resolver.graph.selecting import Choosing
from services.resolver.graph.view import Edge, View
from services.resolver.judge.cascade import Taken
from services.resolver.judge.use import BREAKING, POLICY_ONLY, STRONGEST_FIRST, Use, stays, use_by

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

    # ── who is left behind ──────────────────────────────────────────────────────────────────────────────────────────

    def left_by(self, resource: ResourceId) -> list[Left] | None:
        """The users of one of them that stay, by name: of each the strongest use, and owners stand for what they make.

        None when it is for the walk over states.
        """
        numbers, number = self._numbers, self._numbers.find(resource)
        if not numbers.is_used_by_at_most(USERS_MAX, number) or numbers.kind(number) == STORAGE_CLASS:
            return None
        users, choosing = numbers.users(number), numbers.selecting(number)
        strongest: dict[int, tuple[int, Named | Choosing]] = {}
        for one in users:
            self._note(strongest, one, one.form.reference)
        for other in choosing:
            if other.source not in self._going and not self._has_another(other):
                self._note(strongest, other, other.reference)
        rows = []
        for source, (rank, by) in strongest.items():
            top = numbers.top(source)
            above = strongest.get(top)
            if above is not None and top != source and above[0] <= rank:
                continue  # the owner stands for what it makes
            edge = numbers.edge(by, resource) if isinstance(by, Named) else numbers.choice(by, resource)
            rows.append(Left(edge, STRONGEST_FIRST[rank], top != NOWHERE))
        return None if self.strange else sorted(rows, key=_by_name)

    def _note(self, strongest: dict[int, tuple[int, Named | Choosing]], by: Named | Choosing, how: Reference) -> None:
        source = by.source
        if source in self._going:
            return
        if how.needs_permission:
            self._numbers.strange = True
        use = self._use(source, how)
        if use != "none":
            rank = STRONGEST_FIRST.index(use)
            known = strongest.get(source)
            if known is None or rank < known[0]:
                strongest[source] = rank, by

    def _use(self, source: int, reference: Reference) -> Use:
        return use_by(reference, *self._numbers.facts(source))

    def _has_another(self, choosing: Choosing) -> bool:
        """It selects something else that lives; policy edges never count."""
        if choosing.reference.phases in POLICY_ONLY:
            return True
        selected = self._numbers.selected(choosing)
        return any(one not in self._going and self._is_alive(one) for one in selected)

    def _is_alive(self, number: int) -> bool:
        found = self._lives.get(number)
        if found is None:
            top = self._numbers.top(number)
            found = self._stays(number) and (top == NOWHERE or self._stays(top))
            self._lives[number] = found
        return found

    def _stays(self, number: int) -> bool:
        traits = self._numbers.traits(number)
        return traits is not None and stays(traits, self._numbers.makes_pods(number))

    # ── who would have to go, too ───────────────────────────────────────────────────────────────────────────────────

    def together(self, targets: Sequence[ResourceId]) -> Together | None:
        """`with_dependents` (delete.py), and whether the answer on all of them is known to be no denial."""
        numbers = self._numbers
        waiting = [numbers.find(one) for one in targets]
        if NOWHERE in waiting or any(numbers.traits(one) is None for one in waiting):
            return None
        chosen, seen = list(waiting), set(waiting)
        breaking: set[int] = set()
        choosing: dict[tuple[int, int], Choosing] = {}  # selectors that have another match so far
        while True:
            found: dict[int, None] = {}
            for source in self._broken_by(self.take(waiting), choosing):
                breaking.add(source)
                top = numbers.top(source)
                owner = source if top == NOWHERE else top
                if owner not in seen:
                    found[owner] = None
            if self.strange:
                return None
            if not found:
                break
            seen.update(found)
            waiting = sorted(found, key=numbers.resource)
            chosen += waiting
        permits = any((traits := numbers.traits(one)) is not None and traits.grants for one in chosen)
        return Together([*map(numbers.resource, chosen)], not permits and breaking <= self._going)

    def _broken_by(self, new: Iterable[int], choosing: dict[tuple[int, int], Choosing]) -> list[int]:
        """Sources that stay and break when all of these go."""
        broken = []
        for number in new:
            for named in self._numbers.users(number):
                source = named.source
                if source not in self._going and self._use(source, named.form.reference) in BREAKING:
                    broken.append(source)
            for one in self._numbers.selecting(number):
                choosing[one.source, id(one.reference)] = one
        for key, one in list(choosing.items()):
            if one.source in self._going:
                del choosing[key]
            elif not self._has_another(one) and self._use(one.source, one.reference) in BREAKING:
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
