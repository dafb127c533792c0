"""What a service counts, in Prometheus' words; served where CHEOPS_METRICS_PORT is set.

Counting is one addition in this process, whether anybody reads it or not. What has to be worked out (ages, lags) is a
`Figures` that is asked only when somebody reads.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Final

from prometheus_client import REGISTRY, Counter, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from services.chassis.errors import SettingsError

READ_TIMEOUT_S: Final = 2.0
TIMES_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

VERDICTS: Final = Counter("cheops_verdicts", "Verdicts stored.", ["site", "decision"])
ALERTS: Final = Counter("cheops_alerts", "Alerts sent.", ["site", "code", "state"])
PREVIEW_S: Final = Histogram("cheops_preview_seconds", "From a preview to its answer.", ["site"], buckets=TIMES_S)
STEP_S: Final = Histogram(
    "cheops_step_seconds",
    "One step of a resolver: nothing else happens meanwhile.",
    ["site", "signal"],
    buckets=TIMES_S,
)
OPERATIONS: Final = Counter("cheops_operations", "Operations that are over.", ["site", "action", "state"])
GATE_ANSWERS: Final = Counter("cheops_gate_answers", "What the API server was answered.", ["site", "answer"])
DEAD_LETTERS: Final = Counter("cheops_dead_letters", "Messages kept in dead letters.", ["by", "stream"])
PEER_RECEIVED: Final = Counter("cheops_peer_messages", "Messages of peers that were handled.", ["site", "peer", "what"])
PEER_REFUSED: Final = Counter("cheops_peer_messages_refused", "Messages of peers that were not.", ["site", "reason"])
PINGS_REFUSED: Final = Counter("cheops_pings_refused", "Answers to pings that were not understood.", ["site", "peer"])
LETTERS_DELIVERED: Final = Counter("cheops_letters_delivered", "Letters that a peer's server has.", ["site", "peer"])
LETTERS_RETRIED: Final = Counter("cheops_letters_retried", "Attempts that failed.", ["site", "peer"])
LETTERS_REFUSED: Final = Counter("cheops_letters_refused", "Letters for which there was no room.", ["site", "peer"])

Family = GaugeMetricFamily | CounterMetricFamily
Figure = tuple[str, str, tuple[str, ...], float]  # name, what it is, the values of its labels, value


def from_zero(counter: Counter, *values: Iterable[str]) -> None:
    """Show it before anything is counted, for all values of its labels: what was not there has not grown by one."""
    for labels in itertools.product(*values):
        counter.labels(*labels)


class Figures(Collector):
    """What is worked out when somebody reads, in the loop that this is made in. `labels`: of all of them.

    Gauges; a name that ends with `_total` is a counter's.
    """

    def __init__(self, labels: tuple[str, ...], read: Callable[[], Iterable[Figure]]) -> None:
        self._labels = labels
        self._read = read
        self._loop = asyncio.get_running_loop()

    def describe(self) -> list[Family]:
        """Nothing beforehand: what there is depends on the peers."""
        return []

    def collect(self) -> Iterator[Family]:
        """One family a name."""
        families: dict[str, Family] = {}
        for name, what, values, value in self._rows():
            if name not in families:
                made = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
                families[name] = made(name, what, labels=self._labels)
            families[name].add_metric(values, value)
        yield from families.values()

    def _rows(self) -> list[Figure]:
        """Whoever serves the readers is another thread, and what they read about changes in the loop's."""
        with suppress(RuntimeError):  # there is none in the other thread
            if asyncio.get_running_loop() is self._loop:
                return list(self._read())
        answer: Future[list[Figure]] = Future()
        self._loop.call_soon_threadsafe(lambda: answer.set_result(list(self._read())))
        try:
            return answer.result(READ_TIMEOUT_S)
        except TimeoutError:
            return []  # the loop is busy or gone: no figure is better than an old one


@contextmanager
def showing(figures: Figures) -> Iterator[None]:
    """Let them be read while the context lasts."""
    REGISTRY.register(figures)
    try:
        yield
    finally:
        REGISTRY.unregister(figures)


@contextmanager
def served(port: int | None, host: str = "127.0.0.1") -> Iterator[None]:
    """Serve what this process counts, in a thread of its own; nothing without a port."""
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, host)
    except OSError as error:
        raise SettingsError(f"CHEOPS_METRICS_PORT: {host}:{port} cannot be taken ({error.strerror})") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
