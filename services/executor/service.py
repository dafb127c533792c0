"""Bus → target → bus: take an operation, look it up, act once, store the outcome, then ack.

    operation ──▶ ledger: known? then the outcome is the answer, and nothing is done
              ──▶ target, tried again while it may help ──▶ outcome `applied` (stored)
              ──▶ followed until ready, gone or too late ──▶ final outcome (stored) ──▶ ack

Operations run side by side; the plan's order is the resolver's affair. Killed anywhere, an operation comes back: before
`applied` is stored its effect is found again in the cluster, after it only the following goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Final

import structlog

from schemas import subjects
from schemas.identity import SiteName
from schemas.operations import Operation
from schemas.outcomes import FINAL_STATES, Outcome
from services.chassis.bus.port import Bus, Delivery, Reader, Received
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import CheopsError, PermanentError, TransientError
from services.chassis.poison import bury
from services.executor import exports
from services.executor.carrying import Carrier, Limits, StoppingError
from services.executor.keeping import concrete, keep
from services.executor.ledger import Ledger
from services.executor.permit import OperationPermit
from services.executor.rehearsals import answer
from services.executor.sealing import Keyring, Opening
from services.executor.taking import Taken, Taking
from services.executor.target import Effect, LeaseLostError, Manifest, Target

FETCH_MAX: Final = 64
FETCH_WAIT_S: Final = 2.0
BUS_PAUSE_S: Final = 0.5
CANCEL_S: Final = 1.0  # after the grace: handlers that are cancelled let go of their connections
PERMITS_MAX: Final = 10_000
log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """The wall clock, for expiry and for people."""
    return datetime.now(UTC)


class ExecutorService:
    """Carries out the operations of one site."""

    def __init__(
        self,
        site: SiteName,
        bus: Bus,
        target: Target,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = utc_now,
        keys: Keyring | None = None,
    ) -> None:
        self.site, self._keys = site, keys or Keyring(None)
        self._bus, self._target, self._limits = bus, Opening(target, self._keys), limits or Limits()
        self._clock, self._wall, self._stopping = clock, wall, asyncio.Event()
        self._carrier = Carrier(self._target, self._limits, self._stopping, clock, wall)
        self._ledger = Ledger(site, bus, wall, more=lambda: self._carrier.crowded)
        self._taking = Taking(site, self._ledger, self._limits.ack_wait_s, clock)
        self._permits: OrderedDict[str, OperationPermit] = OrderedDict()
        self._pending: dict[str, int] = {}
        self._busy: set[str] = set()
        self._in_flight = 0
        self._freed = asyncio.Event()

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Serve until `stop` or until cancelled."""
        await ensure_streams(self._bus, update=False)
        self._pending = await self._left_behind()
        async with AsyncExitStack() as stack:
            answers = {"rehearse": self._rehearse, "export": self._export, "key": self._key}
            for verb, answering in answers.items():
                subject = subjects.api("executor", self.site, verb)
                await stack.enter_async_context(self._bus.serve(subject, answering, name=f"executor-{self.site}"))
            reader = await self._bus.reader(
                "OPERATIONS",
                f"executor-{self.site}",
                subjects.filters("OPERATIONS", self.site),
                ack_wait_s=self._limits.ack_wait_s,
                alone=True,
            )
            if ready is not None:
                ready.set()
            log.info("carrying out operations", site=self.site)
            await self._consume_until_stopped(reader)

    async def run_until_cancelled(self, ready: asyncio.Event | None = None) -> None:
        """`run`, where being cancelled means to stop in good order, within `stop_grace_s`."""
        async with asyncio.TaskGroup() as group:
            running = group.create_task(self.run(ready))
            try:
                await asyncio.wait({running})
            except asyncio.CancelledError:
                self.stop()
                await asyncio.wait({running}, timeout=self._limits.stop_grace_s + CANCEL_S)
                raise

    def stop(self) -> None:
        """Begin nothing more, finish what is being written, give the rest back. `run` returns."""
        self._stopping.set()
        self._freed.set()

    async def _left_behind(self) -> dict[str, int]:
        """Operations that an earlier process may have begun: subject → the first that waits."""
        found: dict[str, int] = {}
        async for one in self._bus.scan("OPERATIONS", subjects.filters("OPERATIONS", self.site)):
            found.setdefault(one.subject, one.stream_seq)
        return found

    async def _consume_until_stopped(self, reader: Reader) -> None:
        try:
            async with asyncio.timeout(None) as bound, asyncio.TaskGroup() as handlers:
                handlers.create_task(self._consume(reader, handlers))
                await self._stopping.wait()
                bound.reschedule(asyncio.get_running_loop().time() + self._limits.stop_grace_s)
        except TimeoutError:
            log.warning("stopped while something was being written; it is found again", site=self.site)

    async def _consume(self, reader: Reader, handlers: asyncio.TaskGroup) -> None:
        while not self._stopping.is_set():
            free = self._limits.in_flight_max - self._in_flight
            if free <= 0:
                self._freed.clear()
                await self._freed.wait()
                continue
            for taken in await self._taking.take(await self._fetch(reader, min(free, FETCH_MAX))):
                self._in_flight += 1
                handlers.create_task(self._handle(taken))
        await reader.close()  # before the handlers have ended: what still came would be begun by nobody

    async def _fetch(self, reader: Reader, limit: int) -> list[Delivery]:
        try:
            return await reader.fetch(limit, FETCH_WAIT_S)
        except TransientError as error:
            log.warning("the bus does not deliver", site=self.site, error=str(error))
            await asyncio.sleep(error.retry_after_s or BUS_PAUSE_S)
            return []

    # ── one operation ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _handle(self, taken: Taken) -> None:
        try:
            with taken.lease.kept():
                await self._answer_for(taken)
        finally:
            self._in_flight -= 1
            self._freed.set()

    async def _answer_for(self, taken: Taken) -> None:
        """Ack, give back or bury; raises nothing, or one bad operation would end all others."""
        delivery, operation = taken.delivery, taken.operation
        if operation is None:
            await self._give_up(delivery, taken.unfit)
            return
        try:
            if await self._settle(operation, taken):
                await delivery.ack_unconfirmed()  # should it come again, the ledger answers for it
            else:
                await delivery.retry(self._limits.ack_wait_s)
        except StoppingError:
            await self._give_back(delivery, 0.0)
        except PermanentError as error:
            await self._fail(delivery, operation, str(error))
        except LeaseLostError as error:
            log.warning("operation left to its next delivery", operation=operation.id, reason=str(error))
        except TransientError as error:
            log.warning("operation not settled yet", operation=operation.id, reason=str(error))
            await self._give_back(delivery, self._limits.away_s(delivery.message.deliveries, error.retry_after_s))
        except Exception as error:
            log.exception("operation met a defect", operation=operation.id)
            await self._after_defect(delivery, operation, error)

    async def _settle(self, operation: Operation, taken: Taken) -> bool:
        """True when its final outcome is stored; False when another delivery of it is at work here."""
        permit = self._permit(operation, taken.message)
        if operation.id in self._busy:
            return False
        self._busy.add(operation.id)
        try:
            entry = await self._ledger.look_up(operation, taken.entry)
            if entry.final:
                log.info("operation answered from the ledger", operation=operation.id)
                await self._ledger.repeat(operation, entry)
            else:
                permit.lease = taken.lease
                await self._act_and_follow(operation, entry.outcome, permit)
            self._permits.pop(operation.id, None)
            self._ledger.let_go(operation)
            return True
        finally:
            self._busy.discard(operation.id)

    async def _act_and_follow(self, operation: Operation, known: Outcome | None, permit: OperationPermit) -> None:
        begun_s = self._clock()
        outcome = known
        if outcome is None or outcome.state == "begun":
            permit.basis = permit.basis or (outcome.resource_version if outcome is not None and permit.open else "")
            effect = await self._carry_out(operation, permit)
            outcome = await self._record(operation, effect, begun_s)
        if outcome.state not in FINAL_STATES:
            effect = await self._carrier.follow(operation, outcome)
            await self._record(operation, effect, begun_s)

    async def _carry_out(self, operation: Operation, permit: OperationPermit) -> Effect:
        if operation.undoes:
            forward = await self._ledger.of_operation(operation)
            made = concrete(operation, forward, self._keys)
            if isinstance(made, Effect):
                return made
            operation = made
        if operation.keep:
            permit.keeper = lambda live: self._keep(operation, live)
        return await self._carrier.carry_out(operation, permit)

    async def _keep(self, operation: Operation, live: Manifest | None) -> None:
        if live is None:
            await self._ledger.begin(operation, "", None, {})
            return
        before = await self._target.state(live)
        await self._ledger.begin(operation, keep(live, self._keys), before, live)

    async def _record(self, operation: Operation, effect: Effect, begun_s: float) -> Outcome:
        outcome = await self._ledger.record(operation, effect, (self._clock() - begun_s) * 1_000)
        log.info(
            "operation", operation=operation.id, resource=operation.resource, state=outcome.state, status=outcome.status
        )
        return outcome

    def _permit(self, operation: Operation, message: Received) -> OperationPermit:
        permit = self._permits.get(operation.id)
        if permit is None:
            earlier_copy = self._pending.get(message.subject, message.stream_seq) < message.stream_seq
            maybe_begun = message.deliveries > 1 or earlier_copy
            permit = OperationPermit(operation, maybe_begun=maybe_begun, wall=self._wall)
            self._permits[operation.id] = permit
            while len(self._permits) > PERMITS_MAX:
                self._permits.popitem(last=False)
        permit.handed(message.stream_seq, message.deliveries)
        return permit

    # ── what cannot be settled ──────────────────────────────────────────────────────────────────────────────────────

    async def _after_defect(self, delivery: Delivery, operation: Operation, error: Exception) -> None:
        """A defect of ours must not make an operation come back for ever."""
        if delivery.message.deliveries < self._limits.defects_max:
            await self._give_back(delivery, self._limits.pause_s(delivery.message.deliveries))
            return
        await self._fail(delivery, operation, f"the executor has a defect: {type(error).__name__}")

    async def _fail(self, delivery: Delivery, operation: Operation, reason: str) -> None:
        """Trying again cannot help, and whoever waits for it must not wait for ever."""
        permit = self._permits.pop(operation.id, None)
        self._ledger.forget(operation)
        try:
            await self._ledger.record(operation, Effect("failed", permit is None or permit.open, reason), 0.0)
        except TransientError as not_stored:
            await self._give_back(delivery, self._limits.away_s(delivery.message.deliveries, not_stored.retry_after_s))
            return
        except CheopsError as not_stored:
            log.warning("a failure could not be recorded", operation=operation.id, error=str(not_stored))
        await self._give_up(delivery, reason)

    async def _give_up(self, delivery: Delivery, reason: str) -> None:
        message = delivery.message
        log.warning("operation kept in dead letters", subject=message.subject, reason=reason)
        try:
            await bury(self._bus, "OPERATIONS", message, reason, by=f"executor/{self.site}", now=self._wall())
            await delivery.terminate(reason)
        except TransientError as error:
            log.warning("not buried yet; it will come again", subject=message.subject, error=str(error))

    async def _give_back(self, delivery: Delivery, delay_s: float) -> None:
        try:
            await delivery.retry(delay_s)
        except TransientError as error:  # then it comes back when the lease has run out
            log.warning("operation not given back", subject=delivery.message.subject, error=str(error))

    async def _rehearse(self, question: Received) -> bytes:
        return await answer(self.site, self._target, question)

    async def _export(self, question: Received) -> bytes:
        return await exports.export(self.site, self._target, question)

    async def _key(self, question: Received) -> bytes:
        return exports.key(self.site, self._keys, question, self._wall())
