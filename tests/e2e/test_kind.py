"""The testbed on kind, from nothing until two sites are fresh. It skips where docker or kind is not."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.kit.command import Shell
from tests.kit.waiting import eventually

SCRIPTS = Path(__file__).parents[2] / "deploy" / "kind"
MISSING = [program for program in ("docker", "kind", "kubectl") if shutil.which(program) is None]
pytestmark = [
    pytest.mark.skipif(
        bool(MISSING), reason=f"not on the PATH: {', '.join(MISSING)}; the testbed on kind was not tested"
    ),
    pytest.mark.timeout(1800),
]


async def test_two_sites_on_kind_become_fresh_and_go_away_again(tmp_path: Path) -> None:
    bed = tmp_path / "bed"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    async def run(*words: str | Path) -> str:
        done = await asyncio.to_thread(
            subprocess.run, words, env=environment, check=True, capture_output=True, text=True
        )
        return str(done.stdout)

    async with AsyncExitStack() as stack:
        stack.push_async_callback(run, SCRIPTS / "down.sh", bed)
        printed = await run(SCRIPTS / "up.sh", "lyon,oslo", bed)
        for line in (one for one in printed.splitlines() if " port-forward " in one):
            forwarding = await asyncio.create_subprocess_exec(*line.removesuffix(" &").split())
            stack.callback(forwarding.terminate)
        shell = Shell(tmp_path, "lyon")

        def states() -> dict[str, str]:
            answer = shell("sites", "-o", "json", CHEOPS_CONTEXT=str(bed / "context.json"))
            return {one["site"]: one["state"] for one in json.loads(answer.out)["sites"]} if answer.out else {}

        await eventually(lambda: states() == {"lyon": "fresh", "oslo": "fresh"}, states, wait_s=180.0)
