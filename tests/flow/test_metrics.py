"""A resolver's process counts, and Prometheus can read it while it runs."""

from __future__ import annotations

import asyncio
import sys
import urllib.request
from pathlib import Path

from cheops.sandbox.natsserver import NatsServer
from cheops.sandbox.process import ChildProcess
from tests.kit.ports import free_ports

READY_TIMEOUT_S = 60.0
STEP = 'cheops_step_seconds_bucket{le="0.05",signal="tick",site="lyon"}'


def read(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


async def test_a_resolver_that_is_told_a_port_serves_its_links_and_counters_there(tmp_path: Path) -> None:
    port = free_ports(1)[0]

    async def there() -> bool:
        text = await asyncio.to_thread(read, port)
        return 'cheops_peer_up{peer="oslo",site="lyon"}' in text and STEP in text

    async with NatsServer(tmp_path / "nats", "lyon", sync="2m") as server:
        settings = {
            "CHEOPS_SITE": "lyon",
            "CHEOPS_PEERS": "oslo",
            "CHEOPS_NATS_URL": server.url,
            "CHEOPS_METRICS_PORT": str(port),
        }
        command = [sys.executable, "-m", "cheops", "serve", "resolver"]
        async with ChildProcess("resolver", command, tmp_path / "resolver.log", environment=settings) as resolver:
            await resolver.wait_ready(there, READY_TIMEOUT_S)
            text = await asyncio.to_thread(read, port)
    assert 'cheops_peer_up{peer="oslo",site="lyon"} 0.0' in text
    assert 'cheops_site_fresh{site="lyon"} 0.0' in text, "no watcher has told anything"
    assert 'cheops_resyncs_total{site="lyon"}' in text
    assert 'cheops_outbox_letters{peer="oslo",site="lyon"} 0.0' in text
    assert 'cheops_verdicts_total{decision="deny",site="lyon"} 0.0' in text, "the first one is an increase"
    assert 'cheops_alerts_total{code="A310",site="lyon",state="raised"} 0.0' in text
