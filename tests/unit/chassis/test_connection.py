"""Credentials that are read again while they are used: by one, for all, and holding nobody up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.aio.client import Configuration

from services.chassis.errors import SettingsError, TransientError
from services.chassis.kubernetes.connection import RENEW_S, Connection, connect

KUBECONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "x",
    "users": [{"name": "u", "user": {"token": "s3cret"}}],
}


class World:
    """A source of tokens that a test holds up or breaks, and a clock."""

    def __init__(self) -> None:
        self.loads = 0
        self.now_s = 0.0
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.connection = Connection(self._load, lambda: self.now_s)

    async def _load(self) -> Any:
        self.loads += 1
        number = self.loads
        await self.gate.wait()
        if self.broken:
            raise ValueError("the file is half written")
        made = Configuration(host="http://127.0.0.1:1")
        made.api_key["BearerToken"] = f"Bearer token-{number}"
        return made

    async def token(self) -> str:
        return (await self.connection.headers())["Authorization"]

    async def until_loads(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self.loads < count:
                await asyncio.sleep(0)

    async def until_token(self, token: str) -> None:
        async with asyncio.timeout(10):
            while await self.token() != f"Bearer {token}":
                await asyncio.sleep(0)


@pytest.fixture
async def world() -> World:
    made = World()
    await made.connection.load()
    return made


async def test_tokens_are_read_again_every_minute(world: World) -> None:
    assert await world.token() == "Bearer token-1"
    world.now_s = RENEW_S
    await world.until_token("token-2")
    assert world.loads == 2


async def test_a_plugin_that_takes_long_holds_nobody_up(world: World) -> None:
    world.gate.clear()
    world.now_s = RENEW_S
    assert [await world.token() for _ in range(3)] == ["Bearer token-1"] * 3
    await world.until_loads(2)
    world.gate.set()
    await world.until_token("token-2")
    assert world.loads == 2


async def test_what_cannot_be_read_again_leaves_what_was_read_before(world: World) -> None:
    world.broken = True
    world.now_s = RENEW_S
    await world.token()
    await world.until_loads(2)
    assert [await world.token() for _ in range(3)] == ["Bearer token-1"] * 3
    assert world.loads == 2, "not at every request"
    world.broken = False
    world.now_s += RENEW_S
    await world.until_token("token-3")


@pytest.mark.parametrize("broken", [False, True])
async def test_of_many_who_are_refused_at_once_one_reads_for_all(world: World, broken: bool) -> None:
    world.gate.clear()
    world.broken = broken
    waiting = [asyncio.create_task(world.connection.renew(1)) for _ in range(100)]
    await world.until_loads(2)
    world.gate.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert world.loads == 2
    assert {type(one) for one in ended} == {TransientError if broken else type(None)}


async def test_who_gives_up_waiting_does_not_stop_the_reading(world: World) -> None:
    world.gate.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await world.connection.renew(1)
    world.gate.set()
    await world.until_token("token-2")
    assert world.loads == 2


async def test_a_kubeconfig_without_its_user_for_a_moment_does_not_turn_us_into_nobody(tmp_path: Path) -> None:
    """Whoever rewrites it may be read in the middle: it is whole YAML, and anybody's."""
    file = tmp_path / "config"
    whole = yaml.safe_dump(KUBECONFIG)
    file.write_text(whole)
    connection = await connect(file)
    file.write_text(whole[: whole.index("users:")])
    with pytest.raises(TransientError, match="no credentials any more"):
        await connection.renew(connection.generation)
    assert await connection.headers() == {"Authorization": "Bearer s3cret"}
    file.write_text(whole.replace("s3cret", "renewed"))
    await connection.renew(connection.generation)
    assert await connection.headers() == {"Authorization": "Bearer renewed"}


async def test_who_uses_another_context_meanwhile_takes_us_to_no_other_cluster(tmp_path: Path) -> None:
    """`kubectl config use-context` writes into the file that we read again every minute."""
    file = tmp_path / "config"
    other = {"name": "other", "cluster": {"server": "http://127.0.0.1:2"}}
    contexts = [*KUBECONFIG["contexts"], {"name": "y", "context": {"cluster": "other", "user": "u"}}]
    both = {**KUBECONFIG, "clusters": [*KUBECONFIG["clusters"], other], "contexts": contexts}
    file.write_text(yaml.safe_dump(both))
    connection = await connect(file)
    file.write_text(yaml.safe_dump({**both, "current-context": "y"}))
    await connection.renew(connection.generation)
    assert connection.base_url == "http://127.0.0.1:1"
    file.write_text(yaml.safe_dump({**both, "current-context": "y", "contexts": contexts[1:]}))
    with pytest.raises(TransientError, match="x"):
        await connection.renew(connection.generation)
    assert (await connect(file)).base_url == "http://127.0.0.1:2"


async def test_what_cannot_be_read_at_the_start_is_told_as_a_wrong_setting() -> None:
    made = World()
    made.broken = True
    with pytest.raises(SettingsError, match="half written"):
        await made.connection.load()
