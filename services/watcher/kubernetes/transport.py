"""Requests to an API server, as bytes.

`get` reads one answer; `lines` reads a watch, chunk by chunk. Errors come out as ApiError (an HTTP status, with
Retry-After), SilenceError (connected, no bytes) or TransientError (no connection). One session, without a limit on
connections: every kind holds one open for minutes, and a pool of 100 would block the 101st without a word.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
import msgspec

from services.chassis.errors import TransientError
from services.chassis.kubernetes.connection import Connection
from services.watcher.kubernetes.decoding import UndecodableError, decode

SILENCE_S: Final = 75.0  # bookmarks come every 60 s, the watch cache keeps 75 s
CONNECT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024  # 500 objects of 128 KiB; of larger ones fewer are asked for at once
ERROR_BYTES_MAX: Final = 64 * 1024
READ_BUFFER_BYTES: Final = 256 * 1024
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 10, 5, 3  # a dead peer is found in 25 s
JSON_ONLY: Final = "application/json"


class ApiError(TransientError):
    """The API server answered with an error. `message` is its own sentence."""

    def __init__(self, status: int, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{status}: {message}" if message else str(status), retry_after_s)
        self.status = status


class SilenceError(TransientError):
    """Connected, and no bytes for longer than a healthy API server would stay silent."""


class AnswerTooLargeError(TransientError):
    """An answer over `answer_bytes_max`: ask for less at once."""


class _StatusDetails(msgspec.Struct):
    retryAfterSeconds: float = 0.0  # noqa: N815  the API's own spelling


class Status(msgspec.Struct):
    """`kind: Status`: an error as the API server explains it, as a body or inside a watch."""

    code: int = 0
    message: str = ""
    reason: str = ""
    details: _StatusDetails | None = None


_statuses = msgspec.json.Decoder(Status)


@dataclass(frozen=True, slots=True)
class Timing:
    """Bounds of waiting, seconds, and of what is waited for. Tests make them small."""

    silence_s: float = SILENCE_S
    connect_s: float = CONNECT_S
    answer_bytes_max: int = ANSWER_BYTES_MAX


class Transport:
    """One API server."""

    def __init__(self, connection: Connection, timing: Timing | None = None) -> None:
        self._connection = connection
        self._timing = timing or Timing()
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, params: Mapping[str, str] | None = None, accept: str = JSON_ONLY) -> bytes:
        """The body of a 200 answer."""
        async with self._request(path, params or {}, accept) as response:
            with _converted(path):
                return await _read(response, self._timing.answer_bytes_max)

    @asynccontextmanager
    async def lines(self, path: str, params: Mapping[str, str]) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """An open watch: entering means that the API server accepted it. The chunks end when the server ends it."""
        async with self._request(path, params, JSON_ONLY) as response:
            chunks = _chunks(response, path)
            try:
                yield chunks
            finally:
                await chunks.aclose()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def _request(
        self, path: str, params: Mapping[str, str], accept: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        generation = self._connection.generation
        response = await self._open(path, params, accept)
        if response.status == 401:
            response.close()
            await self._connection.renew(generation)
            response = await self._open(path, params, accept)
        try:
            if response.status != 200:
                with _converted(path):
                    raise await _api_error(response)
            yield response
        finally:
            response.close()  # not `release`: the rest of a watch has no end that could be waited for

    async def _open(self, path: str, params: Mapping[str, str], accept: str) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = self._make_session()
        headers = {"Accept": accept, **await self._connection.headers()}
        with _converted(path):
            return await self._session.get(
                self._connection.base_url + path,
                params=params,
                headers=headers,
                proxy=self._connection.proxy,
                server_hostname=self._connection.server_hostname,
            )

    def _make_session(self) -> aiohttp.ClientSession:
        # The context is one object for ever: new connections use the certificates that were loaded last.
        connector = aiohttp.TCPConnector(
            limit=0, ssl=self._connection.ssl_context or False, socket_factory=_keepalive_socket
        )
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._timing.connect_s, sock_read=self._timing.silence_s
        )
        return aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=READ_BUFFER_BYTES)


def _keepalive_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A peer that vanished (power, cable) must be found sooner than a silent one."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ):
        if hasattr(socket, option):  # not every platform names them
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


async def _chunks(response: aiohttp.ClientResponse, path: str) -> AsyncGenerator[bytes, None]:
    while True:
        with _converted(path):
            chunk = await response.content.readany()
        if not chunk:
            return
        yield chunk


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    parts, size = [], 0
    while chunk := await response.content.readany():
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            raise AnswerTooLargeError(f"an answer of more than {limit} bytes")
    return b"".join(parts)


async def _api_error(response: aiohttp.ClientResponse) -> ApiError:
    """The error of an answer that is not 200. Only the API's own `message` is kept of its body."""
    try:
        body = await _read(response, ERROR_BYTES_MAX)
    except AnswerTooLargeError:
        body = b""
    try:
        status = decode(_statuses, body)
    except UndecodableError:
        status = Status()
    return ApiError(response.status, status.message, _retry_after_s(response.headers.get("Retry-After")))


def _retry_after_s(header: str | None) -> float | None:
    """Seconds; the form with a date is not used by API servers and read as absent."""
    try:
        return float(header) if header else None
    except ValueError:
        return None


@contextmanager
def _converted(path: str) -> Iterator[None]:
    """aiohttp's errors as ours."""
    try:
        yield
    except aiohttp.SocketTimeoutError as error:
        raise SilenceError(f"no answer from {path} in time") from error
    except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
        raise TransientError(f"{path}: {type(error).__name__}: {error}"[:300]) from error
