"""The SDK: intents in, verdicts and answers out; all of it documented messages on the bus (docs/asyncapi.yaml)."""

from __future__ import annotations

import getpass
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from cheops.asking import Questions, RefusedError
from cheops.contexts import load_context
from cheops.drafts import Intent
from cheops.following import Follower, Progress
from schemas import envelope, subjects
from schemas.alerts import Alert
from schemas.envelope import Message, MessageError
from schemas.identity import SiteName, site_name
from schemas.intents import INTENT_BYTES_MAX
from schemas.intents import Intent as EnteredIntent
from schemas.outcomes import Outcome
from schemas.queries import CancelRequest
from schemas.verdicts import Verdict
from services.chassis.bus import nats
from services.chassis.bus.port import Received
from services.chassis.errors import TransientError

if TYPE_CHECKING:  # only a replay needs the judge, which is slow to import
    from cheops.replaying import Replay
    from services.resolver.judge.policy import Policy

VERDICT_TIMEOUT_S: Final = 30.0
DECISIONS: Final = ("allow", "deny", "defer", "*")

Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True, slots=True)
class Chain:
    """The whole story of an intent, from the streams."""

    intent: EnteredIntent | None
    verdicts: tuple[Verdict, ...]
    outcomes: tuple[Outcome, ...]


