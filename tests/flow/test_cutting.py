"""`cheops sandbox cut` and `heal`: a site alone and back again, on real servers and real links."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from cheops.contexts import read_context
from cheops.mesh import Mesh, connect
from schemas.identity import SiteName
from tests.kit.command import Shell, sandbox
from tests.kit.waiting import eventually

WAIT_S = 60.0
LYON, NICE = SiteName("lyon"), SiteName("nice")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with sandbox(tmp_path_factory.mktemp("cuts"), LYON, NICE) as made:
        yield made


def seen(shell: Shell, site: SiteName, wanted: str) -> None:
    """Wait until the resolver of a site says this of its only peer."""

    async def wait(mesh: Mesh) -> None:
        async def said() -> bool:
            return [one.state for one in (await mesh.links(site)).peers] == [wanted]

        await eventually(said, f"{site} does not call its peer {wanted}", WAIT_S)

    _with_mesh(shell, wait)


def _with_mesh(shell: Shell, use: Callable[[Mesh], Awaitable[None]]) -> None:
    async def run() -> None:
        async with connect(read_context(shell.folder / ".cheops" / "context.json")) as mesh:
            await use(mesh)

    asyncio.run(run())


def test_a_cut_site_goes_on_alone_and_is_found_again_when_it_is_healed(shell: Shell) -> None:
    for site in (LYON, NICE):
        seen(shell, site, "up")
    cut = shell("sandbox", "cut", "nice")
    assert (cut.code, cut.err) == (0, "")
    assert sorted(cut.lines) == [
        "lyon → router-1  good",
        "lyon → router-2  good",
        "nice → router-1  cut",
        "nice → router-2  cut",
    ]
    for site in (LYON, NICE):
        seen(shell, site, "unreachable")
        assert shell("get", "namespace/default", "--site", site).code == 0
    healed = shell("sandbox", "heal", "nice")
    assert (healed.code, {line.split("  ")[1] for line in healed.lines}) == (0, {"good"})
    for site in (LYON, NICE):
        seen(shell, site, "up")


def test_a_link_can_be_bad_in_other_ways_and_says_so(shell: Shell) -> None:
    for words, said in (
        (("--black-hole",), "a black hole"),
        (("--one-way", "out"), "what it says is lost"),
        (("--latency", "300ms", "--jitter", "0.05s", "--rate", "64k"), "300 ms late, ± 50 ms, 64 kB/s"),
    ):
        assert f"nice → router-1  {said}" in shell("sandbox", "cut", "nice", *words).lines
    assert {line.split("  ")[1] for line in shell("sandbox", "heal").lines} == {"good"}


def test_a_cut_that_cannot_be_made_says_what_was_expected(shell: Shell, tmp_path: Path) -> None:
    for words, said in (
        (("cut", "rome"), "no site is called rome (there are lyon, nice)"),
        (("cut", "nice", "--latency", "slow"), "expected a duration, as 300ms or 1.5s"),
        (("cut", "nice", "--rate", "0"), "expected bytes a second, as 500, 64k or 1M"),
        (("cut", "nice", "--black-hole", "--one-way", "in"), "expected one of them"),
        (("heal", "--dir", str(tmp_path)), f"no sandbox runs in {tmp_path} (cheops sandbox up)"),
    ):
        found = shell("sandbox", *words)
        assert (found.code, said in found.err) == (2, True), found.err
