"""One embedded cluster: `async with EmbeddedCluster("lyon") as cluster:` — an API server on 127.0.0.1, in this process.

It keeps nothing on disk. Start → first objects → listening; stop ends open watches and closes the port.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml
from aiohttp import web

from cheops.sandbox.apiserver.admission import Admission
from cheops.sandbox.apiserver.bootstrap import make_first_objects
from cheops.sandbox.apiserver.controllers.loop import ControllerLoop
from cheops.sandbox.apiserver.controllers.team import make_controllers
from cheops.sandbox.apiserver.faults import Faults
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.server import ApiServer
from cheops.sandbox.apiserver.store import Store

LOOPBACK = "127.0.0.1"
BOOKMARK_INTERVAL_S = 60.0  # as the real server, about
SHUTDOWN_TIMEOUT_S = 2.0
FIRST_TURNS_MAX = 1000


class EmbeddedCluster:
    """A Kubernetes API for a sandbox or a test. `store` and `faults` are for tests."""

    def __init__(
        self,
        name: str = "site",
        port: int = 0,
        *,
        token: str = "",
        controllers: bool = True,
        bookmark_interval_s: float = BOOKMARK_INTERVAL_S,
    ) -> None:
        """`port` 0 lets the kernel choose. With a `token` every request must carry it."""
        self.name, self.token = name, token
        self.realm = Realm(name)
        self.realm.admit = Admission(self.realm).admit
        self.faults = Faults(self.realm.store)
        self._port = port
        self._controllers = controllers
        self._server = ApiServer(self.realm, self.faults, token, bookmark_interval_s)
        self._runner: web.ServerRunner | None = None
        self._loop: ControllerLoop | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def store(self) -> Store:
        return self.realm.store

    @property
    def server_url(self) -> str:
        assert self._runner is not None, f"{self.name} is not started"
        return f"http://{LOOPBACK}:{self._port}"

    async def start(self) -> None:
        assert self._runner is None, f"{self.name} is started already"
        self._loop = self.furnished()
        # No TaskGroup: fixtures may start and stop a cluster in different tasks, which a group does not survive.
        self._task = asyncio.create_task(self._loop.run(), name=f"controllers of {self.name}")
        server = web.Server(self._server.handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    def furnished(self) -> ControllerLoop:
        """Make what every cluster holds at first; its controllers, which have nothing to do until somebody writes."""
        loop = ControllerLoop(self.realm, make_controllers(self.realm, workloads=self._controllers))
        make_first_objects(self.realm)
        loop.drain(FIRST_TURNS_MAX)
        return loop

    async def stop(self) -> None:
        """Harmless when not started. Open watches end."""
        if (runner := self._runner) is None:
            return
        self._runner = None
        self.faults.end_watches()
        await runner.cleanup()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def write_kubeconfig(self, path: Path) -> None:
        """One context, named after the site."""
        user = f"{self.name}-admin"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self.name,
            "clusters": [{"name": self.name, "cluster": {"server": self.server_url}}],
            "users": [{"name": user, "user": {"token": self.token or "none"}}],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": user}}],
        }
        with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            yaml.safe_dump(config, file, sort_keys=False)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
