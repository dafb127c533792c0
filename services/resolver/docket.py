"""The intents of one site: decided, under way, deferred. Bounded bookkeeping. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from schemas.identity import KindId, ResourceId
from schemas.intents import BOUND_DEFAULT_S, Intent
from schemas.verdicts import Verdict, Wait
from services.resolver.decided import Decided
from services.resolver.intake import Intake
from services.resolver.judge.written import WrittenVerdict
from services.resolver.pursuit import Pursuit
from services.resolver.shelf import pickled, released, squeezed, unpickled

REPEAT_S: Final = 1.0
WAITING_MAX: Final = 10_000  # deferred or rehearsing intents; of more the API server is asked nothing
WOKEN_MAX: Final = 128  # deferred intents that are judged again in one step: up to a tenth of a second

Stamp = tuple[bool, tuple[KindId, ...], tuple[int, ...]]
Awaited = tuple[str | None, ...]  # intents by name; SITE; None: whatever begins or ends at the site
SITE: Final = ""  # what begins or ends there while it is fresh
ANYTHING: Final[Awaited] = (None,)


def awaited(waits: Sequence[Wait]) -> Awaited:
    """What has to change before a deferred intent is judged again, besides how fresh and how complete its site is.

    Who waits until a kind is observed waits for nothing else; who does not say for what, for anything.
    """
    found = {one.intent or SITE: None for one in waits if one.kind is None or one.intent is not None}
    return tuple(found) if waits else ANYTHING


class World:
    """A site as it is now, for those who wait for a change of it.

    fresh       whether its evidence is, by a bound
    generation  of what is in flight
    changed     by intent: the one in which it took or let go of something last, and another number when it has ended
    """

    def __init__(
        self, fresh: Callable[[float], bool], blind: tuple[KindId, ...], generation: int, changed: Callable[[str], int]
    ) -> None:
        self._fresh, self._blind, self._generation, self._changed = fresh, blind, generation, changed
        self._known: dict[tuple[Awaited, float], Stamp] = {}

    def stamp(self, for_these: Awaited = ANYTHING, bound_s: float = BOUND_DEFAULT_S) -> Stamp:
        """Another one when any of these has changed, or whether evidence is as fresh as that."""
        found = self._known.get((for_these, bound_s))
        if found is None:
            fresh = self._fresh(bound_s)
            seen = (one for one in for_these if one != SITE or fresh)
            versions = tuple(self._changed(one) if one else self._generation for one in seen)
            found = self._known[for_these, bound_s] = (fresh, self._blind, versions)
        return found


@dataclass(frozen=True, slots=True)
class Waiting:
    """An intent whose verdict is `defer`, and the world as it was then: it is judged again when that has changed.

    awaits    what of the world matters to it
    bound_s   how old evidence may be for it
    stamp     None: it is for several sites, which say themselves when their world has changed
    findings  a digest of what the verdict says
    since     the stamp of the first decision on it
    writes    what it would change, as it was entered
    packed    intent, verdict, and what earlier revisions did already: they are ten times as much as objects
    """

    id: str
    expires_at: datetime
    waits_for: tuple[Wait, ...]
    awaits: Awaited
    bound_s: float
    stamp: Stamp | None
    findings: bytes
    since: int
    writes: tuple[ResourceId, ...]
    packed: bytes

    @classmethod
    def on(
        cls, intent: Intent, verdict: Verdict, world: World | None, settled: Set[ResourceId] = frozenset()
    ) -> Waiting:
        """It is deferred in this world. None: in those of several sites."""
        packed, awaits = squeezed(pickled((intent, verdict, settled))), awaited(verdict.waits_for)
        stamp = None if world is None else world.stamp(awaits, intent.bound_s)
        writes = () if intent.verb == "read" or intent.heal else verdict.targets
        waits, said, since = verdict.waits_for, _findings(verdict), verdict.first_stamp
        return cls(intent.id, intent.expires_at, waits, awaits, intent.bound_s, stamp, said, since, writes, packed)

    def again(self, world: World) -> Waiting:
        """It still says the same in this world."""
        return replace(self, stamp=world.stamp(self.awaits, self.bound_s))

    def says(self, verdict: Verdict) -> bool:
        """Nothing new: the same findings about the same resources, waiting for the same."""
        return self.waits_for == verdict.waits_for and self.findings == _findings(verdict)

    def whole(self) -> tuple[Intent, Verdict, Set[ResourceId]]:
        """What is packed."""
        found: tuple[Intent, Verdict, Set[ResourceId]] = unpickled(released(self.packed))
        return found

    @property
    def intent(self) -> Intent:
        """As it was entered."""
        return self.whole()[0]


def _findings(verdict: Verdict) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for one in verdict.reasons:
        digest.update(f"{one.code} {one.resource}\0".encode("utf-8", "surrogatepass"))
    return digest.digest()


@dataclass(frozen=True, slots=True)
class Asked:
    """An intent whose manifests are being tried by the API server. `settled`: what earlier revisions did already."""

    intent: Intent
    intake: Intake
    settled: Set[ResourceId] = frozenset()


class Repeats:
    """Who asks again hears the verdict again, at once, but each at most once a second: a flood fills no stream."""

    def __init__(self) -> None:
        self._owed: dict[str, None] = {}
        self._said_s: dict[str, float] = {}

    def ask(self, intent_id: str) -> None:
        """It was asked for again."""
        self._owed[intent_id] = None

    def due(self, now_s: float) -> list[str]:
        """What is to be said now."""
        if not self._owed and not self._said_s:
            return []
        self._said_s = {name: at_s for name, at_s in self._said_s.items() if now_s - at_s < REPEAT_S}
        due = [name for name in self._owed if name not in self._said_s]
        for name in due:
            del self._owed[name]
            self._said_s[name] = now_s
        return due


class Docket:
    """Which intent is where."""

    def __init__(self) -> None:
        self.decided = Decided()
        self.repeats = Repeats()
        self.active: dict[str, Pursuit] = {}
        self.deferred: dict[str, Waiting] = {}
        self.asked: dict[str, Asked] = {}

    def may_have_forgotten(self, intent_id: str) -> bool:
        """It is not known, and the stream may hold a verdict on it."""
        return intent_id in self.decided.forgotten and self.known(intent_id) is None

    def known(self, intent_id: str) -> Verdict | None:
        """The verdict in force of an intent that was decided before."""
        found = self.decided.get(intent_id)
        if found is None and intent_id in self.active:
            return self.active[intent_id].verdict
        if found is None and intent_id in self.deferred:
            return self.deferred[intent_id].whole()[1]
        return found

    def record(self, verdict: Verdict | WrittenVerdict) -> None:
        """A verdict is in force from now on."""
        self.decided.put(verdict)
        if verdict.decision != "defer":
            self.deferred.pop(verdict.intent, None)

    def remember(self, verdicts: Iterable[Verdict]) -> None:
        """What the stream holds: of each intent the last revision is in force."""
        for verdict in verdicts:
            known = self.known(verdict.intent)
            if known is None or known.revision < verdict.revision:
                self.record(verdict)

    def revision(self, intent_id: str) -> int:
        """The number that the next verdict on this intent gets."""
        known = self.known(intent_id)
        return known.revision + 1 if known else 1

    def since(self, intent_id: str) -> int:
        """The stamp of the first decision on this intent; 0: there is none yet."""
        known = self.known(intent_id)
        return known.first_stamp if known else 0

    def before(self, since: int, done: Set[ResourceId]) -> list[Waiting]:
        """What was entered here, is deferred since before then, and would write over some of what was done."""
        return [one for one in self.deferred.values() if one.since < since and not done.isdisjoint(one.writes)]

    def overtaking(self, waiting: Waiting) -> Pursuit | None:
        """What was decided later at this site, is under way, and would be written over by what waits."""
        later = (one for one in self.active.values() if waiting.since < one.verdict.first_stamp)
        return next((one for one in later if one.verdict.undoes is None and one.changes_any(waiting.writes)), None)

    @property
    def full(self) -> bool:
        """Too many intents wait."""
        return len(self.deferred) + len(self.asked) >= WAITING_MAX

    def due(self, world: World, now: datetime) -> list[Waiting]:
        """Deferred intents whose time is over, then those whose world has changed since they were judged.

        Some of them; the others have their turn first the next time.
        """
        expired, changed = list[Waiting](), list[Waiting]()
        for one in self.deferred.values():
            if one.expires_at <= now:
                expired.append(one)
            elif one.stamp is not None and one.stamp != world.stamp(one.awaits, one.bound_s):
                changed.append(one)
        found = [*expired, *changed][:WOKEN_MAX]
        for one in found if len(expired) + len(changed) > WOKEN_MAX else ():
            self.deferred[one.id] = self.deferred.pop(one.id)
        return found
