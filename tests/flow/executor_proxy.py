"""A proxy before an API server that loses requests and answers, refuses, and lets others act in between.

It sees every request; what happens to *writes* (no dry runs) is scripted, one step per write.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web

from services.chassis.kubernetes.connection import Connection, connect


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said; `None` instead of one cuts the connection."""

    status: int
    body: bytes
    retry_after: str = ""


Forward = Callable[[], Awaitable[Answer]]
Script = Callable[[Forward], Awaitable[Answer | None]]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request, and whether it could change something."""

    method: str
    path: str
    writes: bool


class FaultyProxy:
    """`async with FaultyProxy(kubeconfig, tmp_path / "proxied") as proxy:`, then use `proxy.kubeconfig`."""

    def __init__(self, upstream: Path, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.seen: list[Seen] = []
        self.applied = 0
        self.scripts: deque[Script] = deque()
        self.reads: deque[Script] = deque()
        self._upstream = upstream
        self._connection: Connection
        self._session: aiohttp.ClientSession
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)

    @property
    def writes(self) -> int:
        """Writes that were asked for."""
        return sum(one.writes for one in self.seen)

    async def __aenter__(self) -> Self:
        self._connection = await connect(self._upstream)
        connector = aiohttp.TCPConnector(ssl=self._connection.ssl_context or False)
        self._session = aiohttp.ClientSession(connector=connector)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._write_kubeconfig(f"http://127.0.0.1:{self._runner.addresses[0][1]}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()
        await self._connection.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        writes = request.method in ("PATCH", "DELETE", "POST", "PUT") and request.query.get("dryRun") != "All"
        self.seen.append(Seen(request.method, request.path, writes))

        async def forward() -> Answer:
            headers = {**await self._connection.headers(), "Content-Type": request.headers.get("Content-Type", "")}
            url = self._connection.base_url + request.raw_path
            async with self._session.request(request.method, url, data=body, headers=headers) as response:
                found = Answer(response.status, await response.read(), response.headers.get("Retry-After", ""))
                self.applied += writes and found.status < 300
                return found

        scripts = self.scripts if writes else self.reads
        answer = await scripts.popleft()(forward) if scripts else await forward()
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        headers = {"Retry-After": answer.retry_after} if answer.retry_after else {}
        return web.Response(status=answer.status, body=answer.body, content_type="application/json", headers=headers)

    def _write_kubeconfig(self, url: str) -> None:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lyon",
            "clusters": [{"name": "lyon", "cluster": {"server": url}}],
            "users": [],
            "contexts": [{"name": "lyon", "context": {"cluster": "lyon"}}],
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))


async def pass_on(forward: Forward) -> Answer | None:
    """As if nobody were in between."""
    return await forward()


async def lose_answer(forward: Forward) -> Answer | None:
    """It takes effect, and nobody hears of it."""
    await forward()
    return None


async def lose_request(_: Forward) -> Answer | None:
    """It never arrives, and nobody knows."""
    return None


def refuse(status: int, message: str = "", *, reason: str = "", retry_after: str = "", **details: Any) -> Script:
    """The API server says no."""

    async def script(_: Forward) -> Answer | None:
        body = {"kind": "Status", "status": "Failure", "code": status, "message": message, "reason": reason}
        return Answer(status, json.dumps({**body, "details": details}).encode(), retry_after)

    return script


def meanwhile(act: Callable[[], Awaitable[Any]]) -> Script:
    """Somebody else is a moment faster."""

    async def script(forward: Forward) -> Answer | None:
        await act()
        return await forward()

    return script


def afterwards(act: Callable[[], Awaitable[Any]]) -> Script:
    """It takes effect, somebody acts on it, and nobody hears of the first."""

    async def script(forward: Forward) -> Answer | None:
        await forward()
        await act()
        return None

    return script
