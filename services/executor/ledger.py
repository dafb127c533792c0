"""Operation → what is known of it → its outcome, stored once.

The OUTCOMES stream is the ledger; memory only saves asking, and keeps what was decided while the bus was away.

Each outcome is published on condition that nothing was stored on its subject since it was read. So two executors of one
site cannot both have the last word, and an outcome of an older revision never covers a newer one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args

from schemas import envelope, subjects
from schemas.envelope import MessageError
from schemas.identity import SiteName
from schemas.operations import Operation
from schemas.outcomes import FINAL_STATES, Outcome
from schemas.verdicts import Action
from services.chassis import metrics
from services.chassis.bus.port import Bus, Received, ToStore
from services.chassis.bus.together import Together
from services.chassis.errors import CheopsError, ConflictError, PermanentError, TransientError
from services.executor.target import Effect, Manifest

REMEMBERED_MAX: Final = 10_000
STORE_TRIES_MAX: Final = 5


@dataclass(slots=True)
class Entry:
    """What is known of one operation. `seq`: the last message on its subject; `superseded`: a later revision acted."""

    outcome: Outcome | None = None
    seq: int = 0
    stored: bool = True
    superseded: bool = False

    @property
    def final(self) -> bool:
        """There is nothing left to do, and nothing may be done."""
        return self.superseded or (self.outcome is not None and self.outcome.state in FINAL_STATES)


class Ledger:
    """One site's outcomes. `more`: many operations are on their way to an outcome."""

    def __init__(
        self, site: SiteName, bus: Bus, wall: Callable[[], datetime], more: Callable[[], bool] = lambda: False
    ) -> None:
        self._site, self._bus, self._wall = site, bus, wall
        self._storing = Together(bus, more)
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        metrics.from_zero(metrics.OPERATIONS, [site], get_args(Action), sorted(FINAL_STATES))
        metrics.from_zero(metrics.DEAD_LETTERS, [f"executor/{site}"], ["OPERATIONS"])

    async def look_ahead(self, operations: Sequence[Operation]) -> dict[str, Entry]:
        """What `look_up` would read of each that is not known yet, in one question for all; {} when there is no answer.

        It is as old as the answer, so it is for whoever acts at once, and once.
        """
        unknown = [one for one in operations if one.id not in self._entries]
        if len(unknown) < 2:
            return {}
        try:
            found = await self._bus.last_of_each("OUTCOMES", [*map(_subject, unknown)])
        except CheopsError:
            return {}
        entries = {}
        for one in unknown:
            with suppress(PermanentError):  # it is read again, and buried by whom it concerns
                last = found.get(_subject(one))
                entries[one.id] = Entry() if last is None else _entry(one, last)
        return entries

    async def look_up(self, operation: Operation, read: Entry | None = None) -> Entry:
        """What was recorded (`read` just now); what was decided here and could not be stored is stored now."""
        entry = self._entries.get(operation.id)
        if entry is None or entry.outcome is None:
            entry = read if read is not None and entry is None else await self._read(operation)
            self._remember(operation.id, entry)
        elif not entry.stored:
            await self._store(operation, entry)
        return entry

    async def begin(self, operation: Operation, former: str, before: dict[str, Any] | None, live: Manifest) -> None:
        """Store what is about to be replaced; raises TransientError when it is not stored."""
        entry = self._entries.get(operation.id) or await self.look_up(operation)
        if entry.final:
            raise TransientError(f"{operation.id} was carried out by another executor")
        if (entry.outcome is None and not former) or _is_kept(operation, entry):
            return
        version = str(live.get("metadata", {}).get("resourceVersion", ""))
        begun = self._outcome(operation, Effect("begun", False, resource_version=version), 0.0, None)
        entry.outcome, entry.stored = begun.model_copy(update={"former": former, "before": before}), False
        stored = await self._store(operation, entry)
        if stored.state != "begun" or entry.superseded:
            raise TransientError(f"{operation.id} is carried out by another executor")

    async def of_operation(self, operation: Operation) -> Outcome | None:
        """What is stored of the operation that this one takes back, with what that one replaced."""
        step = operation.undoes.rpartition(".")[2]
        found = None
        async for one in self._bus.scan("OUTCOMES", subjects.outcome(self._site, operation.intent, step)):
            with suppress(MessageError):
                said = Outcome.from_json(one.payload)
                if said.operation == operation.undoes and said.former is not None:
                    found = said
        return found

    async def record(self, operation: Operation, effect: Effect, duration_ms: float) -> Outcome:
        """Store what became of it; returns what stands in the ledger, which may be another executor's word."""
        entry = self._entries.get(operation.id) or await self.look_up(operation)
        if entry.final and entry.outcome is not None:
            return entry.outcome
        entry.outcome, entry.stored = self._outcome(operation, effect, duration_ms, entry.outcome), False
        return await self._store(operation, entry)

    async def repeat(self, operation: Operation, entry: Entry) -> None:
        """Say again what is stored: somebody asked again. Within the bus's memory for ids this stores nothing."""
        if entry.outcome is not None and not entry.superseded:
            await self._store(operation, entry)

    def let_go(self, operation: Operation) -> None:
        """Its outcome is stored: what was read or replaced may be large, and the stream has it."""
        if operation.id in self._entries:
            self._entries[operation.id] = Entry()

    def forget(self, operation: Operation) -> None:
        """What was decided and cannot be stored is not so: the stream says what is."""
        self._entries.pop(operation.id, None)

    async def _read(self, operation: Operation) -> Entry:
        last = await self._bus.last("OUTCOMES", _subject(operation))
        if last is None:
            return Entry()
        return _entry(operation, last)

    async def _store(self, operation: Operation, entry: Entry) -> Outcome:
        outcome = entry.outcome
        assert outcome is not None, "nothing to store"
        message_id = f"{outcome.operation}.{outcome.state}"
        if outcome.state == "begun":  # tried again on another state, it is another word
            message_id += f".{outcome.resource_version}"
        source = f"executor/{self._site}"
        headers = envelope.headers("outcome", source, message_id, operation.traceparent)
        for _ in range(STORE_TRIES_MAX):
            try:
                entry.seq = await self._storing.publish(
                    ToStore(_subject(operation), outcome.to_json(), message_id, headers, entry.seq)
                )
            except ConflictError:
                found = await self._read(operation)
                if _settles(found, outcome):
                    entry.outcome, entry.seq, entry.superseded = found.outcome, found.seq, found.superseded
                    entry.stored = True
                    return entry.outcome or outcome
                entry.seq = found.seq
            else:
                if outcome.state in FINAL_STATES and not entry.stored:
                    metrics.OPERATIONS.labels(self._site, operation.action, outcome.state).inc()
                entry.stored = True
                return outcome
        raise TransientError(f"the outcome of {operation.id} could not be stored: others store on its subject")

    def _outcome(self, operation: Operation, effect: Effect, duration_ms: float, known: Outcome | None) -> Outcome:
        former, before = (known.former, known.before) if known is not None else (None, None)
        if not operation.keep or not effect.changed or effect.state == "conflict":
            former, before = None, None
        elif former is None and operation.action not in ("delete", "annotate"):
            former = ""  # else it had been kept before it was written
        return Outcome.of(
            operation,
            effect.state,
            self._wall(),
            changed=effect.changed,
            message=effect.message,
            status=effect.status,
            causes=effect.causes,
            uid=effect.uid,
            resource_version=effect.resource_version,
            object=effect.object,
            former=former,
            before=before,
            left=effect.left or (known.left if known is not None else ""),
            duration_ms=round(duration_ms, 3),
        )

    def _remember(self, operation_id: str, entry: Entry) -> None:
        self._entries[operation_id] = entry
        while len(self._entries) > REMEMBERED_MAX:
            self._entries.popitem(last=False)


def _is_kept(operation: Operation, entry: Entry) -> bool:
    """Words are written in two parts: what was there before the first of them is what an undo puts back."""
    return operation.action == "annotate" and entry.stored and entry.outcome is not None and bool(entry.outcome.former)


def _entry(operation: Operation, last: Received) -> Entry:
    try:
        said = Outcome.from_json(last.payload)
    except MessageError as error:  # not knowing what was done, nothing may be done
        raise PermanentError(f"the last outcome on {last.subject} cannot be read: {error}") from error
    if said.operation == operation.id:
        return Entry(said, last.stream_seq)
    return Entry(None, last.stream_seq, superseded=said.revision > operation.revision)


def _settles(found: Entry, ours: Outcome) -> bool:
    """What is stored meanwhile makes ours needless: the same word, or a final one."""
    if found.outcome is None:
        return found.final
    if ours.state == "begun":
        return found.outcome.state != "begun" or found.outcome.resource_version == ours.resource_version
    return found.final or found.outcome.state == ours.state


def _subject(operation: Operation) -> str:
    return subjects.outcome(operation.site, operation.intent, operation.step)
