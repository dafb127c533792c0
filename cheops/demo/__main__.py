"""`make demo`: start the sandbox, play the story, leave nothing running (also when interrupted)."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

from cheops.cli.failures import EXIT_ERROR, EXIT_INTERRUPTED
from cheops.demo.stage import Stage
from cheops.demo.story import play
from cheops.mesh import connect
from cheops.sandbox.testbed import Testbed
from services.chassis.errors import CheopsError

SITES: Final = ("lyon", "oslo", "nice")


async def _show() -> None:
    with tempfile.TemporaryDirectory(prefix="cheops-demo-") as folder:
        bed = Testbed(Path(folder), SITES, gate=True, tell=lambda line: print(f"  {line}", flush=True))
        stage = Stage(bed)
        stage.say("Three sites run the same shop. Starting for each a nats-server, a cluster and its services.\n")
        async with bed:
            await stage.seed()
            async with connect(bed.context) as mesh:
                await play(stage, mesh)
        stage.say(f"\nThe end, after {stage.elapsed_s:.0f} s. Nothing is left running.")
        stage.say("Now you: cheops sandbox up, and `Your first verdict` in README.md.")


def main() -> int:
    """Exit 0 when the story went as told."""
    loop = asyncio.new_event_loop()
    showing = loop.create_task(_show())
    closed = (signal.SIGHUP,) if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL else ()  # `nohup` has it ignored
    for number in (signal.SIGINT, signal.SIGTERM, *closed):
        loop.add_signal_handler(number, showing.cancel)
    try:
        loop.run_until_complete(showing)
    except asyncio.CancelledError:
        print("\ninterrupted; nothing is left running")
        return EXIT_INTERRUPTED
    except CheopsError as error:
        print(f"\ncheops: {error}", file=sys.stderr)
        return EXIT_ERROR
    finally:
        loop.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
