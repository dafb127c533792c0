"""What is counted can be read over HTTP, on this machine only, where a port is set."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Iterator

import pytest

from services.chassis import metrics
from services.chassis.errors import SettingsError
from tests.kit.ports import free_ports


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


def read(port: int, host: str = "127.0.0.1") -> str:
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


async def test_counters_and_figures_are_served_and_figures_are_worked_out_when_somebody_reads(port: int) -> None:
    asked = 0

    def figures() -> Iterator[metrics.Figure]:
        nonlocal asked
        asked += 1
        yield "cheops_test_age_seconds", "How old.", ("lyon", "oslo"), 1.5
        yield "cheops_test_age_seconds", "How old.", ("lyon", "nice"), 2.0

    metrics.VERDICTS.labels(site="metropolis", decision="allow").inc(3)
    with metrics.served(port), metrics.showing(metrics.Figures(("site", "peer"), figures)):
        before = asked
        text = await asyncio.to_thread(read, port)
        assert 'cheops_verdicts_total{decision="allow",site="metropolis"} 3.0' in text
        assert 'cheops_test_age_seconds{peer="oslo",site="lyon"} 1.5' in text
        assert 'cheops_test_age_seconds{peer="nice",site="lyon"} 2.0' in text
        assert asked == before + 1


def test_nothing_is_served_without_a_port_or_afterwards(port: int) -> None:
    with metrics.served(None):
        pass
    with metrics.served(port):
        read(port)
    with pytest.raises(OSError, match="refused"):
        read(port)


def test_a_port_that_is_taken_is_an_error_that_names_the_setting(port: int) -> None:
    with metrics.served(port), pytest.raises(SettingsError, match="CHEOPS_METRICS_PORT"), metrics.served(port):
        pass


def test_a_pod_may_be_read_at_its_own_address(port: int) -> None:
    with metrics.served(port, "127.0.0.2"):
        assert "python_info" in read(port, "127.0.0.2")
        with pytest.raises(OSError, match="refused"):
            read(port)
    with (
        pytest.raises(SettingsError, match=r"CHEOPS_METRICS_PORT: 203\.0\.113\.7:\d+ cannot be taken"),
        metrics.served(port, "203.0.113.7"),
    ):
        pass
