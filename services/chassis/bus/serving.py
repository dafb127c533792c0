"""Answer questions: take one → run its handler → reply. The same for every bus.

A handler that knows its answer gives it at once, without a task of its own; who has to wait does so beside others. At
most `HANDLERS_MAX` wait at a time; further questions wait in the adapter. A handler that fails still answers, with
a refusal: whoever asked must not wait for our defect. What a defect says stays in the log, it may quote values.
When the context ends, what is being answered may finish for a moment.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import structlog

from schemas.envelope import MESSAGE_BYTES_MAX
from schemas.queries import Refusal
from services.chassis.bus.awake import Awake
from services.chassis.bus.port import Handler, Received
from services.chassis.errors import CheopsError, PermanentError

HANDLERS_MAX: Final = 64
FINISH_TIMEOUT_S: Final = 2.0

Answer = tuple[bytes, dict[str, str] | None]
Reply = Callable[[bytes, dict[str, str] | None], Awaitable[None]]

log = structlog.get_logger(__name__)


class Answering:
    """Runs one subject's handler for many questions at a time."""

    def __init__(self, subject: str, handler: Handler, tasks: asyncio.TaskGroup) -> None:
        self._subject = subject
        self._handler = handler
        self._tasks = tasks
        self._room = asyncio.Semaphore(HANDLERS_MAX)
        self._running: set[asyncio.Task[None]] = set()
        self._awake = Awake()

    async def take(self, received: Received, reply: Reply) -> None:
        """Answer, or begin to; waits while there is no room."""
        in_a_row = self._awake.asked()
        answer = self._begin(received)
        if isinstance(answer, tuple):  # nearly all: no step more than it takes, somebody waits for each
            try:
                await reply(*answer)
            except CheopsError as error:
                self._unsent(error)
            self._awake.answered(in_a_row=in_a_row)
            return
        try:
            await self._room.acquire()
        except asyncio.CancelledError:
            _let_go(answer)
            raise
        task = self._tasks.create_task(self._answer(answer, reply))
        self._running.add(task)
        task.add_done_callback(partial(self._ended, answer))

    def _ended(self, answer: Awaitable[bytes], task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._room.release()
        _let_go(answer)

    async def finish(self) -> None:
        """Let what is running end within FINISH_TIMEOUT_S, then stop it."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=FINISH_TIMEOUT_S)
        for task in set(self._running):
            task.cancel()

    def _begin(self, received: Received) -> Awaitable[bytes] | Answer:
        try:
            found = self._handler(received)
            return self._whole(found) if isinstance(found, bytes) else found
        except Exception as error:  # a defect in one answer must not end the service
            return self._refusal(error)

    async def _answer(self, found: Awaitable[bytes], reply: Reply) -> None:
        try:
            answer = self._whole(await found)
        except Exception as error:  # as above
            answer = self._refusal(error)
        try:
            await reply(*answer)
        except CheopsError as error:
            self._unsent(error)

    def _unsent(self, error: CheopsError) -> None:
        log.warning("an answer could not be sent", subject=self._subject, error=str(error))

    def _whole(self, answer: bytes) -> Answer:
        if len(answer) > MESSAGE_BYTES_MAX:
            raise PermanentError(f"the answer has {len(answer)} bytes (at most {MESSAGE_BYTES_MAX}); ask for less")
        return answer, None

    def _refusal(self, error: Exception) -> Answer:
        if isinstance(error, CheopsError):
            return self._refused("400", str(error))
        log.error("a question could not be answered", subject=self._subject, exc_info=error)
        return self._refused("500", f"internal error ({type(error).__name__}); the service's log has it")

    def _refused(self, code: str, message: str) -> Answer:
        headers = {"Nats-Service-Error": message.replace("\n", " "), "Nats-Service-Error-Code": code}
        return Refusal(code=code, message=message).to_json(), headers


def _let_go(answer: Awaitable[bytes]) -> None:
    """One that was cancelled before its first step will not be awaited by anybody any more."""
    if inspect.iscoroutine(answer):
        answer.close()


@asynccontextmanager
async def answering(subject: str, handler: Handler) -> AsyncIterator[Answering]:
    """Where the tasks of one subject's handler live."""
    try:
        async with asyncio.TaskGroup() as tasks:
            made = Answering(subject, handler, tasks)
            yield made
            await made.finish()
    except BaseExceptionGroup as group:
        # Handlers raise nothing, so this is the caller's own exception: hand it back as it was.
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from group.exceptions[0].__cause__
        raise
