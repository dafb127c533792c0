"""An API server that says exactly what a test wrote down, byte for byte, in the order in which it is asked.

A list or a watch that nothing was written for is answered as a healthy, empty server would: an empty list, a watch
that stays open. Everything that was asked is recorded.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from kubernetes.aio.client import Configuration

from services.chassis.kubernetes.connection import Connection

Kind = Literal["list", "watch"]


@dataclass
class Answer:
    """What one request gets. `then`: end = finish the response, hold = keep it open, cut = drop the connection."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    then: Literal["end", "hold", "cut"] = "end"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]

    @property
    def kind(self) -> Kind:
        return "watch" if self.params.get("watch") else "list"


class ScriptedServer:
    """Answers by path and by whether it is a list or a watch; per request one answer, in order."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.url = ""
        self._answers: dict[tuple[str, Kind], deque[Answer]] = defaultdict(deque)
        self._changed = asyncio.Condition()
        self._closing = asyncio.Event()
        self._open: set[web.StreamResponse] = set()

    def on(self, path: str, kind: Kind, *answers: Answer) -> None:
        """Write down what the next requests of this kind get."""
        self._answers[(path, kind)].extend(answers)

    async def until_asked(self, kind: Kind, times: int, path: str = "") -> list[Asked]:
        """Wait until there were `times` such requests; returns them."""

        def found() -> list[Asked]:
            return [one for one in self.asked if one.kind == kind and path in ("", one.path)]

        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(found()) >= times)
        return found()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(request.path, dict(request.query), dict(request.headers))
        async with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()
        answers = self._answers[(asked.path, asked.kind)]
        answer = answers.popleft() if answers else _healthy(asked.kind)
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        await response.prepare(request)
        if answer.body:
            await response.write(answer.body)
        if answer.then == "hold":
            await self._closing.wait()
        if answer.then == "cut" and request.transport is not None:
            request.transport.abort()
        return response


def _healthy(kind: Kind) -> Answer:
    return Answer(then="hold") if kind == "watch" else page([])


@asynccontextmanager
async def scripted() -> AsyncIterator[ScriptedServer]:
    """A server on a port that the kernel chose."""
    server = ScriptedServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server._handle)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server._closing.set()
        await runner.cleanup()


async def connection_to(url: str, tokens: list[str] | None = None) -> Connection:
    """A connection without a kubeconfig; every load takes the next token."""
    left = deque(tokens or [])

    async def load() -> Any:
        configuration = Configuration(host=url)
        if left:
            configuration.api_key["BearerToken"] = f"Bearer {left.popleft()}"
        return configuration

    connection = Connection(load)
    await connection.load()
    return connection


# ── what such a server says ─────────────────────────────────────────────────────────────────────────────────────────


def thing(name: str, version: int | str, uid: str = "", **more: Any) -> dict[str, Any]:
    """An object with identity and version."""
    metadata = {"name": name, "namespace": "shop", "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, **more}


def page(items: list[dict[str, Any]], version: int | str = 1, continue_: str = "") -> Answer:
    """One page of a list."""
    metadata = {"resourceVersion": str(version), "continue": continue_}
    return Answer(json.dumps({"kind": "List", "metadata": metadata, "items": items}).encode())


def line(kind: str, what: dict[str, Any]) -> bytes:
    """A line of a watch."""
    return json.dumps({"type": kind, "object": what}).encode() + b"\n"


def bookmark(version: int | str, annotations: dict[str, str] | None = None) -> bytes:
    """A bookmark."""
    return line("BOOKMARK", {"metadata": {"resourceVersion": str(version), "annotations": annotations or {}}})


def status(code: int, message: str = "", headers: dict[str, str] | None = None) -> Answer:
    """An error as a body."""
    return Answer(json.dumps({"kind": "Status", "code": code, "message": message}).encode(), code, headers or {})


def error_line(code: int, message: str = "") -> bytes:
    """An error inside a watch."""
    return line("ERROR", {"kind": "Status", "code": code, "message": message})


def stream(*lines: bytes, then: Literal["end", "hold", "cut"] = "hold") -> Answer:
    """A watch that says these lines."""
    return Answer(b"".join(lines), then=then)
