"""Poison on every subject that a service reads: kept with its reason, answered where somebody waits; life goes on."""

from __future__ import annotations

import asyncio
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from cheops.drafts import Intent
from cheops.mesh import Mesh, connect
from cheops.sandbox.testbed import Testbed
from schemas import subjects
from schemas.deadletters import DeadLetter
from schemas.identity import SiteName
from schemas.verdicts import Verdict
from services.chassis.bus.port import Bus
from tests.flow.poison import bodies
from tests.kit.bed import bare_client, witness
from tests.kit.waiting import eventually

LYON = SiteName("lyon")
WAIT_S = 60.0
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fine", "namespace": "default"}}
NOW = datetime.now(UTC)
TIMES = {"created_at": NOW.isoformat(), "expires_at": (NOW + timedelta(hours=1)).isoformat()}
_numbers = itertools.count()


@pytest.fixture
async def bus(bed: Testbed) -> AsyncIterator[Bus]:
    """No dead letters yet; and what was sent has ended none of the services."""
    client = await bare_client(bed)
    await client.jetstream().purge_stream("DEAD")
    await client.close()
    made = await witness(bed)
    yield made
    await made.close()
    for service in bed.sites[LYON].services.values():
        service.ensure_running()


@pytest.fixture
async def mesh(bed: Testbed) -> AsyncIterator[Mesh]:
    async with connect(bed.context) as made:
        yield made


async def dead(bus: Bus, stream: subjects.StreamName, count: int) -> list[DeadLetter]:
    """The dead letters of a stream, when there are so many."""
    found: list[DeadLetter] = []

    async def enough() -> bool:
        found[:] = [DeadLetter.from_json(one.payload) async for one in bus.scan("DEAD", subjects.dead(stream))]
        return len(found) >= count

    await eventually(enough, lambda: f"{len(found)} of {count} dead letters in {stream}", WAIT_S)
    return found


async def store(bus: Bus, subject: str, payload: bytes) -> None:
    await bus.publish(subject, payload, message_id=f"stranger{next(_numbers)}")


async def applied(mesh: Mesh) -> Verdict:
    """The next good intent is handled: decided, carried out, ready."""
    new = {**MAP, "metadata": {"name": f"fine-{next(_numbers)}", "namespace": "default"}}
    intent = await mesh.enter(Intent.apply([new]), site="lyon")
    async with asyncio.timeout(WAIT_S):
        async for progress in mesh.follow(intent):
            verdict, outcome = progress.verdict, progress.outcome
    assert verdict.decision == "allow", verdict.summary
    assert outcome is not None
    assert outcome.state == "ready"
    return verdict


def assert_letters(letters: list[DeadLetter], sent: dict[str, bytes], by: str) -> None:
    assert {one.size for one in letters} == {len(body) for body in sent.values()}
    for letter in letters:
        assert letter.by == by
        assert 0 < len(letter.reason) < 4_000
        assert letter.reason.isprintable()
    reasons = " ".join(letter.reason for letter in letters)
    assert "unknown version" in reasons
    assert "unexpected message 'nonsense/v1'" in reasons


async def test_intents(bus: Bus, mesh: Mesh) -> None:
    good = {"id": "x", "site": "lyon", "verb": "apply", "manifests": [MAP], **TIMES}
    sent = bodies("intent/v1", good)
    names = {what: f"i{number}" for number, what in enumerate(sent)}
    for what, body in sent.items():
        await store(bus, subjects.intent(LYON, names[what]), body)
    letters = await dead(bus, "INTENTS", len(sent))
    assert_letters(letters, sent, "resolver/lyon")
    assert {one.payload for one in letters} == {""}, "what may hold secret values is not kept"
    for what in sent:
        answer = await bus.last("VERDICTS", subjects.verdict(LYON, "deny", names[what]))
        assert answer is not None, f"{what}: the sender waits for ever"
        assert [reason.code for reason in Verdict.from_json(answer.payload).reasons] == ["D010"], what
    await applied(mesh)


