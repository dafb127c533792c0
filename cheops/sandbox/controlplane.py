"""A real Kubernetes control plane on this machine, without Docker: one site for the sandbox and the tests.

    etcd → kube-apiserver → kubeconfig → kube-controller-manager (→ kube-scheduler, kwok, one node) → ready

Everything listens on 127.0.0.1, on ports that stay reserved from start to stop, and keeps its data, logs and
credentials in one directory; started again on the same directory it has the same objects. Several stand side by side.
The programs are the ordinary ones, so what works here works elsewhere. They die with us (see process.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from cheops.sandbox.plane import pods
from cheops.sandbox.plane.assets import FOR_PODS, NEEDED, ControlPlaneMissingError, find_assets, require
from cheops.sandbox.plane.credentials import ADMIN, User
from cheops.sandbox.plane.kubeconfig import write_kubeconfig
from cheops.sandbox.plane.probes import ApiQuestions, answers_ok
from cheops.sandbox.plane.programs import Programs
from schemas.identity import site_name

__all__ = ["ADMIN", "ControlPlane", "ControlPlaneMissingError", "User", "find_assets"]

READY_TIMEOUT_S = 60.0  # each program; 1 to 4 s on an idle machine, but tests share theirs with compilers
STOP_GRACE_S = 10.0
DEFAULT_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"


class ControlPlane:
    """`async with ControlPlane("lyon", directory) as plane:`, or `start_sync` and `stop_sync` from plain code."""

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        run_pods: bool = False,
        users: Iterable[User] = (),
        port: int = 0,
        assets: Path | None = None,
    ) -> None:
        """`run_pods` adds scheduler, kwok and a node; `users` may log in beside the admin and have no rights yet.

        `port` is the API server's, 0 lets the kernel choose. `assets` is where the programs are (see `find_assets`).
        Raises ControlPlaneMissingError when a program is missing.
        """
        self.name = site_name(name)
        self.directory = directory.absolute()
        self.run_pods = run_pods
        self._users = tuple(users)
        self._port = port
        self._assets = require((*NEEDED, *FOR_PODS) if run_pods else NEEDED, assets)
        self._programs: Programs | None = None

    @property
    def server_url(self) -> str:
        return self._started.layout.server_url

    @property
    def ca_file(self) -> Path:
        return self._started.layout.ca_file

    @property
    def kubeconfig(self) -> Path:
        """The admin's; its one context is named after the site."""
        return self.kubeconfig_of(ADMIN.name)

    @property
    def token(self) -> str:
        """The admin's."""
        return self.token_of(ADMIN.name)

    def token_of(self, user: str) -> str:
        return self._started.credentials.tokens[user]

    def kubeconfig_of(self, user: str) -> Path:
        return self._started.layout.kubeconfig(user)

    async def start(self) -> None:
        """Return when all is ready. Raises SettingsError, ChildExitedError or ChildNotReadyError; then nothing runs."""
        assert self._programs is None, f"{self.name} is started already"
        self._programs = Programs.prepare(self.name, self._assets, self.directory, self._users, self._port)
        try:
            await self._start_all(self._programs)
        except BaseException:  # an interrupt as well: what runs must not stay
            await self.stop()
            raise

    async def stop(self) -> None:
        """In the reverse order of the start. Harmless when not started."""
        if (programs := self._programs) is None:
            return
        try:
            async with asyncio.TaskGroup() as group:
                for child in programs.clients:
                    group.create_task(child.stop(STOP_GRACE_S))
            await programs.apiserver.stop(STOP_GRACE_S)
            await programs.etcd.stop(STOP_GRACE_S)
        finally:
            programs.kill()  # of a cut stop; else nothing is left to kill
            self._programs = None

    def start_sync(self) -> None:
        """For code without an event loop, as fixtures of a whole session."""
        asyncio.run(self.start())

    def stop_sync(self) -> None:
        asyncio.run(self.stop())

    async def start_apiserver(self) -> None:
        """On the port and data it had before. Returns when it is ready."""
        apiserver = self._started.apiserver
        await apiserver.start()
        await apiserver.wait_ready(self._questions().is_ready, READY_TIMEOUT_S)

    def kill_apiserver(self) -> None:
        """SIGKILL; clients see their connections reset."""
        self._started.apiserver.kill()

    async def start_again(self) -> list[str]:
        """Programs that have ended, on the ports and data that they had; their names."""
        programs = self._started
        ended = [child for child in programs.all if child.returncode is not None]
        for child in ended:
            await child.start()
        if ended:
            await programs.apiserver.wait_ready(self._questions().is_ready, READY_TIMEOUT_S)
        return [child.name for child in ended]

    async def restart_apiserver(self) -> None:
        self.kill_apiserver()
        await self.start_apiserver()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def _started(self) -> Programs:
        assert self._programs is not None, f"{self.name} is not started"
        return self._programs

    def _questions(self) -> ApiQuestions:
        return ApiQuestions(self.server_url, self.ca_file, self.token)

    async def _start_all(self, programs: Programs) -> None:
        await programs.etcd.start()
        await programs.etcd.wait_ready(lambda: answers_ok(f"{programs.layout.etcd_url}/health"), READY_TIMEOUT_S)
        await self.start_apiserver()
        self._write_kubeconfigs(programs)
        await programs.controller_manager.start()
        if self.run_pods:
            await programs.scheduler.start()
            await programs.kwok.start()
        await self._wait_controllers(programs)
        if self.run_pods:
            await self._wait_node(programs)

    def _write_kubeconfigs(self, programs: Programs) -> None:
        for user, token in programs.credentials.tokens.items():
            write_kubeconfig(
                programs.layout.kubeconfig(user),
                context=self.name,
                user=user,
                server_url=self.server_url,
                ca_file=self.ca_file,
                token=token,
            )

    async def _wait_controllers(self, programs: Programs) -> None:
        """A namespace has its service account only when controllers work, and no pod can be made before."""
        questions = self._questions()
        await programs.controller_manager.wait_ready(lambda: questions.exists(DEFAULT_ACCOUNT), READY_TIMEOUT_S)

    async def _wait_node(self, programs: Programs) -> None:
        questions = self._questions()
        path = f"{pods.NODES_PATH}/{pods.node_name(self.name)}"

        async def node_takes_pods() -> bool:
            return pods.takes_pods(await questions.get(path))

        scheduler_url = programs.layout.scheduler_url
        await programs.scheduler.wait_ready(lambda: answers_ok(f"{scheduler_url}/healthz"), READY_TIMEOUT_S)
        await questions.create(pods.NODES_PATH, pods.node_manifest(self.name))
        await programs.kwok.wait_ready(node_takes_pods, READY_TIMEOUT_S)
