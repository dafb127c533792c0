"""Numbers about a running service, in the text form that Prometheus reads. No I/O, no clock.

Each module declares its own at import (`DROPPED = counter(…)`) and adds to it; `health` serves `exposition()`. There
is one registry per process, because there is one scrape per process. Labels must come from small closed sets (a
stream, a kind of failure): a label made of names would grow without bound, so a metric refuses more than 200 of them.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Final

SERIES_MAX: Final = 200  # of one metric
SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Labels = tuple[tuple[str, str], ...]


class Metric:
    """A counter or a gauge, with a series for each combination of labels."""

    def __init__(self, name: str, description: str, kind: str) -> None:
        self.name = name
        self.description = description
        self.kind = kind
        self._values: dict[Labels, float] = {}

    def add(self, amount: float = 1.0, **labels: str) -> None:
        """Up by so much."""
        key = _bounded(labels, self._values)
        self._values[key] = self._values.get(key, 0.0) + amount

    def set(self, value: float, **labels: str) -> None:
        """To this; for gauges."""
        assert self.kind == "gauge", f"{self.name} only counts"
        self._values[_bounded(labels, self._values)] = value

    def value(self, **labels: str) -> float:
        """As it is now; 0 when nothing was added yet."""
        return self._values.get(_key(labels), 0.0)

    def lines(self) -> list[str]:
        """The series; a metric without labels is there from the start, so that a rate can be taken of its first."""
        return [
            f"{self.name}{_shown(labels)} {_number(value)}" for labels, value in (self._values or {(): 0.0}).items()
        ]


class Histogram:
    """How values are spread, in fixed buckets."""

    kind = "histogram"

    def __init__(self, name: str, description: str, bounds: Sequence[float]) -> None:
        self.name = name
        self.description = description
        self._bounds = tuple(bounds)
        self._series: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, value: float, **labels: str) -> None:
        """One more value."""
        key = _bounded(labels, self._series)
        counts = self._series.setdefault(key, [0] * (len(self._bounds) + 1))
        counts[bisect.bisect_left(self._bounds, value)] += 1
        self._sums[key] = self._sums.get(key, 0.0) + value

    def lines(self) -> list[str]:
        """Cumulative buckets, sum and count."""
        found = []
        for labels, counts in self._series.items():
            total = 0
            for bound, count in zip((*self._bounds, None), counts, strict=True):
                total += count
                shown = "+Inf" if bound is None else _number(bound)
                found.append(f"{self.name}_bucket{_shown((*labels, ('le', shown)))} {total}")
            found.append(f"{self.name}_sum{_shown(labels)} {_number(self._sums[labels])}")
            found.append(f"{self.name}_count{_shown(labels)} {total}")
        return found


_registry: dict[str, Metric | Histogram] = {}


def counter(name: str, description: str) -> Metric:
    """The counter of this name, made when it is new; its name ends in `_total`."""
    assert name.endswith("_total"), name
    return _metric(name, description, "counter")


def gauge(name: str, description: str) -> Metric:
    """The gauge of this name, made when it is new."""
    return _metric(name, description, "gauge")


def histogram(name: str, description: str, bounds: Sequence[float] = SECONDS) -> Histogram:
    """The histogram of this name, made when it is new. `bounds` are rising; the last bucket is open."""
    made = _registry.setdefault(name, Histogram(name, description, bounds))
    assert isinstance(made, Histogram), f"{name} is a {made.kind}"
    return made


def exposition() -> str:
    """Everything, as Prometheus's text format 0.0.4 has it."""
    blocks = []
    for metric in _registry.values():
        blocks += [f"# HELP {metric.name} {metric.description}", f"# TYPE {metric.name} {metric.kind}", *metric.lines()]
    return "\n".join(blocks) + "\n"


def _metric(name: str, description: str, kind: str) -> Metric:
    made = _registry.setdefault(name, Metric(name, description, kind))
    assert isinstance(made, Metric), f"{name} is a {made.kind}"
    assert made.kind == kind, f"{name} is a {made.kind}"
    return made


def _key(labels: dict[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _bounded(labels: dict[str, str], series: dict[Labels, float] | dict[Labels, list[int]]) -> Labels:
    key = _key(labels)
    return key if key in series or len(series) < SERIES_MAX else tuple((name, "other") for name, _ in key)


def _shown(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
