"""A client in another language has docs/asyncapi.yaml, docs/schema/*.json, a NATS client and JSON: nothing of ours.

So this test imports only those. Subjects, the headers to send, the forms of messages are read from the documents.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nats
import pytest
import yaml
from jsonschema import Draft202012Validator
from nats.aio.client import Client
from nats.aio.msg import Msg

from cheops.sandbox.testbed import Testbed  # starts the site that the client talks to
from tests.kit.bed import bare_client

DOCS = Path(__file__).parents[2] / "docs"
API: dict[str, Any] = yaml.load((DOCS / "asyncapi.yaml").read_text(), yaml.CSafeLoader)
WAIT_S = 60.0
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "greeting", "namespace": "default"}}


class Contract:
    """What a generator would make of the documents, by hand."""

    def address(self, channel: str, **names: str) -> str:
        """The subject, each name escaped as the document's `info` says; `*` stays a wildcard of the subscriber."""
        text: str = API["channels"][channel]["address"]
        return re.sub(r"\{(\w+)\}", lambda found: _escaped(names[found.group(1)]), text)

    def validator(self, channel: str, message: str | None = None) -> Draft202012Validator:
        """For the payload of the channel's message."""
        messages = API["channels"][channel]["messages"]
        found = _resolved(messages[message or next(iter(messages))])
        schema = json.loads((DOCS / found["payload"]["$ref"]).read_text())
        Draft202012Validator.check_schema(schema)
        return Draft202012Validator(schema)

    def headers(self, channel: str, source: str, message_id: str) -> dict[str, str]:
        """What the document requires, filled in."""
        message = _resolved(next(iter(API["channels"][channel]["messages"].values())))
        own = {"ce-source": source, "ce-id": message_id, "Nats-Msg-Id": message_id}
        properties = message["headers"]["properties"]
        return {name: properties[name].get("const") or own[name] for name in message["headers"]["required"]}

    def check(self, received: Msg, channel: str) -> dict[str, Any]:
        """Payload and headers are as the document says."""
        message = _resolved(next(iter(API["channels"][channel]["messages"].values())))
        Draft202012Validator(message["headers"]).validate(dict(received.headers or {}))
        body: dict[str, Any] = json.loads(received.data)
        self.validator(channel).validate(body)
        return body


def _escaped(name: str) -> str:
    if name == "*":
        return name
    raw = name.encode()
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
    return "".join(chr(byte) if byte in plain else f"={byte:02X}" for byte in raw) or "_"


