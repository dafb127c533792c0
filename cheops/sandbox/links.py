"""The links of a sandbox: a process that every link leads through (exchange.py), and how to tell it what is wrong.

    site's nats-server ──▶ proxy (there) ──▶ router, or another site's nats-server

It is a process of its own, so that a link can be cut from another command and stays cut; it listens on loopback and
writes its address into `links.json`. One request a line, one answer a line, both JSON:

    {"open": {"site": "nice", "there": "router-1", "port": 7422}}   → {"port": 40001}
    {"set": {"site": "nice", "fault": {"cut": true}}}               → {"links": [...]}
    {"show": {}}                                                    → {"links": [...]}
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from cheops.sandbox.faults import Fault
from cheops.sandbox.ports import LOOPBACK
from cheops.sandbox.process import ChildProcess
from cheops.sandbox.python import PythonProcess
from schemas.identity import SiteName
from services.chassis.errors import SettingsError, TransientError

FILE: Final = "links.json"
READY_TIMEOUT_S: Final = 60.0  # a second or two, but for a machine that is loaded many times over
ANSWER_TIMEOUT_S: Final = 10.0
STOP_GRACE_S: Final = 2.0


class Links:
    """Started by the testbed; whoever has the folder may tell it."""

    def __init__(self, directory: Path, *, forked: bool = True) -> None:
        """`forked`: see PythonProcess."""
        self.directory = directory
        self._forked = forked
        self._child: ChildProcess | None = None

    async def start(self) -> None:
        """Return when it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / FILE).unlink(missing_ok=True)
        words = [str(self.directory.absolute())]
        log = self.directory / "links.log"
        self._child = PythonProcess("links", "cheops.sandbox.exchange", words, log, forked=self._forked)
        await self._child.start()
        await self._child.wait_ready(self._answers, READY_TIMEOUT_S)

    async def start_again(self) -> list[str]:
        """When it has ended: without any link. The name of what had."""
        if self._child is None or self._child.running:
            return []
        await self.start()
        return [f"{self._child.name} (none is cut any more)"]

    async def stop(self) -> None:
        """Harmless when it does not run."""
        if self._child is not None:
            await self._child.stop(STOP_GRACE_S)

    async def open(self, site: SiteName, there: str, port: int) -> int:
        """The port to dial instead of `port`."""
        return int((await self._ask("open", {"site": site, "there": there, "port": port}))["port"])

    async def set(self, site: SiteName, fault: Fault) -> list[dict[str, Any]]:
        """What is wrong with everything between this site and the others; NO_FAULT heals it."""
        return list((await self._ask("set", {"site": site, "fault": asdict(fault)}))["links"])

    async def show(self) -> list[dict[str, Any]]:
        """Every link: site, there, port, fault, connections."""
        return list((await self._ask("show", {}))["links"])

    async def _answers(self) -> bool:
        return (self.directory / FILE).exists() and await self.show() == []

    async def _ask(self, verb: str, words: dict[str, Any]) -> dict[str, Any]:
        try:
            address = json.loads((self.directory / FILE).read_text())
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(LOOPBACK, address["port"])
                try:
                    writer.write(json.dumps({verb: words}).encode() + b"\n")
                    found: dict[str, Any] = json.loads(await reader.readline() or b"{}")
                finally:
                    writer.close()
        except (OSError, ValueError) as error:
            raise TransientError(f"the links of {self.directory} do not answer ({error})") from error
        if "error" in found or not found:
            raise SettingsError(found.get("error", "the links gave no answer"))
        return found
