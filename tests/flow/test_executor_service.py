"""The executor on a bus and before an API server: one effect per operation, whatever is lost, killed or repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas import subjects
from schemas.events import ResourceState
from schemas.identity import ResourceId, SiteName
from schemas.kinds import Surface
from schemas.operations import Operation
from schemas.outcomes import FINAL_STATES, Outcome
from schemas.queries import Refusal
from schemas.rehearsals import Rehearsal, RehearsalAnswer, RehearsedChange
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Bus
from services.chassis.kubernetes.connection import connect
from services.executor.carrying import Limits
from services.executor.kubernetes.adapter import KubernetesTarget
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.manifests import MARKER
from services.executor.service import ExecutorService
from tests.flow.executor_engines import Engine, engine, real_kubeconfig
from tests.flow.executor_proxy import FaultyProxy, Forward, lose_answer, lose_request, refuse
from tests.kit.waiting import eventually
from tests.unit.executor.builders import config_map, operation, pod, resource_of, secret

__all__ = ["engine", "real_kubeconfig"]

LYON = SiteName("lyon")
WAIT_S = 20.0
LIMITS = Limits(pause_min_s=0.01, pause_max_s=0.05, poll_min_s=0.01, poll_max_s=0.05, ack_wait_s=1.0, stop_grace_s=2.0)


class NamesOnly:
    """Hardly a shape."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface

    def state(self, manifest: dict[str, Any]) -> ResourceState:
        return ResourceState(name_of(manifest))


@pytest.fixture
def bus() -> Bus:
    return MemoryBus()


@pytest.fixture
async def proxy(engine: Engine, tmp_path: Path) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(engine.kubeconfig, tmp_path / "proxied") as made:
        yield made


@asynccontextmanager
async def executor(
    bus: Bus, proxy: FaultyProxy, limits: Limits = LIMITS, *, killed: bool = True
) -> AsyncIterator[None]:
    """A running executor; at the end it is killed where it stands, or stopped in good order."""
    target = KubernetesTarget(KubernetesClient(await connect(proxy.kubeconfig)), NamesOnly)
    service, ready = ExecutorService(LYON, bus, target, limits), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(service.run(ready) if killed else service.run_until_cancelled(ready))
        await asyncio.wait_for(ready.wait(), WAIT_S)
        try:
            yield
        finally:
            running.cancel()
    await target.close()


def name_of(live: dict[str, Any]) -> ResourceId:
    return ResourceId(resource_of(live))


async def send(bus: Bus, wanted: Operation, copy: str = "") -> None:
    """As the resolver releases it; a `copy` gets past the bus's memory for ids."""
    subject = subjects.operation(LYON, wanted.intent, f"{wanted.revision}-{wanted.step}")
    await bus.publish(subject, wanted.to_json(), message_id=wanted.id + copy)


async def outcomes(bus: Bus) -> list[Outcome]:
    return [Outcome.from_json(one.payload) async for one in bus.scan("OUTCOMES", subjects.filters("OUTCOMES"))]


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    """The first true answer; fails after WAIT_S."""
    return await eventually(condition, wait_s=WAIT_S, pause_s=0.005)


async def final(bus: Bus, wanted: Operation) -> Outcome:
    """Its final outcome, once it is there."""

    async def one() -> Outcome | None:
        ended = (one for one in await outcomes(bus) if one.operation == wanted.id and one.state in FINAL_STATES)
        return next(ended, None)

    found: Outcome = await until(one)
    return found


async def nothing_pending(bus: Bus) -> None:
    """Every operation is acknowledged: a work queue keeps nothing that is."""

    async def empty() -> bool:
        return not [one async for one in bus.scan("OPERATIONS", subjects.filters("OPERATIONS"))]

    await until(empty)


# ── the ordinary way ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_operation_is_carried_out_and_reported(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    wanted = operation("create", config_map(engine.namespace), absent=True)
    async with executor(bus, proxy):
        await send(bus, wanted)
        outcome = await final(bus, wanted)
        await nothing_pending(bus)
    live = await engine.get("configmaps", "settings")
    assert live is not None
    assert (outcome.state, outcome.changed, outcome.uid) == ("ready", True, live["metadata"]["uid"])
    assert (outcome.intent, outcome.step, outcome.action) == ("i1", "s1", "create")
    assert outcome.object is None