def _resolved(reference: dict[str, Any]) -> dict[str, Any]:
    found: Any = API
    for step in reference["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    assert isinstance(found, dict)
    return found


CONTRACT = Contract()


@pytest.fixture
async def client(bed: Testbed) -> AsyncIterator[Client]:
    made = await bare_client(bed)
    yield made
    await made.close()


def intent(verb: str, **more: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    made = {
        "schema": "intent/v1",
        "id": uuid.uuid4().hex,
        "site": "lyon",
        "verb": verb,
        "created_at": now.isoformat(),
        "expires_at": (now + timedelta(minutes=5)).isoformat(),
        **more,
    }
    CONTRACT.validator("intents").validate(made)
    return made


async def test_an_intent_is_published_its_verdict_and_outcomes_received_and_all_of_it_validates(client: Client) -> None:
    asked = intent("apply", manifests=[MAP])
    verdicts = await client.subscribe(CONTRACT.address("verdicts", site="lyon", decision="*", intent=asked["id"]))
    outcomes = await client.subscribe(CONTRACT.address("outcomes", site="lyon", intent=asked["id"], step="*"))
    events = await client.subscribe(CONTRACT.address("events", site="lyon"))
    heartbeats = await client.subscribe(CONTRACT.address("heartbeats", site="lyon"))
    operations = await client.subscribe(CONTRACT.address("operations", site="lyon", intent=asked["id"], step="*"))
    stored = await client.jetstream().publish(
        CONTRACT.address("intents", site="lyon", intent=asked["id"]),
        json.dumps(asked).encode(),
        headers=CONTRACT.headers("intents", "a-program", asked["id"]),
    )
    assert stored.stream == "INTENTS"
    verdict = CONTRACT.check(await verdicts.next_msg(WAIT_S), "verdicts")
    assert (verdict["decision"], verdict["intent"]) == ("allow", asked["id"])
    operation = CONTRACT.check(await operations.next_msg(WAIT_S), "operations")
    assert operation["resource"] == "ConfigMap/default/greeting"
    state = ""
    while state != "ready":
        state = CONTRACT.check(await outcomes.next_msg(WAIT_S), "outcomes")["state"]
        assert state in ("applied", "ready")
    seen = ""
    while "ConfigMap/default/greeting" not in seen:
        seen = json.dumps(CONTRACT.check(await events.next_msg(WAIT_S), "events"))
    CONTRACT.check(await heartbeats.next_msg(WAIT_S), "heartbeats")


async def test_a_denial_has_reasons_and_an_alert_and_a_dead_letter_validate(client: Client) -> None:
    asked = intent("create", manifests=[MAP, MAP])
    verdicts = await client.subscribe(CONTRACT.address("verdicts", site="lyon", decision="deny", intent="*"))
    dead = await client.subscribe(CONTRACT.address("dead", stream="INTENTS"))
    for name, body in ((asked["id"], asked), ("typo", {**asked, "vreb": "create"})):
        subject = CONTRACT.address("intents", site="lyon", intent=name)
        headers = CONTRACT.headers("intents", "a-program", name)
        await client.jetstream().publish(subject, json.dumps(body).encode(), headers=headers)
    denied = {(body := CONTRACT.check(await verdicts.next_msg(WAIT_S), "verdicts"))["intent"]: body for _ in range(2)}
    assert {reason["code"] for body in denied.values() for reason in body["reasons"]} == {"D010"}
    assert "vreb" in denied["typo"]["reasons"][0]["message"]
    assert "vreb" in CONTRACT.check(await dead.next_msg(WAIT_S), "dead")["reason"]


async def test_questions_are_asked_as_the_document_says(client: Client) -> None:
    preview = await client.request(
        CONTRACT.address("preview", site="lyon"),
        json.dumps(intent("delete", resources=["configmap/kube-root-ca.crt"], preview=True)).encode(),
        timeout=WAIT_S,
    )
    answer = json.loads(preview.data)
    CONTRACT.validator("previewAnswer", "verdict").validate(answer)
    assert answer["preview"] is True
    questions = {
        "graph": {"schema": "graphquery/v1", "resource": "configmap/kube-root-ca.crt", "namespace": "default"},
        "missing": {"schema": "missingquery/v1"},
        "status": {"schema": "statusquery/v1"},
    }
    for channel, question in questions.items():
        CONTRACT.validator(channel).validate(question)
        reply = await client.request(
            CONTRACT.address(channel, site="lyon"), json.dumps(question).encode(), timeout=WAIT_S
        )
        expected = next(name for name in API["channels"][f"{channel}Answer"]["messages"] if name != "refusal")
        CONTRACT.validator(f"{channel}Answer", expected).validate(json.loads(reply.data))
    reply = await client.request(CONTRACT.address("graph", site="lyon"), b"no question", timeout=WAIT_S)
    CONTRACT.validator("graphAnswer", "refusal").validate(json.loads(reply.data))


async def test_a_program_with_the_key_of_people_is_answered_where_the_document_says(bed: Testbed) -> None:
    prefix, reading = (
        re.sub(r"\{(\w+)\}", lambda found: {"site": "lyon", "stream": "VERDICTS"}[found[1]], text)
        for text in re.findall(r"`((?:_INBOX|\$JS)\.[^`]*)`", API["info"]["description"])
    )
    seed = str(Path(bed.context.servers["lyon"].keys) / "client.nk")
    made = await nats.connect(bed.context.servers["lyon"].nats_url, nkeys_seed=seed, inbox_prefix=prefix)
    asked = intent("read", resources=["configmap/kube-root-ca.crt"])
    try:
        verdicts = await made.subscribe(CONTRACT.address("verdicts", site="lyon", decision="*", intent=asked["id"]))
        await made.jetstream().publish(
            CONTRACT.address("intents", site="lyon", intent=asked["id"]),
            json.dumps(asked).encode(),
            headers=CONTRACT.headers("intents", "a-program", asked["id"]),
        )
        verdict = CONTRACT.check(await verdicts.next_msg(WAIT_S), "verdicts")
        at = CONTRACT.address("verdicts", site="lyon", decision="*", intent=asked["id"])
        stored = await made.request(reading, json.dumps({"last_by_subj": at}).encode(), timeout=WAIT_S)
        assert json.loads(base64.b64decode(json.loads(stored.data)["message"]["data"])) == verdict
        reply = await made.request(
            CONTRACT.address("status", site="lyon"), b'{"schema": "statusquery/v1"}', timeout=WAIT_S
        )
        assert json.loads(reply.data)["site"] == "lyon"
    finally:
        await made.close()


async def test_every_site_is_found_by_one_question(client: Client) -> None:
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    question = json.dumps({"schema": "statusquery/v1"}).encode()
    await client.publish(CONTRACT.address("statusOfAll"), question, reply=inbox)
    status = json.loads((await answers.next_msg(WAIT_S)).data)
    CONTRACT.validator("statusOfAllAnswer", "status").validate(status)
    assert status["site"] == "lyon"


async def test_a_subject_is_escaped_as_the_document_says(client: Client) -> None:
    """A name that no intent may have still reaches its stream, and its dead letter names the subject."""
    dead = await client.subscribe(CONTRACT.address("dead", stream="INTENTS"))
    subject = CONTRACT.address("intents", site="lyon", intent="a.b *>é")
    assert subject == "cheops.v1.intent.lyon.a=2Eb=20=2A=3E=C3=A9"
    await client.jetstream().publish(subject, b"{}", headers={"Nats-Msg-Id": "x"})
    async with asyncio.timeout(WAIT_S):
        assert json.loads((await dead.next_msg(WAIT_S)).data)["subject"] == subject
