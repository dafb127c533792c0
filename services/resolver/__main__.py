"""`python -m services.resolver`: settings, bus, catalogue, policy → the service of one site."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Final

import structlog
from pydantic import Field

from schemas import compiled, subjects
from schemas.documents import DocumentError
from schemas.identity import SiteName
from schemas.intents import SiteToken
from schemas.policy import PolicyFile, load_policy
from schemas.queries import StatusQuery
from schemas.relations.carried import Rulebook
from services.chassis import lifecycle
from services.chassis.bus import nats
from services.chassis.bus.port import Bus
from services.chassis.errors import SettingsError, TransientError
from services.chassis.settings import RULES, RULES_NAMESPACE, Listed, NamespaceName, ServiceSettings
from services.resolver.gate import Denies, Gate
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.outgoing import SteppedDownError, events_reader
from services.resolver.preserving import EVERY_S
from services.resolver.service import ResolverService, system_moment
from services.resolver.shares import GRACE_S
from services.resolver.snapshots import Snapshots, maker

PING_TIMEOUT_S: Final = 1.0
TAKEOVER_WAIT_S: Final = 10.0
TAKEOVER_LOOK_S: Final = 0.2

log = structlog.get_logger(__name__)


class ResolverSettings(ServiceSettings):
    """Environment variables CHEOPS_…"""

    rules: Listed[Path] = Field((), description=RULES)
    rules_namespace: NamespaceName = Field("", description=RULES_NAMESPACE)
    policy: Path | None = Field(None, description="A policy file (cheops policy check FILE).")
    peers: Listed[SiteToken] = Field((), description="The other sites: oslo,nice.")
    gone: Listed[SiteToken] = Field((), description="Sites that are gone for good, as you know: nobody waits for them.")
    snapshots: Path | None = Field(
        None, description="Folder that keeps the graph from one start to the next; none: all is listed again."
    )
    snapshot_every_s: float = Field(EVERY_S, ge=1, description="How often the graph is written there.")
    rebalance_after_s: float = Field(
        GRACE_S, ge=10, description="How long a site is silent before its share of what says rebalance: true moves."
    )
    gate_port: int | None = Field(
        None, ge=1, le=65535, description="Where the API server may ask, as a webhook; none: nowhere."
    )
    gate_host: str = Field("127.0.0.1", min_length=1, description="At which address; in a pod its own.")
    gate_certificates: Path | None = Field(None, description="Folder with cert.pem and key.pem of the gate.")
    gate_denies: Denies = Field(
        "breaking", description="What is refused there: breaking (what breaks others), all (that is denied) or nothing."
    )
    takeover: bool = Field(False, description="Start although another resolver of this site answers.")


async def run(settings: ResolverSettings, bus: Bus | None = None, ready: asyncio.Event | None = None) -> None:
    """Run until cancelled; `bus` is connected here when none is given. A setting that is wrong is told before."""
    book, policy = Rulebook(settings.rules, settings.rules_namespace), _policy(settings)
    left_out, own = gone(settings), bus is None
    bus = bus or await nats.connect(
        settings.nats_url, name=f"resolver-{settings.site}", identity=settings.identity("resolver")
    )
    try:
        if await _another_answers(bus, settings.site):
            await _take_over(bus, settings)
        log.info("graph and judge are loaded", site=settings.site, code=str(compiled.found()))
        machine = Machine(settings.site, book.catalogue, policy, decided_by(settings), settings.peers, book)
        machine.desk.neighbours.give_up(left_out)
        made_by = maker(book.edition, settings.rules_namespace)
        lifecycle.settle()  # the lists that a graph grows in, too: a walk over 100,000 resources takes 45 ms
        machine.vigil.shares.grace_s = settings.rebalance_after_s
        kept = Snapshots(settings.snapshots, settings.site, made_by) if settings.snapshots else None
        service = ResolverService(
            settings.site,
            bus,
            machine,
            peers=settings.peers,
            gone=left_out,
            snapshots=kept,
            snapshot_every_s=settings.snapshot_every_s,
            audit=_auditor(settings),
        )
        async with _gate(settings, machine):
            await service.run(ready)
    finally:
        if own:
            await bus.close()


def _gate(settings: ResolverSettings, machine: Machine) -> AbstractAsyncContextManager[None]:
    """Nothing without a port."""
    if settings.gate_port is None:
        return nullcontext()
    from services.resolver.gatehouse import open_gate  # needs a library that nothing else here does

    where = (settings.gate_host, settings.gate_port, settings.gate_certificates)
    return open_gate(settings.site, Gate(machine.desk, settings.gate_denies), system_moment, *where)


def _auditor(settings: ResolverSettings) -> Callable[[], Awaitable[Bus]] | None:
    """None where no such key lies beside the resolver's."""
    identity = settings.identity("auditor")
    if identity is None or not identity.seed_file.exists():
        return None
    return lambda: nats.connect(settings.nats_url, name=f"auditor-{settings.site}", identity=identity, wait=False)


def gone(settings: ResolverSettings) -> frozenset[SiteName]:
    """Sites of which somebody says that they are gone for good. Raises SettingsError for this one."""
    if settings.site in settings.gone:
        raise SettingsError(f"CHEOPS_GONE: {settings.site} is this site (expected others)")
    return frozenset(map(SiteName, settings.gone))


def _policy(settings: ResolverSettings) -> Policy:
    try:
        file = load_policy(settings.policy) if settings.policy else PolicyFile()
    except DocumentError as error:
        raise SettingsError(f"CHEOPS_POLICY: {error}") from error
    for place, wider in file.shadowed():
        log.warning("a rule of the policy is never used", rule=f"rules.{place}", wider=f"rules.{wider}")
    return Policy(file)


def decided_by(settings: ResolverSettings) -> str:
    """Which process decided, for the record."""
    return f"resolver/{settings.site}@{socket.gethostname()}:{os.getpid()}"


async def _another_answers(bus: Bus, site: SiteName) -> bool:
    try:
        await bus.request(subjects.api("resolver", site, "status"), StatusQuery().to_json(), PING_TIMEOUT_S)
    except TransientError:
        return False  # nobody answers: the site is ours; the fence on the verdict stream settles a race
    return True


async def _take_over(bus: Bus, settings: ResolverSettings) -> None:
    """Take the events away from the other one, and wait until it has noticed: then it decides nothing more."""
    site = settings.site
    if not settings.takeover:
        raise SteppedDownError(
            f"another resolver of {site} answers (stop it, or set CHEOPS_TAKEOVER=true to replace it)"
        )
    taken = await bus.reader("EVENTS", events_reader(site), subjects.event(site), new_only=True, ack="all")
    await taken.close()
    end_s = time.monotonic() + TAKEOVER_WAIT_S
    while await _another_answers(bus, site):
        if time.monotonic() > end_s:
            log.warning("the other resolver still answers: whose verdict is stored first goes on", site=site)
            return
        await asyncio.sleep(TAKEOVER_LOOK_S)


def main() -> int:
    """Entry point; returns the exit code."""
    return lifecycle.main("resolver", ResolverSettings, run)


if __name__ == "__main__":
    sys.exit(main())
