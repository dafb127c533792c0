"""Questions to a starting control plane. A program that does not answer yet is an OSError, as ChildProcess wants it.

Each question opens its own connection: probes are few, and so nothing has to be closed or belongs to an event loop.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

OK, CREATED, CONFLICT = 200, 201, 409


@dataclass(frozen=True, slots=True)
class ApiQuestions:
    """To one API server, as one user."""

    server_url: str
    ca_file: Path
    token: str

    async def is_ready(self) -> bool:
        return (await self._ask("GET", "/readyz"))[0] == OK

    async def exists(self, path: str) -> bool:
        return (await self._ask("GET", path))[0] == OK

    async def get(self, path: str) -> dict[str, Any]:
        """Empty when it is not there."""
        status, content = await self._ask("GET", path)
        return content if status == OK else {}

    async def create(self, path: str, manifest: dict[str, Any]) -> bool:
        """True when it is there afterwards, also when it was there before."""
        return (await self._ask("POST", path, manifest))[0] in (CREATED, CONFLICT)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        trust = ssl.create_default_context(cafile=str(self.ca_file))  # not written yet → an OSError too
        headers = {"Authorization": f"Bearer {self.token}"}
        return await _request(method, self.server_url + path, trust, headers, body)


async def answers_ok(url: str) -> bool:
    """Whether a health page says 200. Its certificate is not checked: it is ours, and nothing is told to it."""
    return (await _request("GET", url, trust=None, headers={}, body=None))[0] == OK


async def _request(
    method: str, url: str, trust: ssl.SSLContext | None, headers: dict[str, str], body: dict[str, Any] | None
) -> tuple[int, dict[str, Any]]:
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers=headers, json=body, ssl=trust or False) as response,
        ):
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else {}
    except aiohttp.ClientError as error:
        raise ConnectionError(f"{url} does not answer: {error}") from error
