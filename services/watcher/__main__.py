"""`python -m services.watcher`: settings, bus, catalogue, API server → the watcher of one site."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path
from typing import Final

import structlog
from pydantic import Field

from schemas import compiled
from schemas.identity import KindId
from schemas.kinds import Surface
from schemas.relations.carried import KIND as CONFIG_MAP
from schemas.relations.carried import Rulebook
from schemas.relations.extract import Extractor
from schemas.relations.resting import Resting
from services.chassis import lifecycle
from services.chassis.bus import nats
from services.chassis.bus.port import Bus
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import SettingsError
from services.chassis.kept_rules import KeptRules
from services.chassis.kubernetes.connection import connect
from services.chassis.settings import RULES, RULES_NAMESPACE, Listed, NamespaceName, ServiceSettings
from services.watcher.kubernetes.circumstances import Circumstances
from services.watcher.kubernetes.cluster import EXCLUDED, KubernetesSource
from services.watcher.kubernetes.ruling import Ruling
from services.watcher.kubernetes.shaping import Shaping
from services.watcher.kubernetes.transport import Transport
from services.watcher.service import Watcher

RESTING_MAX: Final = 16_384  # objects whose references are kept; about 2.5 kB each

log = structlog.get_logger(__name__)


class WatcherSettings(ServiceSettings):
    """Environment variables CHEOPS_…"""

    kubeconfig: Path | None = Field(
        None, description="kubeconfig file; else KUBECONFIG, ~/.kube/config, the pod's own."
    )
    kube_context: str | None = Field(None, description="Context of the kubeconfig; else its current one.")
    exclude: Listed[KindId] = Field(
        tuple(sorted(EXCLUDED)),
        description="Kinds ([group/]Kind) that are not watched: Event,apps/ReplicaSet, or a JSON list.",
    )
    rules: Listed[Path] = Field((), description=RULES)
    rules_namespace: NamespaceName = Field("", description=RULES_NAMESPACE)
    watch_list: bool = Field(True, description="List by streaming (WatchList) where the API server can do it.")


async def build(settings: WatcherSettings) -> tuple[KubernetesSource, Rulebook, Ruling]:
    """The cluster to watch, by which rules. Raises SettingsError when the kubeconfig or a rule file cannot be used."""
    if settings.rules_namespace and CONFIG_MAP in settings.exclude:
        raise SettingsError("CHEOPS_EXCLUDE: ConfigMap (they hold rules: CHEOPS_RULES_NAMESPACE is set)")
    book = Rulebook(settings.rules, settings.rules_namespace)

    def extractor_for(surface: Surface) -> Extractor:
        return Extractor(book.catalogue, surface, Resting(RESTING_MAX))

    connection = await connect(settings.kubeconfig, settings.kube_context)
    shaping = Shaping(extractor_for, book)
    around = Circumstances(
        Transport(connection), shaping, random.Random(), time.monotonic, watch_list=settings.watch_list
    )
    ruling = Ruling(book, shaping)
    return KubernetesSource(around, frozenset(settings.exclude), ruling=ruling), book, ruling


async def run(settings: WatcherSettings, bus: Bus | None = None, ready: asyncio.Event | None = None) -> None:
    """Run until cancelled; `bus` is connected here when none is given."""
    source, book, ruling = await build(settings)  # a wrong set-up is told at once, whether the bus is there or not
    lifecycle.settle()  # rules: walking over them again and again was a tenth of the first listing
    own = bus is None
    bus = bus or await nats.connect(
        settings.nats_url, name=f"watcher-{settings.site}", identity=settings.identity("watcher")
    )
    try:
        await ensure_streams(bus, update=False)
        ruling.kept = KeptRules(bus, settings.site)
        log.info("extraction is loaded", site=settings.site, code=str(compiled.found()))
        watcher = Watcher(
            settings.site, source, bus, clock=time.monotonic, randomness=random.Random(), read_by=book.edition
        )
        await watcher.run(ready)
    finally:
        if own:
            await bus.close()


def main() -> int:
    """Entry point; returns the exit code."""
    return lifecycle.main("watcher", WatcherSettings, run)


if __name__ == "__main__":
    sys.exit(main())
