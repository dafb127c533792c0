"""The SDK: intents in, verdicts and answers out; all of it documented messages on the bus (docs/asyncapi.yaml)."""

from __future__ import annotations

import getpass
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from cheops.asking import Questions, RefusedError
from cheops.chains import Chain, Told, chain_at, scanned
from cheops.contexts import Context, load_context
from cheops.drafts import Intent
from cheops.following import Follower, Progress
from cheops.lines import Lines
from cheops.merging import as_they_come, in_order
from schemas import envelope, subjects
from schemas.alerts import Alert
from schemas.envelope import Message
from schemas.identity import SiteName, site_name
from schemas.intents import INTENT_ID
from schemas.intents import Intent as EnteredIntent
from schemas.queries import CancelRequest
from schemas.verdicts import Verdict
from services.chassis import logs
from services.chassis.bus.port import Bus, ToStore
from services.chassis.bus.together import Together
from services.chassis.errors import BusUnavailableError, TransientError

if TYPE_CHECKING:  # only a replay needs the judge, which is slow to import
    from cheops.replaying import Replay
    from schemas.relations.loader import Catalogue
    from services.resolver.judge.policy import Policy

VERDICT_TIMEOUT_S: Final = 30.0
STORE_TRIES: Final = 3
DECISIONS: Final = ("allow", "deny", "defer", "*")
ALERT_CODE: Final = re.compile(r"A[0-9]{3}|\*")

Answer = TypeVar("Answer", bound=Message)


