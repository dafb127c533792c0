"""The sandbox in the background: `up` leaves a supervisor behind, `down` ends it (down.py).

The supervisor holds the testbed; everything it started dies with it (process.py). What it says goes to
`supervisor.log`, and `state.json` (standing.py) tells how far it is: starting, or running with addresses.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from cheops.cli.failures import EXIT_ERROR, EXIT_INTERRUPTED, BadInputError, explained
from cheops.sandbox import forkserver
from cheops.sandbox.again import start_again
from cheops.sandbox.buses import ROUTERS, Kind, SiteBuses
from cheops.sandbox.claim import Claim, alone, take
from cheops.sandbox.down import end
from cheops.sandbox.python import FORKS
from cheops.sandbox.standing import LOG, STATE, alive, born, read_state, running, where, write_state
from cheops.sandbox.testbed import Engine, Testbed
from schemas.counting import counted
from schemas.identity import SiteName, site_name
from services.chassis.errors import CheopsError

UP_TIMEOUT_S: Final = 120.0
POLL_INTERVAL_S: Final = 0.05
RESERVED: Final = ("kubeconfig", "links", "nats", "routers")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `up` was asked for, besides the sites."""

    engine: Engine = "embedded"
    bus: Kind = "sites"
    routers: int = ROUTERS
    gate: bool = False


def up(directory: Path, sites: list[str], wanted: Wanted, foreground: bool) -> int:
    """Start and wait until it runs. Says what it does on stderr, where everything is on stdout."""
    names = _checked(sites)
    with alone(directory):
        state = running(directory)
        if state is None:
            claim = take(directory, names)
            pid = os.getpid() if foreground else _supervisor(directory.absolute(), names, wanted)
            write_state(directory, {"state": "starting", "pid": pid, "born": born(pid), "sites": names})
    if state is not None:
        return _up_already(directory, state, names, wanted)
    if not foreground:
        return _up_in_background(claim, pid)
    code = _run(directory.absolute(), names, wanted, announce=True)
    sys.stderr.write(f"nothing is left running; data and logs are in {directory} (cheops sandbox down removes them)\n")
    return code


def _checked(sites: list[str]) -> list[SiteName]:
    if not sites:
        raise BadInputError("--sites: expected at least one name")
    names = [site_name(name) for name in sites]
    if len(set(names)) != len(names):
        raise BadInputError(f"--sites {','.join(names)}: a name stands twice")
    for name in names:
        if name in RESERVED:
            raise BadInputError(f"--sites {','.join(names)}: {name!r} is a name of the sandbox's own, take another")
    return names


def _up_already(directory: Path, state: dict[str, Any], sites: list[SiteName], wanted: Wanted) -> int:
    if state["state"] == "starting":
        raise BadInputError(f"a sandbox is starting in {directory} (pid {state['pid']}): cheops sandbox status")
    if (sorted(state["sites"]), state["wanted"]) != (sorted(sites), asdict(wanted)):
        asked = state["wanted"]
        joined = "one nats-server" if asked["bus"] == "shared" else counted(asked["routers"], "router")
        gate = "; with a gate" if asked.get("gate") else ""
        has = f"{state['engine']}: {', '.join(state['sites'])}; {joined}{gate}"
        raise BadInputError(
            f"another sandbox runs in {directory} ({has}); end it first (cheops sandbox down), or take another --dir"
        )
    sys.stderr.write(f"runs already in {directory}\n")
    error = _made_whole(directory, state)
    sys.stdout.write(where(state))
    return EXIT_ERROR if error else 0


def _made_whole(directory: Path, state: dict[str, Any]) -> bool:
    """Have the supervisor start again what has ended, and say what that was; True: it could not."""
    if "whole" not in state:  # the supervisor is of a version that would end at the signal
        return False
    before = state["whole"]["times"]
    os.kill(state["pid"], signal.SIGUSR1)
    end_s = time.monotonic() + UP_TIMEOUT_S
    while (now := running(directory)) is not None and now["whole"]["times"] == before:
        if time.monotonic() > end_s:
            raise CheopsError(f"the sandbox (pid {state['pid']}) does not answer; see {directory / LOG}")
        time.sleep(POLL_INTERVAL_S)
    if now is None:
        raise CheopsError(f"the sandbox in {directory} has ended (cheops sandbox up starts another one)")
    for name in now["whole"]["again"]:
        sys.stderr.write(f"started again: {name}\n")
    if now["whole"]["error"]:
        sys.stderr.write(f"cheops: {now['whole']['error']}\n")
    return bool(now["whole"]["error"])


