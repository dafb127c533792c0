"""Ports for programs that must be told one before they start: from where the kernel gives none by itself.

A port that the kernel chose and that was let go may be given to somebody else, who starts at the same time, before the
program binds it. Whoever is asked for a port of its own should be asked for 0 instead.
"""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path
from typing import Final

FIRST: Final = 10_000
KERNELS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
KERNELS_FIRST: Final = 32_768  # where that file is not
APART: Final = 16  # between processes with neighbouring ids
_next = itertools.count(os.getpid() * APART)


def free_ports(count: int) -> list[int]:
    """No two calls in a process give the same ones, and hardly two processes do."""
    ours = range(FIRST, int(KERNELS.read_text().split()[0]) if KERNELS.exists() else KERNELS_FIRST)
    candidates = (ours[number % len(ours)] for number in itertools.islice(_next, len(ours)))
    found = list(itertools.islice(filter(_free, candidates), count))
    assert len(found) == count, "all ports are taken"
    return found


def _free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
