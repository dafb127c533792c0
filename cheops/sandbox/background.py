"""The sandbox in the background: `up` leaves a supervisor behind, `down` ends it.

The supervisor holds the testbed; everything it started dies with it (process.py). What it says goes to
`supervisor.log`, and `state.json` tells how far it is: starting, running (with addresses) or failed (with the reason).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from cheops.cli.failures import EXIT_ERROR, BadInputError
from cheops.sandbox.testbed import Engine, Testbed
from schemas.identity import site_name
from services.chassis.errors import CheopsError

UP_TIMEOUT_S: Final = 120.0
DOWN_TIMEOUT_S: Final = 30.0
POLL_INTERVAL_S: Final = 0.05
STATE: Final = "state.json"
LOG: Final = "supervisor.log"


def up(directory: Path, sites: list[str], engine: Engine, foreground: bool) -> int:
    """Start and wait until it runs. Says what it does on stderr, where everything is on stdout."""
    if not sites:
        raise BadInputError("--sites: expected at least one name")
    names = [site_name(name) for name in sites]
    if len(set(names)) != len(names):
        raise BadInputError(f"--sites {','.join(names)}: a name stands twice")
    running = _running(directory)
    if running is not None:
        raise BadInputError(f"a sandbox runs already in {directory} (pid {running['pid']}): cheops sandbox down")
    directory.mkdir(parents=True, exist_ok=True)
    if foreground:
        return asyncio.run(_supervise(directory.absolute(), names, engine, _to_stderr))
    return _up_in_background(directory.absolute(), names, engine)


def _up_in_background(directory: Path, sites: list[Any], engine: Engine) -> int:
    (directory / STATE).unlink(missing_ok=True)
    command = [sys.executable, "-m", "cheops.sandbox.background", str(directory), ",".join(sites), engine]
    with (directory / LOG).open("wb") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        return _wait_up(directory, child)
    except BaseException:
        child.terminate()
        child.wait(DOWN_TIMEOUT_S)
        raise


def _wait_up(directory: Path, child: subprocess.Popen[bytes]) -> int:
    shown = 0
    end_s = time.monotonic() + UP_TIMEOUT_S
    while time.monotonic() < end_s:
        text = (directory / LOG).read_text(errors="replace")
        sys.stderr.write(text[shown:])
        shown = len(text)
        state = _state(directory)
        if state and state["state"] == "running":
            sys.stdout.write(_where(state))
            return 0
        if child.poll() is not None:
            sys.stderr.write((directory / LOG).read_text(errors="replace")[shown:])
            return EXIT_ERROR
        time.sleep(POLL_INTERVAL_S)
    raise CheopsError(f"the sandbox was not ready within {UP_TIMEOUT_S:g} s; see {directory / LOG}")


def status(directory: Path, ascii_only: bool) -> int:
    """Where everything is, and how the sites are."""
    from cheops.cli.render.output import say
    from cheops.cli.render.signs import signs_for
    from cheops.cli.render.sites import table
    from cheops.mesh import connect

    state = _running(directory)
    if state is None:
        sys.stderr.write(f"no sandbox runs in {directory} (cheops sandbox up)\n")
        return EXIT_ERROR
    sys.stdout.write(_where(state))

    async def ask() -> list[str]:
        async with connect(state["nats_url"]) as mesh:
            found = await mesh.sites()
        silent = sorted(set(state["sites"]) - {one.site for one in found})
        return table(found, silent, signs_for(ascii_only))

    say(asyncio.run(ask()))
    return 0


def down(directory: Path, keep: bool) -> int:
    """End the supervisor, and with it everything."""
    state = _running(directory)
    if state is None:
        sys.stderr.write(f"no sandbox runs in {directory}\n")
    else:
        os.kill(state["pid"], signal.SIGTERM)
        end_s = time.monotonic() + DOWN_TIMEOUT_S
        while _alive(state["pid"]):
            if time.monotonic() > end_s:
                raise CheopsError(f"the sandbox (pid {state['pid']}) did not end within {DOWN_TIMEOUT_S:g} s")
            time.sleep(POLL_INTERVAL_S)
    if not keep and (directory / LOG).exists():  # never remove a folder that is not a sandbox's
        shutil.rmtree(directory)
    return 0


async def _supervise(directory: Path, sites: list[Any], engine: Engine, tell: Any) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    bed = Testbed(directory, sites, engine=engine, tell=tell)
    starting = asyncio.ensure_future(bed.start())
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return 130
        try:
            starting.result()
        except CheopsError as error:
            tell(f"cheops: {error}")
            return EXIT_ERROR
        _write_state(directory, bed)
        await stopping
        return 0
    finally:
        stopping.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await bed.stop()
        (directory / STATE).unlink(missing_ok=True)


def _write_state(directory: Path, bed: Testbed) -> None:
    state = {
        "state": "running",
        "pid": os.getpid(),
        "nats_url": bed.nats_url,
        "kubeconfig": str(bed.kubeconfig),
        "context": str(bed.context_file),
        "sites": list(bed.sites),
        "engine": bed.engine,
    }
    made = directory / f"{STATE}.new"
    made.write_text(json.dumps(state, indent=2) + "\n")
    made.replace(directory / STATE)


def _where(state: dict[str, Any]) -> str:
    site = state["sites"][0]
    return (
        f"bus         {state['nats_url']}\n"
        f"clusters    export KUBECONFIG={state['kubeconfig']}   then: kubectl --context {site} get all\n"
        f"cheops      export CHEOPS_CONTEXT={state['context']}   then: cheops sites\n"
    )


def _state(directory: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((directory / STATE).read_text())
    except FileNotFoundError:
        return None
    return found


def _running(directory: Path) -> dict[str, Any] | None:
    state = _state(directory)
    return state if state and _alive(state["pid"]) else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status_file = Path(f"/proc/{pid}/stat")
    return not status_file.exists() or status_file.read_text().rpartition(")")[2].split()[0] != "Z"


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(asyncio.run(_supervise(Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3], _to_stderr)))  # type: ignore[arg-type]  # written by `up`
