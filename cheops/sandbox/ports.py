"""A loopback port that stays ours: the kernel chooses, we keep it bound, the program that needs it binds beside us.

Asking for a free port and letting it go leaves a gap in which anybody may take it, and a server killed and started
again on the same port meets the same gap. So the reservation stays bound (never listening, so no connection reaches
it) with SO_REUSEPORT, which lets programs of the same user that ask for it too bind the same port: kube-apiserver
and its companions with `--permit-port-sharing`, etcd with `--socket-reuse-port`. The kernel gives a bound port to
nobody else, neither as a listener's choice nor as the near end of a connection.
"""

from __future__ import annotations

import errno
import socket

from services.chassis.errors import SettingsError

LOOPBACK = "127.0.0.1"


class PortReservation:
    """`port` is ours until `release`."""

    def __init__(self, wanted: int = 0) -> None:
        """0 lets the kernel choose. Raises SettingsError when the wanted port is taken."""
        if wanted:
            _ensure_free(wanted)
        self._socket = _bound(wanted, shared=True)
        self.port: int = self._socket.getsockname()[1]

    def release(self) -> None:
        """Harmless when done twice."""
        self._socket.close()


def _ensure_free(port: int) -> None:
    """A shared bind would succeed beside another program that shares too, and each would get half the connections."""
    _bound(port, shared=False).close()


def _bound(port: int, *, shared: bool) -> socket.socket:
    candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # REUSEADDR passes over connections of a former server that are still closing; a live listener still refuses.
    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT if shared else socket.SO_REUSEADDR, 1)
    try:
        candidate.bind((LOOPBACK, port))
    except OSError as error:
        candidate.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"port {port} on {LOOPBACK} is taken: choose another, or stop what uses it") from error
        raise
    return candidate
