"""What an API server waits for at the gate: AdmissionReview → answer, in the machine, and over TLS against a bare one.

The client is another task of the same process, so both ends of TLS are in the time, as they are in the bare one's.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import uvloop
from aiohttp import web

from cheops.topology.certificates import Authority
from schemas.identity import ResourceId, ResourceKey
from services.resolver.gate import Gate
from services.resolver.gatehouse import open_gate
from tests.bench import history
from tests.bench.bus import against, in_turns
from tests.bench.measuring import Row, cpu_s, spread
from tests.bench.verdicts import KINDS, TYPICAL, _deployment, _some
from tests.kit.ports import free_ports

ANSWER_P99_MS: Final = 1.0
HOST: Final = "127.0.0.1"


def run(size: int, file: Path) -> list[Row]:
    """Deletions and changes of ordinary objects."""
    machine, chance = history.loaded(file), random.Random(11)
    gate = Gate(machine.desk)
    some = [one for kind in KINDS for one in _some(machine, kind, chance)]
    chance.shuffle(some)
    deletions = [_review("DELETE", _body(one)) for one in some[:TYPICAL]]
    changes = [_review("UPDATE", _deployment(place % (size // 200))) for place in range(TYPICAL)]
    rows = []
    for what, reviews in (("deletion", deletions), ("change", changes)):
        times = [cpu_s(partial(gate.answer, one, history.MOMENT)) for one in reviews]
        rows += spread(f"review → answer, {what}", times, ANSWER_P99_MS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return [*rows, *runner.run(_over_tls(gate, deletions, file.parent))]


async def _over_tls(gate: Gate, reviews: list[bytes], folder: Path) -> list[Row]:
    authority = Authority(folder)
    authority.certify(folder / "gate", HOST)
    bare_port, port = free_ports(2)
    trust = ssl.create_default_context(cadata=authority.trusted().decode())
    answer = gate.answer(reviews[0], history.MOMENT)[0]

    async def echo(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=answer, content_type="application/json")

    application = web.Application()
    application.add_routes([web.post("/", echo)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    offered = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    offered.load_cert_chain(folder / "gate" / "tls" / "cert.pem", folder / "gate" / "tls" / "key.pem")
    await web.TCPSite(runner, HOST, bare_port, ssl_context=offered).start()
    opened = open_gate(history.SITE, gate, lambda: history.MOMENT, HOST, port, folder / "gate" / "tls")
    async with opened, aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:
        places = iter(range(1_000_000))

        async def ask(where: int) -> None:
            review = reviews[next(places) % len(reviews)]
            async with session.post(f"https://{HOST}:{where}/", data=review) as found:
                await found.read()

        bare_ms, ours_ms = await in_turns(partial(ask, bare_port), partial(ask, port))
    await runner.cleanup()
    return against("a bare handler, over TLS", "review → answer, over TLS", bare_ms, ours_ms)


def _body(resource: ResourceId) -> dict[str, Any]:
    key = ResourceKey.parse(resource)
    version = f"{key.group}/v1" if key.group else "v1"
    return {"apiVersion": version, "kind": key.kind, "metadata": {"name": key.name, "namespace": key.namespace}}


def _review(operation: str, body: dict[str, Any]) -> bytes:
    group, _, version = body["apiVersion"].rpartition("/")
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": group, "version": version, "kind": body["kind"]},
        "name": body["metadata"]["name"],
        "namespace": body["metadata"]["namespace"],
        "operation": operation,
        "userInfo": {"username": "anna"},
        "object": None if operation == "DELETE" else body,
        "oldObject": body,
        "options": {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()
