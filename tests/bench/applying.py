"""Applies a second to a real API server: the executor's, from stored operation to stored final outcome, against a bare
loop of the same requests by the same client, as many at a time. In turns; both make ConfigMaps that were not there.

An executor asks its ledger, applies on the condition that nothing is there, stores the outcome and acknowledges.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cheops.sandbox.controlplane import ControlPlane
from cheops.sandbox.natsserver import NatsServer
from schemas import subjects
from schemas.identity import ResourceId
from schemas.operations import Operation
from schemas.outcomes import FINAL_STATES, Outcome
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from services.chassis.bus import nats
from services.chassis.bus.port import Bus, ToStore
from services.chassis.kubernetes.connection import connect
from services.executor.carrying import Limits
from services.executor.kubernetes.adapter import KubernetesTarget
from services.executor.kubernetes.client import KubernetesClient
from services.executor.service import ExecutorService
from services.resolver.carrying import OPERATIONS_MAX
from tests.bench.history import SITE
from tests.bench.measuring import Row

AT_ONE_TIME: Final = 16  # the executor's default
TURNS: Final = 7
EACH: Final = 512
RATIO_GOAL: Final = 0.8
WAIT_S: Final = 120.0


def run(size: int, file: Path) -> list[Row]:
    """`size` says nothing here."""
    return asyncio.run(_run(file.with_suffix(".applying")))


async def _run(folder: Path) -> list[Row]:
    plane = ControlPlane(SITE, folder / "plane")
    await plane.start()
    try:
        async with NatsServer(folder / "nats", SITE) as server:
            client = KubernetesClient(await connect(plane.kubeconfig))
            told, acting = await nats.connect(server.url, name="bench"), await nats.connect(server.url, name="executor")
            target = KubernetesTarget(KubernetesClient(await connect(plane.kubeconfig)), _extractor)
            executor, ready = ExecutorService(SITE, acting, target, Limits(acting_max=AT_ONE_TIME)), asyncio.Event()
            running = asyncio.create_task(executor.run(ready))
            await ready.wait()
            rows = await _turns(client, told)
            executor.stop()
            await running
            for one in (target, client, told, acting):
                await one.close()
    finally:
        await plane.stop()
    return rows


def _extractor(surface: Any) -> Extractor:
    return Extractor(load_catalogue(), surface)


async def _turns(client: KubernetesClient, bus: Bus) -> list[Row]:
    bare, ours = [], []
    for turn in range(TURNS + 1):
        bare_s, ours_s = await _bare(client, f"bare-{turn}"), await _carried_out(bus, f"ours-{turn}")
        if turn:  # the first one opens connections
            bare.append(EACH / bare_s)
            ours.append(EACH / ours_s)
    ratio = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
    return [
        Row("bare loop of applies, a second", statistics.median(bare), ""),
        Row("executor, operation → final outcome, a second", statistics.median(ours), ""),
        Row("executor against the bare loop", ratio, "×", RATIO_GOAL, "more"),
    ]


def _manifests(prefix: str) -> Iterator[dict[str, Any]]:
    for number in range(EACH):
        metadata = {"name": f"{prefix}-{number}", "namespace": "default"}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "value"}}


async def _bare(client: KubernetesClient, prefix: str) -> float:
    free, start_s = asyncio.Semaphore(AT_ONE_TIME), time.perf_counter()

    async def apply(manifest: dict[str, Any]) -> None:
        path = f"/api/v1/namespaces/default/configmaps/{manifest['metadata']['name']}"
        async with free:
            await client.apply(path, {"fieldManager": "bench"}, manifest)

    await asyncio.gather(*map(apply, _manifests(prefix)))
    return time.perf_counter() - start_s


async def _carried_out(bus: Bus, intent: str) -> float:
    start_s, left = time.perf_counter(), {str(number) for number in range(EACH)}
    async with asyncio.timeout(WAIT_S), bus.subscribe(subjects.filters("OUTCOMES", SITE)) as outcomes:
        released = [_operation(intent, *one) for one in enumerate(_manifests(intent))]
        for first in range(0, EACH, OPERATIONS_MAX):  # as a resolver releases the steps of a plan
            await bus.publish_together([_to_store(one) for one in released[first : first + OPERATIONS_MAX]])
        async for received in outcomes:
            outcome = Outcome.from_json(received.payload)
            if outcome.intent == intent and outcome.state in FINAL_STATES:
                assert outcome.state == "ready", outcome
                left.discard(outcome.step)
                if not left:
                    break
    return time.perf_counter() - start_s


def _to_store(operation: Operation) -> ToStore:
    subject = subjects.operation(SITE, operation.intent, f"1-{operation.step}")
    return ToStore(subject, operation.to_json(), operation.id)


def _operation(intent: str, number: int, manifest: dict[str, Any]) -> Operation:
    now = datetime.now(UTC)
    return Operation(
        id=f"{intent}.1.{number}",
        intent=intent,
        revision=1,
        step=str(number),
        site=SITE,
        action="create",
        resource=ResourceId(f"ConfigMap/default/{manifest['metadata']['name']}"),
        manifest=manifest,
        issued_at=now,
        expires_at=now + timedelta(hours=1),
    )