HOSTILE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "a name with NUL": lambda good: {**good, "resources": ["secret/a\0b"]},
    "a name with a line feed and a bell": lambda good: {**good, "resources": ["secret/a\r\n\x07"]},
    "a thousand names": lambda good: {**good, "resources": [f"secret/{number}" for number in range(1_000)]},
    "the longest name": lambda good: {**good, "resources": ["secret/" + "x" * 1_017]},
    "an identity of blanks": lambda good: {**good, "resources": ["   "]},
    "a subject's wildcards": lambda good: {**good, "resources": ["*/>"]},
    "a namespace with dots and NUL": lambda good: {**good, "namespace": "a.b\0*", "resources": ["secret/a"]},
    "a scope of brackets": lambda good: {**good, "resources": ["secret/a"], "scope": "(" * 4_000},
    "no time at all": lambda good: {**good, "resources": ["secret/a"], "expires_at": "0001-01-01T00:00:00Z"},
    "the end of time": lambda good: {**good, "resources": ["secret/a"], "expires_at": "9999-12-31T23:59:59Z"},
    "a hostile traceparent": lambda good: {**good, "resources": ["secret/a"], "traceparent": "x\r\nce-type: y"},
    "a hostile requester": lambda good: {**good, "resources": ["secret/a"], "requester": "\r\n\0>"},
}
MANIFESTS: dict[str, Any] = {
    "nothing": {},
    "a list where a mapping is": {**MAP, "metadata": ["fine"]},
    "a number for a name": {**MAP, "metadata": {"name": 7}},
    "a name with NUL": {**MAP, "metadata": {"name": "a\0b", "namespace": "default"}},
    "a pod of wrong types": {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"a": 1}, "ownerReferences": "none"},
        "spec": {"containers": {"name": 1}, "volumes": [None, 3, "x", {"secret": []}]},
    },
    "nested to the bound": {**MAP, "data": json.loads('{"a":' * 98 + "1" + "}" * 98)},
    "integers of 64 bits": {**MAP, "data": {"a": 2**64 - 1, "b": -(2**63)}},
    "a kind of blanks": {"apiVersion": " ", "kind": " ", "metadata": {"name": " "}},
}


async def test_intents_that_are_well_formed_and_hostile_get_a_verdict(bus: Bus, mesh: Mesh) -> None:
    named = {"schema": "intent/v1", "site": "lyon", "verb": "delete", **TIMES}
    made = {what: {"id": f"h{number}", **change(named)} for number, (what, change) in enumerate(HOSTILE.items())}
    for number, (what, manifest) in enumerate(MANIFESTS.items()):
        made[f"manifest: {what}"] = {**named, "id": f"m{number}", "verb": "apply", "manifests": [manifest]}
    for body in made.values():
        await store(bus, subjects.intent(LYON, body["id"]), json.dumps(body).encode())
    for what, body in made.items():
        verdict = subjects.verdict(LYON, "*", body["id"])
        await eventually(partial(bus.last, "VERDICTS", verdict), f"no verdict on {what}", WAIT_S)
        answer = await bus.request(subjects.api("resolver", LYON, "preview"), json.dumps(body).encode(), WAIT_S)
        assert json.loads(answer.payload)["schema"] in ("verdict/v1", "refusal/v1"), what
    await applied(mesh)


async def test_events_and_heartbeats(bus: Bus, mesh: Mesh) -> None:
    batch = {"site": "lyon", "epoch": 1, "seq": 1, "prev_hash": "", "events": []}
    beat = {"site": "lyon", "epoch": 1, "seq": 1, "observed": 1}
    events, beats = bodies("event/v1", batch), bodies("heartbeat/v1", beat)
    events["an event without a state"] = json.dumps({"schema": "event/v1", **batch, "events": [{"op": "put"}]}).encode()
    for body in events.values():
        await store(bus, subjects.event(LYON), body)
    for body in beats.values():
        await bus.emit(subjects.heartbeat(LYON), body)
    letters = await dead(bus, "EVENTS", len(events) + len(beats))
    assert_letters(letters, {**events, **{f"beat {what}": body for what, body in beats.items()}}, "resolver/lyon")
    await applied(mesh)


