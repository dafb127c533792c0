"""What a watcher shows to Prometheus, worked out when somebody reads. docs/metrics.md."""

from __future__ import annotations

from collections.abc import Iterator

from services.chassis.metrics import Figure
from services.watcher.heart import Heart
from services.watcher.telling.batching import Batcher


def figures(heart: Heart, batcher: Batcher) -> Iterator[Figure]:
    """Labelled with the site."""
    beat, site = heart.heartbeat(), (batcher.site,)
    yield "cheops_watcher_kinds_observed", "Kinds that are watched, and seen as they are.", site, beat.observed
    yield "cheops_watcher_kinds_blind", "Kinds that are not seen as they are.", site, len(beat.blind)
    yield "cheops_watcher_events_total", "Events that the bus has stored.", site, batcher.acknowledged
    yield (
        "cheops_watcher_events_unstored",
        "Events that it has not stored yet.",
        site,
        batcher.numbered - batcher.acknowledged,
    )