async def test_readiness_is_followed_while_other_operations_go_on(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    slow, quick = (
        operation("apply", pod(engine.namespace)),
        operation("apply", config_map(engine.namespace), step="s2"),
    )
    async with executor(bus, proxy, Limits(**_with(acting_max=1))):
        await send(bus, slow)
        await until(lambda: _states(bus, slow))
        await send(bus, quick)
        assert (await final(bus, quick)).state == "ready"
        assert await _states(bus, slow) == ["applied"]
        await _report_ready(engine, "lonely")
        assert (await final(bus, slow)).state == "ready"
    assert await _states(bus, slow) == ["applied", "ready"]


async def test_what_is_not_ready_in_time_fails_and_says_what_it_waits_for(
    engine: Engine, bus: Bus, proxy: FaultyProxy
) -> None:
    wanted = operation("apply", _unmakeable(engine.namespace), ready_timeout_s=0.2)
    async with executor(bus, proxy):
        await send(bus, wanted)
        outcome = await final(bus, wanted)
    assert outcome.state == "failed"
    assert "not ready within 0.2 s" in outcome.message


async def test_a_finalizer_holds_a_delete_open_until_it_goes(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    manifest = config_map(engine.namespace)
    manifest["metadata"]["finalizers"] = ["example.com/hold"]
    live = await engine.write("configmaps", manifest)
    wanted = operation("delete", None, resource=resource_of(live), uid=live["metadata"]["uid"])
    async with executor(bus, proxy):
        await send(bus, wanted)
        await until(lambda: _states(bus, wanted))
        (shown,) = await outcomes(bus)
        assert (shown.state, "example.com/hold" in shown.message) == ("applied", True)
        await engine.write("configmaps", config_map(engine.namespace))
        assert (await final(bus, wanted)).state == "done"
    assert proxy.applied == 1


async def test_a_conflict_goes_back_to_be_decided_again(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    live = await engine.write("configmaps", config_map(engine.namespace))
    wanted = operation("delete", None, resource=resource_of(live), uid="a-former-uid")
    async with executor(bus, proxy):
        await send(bus, wanted)
        outcome = await final(bus, wanted)
        await nothing_pending(bus)
    assert outcome.state == "conflict"
    assert proxy.writes == 0


# ── repeated, lost, killed ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_redelivered_operation_is_answered_and_not_done_again(
    engine: Engine, bus: Bus, proxy: FaultyProxy
) -> None:
    wanted = operation("create", config_map(engine.namespace), absent=True)
    async with executor(bus, proxy):
        await send(bus, wanted)
        await final(bus, wanted)
        await nothing_pending(bus)
        await engine.remove("configmaps", "settings")
        seen = len(proxy.seen)
        await send(bus, wanted, copy="-again")
        await nothing_pending(bus)
    async with executor(bus, proxy):  # another process, a day later: only the stream remembers
        await send(bus, wanted, copy="-a-day-later")
        await nothing_pending(bus)
    assert len(proxy.seen) == seen
    assert await _states(bus, wanted) == ["ready"]
    assert await engine.get("configmaps", "settings") is None


async def test_an_older_revision_never_acts_after_a_newer_one(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    newer = operation("apply", config_map(engine.namespace, colour="green"), revision=2)
    older = operation("apply", config_map(engine.namespace, colour="red"), revision=1)
    async with executor(bus, proxy):
        await send(bus, newer)
        await final(bus, newer)
        await send(bus, older)
        await nothing_pending(bus)
    live = await engine.get("configmaps", "settings")
    assert live is not None
    assert live["data"] == {"colour": "green"}
    assert [one.revision for one in await outcomes(bus)] == [2]


async def test_a_call_that_took_effect_unheard_is_one_effect(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    wanted = operation("create", config_map(engine.namespace), absent=True)
    proxy.scripts.append(lose_answer)
    async with executor(bus, proxy):
        await send(bus, wanted)
        outcome = await final(bus, wanted)
    assert (outcome.state, outcome.changed) == ("ready", True)
    assert (proxy.writes, proxy.applied) == (1, 1)


async def test_a_call_that_took_effect_before_the_time_was_over_is_no_expiry(
    engine: Engine, bus: Bus, proxy: FaultyProxy
) -> None:
    wanted = operation("create", config_map(engine.namespace), absent=True, expires_in_s=0.5)
    applied = asyncio.Event()

    async def hang(forward: Forward) -> None:
        await forward()
        applied.set()
        await asyncio.Event().wait()

    proxy.scripts.append(hang)
    async with executor(bus, proxy):
        await send(bus, wanted)
        await asyncio.wait_for(applied.wait(), WAIT_S)
    async with executor(bus, proxy):
        outcome = await final(bus, wanted)
    assert (outcome.state, outcome.changed) == ("ready", True)
    assert proxy.applied == 1


async def test_what_was_not_begun_in_time_is_never_begun(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    wanted = operation("create", config_map(engine.namespace), absent=True, expires_in_s=-1)
    async with executor(bus, proxy):
        await send(bus, wanted)
        outcome = await final(bus, wanted)
        await nothing_pending(bus)
    assert (outcome.state, outcome.changed) == ("expired", False)
    assert proxy.writes == 0


async def test_an_overload_is_waited_for(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    wanted = operation("create", config_map(engine.namespace), absent=True)
    slow_down = refuse(429, "slow down", reason="TooManyRequests")
    proxy.scripts.extend([slow_down] * 2 * LIMITS.tries_max)  # more than one delivery bears
    async with executor(bus, proxy):
        await send(bus, wanted)
        outcome = await final(bus, wanted)
    assert outcome.state == "ready"
    assert proxy.applied == 1


async def test_a_refusal_that_lasts_is_the_answer(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    wanted = operation("create", config_map(engine.namespace), absent=True)
    proxy.scripts.extend([refuse(500, "failed calling webhook", reason="InternalError")] * LIMITS.tries_max)
    async with executor(bus, proxy):
        await send(bus, wanted)
        outcome = await final(bus, wanted)
    assert (outcome.state, outcome.status, outcome.message) == ("failed", 500, "failed calling webhook")


async def test_an_api_server_that_is_away_is_waited_for(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    wanted = operation("create", config_map(engine.namespace), absent=True)
    proxy.reads.extend([lose_request] * 5 * LIMITS.tries_max)
    async with executor(bus, proxy):
        await send(bus, wanted)
        assert (await final(bus, wanted)).state == "ready"
    assert proxy.applied == 1


async def test_following_goes_on_after_a_kill_and_nothing_is_applied_again(
    engine: Engine, bus: Bus, proxy: FaultyProxy
) -> None:
    wanted = operation("apply", pod(engine.namespace))
    async with executor(bus, proxy):
        await send(bus, wanted)
        await until(lambda: _states(bus, wanted))
    async with executor(bus, proxy):
        await _report_ready(engine, "lonely")
        assert (await final(bus, wanted)).state == "ready"
    assert proxy.writes == 1


async def test_a_stopped_executor_gives_back_what_it_follows(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    wanted = operation("apply", pod(engine.namespace))
    patient = Limits(**_with(ack_wait_s=600.0))
    async with executor(bus, proxy, patient, killed=False):
        await send(bus, wanted)
        await until(lambda: _states(bus, wanted))
    async with executor(bus, proxy, patient):  # it would come back only after 600 s
        await _report_ready(engine, "lonely")
        assert (await final(bus, wanted)).state == "ready"


class Assassin:
    """Counts the moments at which a handler of the executor waits, and kills it at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.kill_at, self.moments = kill_at, 0
        self.killed = asyncio.Event()

    def factory(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        watched = getattr(coroutine, "__qualname__", "") == "ExecutorService._handle"
        return asyncio.Task(self._count(coroutine) if watched else coroutine, loop=loop, **options)

    async def _count(self, coroutine: Any) -> Any:
        return await _Counted(coroutine, self)

    def waits(self) -> None:
        self.moments += 1
        handler = asyncio.current_task()
        if self.moments == self.kill_at and handler is not None:
            handler.cancel()
            self.killed.set()


class _Counted:
    """A coroutine that tells somebody each time it waits."""

    def __init__(self, coroutine: Any, assassin: Assassin) -> None:
        self.coroutine, self.assassin = coroutine, assassin

    def __await__(self) -> Any:
        steps = self.coroutine.__await__()
        sent: Any = None
        while True:
            try:
                waited_for = steps.send(sent)
            except StopIteration as end:
                return end.value
            self.assassin.waits()
            try:
                sent = yield waited_for
            except BaseException as error:  # as `yield from` does it
                try:
                    waited_for = steps.throw(error)
                except StopIteration as end:
                    return end.value
                sent = yield waited_for


async def killed_at(
    moment: int, bus: Bus, proxy: FaultyProxy, wanted: Operation, rehearsed: RehearsedChange | None = None
) -> bool:
    """Run until the executor's handler has waited `moment` times, kill it there, let another one finish.

    False when the first one was through before.
    """
    assassin = Assassin(moment)
    loop = asyncio.get_running_loop()
    loop.set_task_factory(assassin.factory)
    try:
        async with executor(bus, proxy, Limits(**_with(ack_wait_s=0.15))), asyncio.TaskGroup() as group:
            if rehearsed is not None:
                await rehearse(bus, rehearsed)
            await send(bus, wanted)
            through = group.create_task(final(bus, wanted))
            death = group.create_task(assassin.killed.wait())
            await asyncio.wait({through, death}, return_when=asyncio.FIRST_COMPLETED, timeout=WAIT_S)
            through.cancel()
            death.cancel()
    finally:
        loop.set_task_factory(None)
    async with executor(bus, proxy):
        await final(bus, wanted)
        await nothing_pending(bus)
    return assassin.killed.is_set()


async def rehearse(bus: Bus, change: RehearsedChange) -> RehearsalAnswer:
    """Before the verdict."""
    question = Rehearsal(site=LYON, changes=(change,)).to_json()
    return RehearsalAnswer.from_json(
        (await bus.request(subjects.api("executor", LYON, "rehearse"), question, WAIT_S)).payload
    )


MOMENTS = range(1, 13)  # a handler waits ten times; more, where requests wait for their turn


@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_while_creating_there_is_one_effect_or_a_new_decision(
    engine: Engine, bus: Bus, proxy: FaultyProxy, moment: int
) -> None:
    wanted = operation("create", config_map(engine.namespace), absent=True)
    await killed_at(moment, bus, proxy, wanted)
    outcome = await final(bus, wanted)
    live = await engine.get("configmaps", "settings")
    if live is None:
        assert (outcome.state, proxy.applied) == ("conflict", 0)
    else:
        assert (outcome.state, proxy.applied) == ("ready", 1)
        assert live["metadata"]["annotations"][MARKER] == wanted.id


@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_while_updating_what_the_verdict_saw_there_is_one_effect(
    engine: Engine, bus: Bus, proxy: FaultyProxy, moment: int
) -> None:
    live = await engine.write("configmaps", config_map(engine.namespace, size="large"))
    wanted = operation(
        "update",
        config_map(engine.namespace, colour="green"),
        uid=live["metadata"]["uid"],
        resource_version=live["metadata"]["resourceVersion"],
    )
    await killed_at(moment, bus, proxy, wanted)
    assert (await final(bus, wanted)).state == "ready"
    assert proxy.applied == 1


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_while_updating_what_was_rehearsed_there_is_one_effect_or_a_new_decision(
    engine: Engine, bus: Bus, proxy: FaultyProxy, moment: int, keep: bool
) -> None:
    live, after = (
        await engine.write("configmaps", config_map(engine.namespace, size="large")),
        config_map(engine.namespace, colour="green"),
    )
    change = RehearsedChange(action="update", resource=ResourceId(resource_of(after)), version="v1", manifest=after)
    wanted = operation("update", after, uid=live["metadata"]["uid"]).model_copy(update={"keep": keep})
    await killed_at(moment, bus, proxy, wanted, change)
    outcome, left = await final(bus, wanted), await engine.get("configmaps", "settings")
    assert left is not None
    if outcome.state == "conflict":
        assert (proxy.applied, left["data"]) == (0, {"size": "large"})
    else:
        assert (outcome.state, proxy.applied) == ("ready", 1)
        assert left["data"] == {"size": "large", "colour": "green"}
        assert bool(outcome.former) is keep


@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_while_deleting_exactly_one_object_is_gone(
    engine: Engine, bus: Bus, proxy: FaultyProxy, moment: int
) -> None:
    live = await engine.write("configmaps", config_map(engine.namespace))
    wanted = operation("delete", None, resource=resource_of(live), uid=live["metadata"]["uid"])
    await killed_at(moment, bus, proxy, wanted)
    assert (await final(bus, wanted)).state == "done"
    assert proxy.applied == 1
    assert await engine.get("configmaps", "settings") is None


# ── poison, secrets, rehearsals ─────────────────────────────────────────────────────────────────────────────────────


async def test_poison_is_kept_in_dead_letters_and_the_next_operation_is_carried_out(
    engine: Engine, bus: Bus, proxy: FaultyProxy
) -> None:
    wanted = operation("create", config_map(engine.namespace), absent=True)
    strange = wanted.model_copy(update={"site": "oslo", "id": "x.1.s1"})
    for number, payload in enumerate((b"{", b'{"schema":"operation/v9"}', b"\xff\x00", strange.to_json())):
        await bus.publish(subjects.operation(LYON, "bad", f"{number}"), payload, message_id=f"bad-{number}")
    async with executor(bus, proxy):
        await send(bus, wanted)
        assert (await final(bus, wanted)).state == "ready"
        await nothing_pending(bus)
    assert len([one async for one in bus.scan("DEAD", subjects.filters("DEAD"))]) == 4
    assert proxy.applied == 1


async def test_no_secret_value_leaves_the_executor(
    engine: Engine, bus: Bus, proxy: FaultyProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    good = operation("apply", secret(engine.namespace, password="hunter2hunter2"))
    bad = operation("apply", secret(engine.namespace, name="bad", pin=73911), step="s2")
    read = operation("read", None, resource=good.resource, step="s3")
    lost = operation(
        "apply", secret(engine.namespace, name="lost", password="hunter2hunter2"), step="s4", expires_in_s=60
    )
    async with executor(bus, proxy):
        for wanted in (good, bad):
            await send(bus, wanted)
            await final(bus, wanted)
        proxy.scripts.extend([refuse(503, "quoting hunter2hunter2", reason="ServiceUnavailable")])
        for wanted in (read, lost):
            await send(bus, wanted)
            await final(bus, wanted)
    told = capsys.readouterr()
    said = "".join(one.to_json().decode() for one in await outcomes(bus)) + told.out + told.err
    for value in ("hunter2", "aHVudGVy", "73911"):
        assert value not in said
    assert '"password":null' in said


async def test_a_rehearsal_is_answered_over_the_bus(engine: Engine, bus: Bus, proxy: FaultyProxy) -> None:
    manifest = config_map(engine.namespace)
    asked = RehearsedChange(action="apply", resource=name_of(manifest), version="v1", manifest=manifest)
    subject = subjects.api("executor", LYON, "rehearse")
    async with executor(bus, proxy):
        reply = await bus.request(subject, Rehearsal(site=LYON, changes=(asked,)).to_json(), WAIT_S)
        wrong = await bus.request(subject, Rehearsal(site=SiteName("oslo"), changes=(asked,)).to_json(), WAIT_S)
        poison = await bus.request(subject, b"{", WAIT_S)
        proxy.reads.append(refuse(503, "not now", reason="ServiceUnavailable"))
        away = await bus.request(subject, Rehearsal(site=LYON, changes=(asked,)).to_json(), WAIT_S)
    (result,) = RehearsalAnswer.from_json(reply.payload).results
    assert (result.resource, result.status, result.after) == (asked.resource, 0, {"resource": asked.resource})
    assert [Refusal.from_json(one.payload).code for one in (wrong, poison, away)] == ["400", "400", "503"]
    assert proxy.writes == 0


# ── details ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _with(**changed: Any) -> dict[str, Any]:
    return {name: getattr(LIMITS, name) for name in LIMITS.__slots__} | changed


async def _states(bus: Bus, wanted: Operation) -> list[str]:
    return [one.state for one in await outcomes(bus) if one.operation == wanted.id]


def _unmakeable(namespace: str) -> dict[str, Any]:
    """A claim that nobody will ever bind: no class provides for it."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "never", "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "nobody-provides",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


async def _report_ready(engine: Engine, name: str) -> None:
    """What a kubelet would report."""
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "status": status}
    path = engine.path("pods", name) + "/status"
    await engine.client.apply(path, {"fieldManager": "kubelet", "force": "true"}, body)
