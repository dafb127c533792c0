"""Hundreds of intents at once on a live site: of two that exclude each other never both are allowed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cheops.drafts import Intent
from cheops.mesh import Mesh, connect
from cheops.sandbox.embedded import EmbeddedProcess
from cheops.sandbox.testbed import Testbed
from schemas.identity import SiteName
from schemas.verdicts import Verdict
from tests.contract.api.client import Api

LYON = SiteName("lyon")
PAIRS = 100
WAIT_S = 120.0
AT_ONCE = 64


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Testbed]:
    async with Testbed(tmp_path, [LYON]) as made:
        yield made


def _secret(number: int) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"s-{number}"}, "data": {"k": "eA=="}}


def _user(number: int) -> dict[str, Any]:
    labels = {"app": f"w-{number}"}
    pod = {
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "secret": {"secretName": f"s-{number}"}}],
    }
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"w-{number}"}, "spec": spec}


async def _ended(mesh: Mesh, draft: Intent, turns: asyncio.Semaphore) -> list[Verdict]:
    """Every revision, to the last outcome."""
    async with turns:
        intent = await mesh.enter(draft, site=LYON)
        return [one.verdict async for one in mesh.follow(intent, verdict_timeout_s=WAIT_S) if one.outcome is None]


@pytest.mark.timeout(300)
async def test_a_user_and_the_deletion_of_what_it_uses_are_never_both_allowed(bed: Testbed) -> None:
    cluster = bed.sites[LYON].cluster
    assert isinstance(cluster, EmbeddedProcess)
    turns = asyncio.Semaphore(AT_ONCE)
    async with connect(bed.context) as mesh, aiohttp.ClientSession() as session:
        api = Api(session, cluster.server_url, None, "")
        await _ended(mesh, Intent.apply(map(_secret, range(PAIRS)), namespace="default"), turns)
        async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
            users, deletes = {}, {}
            for number in range(PAIRS):  # whichever is first in the stream
                make = tasks.create_task(_ended(mesh, Intent.create([_user(number)], namespace="default"), turns))
                drop = tasks.create_task(_ended(mesh, Intent.delete(f"secret/s-{number}", namespace="default"), turns))
                users[number], deletes[number] = make, drop
        ends: Counter[tuple[str, str]] = Counter()
        for number in range(PAIRS):
            made, dropped = users[number].result()[-1], deletes[number].result()[-1]
            ends[made.decision, dropped.decision] += 1
            there = (await api.get(f"/api/v1/namespaces/default/secrets/s-{number}")).status == 200
            used = (await api.get(f"/apis/apps/v1/namespaces/default/deployments/w-{number}")).status == 200
            assert (made.decision, dropped.decision) != ("allow", "allow"), f"{made.summary}; {dropped.summary}"
            assert (used, there) == (made.decision == "allow", dropped.decision != "allow")
            assert there or not used, f"w-{number} runs without its Secret"
        assert ends["allow", "deny"] + ends["deny", "allow"] == PAIRS, ends
