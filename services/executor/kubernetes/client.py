"""Requests to one API server: JSON in, JSON out, refusals as ApiError, silence as UnreachableError.

Own requests on the `kubernetes` package's authentication rather than its dynamic client: that one discovers everything
at start and hides whether a request that failed had been sent, which is what decides if it may be sent again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from yarl import URL

from services.chassis.kubernetes.connection import Connection
from services.executor.kubernetes.errors import ApiError, UnreachableError
from services.executor.kubernetes.secrecy import discreet

ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024  # etcd takes 1.5 MiB for an object; a list of resources is smaller
APPLY_PATCH: Final = "application/apply-patch+yaml"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Timing:
    """Bounds of waiting, seconds. The server gives up first, so that nothing is under way when we do."""

    connect_s: float = 10.0
    server_s: float = 30.0
    answer_s: float = 45.0


class KubernetesClient:
    """One API server."""

    def __init__(self, connection: Connection, timing: Timing | None = None) -> None:
        self._connection = connection
        self._timing = timing or Timing()
        self._session: aiohttp.ClientSession | None = None
        self._once_only: aiohttp.ClientSession | None = None

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """One object, or a list."""
        return await self._request("GET", path, params or {}, None, JSON)

    async def apply(self, path: str, params: Mapping[str, str], manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Server-side apply; the object as it is afterwards."""
        bounded = {**params, "timeout": f"{self._timing.server_s:g}s"}
        return await self._request("PATCH", path, bounded, manifest, APPLY_PATCH)

    async def delete(self, path: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The object that terminates, or a Status when it is gone."""
        return await self._request("DELETE", path, {"timeout": f"{self._timing.server_s:g}s"}, options, JSON)

    async def close(self) -> None:
        """Close connections and forget credentials."""
        for one in (self._once_only, self._session):
            if one is not None:
                await one.close()
        await self._connection.close()

    async def _request(
        self, method: str, path: str, params: Mapping[str, str], body: Mapping[str, Any] | None, content: str
    ) -> dict[str, Any]:
        seen = self._connection.generation
        try:
            return await self._once(method, path, params, body, content)
        except ApiError as error:
            if error.status != 401:
                raise
            await self._connection.renew(seen)
        return await self._once(method, path, params, body, content)

    async def _once(
        self, method: str, path: str, params: Mapping[str, str], body: Mapping[str, Any] | None, content: str
    ) -> dict[str, Any]:
        headers = {"Accept": JSON, "Content-Type": content, **await self._connection.headers()}
        url = URL(self._connection.base_url + path, encoded=True).with_query(params)
        data = json.dumps(body).encode() if body is not None else None
        with _converted(method, path):
            async with self._opened(once_only=method == "DELETE").request(
                method,
                url,
                data=data,
                headers=headers,
                allow_redirects=False,
                proxy=self._connection.proxy,
                server_hostname=self._connection.server_hostname,
            ) as response:
                return _understood(response, await _bounded(response), body or {})

    def _opened(self, *, once_only: bool) -> aiohttp.ClientSession:
        """What is only read may be asked again on another connection by aiohttp itself.

        It would send a deletion again, too, and say nothing; the answer to the second hides what the first has done.
        """
        if self._session is None or self._once_only is None:
            timeout = aiohttp.ClientTimeout(total=self._timing.answer_s, sock_connect=self._timing.connect_s)
            # Without a limit: how many are under way is bounded by the service, and a full pool blocks in silence.
            connector = aiohttp.TCPConnector(limit=0, ssl=self._connection.ssl_context or False)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
            self._once_only = aiohttp.ClientSession(connector=connector, timeout=timeout, connector_owner=False)
            self._once_only._retry_connection = False  # there is no other way to say so (a test sees that it holds)
        return self._once_only if once_only else self._session


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    while chunk := await response.content.readany():
        parts.append(chunk)
        size += len(chunk)
        if size > ANSWER_BYTES_MAX:
            raise aiohttp.ClientPayloadError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
    return b"".join(parts)


def _understood(response: aiohttp.ClientResponse, payload: bytes, asked: Mapping[str, Any]) -> dict[str, Any]:
    try:
        body = json.loads(payload) if payload else {}
    except (ValueError, RecursionError):
        body = {"message": payload[:200].decode(errors="replace").strip()}
        if response.status < 300:
            raise aiohttp.ClientPayloadError(f"status {response.status}, and no JSON") from None
    if not isinstance(body, dict):
        body = {}
    if response.status >= 300:
        raise ApiError(response.status, discreet(body, asked), _seconds(response.headers.get("Retry-After")))
    return body


def _seconds(header: str | None) -> float | None:
    """Retry-After; the form with a date is not used by API servers and read as absent."""
    return float(header) if header and header.isdecimal() else None


@contextmanager
def _converted(method: str, path: str) -> Iterator[None]:
    """aiohttp's errors as ours; only an error of connecting proves that nothing was sent."""
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise UnreachableError(f"the API server cannot be reached: {error}"[:300], sent=False) from error
    except TimeoutError as error:
        raise UnreachableError(f"the API server did not answer {method} {path} in time", sent=True) from error
    except (aiohttp.ClientError, OSError) as error:
        raise UnreachableError(f"{method} {path}: {type(error).__name__}: {error}"[:300], sent=True) from error