class Mesh(Questions):
    """A connection to the bus of one or several sites. Made by `connect`."""

    # ── intents ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def enter(self, draft: Intent, *, site: str | None = None, intent_id: str | None = None) -> EnteredIntent:
        """Give a draft its id, site, requester and time; nothing is sent.

        Raises MessageError that names the field, also when a message cannot hold it.
        """
        entry = await self.entry_site(site, scope=draft.scope)
        intent = draft.entered(
            intent_id=intent_id or new_id(), site=entry, requester=requester_name(), now=datetime.now(UTC)
        )
        size = len(intent.to_json())
        if size > INTENT_BYTES_MAX:
            raise MessageError(
                f"manifests: {size / 1e6:.1f} MB together (expected at most {INTENT_BYTES_MAX / 1e6:.1f} MB): "
                "split them into several intents"
            )
        return intent

    async def submit(self, draft: Intent, *, site: str | None = None, intent_id: str | None = None) -> Verdict:
        """Publish an intent and wait for its first verdict (a preview asks without publishing).

        A denial is a value, not an exception: look at `verdict.decision`. An allowed plan is carried out meanwhile;
        `follow` yields its outcomes. Raises MessageError (the draft is wrong), NoSiteError (which site?),
        BusUnavailableError, and TransientError when no verdict came in time: the intent stays stored then.
        """
        intent = await self.enter(draft, site=site, intent_id=intent_id)
        if intent.preview:
            return await self.preview(intent)
        async for progress in self.follow(intent):
            return progress.verdict
        raise TransientError(f"no verdict on {intent.id} yet (follow it with: cheops show {intent.id} --follow)")

    async def preview(self, intent: EnteredIntent) -> Verdict:
        """What the verdict would be; nothing is stored and nothing is done."""
        return await self._ask(intent.site, "preview", intent, Verdict)

    async def publish(self, intent: EnteredIntent) -> None:
        """Store an intent; its verdict comes on the verdict stream."""
        await self._bus.publish(
            subjects.intent(intent.site, intent.id),
            intent.to_json(),
            message_id=intent.id,
            headers=envelope.headers("intent", f"client/{intent.requester or 'unknown'}", intent.id),
        )

    async def cancel(self, intent_id: str, *, site: str | None = None) -> Verdict:
        """Give up a deferred intent; its last verdict. Raises RefusedError when it does not wait."""
        where = site or (await self.show(intent_id)).verdicts[-1].site
        request = CancelRequest(intent=intent_id, requester=requester_name())
        return await self._ask(site_name(where), "cancel", request, Verdict)

    async def follow(
        self, intent: EnteredIntent, *, publish: bool = True, verdict_timeout_s: float = VERDICT_TIMEOUT_S
    ) -> AsyncIterator[Progress]:
        """Publish (unless told not to) and yield each verdict and outcome until the intent has ended.

        Ends after a deny, a defer's expiry, or the last outcome of an allowed plan. Raises TransientError when no
        verdict came in time: the intent stays stored and is decided when the resolver is back.
        """
        site, intent_id = intent.site, intent.id
        async with (
            self._bus.subscribe(subjects.verdict(site, "*", intent_id)) as verdicts,
            self._bus.subscribe(subjects.outcome(site, intent_id, "*")) as outcomes,
        ):
            if publish:
                await self.publish(intent)
            follower = Follower(self._bus, site, intent_id, verdicts, outcomes)
            async for progress in follower.run(verdict_timeout_s):
                yield progress

    async def show(self, intent_id: str, *, site: str | None = None) -> Chain:
        """Intent, verdicts and outcomes as the streams hold them; raises RefusedError when nothing is known of it."""
        where = site_name(site) if site else SiteName("*")
        stored = await self._bus.last("INTENTS", subjects.intent_filter(where, intent_id))
        intent = EnteredIntent.from_json(stored.payload) if stored else None
        if intent is not None and intent.entry is not None and site is None:  # the part of one site: the whole is there
            where = intent.entry
            whole = await self._bus.last("INTENTS", subjects.intent(where, intent_id))
            intent = EnteredIntent.from_json(whole.payload) if whole else intent
        elif intent is not None:
            where = intent.site
        verdicts = await self._stored("VERDICTS", subjects.verdict(where, "*", intent_id), Verdict)
        outcomes = await self._stored("OUTCOMES", subjects.outcome(where, intent_id, "*"), Outcome)
        if intent is None and not verdicts:
            raise RefusedError(f"no intent {intent_id!r} is known (verdicts are kept for 30 days)")
        revisions = {one.revision: one for one in verdicts}  # one that was asked for again is stored again
        return Chain(intent, tuple(revisions[number] for number in sorted(revisions)), tuple(outcomes))

    async def replay(
        self, intent_id: str, *, policy: Policy | None = None, site: str | None = None, revision: int = 0
    ) -> Replay:
        """Run a stored decision again on the site at its cursor; raises ReplayError when that cannot be had."""
        from cheops.replaying import replay
        from schemas.relations.loader import load_catalogue
        from services.resolver.judge.policy import Policy as Tables

        return await replay(
            self._bus, intent_id, load_catalogue(), policy or Tables(), site=site or "*", revision=revision
        )

    # ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def verdicts(
        self, *, site: str = "*", decision: str = "*", stored: bool = False, follow: bool = True
    ) -> AsyncIterator[Verdict]:
        """Verdicts from now on, or (`stored`) those that the stream holds first; without `follow` only those.

        `decision` is allow, deny, defer or `*`; raises ValueError for anything else, which would wait for ever.
        """
        if decision not in DECISIONS:
            raise ValueError(f"decision {decision!r} (expected one of {', '.join(DECISIONS)})")
        subject = subjects.verdict(SiteName(site), decision, "*")
        async for received in self._tail("VERDICTS", subject, stored, follow):
            yield Verdict.from_json(received.payload)

    async def alerts(self, *, site: str = "*", stored: bool = True, follow: bool = False) -> AsyncIterator[Alert]:
        """Alerts that the stream holds (7 days), oldest first, and with `follow` new ones as they come."""
        async for received in self._tail("ALERTS", subjects.alert(SiteName(site), "*"), stored, follow):
            yield Alert.from_json(received.payload)

    async def _tail(
        self, stream: subjects.StreamName, subject: str, stored: bool, follow: bool
    ) -> AsyncIterator[Received]:
        async with self._bus.subscribe(subject) as fresh:
            seen: set[bytes] = set()
            if stored:
                async for received in self._bus.scan(stream, subject):
                    seen.add(received.payload)
                    yield received
            if not follow:
                return
            async for received in fresh:
                if received.payload not in seen:  # published while the stored ones were read
                    yield received

    async def _stored(self, stream: subjects.StreamName, subject: str, model: type[Answer]) -> list[Answer]:
        return [model.from_json(received.payload) async for received in self._bus.scan(stream, subject)]


@asynccontextmanager
async def connect(nats_url: str | None = None, *, site: str | None = None) -> AsyncIterator[Mesh]:
    """Connect to the bus: arguments, else `CHEOPS_NATS_URL` / `CHEOPS_SITE`, else the context file."""
    context = load_context(nats_url, site)
    bus = await nats.connect(context.nats_url, name="cheops", wait=False)
    try:
        yield Mesh(bus, context)
    finally:
        await bus.close()


def new_id() -> str:
    """A short id that nobody else makes: `i-` and 10 hex digits (1 in 10^12 for a stream's 30 days)."""
    return f"i-{secrets.token_hex(5)}"


def requester_name() -> str:
    """Who asks, as the operating system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry for this uid, as in many containers
        return "unknown"
