"""A read asks one replica, the nearest first: each way to read its scope becomes one for each site that would do. Pure.

What is one resource spread over several sites stays whole: only all of its parts together are it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice, product

from schemas.identity import SiteName
from services.resolver.placing import ALTERNATIVES_MAX, Alternative, Shares


def nearest_first(ways: Sequence[Alternative], far_s: Callable[[SiteName], float]) -> list[Alternative]:
    """`far_s`: the measured round trip to a site, in seconds; infinite where none is known."""
    found: dict[tuple[tuple[SiteName, ...], ...], Alternative] = {}
    for way in ways:
        rows = [
            _choices(shares, far_s) if not crossed else [shares]
            for shares, crossed in zip(way.shares, way.crossed, strict=True)
        ]
        made = [Alternative(shares, way.crossed, way.locations) for shares in islice(product(*rows), ALTERNATIVES_MAX)]
        for one in sorted(made, key=lambda one: sum(far_s(name) for name in one.sites)):
            found.setdefault(tuple(tuple(shares) for shares in one.shares), one)
    return list(found.values())[:ALTERNATIVES_MAX]


def _choices(shares: Shares, far_s: Callable[[SiteName], float]) -> list[Shares]:
    return [{name: shares[name]} for name in sorted(shares, key=lambda name: (far_s(name), name))]
