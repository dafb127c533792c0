"""`python -m cheops.sandbox.exchange DIRECTORY`: the process that every link of a sandbox leads through (links.py)."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cheops.sandbox.faults import NO_FAULT, Fault, FaultProxy
from cheops.sandbox.links import FILE
from cheops.sandbox.ports import LOOPBACK


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


class Exchange:
    """Links by the site that dials, and what is wrong with each site's."""

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
    asyncio.run(Exchange().serve(Path(sys.argv[1]) / FILE))
