"""A divided resource whose scope says `rebalance: true`: the share of a lost site moves, and goes back. Pure.

    a part here ──▶ which sites of the whole are heard, lost, neither ──▶ what each is to have ──▶ not what was declared
        ──▶ a moment later ──▶ EnterIntent: `heal` over the sites that are heard, in a scope that says `rebalance: true`
    the first of the sites that are heard tells of it (A509) until the lost ones have their shares again

Nobody decides for all: each site looks at its own part. Of two sides of a cut at most one may move anything (ADR 23).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, Final

from schemas.alerts import Alert
from schemas.events import ResourceState
from schemas.identity import ResourceId, SiteName
from schemas.scope.errors import ScopeError
from schemas.scope.offered import has_shares
from schemas.scope.parse import parse_scope
from schemas.scope.printing import print_placement
from schemas.scope.tree import Options, Part, Site, leaves
from schemas.ties import PART_OF, PARTS, PARTS_FACT, SCOPE, SCOPE_FACT, share_in, with_words
from services.resolver.entering import healing
from services.resolver.graph.view import View
from services.resolver.judge.findings import named
from services.resolver.marking import stripped
from services.resolver.placing import divided
from services.resolver.signals import EnterIntent, Moment

CODE: Final = "A509"
GRACE_S: Final = 60.0  # a restart of a site's servers, or of a router, is over by then
CHECK_S: Final = 1.0
SETTLE_S: Final = 3.0  # who comes back is often gone again
TURN_S: Final = 15.0  # the next site has its turn when the one before it did nothing
AGAIN_S: Final = 60.0  # after the first try; each later one waits twice as long: the cut is the same
AGAIN_MAX_S: Final = 960.0
LIFETIME_S: Final = 45.0  # what could not be done by then is looked at anew
WHOLES_MAX: Final = 10_000
LOOK_MAX: Final = 256  # wholes that are looked at in one step: some milliseconds
PLACEMENTS_REMEMBERED: Final = 1_024
WHOLES_REMEMBERED: Final = 1_024
ID_BYTES: Final = 12
PREFIX: Final = "share-"
Numbers = Mapping[SiteName, int]


@dataclass(frozen=True)
class Whole:
    """What a part says of the whole: how it was divided, and what each site has of it now."""

    part: Part
    numbers: Numbers

    @cached_property
    def sites(self) -> tuple[SiteName, ...]:
        """Of the whole: the prime site first, the others as the scope names them."""
        names = [one.name for one in leaves(self.part.location) if isinstance(one, Site)]
        return tuple(dict.fromkeys(sorted(names, key=lambda name: name != self.part.options.prime)))

    @cached_property
    def moved(self) -> frozenset[SiteName]:
        """The sites that have nothing now and would have something."""
        return frozenset(name for name, number in self.without(()).items() if number and not self.numbers.get(name))

    def without(self, lost: Collection[SiteName]) -> Numbers:
        """What each site is to have while these are lost."""
        options = self.part.options
        location = stripped(self.part.location, tuple(lost))
        assert location is not None, "somebody is left"
        numbers = divided(sum(self.numbers.values()), location, None if options.prime in lost else options.prime)
        return {name: numbers.get(name, 0) for name in sorted(self.sites)}

    def may_move(self, heard: Collection[SiteName], gone: Collection[SiteName] = ()) -> bool:
        """More than half of the sites, or half of them and the first: of two sides of a cut at most one is that.

        Who is gone for good is on no side.
        """
        sites = [name for name in self.sites if name not in gone]
        twice = 2 * sum(name in heard for name in sites)
        return twice > len(sites) or (twice == len(sites) and sites[0] in heard)

    def scope_without(self, lost: Collection[SiteName]) -> str:
        """The scope of an intent that gives every site its share: those that take part in it."""
        location, prime = stripped(self.part.location, tuple(lost)), self.part.options.prime
        assert location is not None, "somebody is left"
        return print_placement(Part(None, location, Options(None if prime in lost else prime, None, True)))


def whole_of(scope: object, parts: object) -> Whole | None:
    """The words of a part (cheops.io/scope, cheops.io/parts) → the whole, if shares of it may move."""
    return _whole_of(scope, parts) if isinstance(scope, str) and isinstance(parts, str) else None


@lru_cache(WHOLES_REMEMBERED)
def _whole_of(scope: str, parts: str) -> Whole | None:
    """Each part is looked at every second, and mostly says what it said before."""
    part, numbers = _read(scope), _numbers(parts)
    if part is None or not numbers or not part.options.rebalance or not has_shares(part.location):
        return None
    found = Whole(part, numbers)
    return found if {*found.sites} == {*numbers} else None


def whole_of_state(state: ResourceState) -> Whole | None:
    """The same of what is observed."""
    return whole_of(state.facts.get(SCOPE_FACT), state.facts.get(PARTS_FACT)) if PART_OF in state.labels else None


def whole_of_body(body: Mapping[str, Any]) -> Whole | None:
    """The same of an object."""
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    return whole_of(annotations.get(SCOPE), annotations.get(PARTS))


def with_numbers(body: Mapping[str, Any], numbers: Numbers) -> dict[str, Any]:
    """The object, saying that the whole is divided like this."""
    return with_words(body, annotations={PARTS: ",".join(f"{name}={one}" for name, one in sorted(numbers.items()))})


@dataclass(slots=True)
class _Row:
    due_s: float | None = None  # what was declared is not what is to be; None: it is
    again_s: float = AGAIN_S

    def rest(self) -> None:
        """Nothing is to be done."""
        self.due_s, self.again_s = None, AGAIN_S


class Shares:
    """The divided resources of one site."""

    def __init__(
        self,
        site: SiteName,
        is_held: Callable[[ResourceId], bool],
        is_near: Callable[[SiteName, float], bool],
        silent_s: Callable[[SiteName, float], float | None],
        gone: Set[SiteName] = frozenset(),
    ) -> None:
        """`is_near`: whether a site is heard now; `silent_s`: for how long it has not been, None for never."""
        self._site, self._is_held = site, is_held
        self._is_near, self._silent_s, self._gone = is_near, silent_s, gone
        self.grace_s = GRACE_S
        self._rows: dict[ResourceId, _Row] = {}
        self._raised: dict[str, Alert] = {}
        self._began_s: float | None = None
        self._next_s = 0.0

    def recover(self, alerts: Iterable[Alert]) -> None:
        """What was raised before a restart and has not healed."""
        for alert in (one for one in alerts if one.code == CODE):
            if alert.state == "raised":
                self._raised[alert.id] = alert
            else:
                self._raised.pop(alert.id, None)

    def observe(self, state: ResourceState | None) -> None:
        """Something was seen that says how it is divided."""
        if state is not None and len(self._rows) < WHOLES_MAX and whole_of_state(state) is not None:
            self._rows.setdefault(state.resource, _Row())

    def due(self, view: View, moment: Moment) -> list[Alert | EnterIntent]:
        """What is to be told, and entered, now."""
        self._began_s = moment.monotonic_s if self._began_s is None else self._began_s
        if moment.monotonic_s < self._next_s or not (self._rows or self._raised):
            return []
        self._next_s = moment.monotonic_s + CHECK_S
        found: list[Alert | EnterIntent] = []
        for resource in [*islice(self._rows, LOOK_MAX)]:
            row, state = self._rows.pop(resource), view.find(resource)
            whole = whole_of_state(state) if state is not None else None
            if whole is not None and self._site in whole.sites:
                self._rows[resource] = row  # the others have their turn first
                found += self._look(resource, whole, moment)
        for alert in [*self._raised.values()]:
            if alert.resource not in self._rows:
                found.append(self._end(alert, "it is not divided any more, or not so that shares move", moment))
        return found

    def _look(self, resource: ResourceId, whole: Whole, moment: Moment) -> Iterator[Alert | EnterIntent]:
        row, now_s = self._rows[resource], moment.monotonic_s
        heard = [name for name in whole.sites if name == self._site or self._is_near(name, now_s)]
        lost = {name for name in whole.sites if name not in heard and self._is_lost(name, whole, now_s)}
        if len(heard) + len(lost) < len(whole.sites):  # who is silent for a moment is neither
            row.rest()
            return
        wanted, may_move = whole.without(lost), whole.may_move(heard, self._gone)
        yield from self._tell(resource, whole, heard, lost, moment)
        if wanted == whole.numbers or not (may_move or not lost) or self._is_held(resource):
            row.rest()
        elif row.due_s is None:
            row.due_s = now_s + SETTLE_S + heard.index(self._site) * TURN_S
        elif row.due_s <= now_s:
            row.due_s, row.again_s = now_s + row.again_s, min(2 * row.again_s, AGAIN_MAX_S)
            yield self._healing(resource, whole.scope_without(lost), moment)

    def _is_lost(self, name: SiteName, whole: Whole, now_s: float) -> bool:
        """Not heard for the grace period; one whose share has moved is lost until it is heard."""
        if name in self._gone:
            return True
        silent_s = self._silent_s(name, now_s)
        assert self._began_s is not None, "somebody has looked"
        return name in whole.moved or (now_s - self._began_s if silent_s is None else silent_s) >= self.grace_s

    # ── what is told ────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell(
        self, resource: ResourceId, whole: Whole, heard: list[SiteName], lost: set[SiteName], moment: Moment
    ) -> Iterator[Alert]:
        raised = self._raised.get(f"{self._site}:{CODE}:{resource}")
        silent = tuple(sorted(lost - self._gone))  # of who is gone for good, somebody has said it
        if raised is not None and raised.sites == silent:
            return
        if raised is not None and (silent or not whole.moved - self._gone):
            yield self._end(raised, self._ended(resource, raised, heard), moment)
        if silent and heard[0] == self._site:
            alert = Alert(
                id=f"{self._site}:{CODE}:{resource}",
                code=CODE,
                state="raised",
                site=self._site,
                message=self._said(resource, whole, heard, silent),
                resource=resource,
                sites=silent,
                at=moment.wall,
            )
            self._raised[alert.id] = alert
            yield alert

    def _said(self, resource: ResourceId, whole: Whole, heard: list[SiteName], silent: tuple[SiteName, ...]) -> str:
        share = f"{sum(whole.without(())[name] for name in silent)} of {sum(whole.numbers.values())}"
        what = f"{named(resource)}: {', '.join(silent)} cannot be heard; its share ({share})"
        if whole.may_move(heard, self._gone):
            return f"{what} goes to {', '.join(heard)} until it is back, and may run there, too"
        return f"{what} stays where it is: {', '.join(heard)} cannot know on which side of a cut they are"

    def _ended(self, resource: ResourceId, raised: Alert, heard: list[SiteName]) -> str:
        back = [name for name in raised.sites if name in heard]
        if back:
            return f"{named(resource)}: {', '.join(back)} can be heard again"
        if self._gone >= {*raised.sites}:
            return f"{named(resource)}: {', '.join(raised.sites)} is gone for good (CHEOPS_GONE)"
        return f"{named(resource)}: other sites are lost than before"

    def _end(self, alert: Alert, why: str, moment: Moment) -> Alert:
        del self._raised[alert.id]
        return alert.model_copy(update={"state": "healed", "message": why, "at": moment.wall})

    def _healing(self, resource: ResourceId, scope: str, moment: Moment) -> EnterIntent:
        words = f"{self._site}|{resource}|{scope}|{moment.wall.isoformat()}"
        name = PREFIX + hashlib.blake2s(words.encode(), digest_size=ID_BYTES).hexdigest()
        return healing(name, self._site, resource, scope, LIFETIME_S, moment)


@lru_cache(PLACEMENTS_REMEMBERED)
def _read(text: str) -> Part | None:
    try:
        return parse_scope(text).parts[0]
    except ScopeError:  # somebody has written on the object
        return None


def _numbers(text: str) -> Numbers | None:
    rows = [row.partition("=") for row in text.split(",")]
    found = [(SiteName(name.strip()), share_in(number)) for name, _, number in rows]
    numbers = [(name, number) for name, number in found if number is not None]
    return dict(numbers) if len(numbers) == len(found) else None
