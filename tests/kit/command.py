"""The real `cheops` command in processes of its own, against a sandbox that it started itself.

What is typed and waited for is forked (see forked.py); what goes on, or is told more than usual about
Python, starts as the program.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.kit import forked
from tests.kit.traces import MARK

TIMEOUT_S = 90.0
MANIFESTS = Path(__file__).parents[2] / "cheops" / "demo" / "manifests"
COMMAND = (sys.executable, "-m", "cheops")
HEARS_HANGUPS = (
    "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)
HEARING = (sys.executable, "-c", HEARS_HANGUPS)  # before a program, since `nohup make test` has it ignored
FORKS_READ = {"PYTHONIOENCODING"}  # all else that tells Python or us something is read where a program starts


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def body(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass(frozen=True, slots=True)
class Shell:
    """A folder to type commands in. `site` is where intents are entered."""

    folder: Path
    site: str = ""

    def environment(self, **more: str) -> dict[str, str]:
        """Ours, without what would change the answers."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHEOPS_", "COLUMNS"))}
        return {**kept, **({"CHEOPS_SITE": self.site} if self.site else {}), **more}

    def __call__(self, *words: str | Path, stdin: str | bytes = b"", **environment: str) -> Ran:
        """`shell("tree", "deployment/web")`; named arguments are environment variables."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        whole = self.environment(**environment)
        if any(name.startswith("PYTHON") or name == MARK for name in {*environment} - FORKS_READ):
            done = subprocess.run(
                [*COMMAND, *map(str, words)],
                cwd=self.folder, env=whole, input=given, capture_output=True, timeout=TIMEOUT_S, check=False,
            )  # fmt: skip
            return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
        code, out, err = forked.run([*map(str, words)], self.folder, whole, given, TIMEOUT_S)
        return Ran(code, out.decode(), err.decode())

    @contextmanager
    def started(self, *words: str | Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on, as `--follow` does; it is interrupted at the end of the block."""
        process = subprocess.Popen(
            [*COMMAND, *map(str, words)],
            cwd=self.folder,
            env=self.environment(PYTHONUNBUFFERED="1", **environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(TIMEOUT_S)
            finally:
                process.kill()
                for stream in (process.stdout, process.stderr):
                    if stream is not None:
                        stream.close()


@contextmanager
def sandbox(folder: Path, *sites: str, engine: str = "embedded", **environment: str) -> Iterator[Shell]:
    """`cheops sandbox up … down`, with a shell at the first of its sites that still has a former one's exports.

    `environment`: of its services.
    """
    shell = Shell(folder, sites[0])
    exported = str(folder / ".cheops" / "context.json")
    up = shell("sandbox", "up", "--sites", ",".join(sites), "--engine", engine, CHEOPS_CONTEXT=exported, **environment)
    assert up.code == 0, up.err
    try:
        yield shell
    finally:
        down = shell("sandbox", "down")
        assert down.code == 0, down.err


def api(shell: Shell, site: str, method: str, path: str, body: Any = None) -> int:
    """Past Cheops, as kubectl does it: one request to a site's API server; its status."""
    import urllib.request

    kubeconfig = yaml.safe_load((shell.folder / ".cheops" / "kubeconfig").read_text())
    server = next(one["cluster"]["server"] for one in kubeconfig["clusters"] if one["name"] == site)
    request = urllib.request.Request(f"{server}{path}", method=method, headers={"Content-Type": "application/json"})
    request.data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        return int(response.status)


def processes_of(shell: Shell, site: str, program: str = "site") -> list[int]:
    """The processes that serve a site, which the sandbox's supervisor, or one that it started, has started."""
    pids = [int(json.loads((shell.folder / ".cheops" / "state.json").read_text())["pid"])]
    for pid in pids:  # it grows meanwhile
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            pids += map(int, children.read_text().split())
    return [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text() == f"{site} {program}"[:15] + "\n"]


def on_a_terminal(shell: Shell, *words: str, **environment: str) -> str:
    """What a command prints on a terminal of 80 columns (stdout and stderr together)."""
    import pty

    ours, theirs = pty.openpty()
    whole = shell.environment(**{"COLUMNS": "80", "TERM": "xterm", **environment})
    with Path(os.devnull).open("rb") as nothing:
        command = forked.start(words, shell.folder, whole, [nothing.fileno(), theirs, theirs])
    os.close(theirs)
    printed = b""
    try:
        while chunk := os.read(ours, 65536):
            printed += chunk
    except OSError:  # Linux says EIO when the last writer has gone
        pass
    finally:
        os.close(ours)
        forked.ended(command, TIMEOUT_S)
    return printed.decode().replace("\r\n", "\n")
