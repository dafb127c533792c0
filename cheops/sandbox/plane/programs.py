"""The programs of one control plane with what they share: reserved ports, credentials, where things are."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cheops.sandbox.plane import commands
from cheops.sandbox.plane.commands import Layout, Ports
from cheops.sandbox.plane.credentials import CONTROLLER_MANAGER, KWOK, SCHEDULER, Credentials, User, prepare_credentials
from cheops.sandbox.ports import PortReservation
from cheops.sandbox.process import ChildProcess


@dataclass(frozen=True, slots=True)
class Programs:
    """None of them is started here."""

    layout: Layout
    credentials: Credentials
    etcd: ChildProcess
    apiserver: ChildProcess
    controller_manager: ChildProcess
    scheduler: ChildProcess
    kwok: ChildProcess
    reservations: tuple[PortReservation, ...]

    @classmethod
    def prepare(cls, site: str, assets: Path, directory: Path, users: Iterable[User], port: int) -> Self:
        """Make the directory and the credentials, reserve the ports. Raises SettingsError when `port` is taken."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        credentials = prepare_credentials(directory, users)
        reservations = _reserve((0, 0, port, 0, 0))
        layout = Layout(assets, directory, Ports(*(reservation.port for reservation in reservations)))

        def program(command: list[str | Path]) -> ChildProcess:
            name = Path(command[0]).name
            return ChildProcess(f"{site} {name}", command, directory / "logs" / f"{name}.log")

        return cls(
            layout,
            credentials,
            etcd=program(commands.etcd(layout)),
            apiserver=program(commands.apiserver(layout, credentials)),
            controller_manager=program(commands.controller_manager(layout, credentials, CONTROLLER_MANAGER.name)),
            scheduler=program(commands.scheduler(layout, SCHEDULER.name)),
            kwok=program(commands.kwok(layout, KWOK.name)),
            reservations=reservations,
        )

    @property
    def clients(self) -> tuple[ChildProcess, ...]:
        """Those that talk to the API server."""
        return self.controller_manager, self.scheduler, self.kwok

    @property
    def all(self) -> tuple[ChildProcess, ...]:
        return self.etcd, self.apiserver, *self.clients

    def kill(self) -> None:
        """What still runs ends at once; the ports are free again."""
        for child in reversed(self.all):
            child.kill()
        for reservation in self.reservations:
            reservation.release()


def _reserve(wanted: tuple[int, ...]) -> tuple[PortReservation, ...]:
    """All or none."""
    with ExitStack() as undo:
        reservations = []
        for port in wanted:
            reservations.append(reservation := PortReservation(port))
            undo.callback(reservation.release)
        undo.pop_all()
    return tuple(reservations)
