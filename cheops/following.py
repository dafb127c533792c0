"""An intent, followed from its verdict to its last outcome.

Live messages are taken where they arrive; once a second without any, the streams are read for what was missed. A bus
that is away for a moment (its server is started again) ends nothing: what happened meanwhile is in the streams.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from schemas import subjects
from schemas.identity import SiteName
from schemas.intents import OnFailure
from schemas.outcomes import FINAL_STATES, Outcome
from schemas.verdicts import Verdict
from services.chassis.bus.port import Bus, Received
from services.chassis.errors import TransientError
from services.resolver.pursuit import DECISIONS_MAX

POLL_S: Final = 1.0
LOST_MAX_S: Final = 60.0  # a server is started again within seconds


@dataclass(frozen=True, slots=True)
class Progress:
    """What happened to an intent: a verdict, or the outcome of one of its steps."""

    verdict: Verdict
    outcome: Outcome | None = None


class Follower:
    """Live messages where they arrive, the streams once a second for what was missed."""

    def __init__(
        self,
        bus: Bus,
        site: SiteName,
        intent_id: str,
        verdicts: AsyncIterator[Received],
        outcomes: AsyncIterator[Received],
        on_failure: OnFailure = "stop",
        poll_s: float = POLL_S,
        lost_max_s: float = LOST_MAX_S,
    ) -> None:
        self._bus = bus
        self._site = site
        self._intent = intent_id
        self._sources = {"verdict": verdicts, "outcome": outcomes}
        self._verdict: Verdict | None = None
        self._states: dict[str, Outcome] = {}
        self._early: list[Outcome] = []
        self._undoes = on_failure == "undo"
        self._has_done = self._is_whole = False
        self._poll_s, self._lost_max_s = poll_s, lost_max_s
        self._heard_at_s = time.monotonic()

    async def run(self, verdict_timeout_s: float, *, from_begin: bool = False) -> AsyncIterator[Progress]:
        """Until it has ended. `from_begin`: what the streams hold already comes first, in its order."""
        waits = {name: asyncio.ensure_future(anext(source)) for name, source in self._sources.items()}
        self._heard_at_s = time.monotonic()
        deadline_s = self._heard_at_s + verdict_timeout_s
        try:
            if from_begin:
                async for progress in self._catch_up():
                    yield progress
            while not self._ended:
                done, _ = await asyncio.wait(waits.values(), timeout=self._poll_s, return_when=asyncio.FIRST_COMPLETED)
                for name in [name for name, wait in waits.items() if wait in done]:
                    received = waits[name].result()
                    waits[name] = asyncio.ensure_future(anext(self._sources[name]))
                    for progress in self._take(name, received):
                        yield progress
                if done:
                    self._heard_at_s = time.monotonic()
                else:
                    async for progress in self._caught_up():
                        yield progress
                if self._verdict is None and time.monotonic() > deadline_s:
                    raise TransientError(
                        f"no verdict on {self._intent} within {verdict_timeout_s:g} s; it is stored and will be "
                        f"decided when the resolver of {self._site} is back"
                    )
        finally:
            for wait in waits.values():
                wait.cancel()
                with suppress(asyncio.CancelledError, StopAsyncIteration):
                    await wait

    @property
    def _ended(self) -> bool:
        """Nothing more will come: neither another revision, nor a step, nor the way back."""
        verdict = self._verdict
        if verdict is None or verdict.decision == "defer":
            return False
        goes_back = self._undoes and self._has_done and verdict.undoes is None and not self._is_whole
        if verdict.decision == "deny":
            return not goes_back
        states = [one.state for one in self._states.values()]
        decided_again = "conflict" in states and "failed" not in states and verdict.revision < DECISIONS_MAX
        if decided_again and verdict.undoes is None:
            return False
        if any(step.id not in self._states or self._states[step.id].state not in FINAL_STATES for step in verdict.plan):
            return False
        return not goes_back or all(state in ("ready", "done") for state in states)

    def _take(self, name: str, received: Received) -> list[Progress]:
        if name == "verdict":
            return self._take_verdict(Verdict.from_json(received.payload))
        return self._take_outcome(Outcome.from_json(received.payload))

    def _take_verdict(self, verdict: Verdict) -> list[Progress]:
        if self._verdict is not None and verdict.revision <= self._verdict.revision:
            return []
        self._is_whole = self._is_done()  # a site that was away and denies it then takes nothing back elsewhere
        self._verdict, self._states = verdict, {}
        early, self._early = self._early, []
        taken = [progress for outcome in early for progress in self._take_outcome(outcome)]
        return [Progress(verdict), *taken]

    def _is_done(self) -> bool:
        """Whether all that the verdict in force allowed is done."""
        if self._verdict is None or self._verdict.decision != "allow" or self._verdict.undoes is not None:
            return False
        states = {step: one.state for step, one in self._states.items()}
        return all(states.get(step.id) in ("ready", "done") for step in self._verdict.plan)

    def _take_outcome(self, outcome: Outcome) -> list[Progress]:
        self._has_done = self._has_done or outcome.can_be_undone
        if self._verdict is None or outcome.revision > self._verdict.revision:
            self._early.append(outcome)
            return []
        known = self._states.get(outcome.step)
        if outcome.revision < self._verdict.revision or (known and known.state in (*FINAL_STATES, outcome.state)):
            return []
        self._states[outcome.step] = outcome
        return [Progress(self._verdict, outcome)]

    async def _caught_up(self) -> AsyncIterator[Progress]:
        """The same as far as it can be read. Raises TransientError when the bus was away for too long."""
        try:
            async for progress in self._catch_up():
                yield progress
        except TransientError as error:
            if self._verdict is None:
                return  # the caller waits no longer for one than he wants to
            if time.monotonic() - self._heard_at_s > self._lost_max_s:
                raise TransientError(
                    f"{error}; it goes on by itself, follow it with: cheops show {self._intent} --follow"
                ) from error
        else:
            self._heard_at_s = time.monotonic()

    async def _catch_up(self) -> AsyncIterator[Progress]:
        """Each verdict, and then what became of its steps."""
        found: list[tuple[int, str, Received]] = []
        for name, stream, subject in (
            ("verdict", "VERDICTS", subjects.verdict(self._site, "*", self._intent)),
            ("outcome", "OUTCOMES", subjects.outcome(self._site, self._intent, "*")),
        ):
            model = Verdict if name == "verdict" else Outcome
            async for received in self._bus.scan(stream, subject):  # type: ignore[arg-type]  # a pair of literals
                found.append((model.from_json(received.payload).revision, name, received))
        for _, name, received in sorted(found, key=lambda row: (row[0], row[1] == "outcome")):
            for progress in self._take(name, received):
                yield progress
