"""A preview over the bus, act by act, and mixed as clusters mix them; each against bare NATS request-reply in turns.

    delete, used      a Secret that eight resources of one application use: denied, with remedies (the `bus` row's case)
    delete, unused    a Secret of the site that nothing uses: allowed
    delete, typical   any kind but those of one namespace's own making, drawn at random: most are used
    read              one resource
    create, update    a Deployment of one container; no executor is there, so nobody rehearses it: the resolver's part

The mix is a guess, not a measurement of any cluster: of 100 acts 55 updates, 25 reads, 12 creations, 8 deletions. Tools
that deploy apply the same again and again, read before, and seldom delete; what controllers write, nobody asks about.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import nats
import structlog
import uvloop
from nats.aio.client import Client

from schemas.identity import KindId, ResourceId, ResourceKey
from schemas.intents import Intent
from tests.bench import live, site
from tests.bench.bus import PREPARED, PREVIEW_GOALS, against, in_turns
from tests.bench.history import SITE
from tests.bench.measuring import Row
from tests.bench.told import ToldFleet

MIX: Final = (("update", 55), ("read", 25), ("create", 12), ("delete, typical", 8))
KINDS: Final = ("Secret", "ConfigMap", "Service", "Pod", "apps/Deployment", "ServiceAccount", "PersistentVolumeClaim")
SEED: Final = 11
Questions = Iterator[bytes]


def run(size: int, file: Path) -> list[Row]:
    """All acts on one server."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(size, file.with_suffix(".nats")))


async def _run(size: int, folder: Path) -> list[Row]:
    async with live.site(size, folder) as here:
        client = await nats.connect(here.url)
        questions = _questions(here.fleet)
        bare_question = next(questions["delete, used"])

        async def bare() -> None:
            await client.request(site.ECHO, bare_question, timeout=10)

        found = await in_turns(bare, *(_asking(client, asked) for asked in questions.values()))
        await client.close()
    rows = [Row("bare request-reply", against("", "", found[0], found[0])[0].value, "ms")]
    for name, times in zip(questions, found[1:], strict=True):
        goals = PREVIEW_GOALS if name in ("delete, used", "the mix") else (None, None)
        rows += against("", name, found[0], times, goals)
    return rows


def _asking(client: Client, questions: Questions) -> Callable[[], Awaitable[object]]:
    async def ask() -> None:
        await client.request(live.api("preview"), next(questions), timeout=10)

    return ask


def _questions(fleet: ToldFleet) -> dict[str, Questions]:
    """Made before anything is measured."""
    chance = random.Random(SEED)
    every = [one.resource for kind in KINDS for one in fleet.states[KindId(kind)] if "/team-" in one.resource]
    deployments = [one for one in every if one.startswith("apps/Deployment/")]
    unused = [one for one in every if one.startswith("ConfigMap/") and one.endswith("/kube-root-ca.crt")]
    acts: dict[str, list[bytes]] = {
        "delete, used": [one.to_json() for one in itertools.islice(live.deletions(fleet, preview=True), PREPARED)],
        "delete, unused": [_named("delete", one) for one in unused],
        "delete, typical": [_named("delete", one) for one in chance.sample(every, PREPARED)],
        "read": [_named("read", one) for one in chance.sample(every, PREPARED)],
        "create": [_written("create", one, f"{ResourceKey.parse(one).name}-new") for one in deployments[:PREPARED]],
        "update": [_written("apply", one, ResourceKey.parse(one).name) for one in deployments[:PREPARED]],
    }
    made = {name: itertools.cycle(questions) for name, questions in acts.items()}
    names, weights = zip(*MIX, strict=True)
    drawn = [next(made[name]) for name in chance.choices(names, weights, k=PREPARED)]
    return {**made, "the mix": itertools.cycle(drawn)}


def _named(verb: str, resource: ResourceId) -> bytes:
    return _intent(verb, resources=(resource,))


def _written(verb: str, like: ResourceId, name: str) -> bytes:
    key = ResourceKey.parse(like)
    container = {"name": "web", "image": "web:1", "envFrom": [{"configMapRef": {"name": "flags"}}]}
    pod = {"containers": [container], "imagePullSecrets": [{"name": "registry"}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    metadata = {"name": name, "namespace": key.namespace}
    return _intent(
        verb, manifests=({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},)
    )


def _intent(verb: Any, **what: Any) -> bytes:
    now = datetime.now(UTC)
    made = Intent(
        id=f"i-{next(live.numbers)}",
        verb=verb,
        site=SITE,
        requester="bench",
        created_at=now,
        expires_at=now + timedelta(hours=1),
        preview=True,
        **what,
    )
    return made.to_json()
