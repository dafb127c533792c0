"""Of all that the streams keep, what a start has to know whole: what may go on, or be asked about again.

VERDICTS, then OUTCOMES ──heads──▶ what is in force, and what is left of it ──▶ the few intents that are read whole

The streams keep weeks of intents that are over; of those a head is read, and the verdict is shelved as it is. `needed`
leaves out nothing that `Machine.recover` would look at twice; a property holds a start from it and one from everything
equal. Pure.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from schemas.alerts import AlertState
from schemas.envelope import MessageError
from schemas.identity import ResourceId
from schemas.outcomes import OutcomeState
from schemas.ties import first_stamp
from schemas.verdicts import Decision
from services.resolver.across.engagement import OVER_MAX
from services.resolver.across.pending import PENDING
from services.resolver.decided import KNOWN_MAX
from services.resolver.pursuit import GOOD
from services.resolver.shelf import squeezed


class _Step(Struct, gc=False):
    id: str


class _Reason(Struct, gc=False):
    code: str


class _Verdict(Struct, gc=False):
    schema: Literal["verdict/v1"]
    intent: str
    revision: int
    decision: Decision
    decided_at: datetime
    preview: bool = False
    plan: tuple[_Step, ...] = ()
    reasons: tuple[_Reason, ...] = ()
    since: int = 0


class _On(Struct, gc=False):
    resource: ResourceId


class _About(Struct, gc=False):
    targets: tuple[ResourceId, ...]
    plan: tuple[_On, ...] = ()


class _Outcome(Struct, gc=False):
    schema: Literal["outcome/v1"]
    intent: str
    revision: int
    step: str
    state: OutcomeState


class _Alert(Struct, gc=False):
    schema: Literal["alert/v1"]
    id: str
    state: AlertState


class Standing(Struct, gc=False):
    """How far an intent is.

    left    steps in force that have not ended well
    open    it waits for other sites
    first   the stamp of the first decision on it
    """

    revision: int
    decision: Decision
    left: tuple[str, ...]
    open: bool
    first: int
    lacks_outcomes: bool = False  # some were let go of

    @property
    def is_over(self) -> bool:
        """Done as it was allowed; of a denied one that depends on what was done before."""
        return self.decision == "allow" and not self.left and not self.open


Messages = tuple[list[bytes], list[tuple[int, bytes]]]  # verdicts; outcomes with their number in the stream
_Head = TypeVar("_Head", bound=Struct)
_about: Final = msgspec.json.Decoder(_About)
_verdict: Final = msgspec.json.Decoder(_Verdict)
_outcome: Final = msgspec.json.Decoder(_Outcome)
_alert: Final = msgspec.json.Decoder(_Alert)


class Gleaning:
    """First the names of `parts`, then verdicts, then outcomes, each in the order of its stream.

    recent      intents of which something was done that a snapshot may not show
    verdicts    all revisions of an intent, packed, of the newest `KNOWN_MAX`
    outcomes    of intents that are not over: (message of the stream, JSON)
    raised      alerts that have not healed, by id: JSON
    """

    def __init__(self, parts: Collection[str] = (), recent: Collection[str] = ()) -> None:
        self.parts = dict.fromkeys(parts)
        self._lately = frozenset([*self.parts][-OVER_MAX:])
        self.recent = set(recent)
        self.standing: dict[str, Standing] = {}
        self.verdicts: OrderedDict[str, list[bytes]] = OrderedDict()
        self.outcomes: dict[str, list[tuple[int, bytes]]] = {}
        self.raised: dict[str, bytes] = {}

    def verdict(self, payload: bytes) -> None:
        """The next one of VERDICTS; raises MessageError."""
        head = _read(_verdict, payload)
        known = self.standing.get(head.intent)
        if known is not None and known.revision >= head.revision:
            return  # said again
        steps = tuple(one.id for one in head.plan)
        is_open = any(one.code == PENDING for one in head.reasons)
        decision: Decision = "deny" if head.preview else head.decision
        first = head.since or first_stamp(head.decided_at)
        self.standing[head.intent] = Standing(head.revision, decision, steps, is_open, first)
        self.verdicts.setdefault(head.intent, []).append(squeezed(payload))
        self.verdicts.move_to_end(head.intent)
        if len(self.verdicts) > KNOWN_MAX:
            self.verdicts.popitem(last=False)

    def outcome(self, payload: bytes, stream_seq: int, *, is_recent: bool = False) -> None:
        """The next one of OUTCOMES; raises MessageError."""
        head = _read(_outcome, payload)
        if is_recent:
            self.recent.add(head.intent)
        now = self.standing.get(head.intent)
        if now is None:
            return  # its verdict is gone from the stream
        self.outcomes.setdefault(head.intent, []).append((stream_seq, payload))
        if head.revision == now.revision and head.state in GOOD:
            now.left = tuple(step for step in now.left if step != head.step)
        if now.is_over and head.intent not in self._lately and head.intent not in self.recent:
            del self.outcomes[head.intent]
            now.lacks_outcomes = True

    def alert(self, payload: bytes) -> None:
        """The next one of ALERTS; raises MessageError."""
        head = _read(_alert, payload)
        if head.state == "raised":
            self.raised[head.id] = payload
        else:
            self.raised.pop(head.id, None)

    def needed(self) -> dict[str, None]:
        """The intents that are to be read whole; parts in the order in which they were taken over."""
        goes_on = {name for name in self.standing if self._goes_on(name)}
        ended = [name for name in self.parts if name in self.standing and name not in goes_on]
        wanted = goes_on.union(ended[-OVER_MAX:], self._overtaking())
        return {name: None for name in (*self.parts, *self.standing) if name in wanted}

    def _goes_on(self, name: str) -> bool:
        standing = self.standing[name]
        if standing.decision == "deny":  # what it had done is to be taken back
            return name in self.outcomes or name in self.recent
        return not standing.is_over or name in self.recent

    def _overtaking(self) -> Iterator[str]:
        """What is over and about the same as something that waits since before it: perhaps nobody was told (D512)."""
        waiting = {name: one.first for name, one in self.standing.items() if one.decision == "defer"}
        held = {resource for name in waiting for resource in self._about(name)}
        since = min(waiting.values(), default=0)
        for name, one in self.standing.items() if held else ():
            if one.is_over and one.first > since and not held.isdisjoint(self._about(name)):
                yield name

    def _about(self, name: str) -> Iterator[ResourceId]:
        """What an intent is about, as far as its verdict is one of the newest."""
        if name in self.verdicts:
            found = _read(_about, zlib.decompress(self.verdicts[name][-1]))
            yield from (*found.targets, *(step.resource for step in found.plan))

    def of(self, name: str) -> Messages:
        """The messages of one intent, for `needed` ones that nothing is `lacking` of."""
        if self._lacks(name):
            return [], []
        return [zlib.decompress(one) for one in self.verdicts[name]], self.outcomes.get(name, [])

    def in_force(self) -> Iterator[tuple[str, bytes]]:
        """The last verdict on each intent, packed, the oldest first."""
        return ((name, revisions[-1]) for name, revisions in self.verdicts.items())

    def others(self) -> Iterator[str]:
        """Intents whose verdicts are only in the stream."""
        return (name for name in self.standing if name not in self.verdicts)

    def lacking(self, needed: Collection[str]) -> Iterator[str]:
        """Of these the ones of which verdicts or outcomes were let go of: they are to be read from the stream again."""
        return filter(self._lacks, needed)

    def _lacks(self, name: str) -> bool:
        return name not in self.verdicts or self.standing[name].lacks_outcomes


def _read(decoder: msgspec.json.Decoder[_Head], payload: bytes) -> _Head:
    try:
        return decoder.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise MessageError(str(error)) from error
