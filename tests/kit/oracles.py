"""What must hold after a fault, and for some while it lasts: O1 to O10, each one function, on a running mesh.

They look from outside only: at the API servers, at the streams, at what the resolvers answer. Each waits for what takes
its time (bounded) and raises AssertionError with what it found instead.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from nats.errors import NoRespondersError
from nats.js.errors import NotFoundError

from cheops.chains import Chain
from cheops.mesh import Mesh
from cheops.replaying import ReplayError
from cheops.sandbox.testbed import Testbed
from schemas import subjects
from schemas.events import decode_heartbeat
from schemas.identity import SiteName
from schemas.outcomes import FINAL_STATES
from schemas.queries import StatusQuery
from schemas.verdicts import Verdict
from services.chassis.errors import TransientError
from tests.contract.api.client import Api
from tests.kit.bed import bare_client, witness
from tests.kit.oracle import until_equal
from tests.kit.waiting import WAIT_S, eventually

QUIET_BEATS: Final = 3  # heartbeats, one a second: so long must nothing be written after convergence
SLOW_S: Final = 0.25  # below it nobody calls a question slow, whatever the ratio: the machine may be busy
RECORDED: Final = ("INTENTS", "VERDICTS", "OPERATIONS", "OUTCOMES")


async def o1_nothing_lost(bed: Testbed, mesh: Mesh, site: str) -> None:
    """Conservation: the cursor equals the watcher's last event, and what was applied is acknowledged."""
    found: list[object] = []

    async def equal() -> bool:
        try:
            found[:] = [await _cursors(bed, mesh, SiteName(site))]
        except (NoRespondersError, TimeoutError) as error:  # a watcher that is just being started
            found[:] = [error]
            return False
        return found[0][0] == found[0][1] and found[0][2:] == (0, 0)  # type: ignore[index]  # the tuple below

    await eventually(equal, lambda: f"{site}: (cursor, watcher's, pending, unacknowledged) = {found}")


async def _cursors(bed: Testbed, mesh: Mesh, site: SiteName) -> tuple[object, object, int, int]:
    client = await bare_client(bed, site)
    try:
        told = await client.request(subjects.api("watcher", site, "status"), StatusQuery().to_json(), timeout=5.0)
        last = decode_heartbeat(told.data)
        reader = await client.jetstream().consumer_info("EVENTS", f"resolver-{site}")
    finally:
        await client.close()
    cursor = (await mesh.status(site)).evidence
    return (cursor.epoch, cursor.seq), (last.epoch, last.seq), reader.num_pending or 0, reader.num_ack_pending or 0


async def o2_converged(bed: Testbed, mesh: Mesh, apis: Mapping[SiteName, Api]) -> None:
    """Convergence: the graph of each site equals one built from its API server's store."""
    await bed.wait_fresh(WAIT_S)
    for site, api in apis.items():
        await until_equal(mesh, api, site)


async def o3_nothing_broken(mesh: Mesh, site: str, namespace: str) -> None:
    """Safety: what lives here finds what it depends on (asked after `o2_converged`, so the cluster says it)."""
    dangling = await mesh.missing(namespace=namespace, site=site)
    assert [str(edge.target) for edge in dangling.edges] == []


async def o4_one_effect(mesh: Mesh, intent: str, sites: Iterable[str]) -> None:
    """One effect per (intent, site, step); revisions number their steps anew, so a step goes by what it does."""
    for site in sites:
        chain = await mesh.show(intent, site=site)
        good = [one for one in chain.outcomes if one.state in ("ready", "done") and one.changed]
        effects = Counter((one.site, one.action, one.resource) for one in good)
        doubled = {step: count for step, count in effects.items() if count > 1}
        assert not doubled, f"{intent} at {site}: {doubled}"


async def o5_ended(mesh: Mesh, intent: str, site: str) -> Chain:
    """The intent ends: denied, each step final, or deferred with a named blocker; its chain at its entry site."""
    return await _until(mesh, intent, site, ended)


async def o5_carried_out(mesh: Mesh, intent: str, site: str) -> Chain:
    """The same of what has to be allowed in the end: what defers it on the way is waited for, too."""
    return await _until(mesh, intent, site, carried_out)


async def _until(mesh: Mesh, intent: str, site: str, holds: Callable[[Chain], bool]) -> Chain:
    chain: list[Chain] = []

    async def over() -> bool:
        try:
            chain[:] = [await mesh.show(intent, site=site)]
        except TransientError:  # a server that was killed is not found again yet
            return False
        return holds(chain[0])

    def said() -> object:
        if not chain:
            return f"{intent}: the bus of {site} is never there again"
        decided = [(one.revision, one.decision, one.summary) for one in chain[0].verdicts]
        return f"{intent}: {decided}, {[(o.revision, o.step, o.state, o.message) for o in chain[0].outcomes]}"

    await eventually(over, said)
    return chain[0]