class Mesh(Questions):
    """A connection to the bus of one or several sites. Made by `connect`.

    unheard   the sites whose streams could not be read where those of every site were asked for, and why
    """

    def __init__(self, lines: Lines, context: Context) -> None:
        super().__init__(lines, context)
        self.unheard: dict[SiteName, str] = {}
        self.on_unheard: Callable[[SiteName, str], None] | None = None  # told of each once, as soon as it is known
        self._stores: dict[Bus, Together] = {}  # by connection

    # ── intents ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def enter(self, draft: Intent, *, site: str | None = None, intent_id: str | None = None) -> EnteredIntent:
        """Give a draft its id, site, requester and time; nothing is sent.

        `intent_id`: of one that may have been sent before; a second draft of that id is answered as the first was.
        Raises MessageError that names the field, also when a message cannot hold it.
        """
        entry = await self.entry_site(site, scope=draft.scope)
        made = intent_id or new_id()
        return draft.entered(intent_id=made, site=entry, requester=requester_name(), now=datetime.now(UTC))

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
        """Store an intent; its verdict comes on the verdict stream. Many that come meanwhile are stored at one go.

        A server that answers late is asked again: the id makes a repetition harmless. Raises TransientError.
        """
        bus = await self._lines.to(intent.site)
        headers = envelope.headers("intent", f"client/{intent.requester or 'unknown'}", intent.id)
        message = ToStore(subjects.intent(intent.site, intent.id), intent.to_json(), intent.id, headers)
        store = self._stores.setdefault(bus, Together(bus))
        for _ in range(STORE_TRIES - 1):
            try:
                await store.publish(message)
            except BusUnavailableError:  # the connection has waited already
                raise
            except TransientError:
                continue
            return
        await store.publish(message)

    async def cancel(self, intent_id: str, *, site: str | None = None) -> Verdict:
        """Give up a deferred intent; its last verdict. Raises RefusedError when it does not wait."""
        _insist_on_an_id(intent_id)
        where = site or (await self.show(intent_id)).site  # it may not be decided yet
        request = CancelRequest(intent=intent_id, requester=requester_name())
        return await self._ask(site_name(where), "cancel", request, Verdict)

    async def follow(
        self,
        intent: EnteredIntent,
        *,
        publish: bool = True,
        verdict_timeout_s: float = VERDICT_TIMEOUT_S,
        on_stored: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Progress]:
        """Publish (unless told not to) and yield each verdict and outcome until the intent has ended.

        `on_stored`: called once nothing can lose it any more. Ends after a deny, a defer's expiry, or the last outcome
        of an allowed plan, its undoing included. Raises
        TransientError when no verdict came in time: the intent stays stored and is decided when the resolver is back.
        """
        site, intent_id = intent.site, intent.id
        bus = await self._lines.to(site)
        async with (
            bus.subscribe(subjects.verdict(site, "*", intent_id)) as verdicts,
            bus.subscribe(subjects.outcome(site, intent_id, "*")) as outcomes,
        ):
            if publish:
                await self.publish(intent)
            on_stored()
            follower = Follower(bus, site, intent_id, verdicts, outcomes, intent.on_failure)
            async for progress in follower.run(verdict_timeout_s, from_begin=not publish):
                yield progress

    async def show(self, intent_id: str, *, site: str | None = None) -> Chain:
        """Intent, verdicts and outcomes as the streams hold them; raises RefusedError when nothing is known of it."""
        where = site_name(site) if site else SiteName("*")
        _insist_on_an_id(intent_id)
        told = [await chain_at(bus, where, intent_id) for bus in await self._heard(where)]
        found = [chain for chain in told if chain is not None]
        if not found:
            raise _unknown(intent_id)
        return next((chain for chain in found if not chain.is_part), found[0])

    async def replay(
        self,
        intent_id: str,
        *,
        policy: Policy | None = None,
        catalogue: Catalogue | None = None,
        site: str | None = None,
        revision: int = 0,
    ) -> Replay:
        """Run a stored decision again on the site at its cursor; raises ReplayError when that cannot be had.

        policy      that was in force; None: the tables as they are
        catalogue   the rules that were; None: the shipped ones
        """
        from cheops.replaying import DecidedTogetherError, parts_of, replay, together
        from schemas.relations.loader import load_catalogue
        from services.resolver.judge.policy import Policy as Tables

        _insist_on_an_id(intent_id)
        where = site or "*"
        buses = await self._lines.of(where)
        if len(buses) > 1:
            where = (await self.show(intent_id)).site
            buses = [await self._lines.to(site_name(where))]
        rules = catalogue or load_catalogue()
        try:
            return await replay(buses[0], intent_id, rules, policy or Tables(), site=where, revision=revision)
        except DecidedTogetherError as error:
            parts = await parts_of(await self._lines.all(), error.verdict)
            raise together(error.verdict, parts) from error

    async def _heard(self, site: str) -> list[Bus]:
        """Whose streams are read for a site, or for every one (`*`)."""
        buses = await self._lines.of(site)
        for name, why in self._lines.silent.items() if site == "*" else ():
            if name not in self.unheard and self.on_unheard is not None:
                self.on_unheard(name, why)
            self.unheard[name] = why
        return buses

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
        async for one in self._tail("VERDICTS", site, subject, Verdict, _decided_at, stored, follow):
            yield one

    async def alerts(
        self, *, site: str = "*", code: str = "*", stored: bool = True, follow: bool = False
    ) -> AsyncIterator[Alert]:
        """Alerts of the last 7 days and those that stand, oldest first; with `follow` new ones as they come.

        One that stands is in the stream again each day; it comes once. `code` is one (A310) or `*`; raises ValueError
        for anything else, which would wait for ever.
        """
        if not ALERT_CODE.fullmatch(code):
            raise ValueError(f"code {code!r} (expected one as A310, or *)")
        subject, standing = subjects.alert(SiteName(site), code), dict[str, datetime]()
        async for one in self._tail("ALERTS", site, subject, Alert, Alert.last_said, stored, follow):
            is_known = one.again_at is not None and standing.get(one.id) == one.at
            if one.state == "raised":
                standing[one.id] = one.at
            else:
                standing.pop(one.id, None)
            if not is_known:
                yield one

    async def _tail(
        self,
        stream: subjects.StreamName,
        site: str,
        subject: str,
        model: type[Told],
        when: Callable[[Told], datetime],
        stored: bool,
        follow: bool,
    ) -> AsyncIterator[Told]:
        async with AsyncExitStack() as stack:
            buses = await self._heard(site)
            last = [await bus.last(stream, subject) if stored else None for bus in buses]
            fresh = [await stack.enter_async_context(bus.subscribe(subject)) for bus in buses]
            seen: set[bytes] = set()  # not of all that is stored: only what may be heard as well
            if stored:
                places = [0 if one is None else one.stream_seq for one in last]
                sources = zip(buses, places, strict=True)
                async for told in in_order(
                    [scanned(bus, stream, subject, model, seen, place) for bus, place in sources], when
                ):
                    yield told
            if not follow:
                return
            async for received in as_they_come(fresh):
                if received.payload not in seen:  # published while the stored ones were read
                    yield model.from_json(received.payload)


def _decided_at(verdict: Verdict) -> datetime:
    return verdict.decided_at


@asynccontextmanager
async def connect(nats_url: str | Context | None = None, *, site: str | None = None) -> AsyncIterator[Mesh]:
    """Connect to the bus: arguments, else `CHEOPS_NATS_URL` / `CHEOPS_SITE`, else the context file.

    Where each site has its own server, a connection is made when a site is first asked.
    """
    logs.off_stdout()
    context = nats_url if isinstance(nats_url, Context) else load_context(nats_url, site)
    lines = Lines(context)
    try:
        if not context.servers:
            await lines.all()  # say at once that nobody answers
        yield Mesh(lines, context)
    finally:
        await lines.close()


def new_id() -> str:
    """A short id that nobody else makes: `i-` and 10 hex digits (1 in 10^12 for a stream's 30 days)."""
    return f"i-{secrets.token_hex(5)}"


def requester_name() -> str:
    """Who asks, as the operating system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry for this uid, as in many containers
        return "unknown"


def _insist_on_an_id(intent_id: str) -> None:
    """`*` is a pattern of subjects: it would find anybody's."""
    if not INTENT_ID.fullmatch(intent_id):
        raise _unknown(intent_id)


def _unknown(intent_id: str) -> RefusedError:
    return RefusedError(f"no intent {intent_id!r} is known (verdicts are kept for 30 days)")
