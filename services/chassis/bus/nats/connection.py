"""URL → one connection that finds its server again, or an error that says what to do.

nats-py tries for two minutes when nobody listens, whatever `allow_reconnect` says; so each attempt is bounded here.
A connection that the server ended on purpose (credentials withdrawn, protocol violated) does not come back: nats-py
closes it for good, and every later use says so. So does one whose key is refused when it comes back.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import nats.errors
import structlog
from nats.js import JetStreamContext

from services.chassis.bus.identity import Identity
from services.chassis.bus.nats.calls import calling
from services.chassis.bus.nats.headers import QuickClient
from services.chassis.bus.sizes import HINT, SERVER_PAYLOAD_BYTES
from services.chassis.errors import (
    BusUnavailableError,
    CheopsError,
    PermanentError,
    SettingsError,
    TransientError,
)

ANSWER_TIMEOUT_S: Final = 5.0
CONNECT_TIMEOUT_S: Final = 2.5
HELLO_TIMEOUT_S: Final = 2  # for the TCP connection, and for the server's first word
CLOSE_TIMEOUT_S: Final = 2
RECONNECT_WAIT_S: Final = 1
PING_INTERVAL_S: Final = 10  # and two without an answer: a peer that vanished is noticed within 30 s
REASONS_MAX: Final = 8
REFUSALS_MAX: Final = 3  # one a second, while the connection is sought again

log = structlog.get_logger(__name__)


def _tells_something(record: logging.LogRecord) -> bool:
    """nats-py makes a stream encrypted behind asyncio's back, which then wonders at each end of one."""
    return "eof_received" not in record.getMessage()


logging.getLogger("asyncio").addFilter(_tells_something)


@dataclass
class Link:
    """One connection and what is known of it. `on_end`: called when it is closed for good."""

    url: str
    credentials: Mapping[str, Any] = field(default_factory=dict)
    client: QuickClient = field(default_factory=QuickClient)
    closing: bool = False
    on_end: list[Callable[[], None]] = field(default_factory=list)
    reasons: list[Exception] = field(default_factory=list)
    losses: int = 0
    awaited: set[asyncio.Future[str]] = field(default_factory=set)  # ends of long answers, which go with the connection
    refusals: int = 0
    _impatient: bool = False

    @property
    def js(self) -> JetStreamContext:
        """JetStream on this connection."""
        return self.client.jetstream(timeout=ANSWER_TIMEOUT_S)

    @property
    def connected(self) -> bool:
        """False while it is lost (reconnecting) and after it was closed."""
        return self.client.is_connected

    def ensure_open(self) -> None:
        """Raise at once instead of waiting for a server that is not there; what is sent then would arrive later."""
        if self.client.is_connected:
            return
        if self.closing:
            raise TransientError("the bus is closed")
        if self.client.is_closed:
            raise PermanentError(f"the NATS server at {self.url} ended the connection for good: {self._reason()}")
        raise TransientError("the bus is not connected (reconnecting)", retry_after_s=RECONNECT_WAIT_S)

    async def close(self) -> None:
        """Let what was sent leave, then disconnect."""
        self.closing = True
        if self.client.is_connected:
            with suppress(CheopsError):
                async with calling("closing", CLOSE_TIMEOUT_S):
                    await self.client.flush(CLOSE_TIMEOUT_S)
        if not self.client.is_closed:
            with suppress(CheopsError, RuntimeError):  # of uvloop: the connection went before what was to leave
                async with calling("closing", CLOSE_TIMEOUT_S):
                    await self.client.close()

    async def open(self, name: str, *, patient: bool) -> None:
        """Connect; once open, never give up finding the server again. Without `patient` the first failure is raised."""
        self._impatient = not patient
        await self.client.connect(
            self.url,
            name=name,
            error_cb=self._note,
            disconnected_cb=self._lost,
            reconnected_cb=self._found,
            closed_cb=self._ended,
            connect_timeout=HELLO_TIMEOUT_S,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT_S,
            ping_interval=PING_INTERVAL_S,
            flush_timeout=ANSWER_TIMEOUT_S,
            **self.credentials,
        )
        self._impatient = False
        if self.client.max_payload < SERVER_PAYLOAD_BYTES:
            log.warning("the NATS server takes small messages only", max_payload=self.client.max_payload, hint=HINT)

    async def _note(self, error: Exception) -> None:
        self.reasons = [*self.reasons[-REASONS_MAX:], error]
        if self._impatient:
            raise error  # out of nats-py's loop of attempts
        if _is_refusal(error) and self.losses and not self.client.is_connected:
            self._refused()
        elif isinstance(error, nats.errors.SlowConsumerError):
            log.warning("the client's buffer is full, a message was dropped", subject=error.subject)
        elif "permissions" in str(error).lower():
            log.warning("the bus does not permit it", error=str(error))

    def _refused(self) -> None:
        """The server is there and does not know us any more: who starts us again may have a renewed key."""
        self.refusals += 1
        if self.refusals == REFUSALS_MAX:
            log.error("the bus refuses this key", url=shown(self.url))
            self.client.options["max_reconnect_attempts"] = 1  # nats-py closes for good then, by itself

    async def _lost(self) -> None:
        self.losses += 1
        for one in self.awaited:
            if not one.done():
                one.set_exception(ConnectionResetError("the bus was lost meanwhile"))
        if not self.closing:
            log.warning("the bus is lost", url=shown(self.url), reason=self._reason())

    async def _found(self) -> None:
        self.refusals = 0
        log.info("the bus is back", url=shown(self.url))

    async def _ended(self) -> None:
        if not self.closing:
            log.error("the bus ended the connection", url=shown(self.url), reason=self._reason())
        for tell in self.on_end:
            tell()

    def _reason(self) -> str:
        if self.refusals >= REFUSALS_MAX:
            return "it refuses this key (renewed? start again with the new one)"
        last = self.client.last_error or (self.reasons[-1] if self.reasons else None)
        return str(last) or repr(last) if last else "no reason was given"