def ended(chain: Chain) -> bool:
    """A value of `o5_ended`."""
    if not chain.verdicts or chain.verdicts[-1].decision == "allow":
        return carried_out(chain)
    last = chain.verdicts[-1]
    return last.decision == "deny" or bool(last.waits_for)


def carried_out(chain: Chain) -> bool:
    """A value of `o5_carried_out`: allowed, and each step final; a conflict is decided again."""
    if not chain.verdicts or chain.verdicts[-1].decision != "allow":
        return False
    last = chain.verdicts[-1]
    ends = FINAL_STATES - {"conflict"}
    final = {one.step for one in chain.outcomes if one.state in ends and one.revision == last.revision}
    return final >= {step.id for step in last.plan}


async def o6_replays(mesh: Mesh, intent: str, site: str) -> None:
    """Proof: the decision run again on the site at its cursor gives the same bytes, so each cited edge was there.

    A cursor whose listing has left the event stream cannot be replayed; that is an error here, too.
    """
    try:
        again = await mesh.replay(intent, site=site)
    except ReplayError as error:
        raise AssertionError(f"{intent} at {site}: {error}") from error
    assert again.same, f"{intent} at {site}: {again.stored.summary} ≠ {again.again.summary}"


def o7_no_guess(verdicts: Iterable[Verdict], unheard: str = "") -> None:
    """No allow on stale or unknown evidence, and none that needs a site that was not heard."""
    for one in verdicts:
        if one.decision != "allow":
            continue
        assert all(evidence.fresh for evidence in one.evidence), f"{one.intent}: allowed on {one.evidence}"
        assert not unheard or unheard not in {step.site for step in one.plan}, f"{one.intent}: needs {unheard}"


async def o8_chained(mesh: Mesh, intent: str, site: str) -> None:
    """Every mutation chains intent → verdict → operation → outcome."""
    chain = await mesh.show(intent, site=site)
    assert chain.intent is not None, f"{intent}: stored nowhere"
    assert chain.intent.id == intent
    planned = {(one.revision, step.id): step.resource for one in chain.verdicts for step in one.plan}
    for outcome in chain.outcomes:
        assert outcome.intent == intent
        assert outcome.operation, f"{intent}: {outcome}"
        assert planned.get((outcome.revision, outcome.step)) == outcome.resource, f"{intent}: {outcome} was not planned"


async def o9_others_go_on(mesh: Mesh, sites: Iterable[str], quiet_p99_s: float) -> None:
    """A fault at one site leaves the others' p99 within twice of what it was (or below SLOW_S)."""
    now_s = await p99_s(mesh, sites)
    print(f"O9: p99 of a question {now_s * 1000:.1f} ms, before {quiet_p99_s * 1000:.1f} ms")
    assert now_s <= max(2 * quiet_p99_s, SLOW_S)


async def p99_s(mesh: Mesh, sites: Iterable[str], count: int = 100) -> float:
    """How long all but the slowest hundredth of questions take."""
    took: list[float] = []
    for site in sites:
        for _ in range(count):
            started_s = time.perf_counter()
            await mesh.status(site)
            took.append(time.perf_counter() - started_s)
    return sorted(took)[int(len(took) * 0.99) - 1]


async def o10_nothing_written(bed: Testbed, apis: Mapping[SiteName, Api], path: str) -> None:
    """After convergence nothing is written any more: not to a cluster (at `path`), not to the record."""
    before = await _written(bed, apis, path)
    for site in apis:
        bus = await witness(bed, site)
        async with bus.subscribe(subjects.heartbeat(site)) as beats:
            for _ in range(QUIET_BEATS):
                await asyncio.wait_for(anext(beats), WAIT_S)
        await bus.close()
    after = await _written(bed, apis, path)
    assert after == before, {key: (before.get(key), value) for key, value in after.items() if before.get(key) != value}


async def _written(bed: Testbed, apis: Mapping[SiteName, Api], path: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for site, api in apis.items():
        for item in (await api.get(path)).content.get("items", ()):
            meta = item["metadata"]
            found[f"{site} {meta['namespace']}/{meta['name']}"] = (meta["uid"], meta["resourceVersion"])
        client = await bare_client(bed, site)
        for stream in (*RECORDED, subjects.inbox_stream(site), subjects.outbox_stream(site)):
            try:
                found[f"{site} {stream}"] = (await client.jetstream().stream_info(stream)).state.last_seq
            except NotFoundError:  # a site that never had anything to say
                found[f"{site} {stream}"] = 0
        await client.close()
    return found
