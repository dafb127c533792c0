"""`python -m cheops.sandbox.apiserver --name lyon --port 0 --kubeconfig FILE`: one cluster in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from cheops.sandbox.apiserver.cluster import EmbeddedCluster
from services.chassis import logs


def main() -> None:
    parser = argparse.ArgumentParser(prog="cheops.sandbox.apiserver", description=__doc__)
    parser.add_argument("--name", default="site", help="name of the site")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 lets the kernel choose")
    parser.add_argument("--kubeconfig", type=Path, help="write a kubeconfig here")
    parser.add_argument("--token", default="", help="bearer token that every request must carry")
    parser.add_argument("--no-controllers", action="store_true", help="do not make workloads ready")
    arguments = parser.parse_args()
    logs.configure()  # on stderr: stdout is for the address
    asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    controllers = not arguments.no_controllers
    async with EmbeddedCluster(
        arguments.name, arguments.port, token=arguments.token, controllers=controllers
    ) as cluster:
        if arguments.kubeconfig:
            cluster.write_kubeconfig(arguments.kubeconfig)
        sys.stdout.write(f"{cluster.server_url}\n")
        sys.stdout.flush()
        await stopped.wait()


if __name__ == "__main__":
    main()
