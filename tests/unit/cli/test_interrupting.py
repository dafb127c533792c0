"""Ctrl-C, and what ends a program otherwise: while it is still being loaded, and while it follows an intent."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from threading import Thread

import pytest

from services.chassis.bus.sizes import SERVER_PAYLOAD_BYTES
from tests.kit.command import COMMAND, HEARING, TIMEOUT_S, Shell

PROJECT = Path(__file__).parents[3] / "pyproject.toml"
SCRIPT = """
import signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == {name!r}:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from {module} import {function}
sys.argv = ["cheops", "explain", "D310"]
{function}()
"""


@pytest.mark.parametrize("name", ["typer", "cheops.cli.main", "cheops.cli.serve", "schemas.codes"])
def test_an_interrupt_among_the_imports_ends_the_program_without_a_word(name: str) -> None:
    module, _, function = tomllib.loads(PROJECT.read_text())["project"]["scripts"]["cheops"].partition(":")
    script = SCRIPT.format(name=name, module=module, function=function)
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")


class Server(Thread):
    """Speaks as much of NATS as a client needs, and ends it at what it says: by this signal, at this word.

    Whatever is to be stored is stored when `stores`; no question is ever answered.
    """

    def __init__(self, word: bytes, number: signal.Signals, stores: bool = True) -> None:
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.word, self.number, self.stores = word, number, stores
        self.client = 0

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.listening.getsockname()[1]}"

    def run(self) -> None:
        made, _ = self.listening.accept()
        with made, made.makefile("rwb", buffering=0) as stream:
            about = {
                "server_id": "A",
                "version": "2.10.0",
                "proto": 1,
                "headers": True,
                "max_payload": SERVER_PAYLOAD_BYTES,
            }
            stream.write(f"INFO {json.dumps(about)}\r\n".encode())
            inboxes: dict[bytes, bytes] = {}
            for line in stream:
                words = line.split()
                if words[:1] == [b"PING"]:
                    stream.write(b"PONG\r\n")
                if words[:1] == [b"SUB"]:
                    inboxes[words[1].rstrip(b"*")] = words[2]
                if words[:1] in ([b"PUB"], [b"HPUB"]):
                    stream.read(int(words[-1]) + 2)
                    if self.word in words[1]:
                        os.kill(self.client, self.number)
                    elif b".intent." in words[1] and self.stores:
                        reply, answer = words[2], b'{"stream":"INTENTS","seq":1}'
                        number = next(n for prefix, n in inboxes.items() if reply.startswith(prefix))
                        stream.write(b"MSG %s %s %d\r\n%s\r\n" % (reply, number, len(answer), answer))


def interrupted(folder: Path, server: Server, *words: str, stdout: str = os.devnull) -> tuple[int, str]:
    """A deletion that is ended; its exit code, and what it said with its id as `ID`."""
    context = {"site": "lyon", "sites": ["lyon"], "servers": {"lyon": {"nats_url": server.url}}}
    (folder / "context.json").write_text(json.dumps(context))
    with Path(stdout).open("wb") as taking:
        command = subprocess.Popen(
            [*HEARING, *COMMAND, "delete", "secret/ca", *words],
            cwd=folder,
            env=Shell(folder).environment(CHEOPS_CONTEXT="context.json"),
            stdin=subprocess.DEVNULL,
            stdout=taking,
            stderr=subprocess.PIPE,
            text=True,
        )
    server.client = command.pid
    server.start()
    _, err = command.communicate(timeout=TIMEOUT_S)
    server.listening.close()
    return command.returncode, re.sub(r"i-[0-9a-f]{10}", "ID", err).strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_is_ended_while_he_follows_says_that_the_intent_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    code, err = interrupted(tmp_path, Server(b"$JS.API.", number))
    assert code == 130
    assert err.splitlines() == [
        "cheops: interrupted: published, no verdict yet",
        "        follow it with: cheops show ID --follow",
        "        give it up, should it be deferred: cheops cancel ID",
    ]


@pytest.mark.parametrize("words", [(), ("--no-wait",)])
def test_who_is_ended_before_the_server_has_stored_it_does_not_say_that_it_has(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    code, err = interrupted(tmp_path, Server(b".intent.", signal.SIGTERM), *words)
    assert code == 130
    assert err.splitlines() == [
        "cheops: interrupted while it was published",
        "        see whether it is stored: cheops show ID",
    ]


def test_who_asks_no_more_than_a_preview_has_published_nothing(tmp_path: Path) -> None:
    code, err = interrupted(tmp_path, Server(b".preview", signal.SIGTERM), "--preview")
    assert (code, err) == (130, "cheops: interrupted; nothing was published")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_where_the_output_cannot_be_written_it_is_said_that_the_intent_goes_on(tmp_path: Path) -> None:
    code, err = interrupted(tmp_path, Server(b"nobody", signal.SIGTERM), "--no-wait", stdout="/dev/full")
    assert code == 1
    assert err.splitlines()[:2] == [
        "cheops: the output cannot be written (No space left on device): published, no verdict yet",
        "        follow it with: cheops show ID --follow",
    ]