def _up_in_background(claim: Claim, child: int) -> int:
    try:
        with _told_to_end():
            return _wait_up(claim.directory.absolute(), child)
    except BaseException as error:
        end(child, claim.directory)
        if isinstance(error, KeyboardInterrupt):
            claim.give_back()
            kept = f", and {claim.directory} is kept" if claim.before else ""
            sys.stderr.write(f"\ncheops: interrupted; nothing is left running{kept}\n")
        raise


def _supervisor(directory: Path, sites: list[SiteName], wanted: Wanted) -> int:
    """One that outlives this process, with a session of its own; its process id."""
    module, words = "cheops.sandbox.background", [str(directory), ",".join(sites), json.dumps(asdict(wanted))]
    with (directory / LOG).open("wb") as log, Path(os.devnull).open("rb") as nothing:
        if not FORKS:
            command = [sys.executable, "-m", module, *words]
            return subprocess.Popen(command, stdin=nothing, stdout=log, stderr=log, start_new_session=True).pid
        itself = forkserver.Wanted("supervisor", module, words, dict(os.environ), os.getcwd())
        run = partial(_run, directory, sites, wanted)
        return forkserver.leave_behind(itself, [nothing.fileno(), log.fileno(), log.fileno()], run)


@contextmanager
def _told_to_end() -> Iterator[None]:
    """SIGTERM (of `timeout 60 cheops sandbox up`, of a CI that is cancelled) means what Ctrl-C means."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _wait_up(directory: Path, child: int) -> int:
    shown = 0
    end_s = time.monotonic() + UP_TIMEOUT_S
    while time.monotonic() < end_s:
        ended = not alive(child)
        text = (directory / LOG).read_text(errors="replace")
        if sys.stderr.isatty() or ended:  # progress is for people; what went wrong is for everybody
            sys.stderr.write(text[shown:])
            shown = len(text)
        state = read_state(directory)
        if state and state["state"] == "running":
            sys.stdout.write(where(state))
            return 0
        if ended:
            sys.stderr.write(f"cheops: the sandbox did not start; logs are in {directory} (cheops sandbox down)\n")
            return EXIT_ERROR
        time.sleep(POLL_INTERVAL_S)
    raise CheopsError(f"the sandbox was not ready within {UP_TIMEOUT_S:g} s; see {directory / LOG}")


def _run(directory: Path, sites: list[SiteName], wanted: Wanted, *, announce: bool = False) -> int:
    if FORKS:
        forkserver.use(forkserver.ForkServer.split_off())
    tell = partial(print, file=sys.stderr, flush=True)
    return explained(lambda: asyncio.run(_supervise(directory, sites, wanted, tell, announce=announce)))


async def _supervise(
    directory: Path, sites: list[SiteName], wanted: Wanted, tell: Callable[[str], None], *, announce: bool
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    bed = Testbed(
        directory, sites, engine=wanted.engine, bus=wanted.bus, routers=wanted.routers, gate=wanted.gate, tell=tell
    )
    starting = asyncio.ensure_future(bed.start())
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return EXIT_INTERRUPTED
        starting.result()
        state = {**_state_of(bed), "wanted": asdict(wanted), "whole": {"times": 0, "again": [], "error": ""}}
        again = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, again.set)
        write_state(directory, state)
        if announce:
            sys.stdout.write(where(state))
            sys.stdout.flush()
        async with asyncio.TaskGroup() as tasks:
            mending = tasks.create_task(_make_whole(bed, again, state))
            await stopping
            mending.cancel()
        return 0
    finally:
        stopping.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await bed.stop()
        if (read_state(directory) or {}).get("pid") == os.getpid():
            (directory / STATE).unlink(missing_ok=True)


async def _make_whole(bed: Testbed, asked: asyncio.Event, state: dict[str, Any]) -> None:
    """Whenever it is asked for; `state.json` then says what was started again, or why that was not to be done."""
    for times in count(1):
        await asked.wait()
        asked.clear()
        try:
            said = {"again": await start_again(bed), "error": ""}
        except Exception as error:  # whatever it is: all else of the sandbox goes on
            said = {"again": [], "error": str(error) or type(error).__name__}
        write_state(bed.directory, {**state, "whole": {"times": times, **said}})


def _state_of(bed: Testbed) -> dict[str, Any]:
    return {
        "state": "running",
        "pid": os.getpid(),
        "born": born(os.getpid()),
        "servers": {name: bed.buses.server(name).url for name in bed.sites},
        "links": str(bed.buses.links.directory) if isinstance(bed.buses, SiteBuses) else "",
        "kubeconfig": str(bed.kubeconfig),
        "context": str(bed.context_file),
        "sites": list(bed.sites),
        "engine": bed.engine,
    }


if __name__ == "__main__":
    sites = [site_name(one) for one in sys.argv[2].split(",")]
    sys.exit(_run(Path(sys.argv[1]), sites, Wanted(**json.loads(sys.argv[3]))))