async def test_operations_and_outcomes(bed: Testbed, bus: Bus, mesh: Mesh) -> None:
    common = {"intent": "i", "revision": 1, "step": "1", "site": "lyon", "action": "apply", "resource": "ConfigMap/a/b"}
    operation = {"id": "o", **common, "issued_at": TIMES["created_at"], "expires_at": TIMES["expires_at"]}
    outcome = {"operation": "o", **common, "state": "ready", "at": TIMES["created_at"]}
    operations, outcomes = bodies("operation/v1", operation), bodies("outcome/v1", outcome)
    for number, body in enumerate(operations.values()):
        await store(bus, subjects.operation(LYON, "i", f"{number}"), body)
    for number, body in enumerate(outcomes.values()):
        await store(bus, subjects.outcome(LYON, "i", f"{number}"), body)
    # A name with NUL is text as good as any to an executor; every other body is none of its messages.
    harmless = sum(b"\\u0000" in body for body in operations.values())
    assert_letters(await dead(bus, "OPERATIONS", len(operations) - harmless), _without_nul(operations), "executor/lyon")
    assert_letters(await dead(bus, "OUTCOMES", len(outcomes) - harmless), _without_nul(outcomes), "resolver/lyon")
    await applied(mesh)
    resolver = bed.sites[LYON].services["resolver"]
    resolver.kill()  # what is poison in a stream must not end the one that reads it at its start
    await resolver.start()
    await bed.wait_fresh()
    await applied(mesh)
    resolver.ensure_running()


def _without_nul(sent: dict[str, bytes]) -> dict[str, bytes]:
    return {what: body for what, body in sent.items() if b"\\u0000" not in body}


QUESTIONS = [
    ("resolver", "preview", "intent/v1", {"id": "x", "site": "lyon", "verb": "read", "resources": ["a/b"], **TIMES}),
    ("resolver", "graph", "graphquery/v1", {"resource": "secret/a"}),
    ("resolver", "why", "whyquery/v1", {"source": "secret/a", "target": "secret/b"}),
    ("resolver", "missing", "missingquery/v1", {"namespace": "x"}),
    ("resolver", "status", "statusquery/v1", {"of_the_future": 1}),
    ("resolver", "cancel", "cancel/v1", {"intent": "x"}),
    ("watcher", "resync", "resync/v1", {"site": "lyon", "epoch_seen": 1, "kinds": {}, "reason": "x"}),
    ("executor", "rehearse", "rehearsal/v1", {"site": "lyon", "changes": []}),
]


async def test_questions(bus: Bus, mesh: Mesh) -> None:
    for service, verb, schema, good in QUESTIONS:
        for what, body in bodies(schema, good).items():
            reply = await bus.request(subjects.api(service, LYON, verb), body, WAIT_S)
            answer = json.loads(reply.payload)
            if what != "NUL in its place":  # it is text, and what it names is not there
                assert answer["schema"] == "refusal/v1", f"{service} {verb}: {what}: {answer}"
                assert answer["message"].isprintable(), f"{service} {verb}: {what}"
                assert answer["code"] != "500", f"{service} {verb}: {what}: {answer}"
    await applied(mesh)


async def test_an_intent_under_a_name_that_is_none_is_buried_and_nobody_is_answered(bus: Bus, mesh: Mesh) -> None:
    for name in ("a b", "é", "*", "x" * 65, str(uuid.uuid4()) * 3):
        await store(bus, subjects.intent(LYON, name), b"{}")
    assert len(await dead(bus, "INTENTS", 5)) == 5
    await applied(mesh)
