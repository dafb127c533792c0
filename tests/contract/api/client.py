"""Raw HTTP against an API server: what goes over the wire is what these tests are about, so no client library.

reply = await api.post("/api/v1/namespaces/shop/configmaps", {...})      reply.status, reply.content, reply.headers
async with api.watch(path, resourceVersion=v) as events: event = await anext(events)
await api.until(path, "web", lambda found: ...)                          waits by watching, not by asking again
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.kit.waiting import eventually

Content = dict[str, Any]

WAIT_S = 30.0  # real controllers are quick, but tests share their machine with compilers
JSON, MERGE = "application/json", "application/merge-patch+json"
STRATEGIC, JSON_PATCH = "application/strategic-merge-patch+json", "application/json-patch+json"
APPLY, YAML = "application/apply-patch+yaml", "application/yaml"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `content` is empty when it is not JSON."""

    status: int
    content: Content
    headers: Any
    text: str

    @property
    def metadata(self) -> Content:
        metadata: Content = self.content["metadata"]
        return metadata

    @property
    def version(self) -> str:
        return str(self.metadata["resourceVersion"])

    @property
    def reason(self) -> str:
        return str(self.content.get("reason", ""))

    @property
    def message(self) -> str:
        return str(self.content.get("message", ""))

    @property
    def warnings(self) -> list[str]:
        return list(self.headers.getall("Warning", []))

    @property
    def causes(self) -> list[Content]:
        causes: list[Content] = self.content.get("details", {}).get("causes", [])
        return causes


class Api:
    """One API server, as one user."""

    def __init__(self, session: aiohttp.ClientSession, url: str, trust: ssl.SSLContext | None, token: str) -> None:
        self.url = url
        self._session, self._token = session, token
        self._trust: ssl.SSLContext | bool = trust or True  # plain HTTP does not look at it

    def at(self, url: str) -> Api:
        """Another server, by plain HTTP."""
        return Api(self._session, url, None, "")

    async def call(
        self, method: str, path: str, body: Any = None, media_type: str = JSON, accept: str = JSON, **query: Any
    ) -> Reply:
        data = body if isinstance(body, str | bytes | None) else json.dumps(body)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": accept, "User-Agent": "contract/1"}
        if body is not None:
            headers["Content-Type"] = media_type
        async with self._session.request(
            method, self.url + path, params=_texts(query), data=data, headers=headers, ssl=self._trust
        ) as response:
            text = await response.text()
            content = json.loads(text) if response.content_type == JSON else {}
            return Reply(response.status, content, response.headers, text)

    async def get(self, path: str, **query: Any) -> Reply:
        return await self.call("GET", path, **query)

    async def post(self, path: str, body: Any, **query: Any) -> Reply:
        return await self.call("POST", path, body, **query)

    async def put(self, path: str, body: Any, **query: Any) -> Reply:
        return await self.call("PUT", path, body, **query)

    async def delete(self, path: str, body: Any = None, **query: Any) -> Reply:
        return await self.call("DELETE", path, body, **query)

    async def patch(self, path: str, body: Any, media_type: str = MERGE, **query: Any) -> Reply:
        return await self.call("PATCH", path, body, media_type, **query)

    async def apply(self, path: str, body: Any, manager: str = "applier", **query: Any) -> Reply:
        return await self.call("PATCH", path, body, APPLY, fieldManager=manager, **query)

    @asynccontextmanager
    async def watch(self, path: str, **query: Any) -> AsyncIterator[AsyncGenerator[Content, None]]:
        """Events until the server ends the watch; each must come within WAIT_S."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": JSON}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=WAIT_S)
        parameters = _texts({"watch": "1", **query})
        async with self._session.get(
            self.url + path, params=parameters, headers=headers, timeout=timeout, ssl=self._trust
        ) as response:
            events = _events(response)
            try:
                yield events
            finally:
                await events.aclose()
                response.close()

    async def until(self, collection: str, name: str, holds: Callable[[Content | None], bool]) -> Content | None:
        """The object once the condition holds; None stands for a deleted one. TimeoutError after WAIT_S."""
        listed = await self.get(collection, fieldSelector=f"metadata.name={name}")
        assert listed.status == 200, listed.text
        known = next(iter(listed.content["items"]), None)
        if holds(known):
            return known
        async with (
            asyncio.timeout(WAIT_S),
            self.watch(collection, fieldSelector=f"metadata.name={name}", resourceVersion=listed.version) as events,
        ):
            async for event in events:
                known = None if event["type"] == "DELETED" else event["object"]
                if holds(known):
                    return known
        raise TimeoutError(f"{collection}/{name} never became so: {known}")

    async def served(self, path: str, code: int = 200) -> None:
        """Until a list of this path answers so."""

        async def answers() -> bool:
            return (await self.get(path, limit=1)).status == code

        await self.until_true(answers)

    async def until_true(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Asking again and again: routes and webhooks follow their objects in their own time and tell nobody."""
        await eventually(holds, "the API server never answers so", WAIT_S)

    async def until_gone(self, collection: str, name: str) -> None:
        await self.until(collection, name, lambda found: found is None)


async def _events(response: aiohttp.ClientResponse) -> AsyncGenerator[Content, None]:
    text = b""
    async for chunk in response.content.iter_any():
        *lines, text = (text + chunk).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _texts(query: dict[str, Any]) -> dict[str, str]:
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in query.items()}
