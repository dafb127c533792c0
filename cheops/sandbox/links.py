"""The links of a sandbox: a process that every link leads through, and how to tell it what is wrong with one.

    site's nats-server ──▶ proxy (here) ──▶ router, or another site's nats-server

It is a process of its own, so that a link can be cut from another command and stays cut; it listens on loopback and
writes its address into `links.json`. One request a line, one answer a line, both JSON:

    {"open": {"site": "nice", "there": "router-1", "port": 7422}}   → {"port": 40001}
    {"set": {"site": "nice", "fault": {"cut": true}}}               → {"links": [...]}
    {"show": {}}                                                    → {"links": [...]}
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cheops.sandbox.faults import NO_FAULT, Fault, FaultProxy
from cheops.sandbox.ports import LOOPBACK
from cheops.sandbox.process import ChildProcess
from schemas.identity import SiteName
from services.chassis.errors import SettingsError, TransientError

FILE: Final = "links.json"
READY_TIMEOUT_S: Final = 60.0  # a second or two, but for a machine that is loaded many times over
ANSWER_TIMEOUT_S: Final = 10.0
STOP_GRACE_S: Final = 2.0


class Links:
    """Started by the testbed; whoever has the folder may tell it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._child: ChildProcess | None = None

    async def start(self) -> None:
        """Return when it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / FILE).unlink(missing_ok=True)
        command = [sys.executable, "-m", "cheops.sandbox.links", str(self.directory)]
        self._child = ChildProcess("links", command, self.directory / "links.log")
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


@dataclass(frozen=True, slots=True)
class _Link:
    site: str
    there: str
    proxy: FaultProxy

    def shown(self) -> dict[str, Any]:
        """For people and tests."""
        fault = asdict(self.proxy.fault)
        counts = {"port": self.proxy.port, "connections": self.proxy.connections}
        return {"site": self.site, "there": self.there, **counts, "fault": fault}


class _Exchange:
    """What runs in the process."""

    def __init__(self) -> None:
        self._links: list[_Link] = []
        self._faults: dict[str, Fault] = {}

    async def serve(self, file: Path) -> None:
        """Until a signal."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with await asyncio.start_server(self._accept, LOOPBACK, 0) as server:
            made = file.with_suffix(".new")
            made.write_text(json.dumps({"port": server.sockets[0].getsockname()[1]}))
            made.replace(file)
            await stop.wait()
        for link in self._links:
            await link.proxy.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if not line:
                return
            try:
                answer = await self._do(json.loads(line))
            except (KeyError, TypeError, ValueError) as error:
                answer = {"error": f"not understood: {error!r}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except OSError:
            pass  # who asked has gone
        finally:
            writer.close()

    async def _do(self, request: dict[str, Any]) -> dict[str, Any]:
        match request:
            case {"open": {"site": str(site), "there": str(there), "port": int(port)}}:
                proxy = FaultProxy(LOOPBACK, port)
                await proxy.start()
                self._links.append(_Link(site, there, proxy))
                self._apply()
                return {"port": proxy.port}
            case {"set": {"site": str(site), "fault": dict(fault)}}:
                self._faults[site] = Fault(**fault)
                self._apply()
        return {"links": [link.shown() for link in self._links]}

    def _apply(self) -> None:
        """A link has what is wrong at its one end and at its other."""
        for link in self._links:
            near, far = (self._faults.get(name, NO_FAULT) for name in (link.site, link.there))
            link.proxy.set(near.joined(far.reversed()))


if __name__ == "__main__":
    asyncio.run(_Exchange().serve(Path(sys.argv[1]) / FILE))