async def linked(url: str, *, name: str, wait: bool, identity: Identity | None = None) -> Link:
    """Connect; with `wait` keep trying, without it raise in time. An address that is none is not tried."""
    if _malformed(url):
        raise SettingsError(f"{shown(url)!r} is no NATS address (expected nats://host:port; set CHEOPS_NATS_URL)")
    while True:
        link = Link(url, _credentials(identity))
        try:
            async with calling("connecting", CONNECT_TIMEOUT_S):
                await link.open(name, patient=wait)
            return link
        except CheopsError as error:
            reason = _explained(link)
            await _given_up(link)
            if not wait:
                raise reason from error
        except asyncio.CancelledError:  # nobody else knows of it
            await _given_up(link)
            raise
        log.warning("no bus yet", url=shown(url), error=str(reason))
        await asyncio.sleep(random.uniform(0.5, 1.5) * RECONNECT_WAIT_S)


async def _given_up(link: Link) -> None:
    link.closing = True
    with suppress(CheopsError):
        async with calling("closing", 0.3):
            await link.client.close()


def _is_refusal(error: Exception) -> bool:
    said = str(error).lower()
    return "authorization" in said or "authentication" in said


def _credentials(identity: Identity | None) -> dict[str, Any]:
    """In nats-py's words."""
    if identity is None:
        return {}
    trust = identity.trust()
    encrypted = {"tls": trust, "tls_handshake_first": True} if trust else {}
    return {"nkeys_seed_str": identity.seed(), "inbox_prefix": identity.inbox.encode(), **encrypted}


def _explained(link: Link) -> CheopsError:
    where, said = shown(link.url), " ".join(str(one).lower() for one in link.reasons)
    if any(map(_is_refusal, link.reasons)):
        return SettingsError(
            f"the NATS server at {where} refuses these credentials "
            "(set CHEOPS_NATS_KEYS to the folder of the site's keys, or CHEOPS_NATS_URL to nats://user:password@host)"
        )
    if "certificate" in said:
        return SettingsError(
            f"the NATS server at {where} has no certificate of the authority in ca.pem, beside the key"
        )
    if "expecting info" in said or "json parse" in said:
        return BusUnavailableError(f"what answers at {where} is no NATS server (set CHEOPS_NATS_URL)")
    return BusUnavailableError(
        f"no NATS server answers at {where} (start one: cheops sandbox up; or set CHEOPS_NATS_URL)"
    )


def _malformed(url: str) -> bool:
    try:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        return parts.scheme not in ("nats", "tls", "ws", "wss") or not parts.hostname or parts.port == 0
    except ValueError:
        return True


def shown(url: str) -> str:
    """Without the password."""
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://…@{tail}" if at and "://" in head else tail
