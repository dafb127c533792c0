"""`python -m services.executor`: settings, bus, catalogue, API server → the executor of one site."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pydantic import Field

from schemas.kinds import Surface
from schemas.relations.carried import Rulebook
from schemas.relations.extract import Extractor
from services.chassis import lifecycle
from services.chassis.bus import nats
from services.chassis.bus.port import Bus
from services.chassis.kept_rules import KeptRules
from services.chassis.kubernetes.connection import connect
from services.chassis.kubernetes.sealing import sealed
from services.chassis.settings import RULES, RULES_NAMESPACE, Listed, NamespaceName, ServiceSettings
from services.executor.carrying import Limits
from services.executor.kubernetes.adapter import KubernetesTarget
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.ruling import Ruling
from services.executor.sealing import Keyring
from services.executor.service import ExecutorService


class ExecutorSettings(ServiceSettings):
    """Environment variables CHEOPS_…"""

    kubeconfig: Path | None = Field(
        None, description="kubeconfig file; else KUBECONFIG, ~/.kube/config, the pod's own."
    )
    kube_context: str | None = Field(None, description="Context of the kubeconfig; else its current one.")
    rules: Listed[Path] = Field((), description=RULES)
    rules_namespace: NamespaceName = Field("", description=RULES_NAMESPACE)
    acting_max: int = Field(16, ge=1, le=256, description="Operations that talk to the API server at one time.")
    in_flight_max: int = Field(
        512, ge=1, le=10_000, description="Operations that are not over, followed ones included."
    )


async def run(settings: ExecutorSettings, bus: Bus | None = None, ready: asyncio.Event | None = None) -> None:
    """Run until cancelled, then finish what is being written; `bus` is connected here when none is given."""
    book = Rulebook(settings.rules, settings.rules_namespace)

    def extractor_for(surface: Surface) -> Extractor:
        return Extractor(book.catalogue, surface)

    client = KubernetesClient(await connect(settings.kubeconfig, settings.kube_context))
    keys = Keyring(settings.nats_keys)
    own = bus is None
    try:
        bus = bus or await nats.connect(
            settings.nats_url, name=f"executor-{settings.site}", identity=settings.identity("executor")
        )
        ruling = Ruling(client, book, KeptRules(bus, settings.site))
        target = KubernetesTarget(client, extractor_for, lambda body: sealed(body, keys.public), ruling)
        limits = Limits(acting_max=settings.acting_max, in_flight_max=settings.in_flight_max)
        await ExecutorService(settings.site, bus, target, limits, keys=keys).run_until_cancelled(ready)
    finally:
        await client.close()
        if own and bus is not None:
            await bus.close()


def main() -> int:
    """Entry point; returns the exit code."""
    return lifecycle.main("executor", ExecutorSettings, run)


if __name__ == "__main__":
    sys.exit(main())
