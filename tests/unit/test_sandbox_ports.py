"""Reserved ports: nobody else gets them, the program they are for does."""

from __future__ import annotations

import socket

import pytest

from cheops.sandbox.ports import LOOPBACK, PortReservation
from services.chassis.errors import SettingsError

SHARES = pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="no SO_REUSEPORT here")


def test_a_reserved_port_is_refused_to_others() -> None:
    reservation = PortReservation()
    with pytest.raises(OSError, match="in use"):
        socket.create_server((LOOPBACK, reservation.port))
    reservation.release()
    socket.create_server((LOOPBACK, reservation.port)).close()


@SHARES
def test_a_program_that_shares_takes_a_reserved_port_gets_all_connections_and_may_come_back() -> None:
    reservation = PortReservation()
    for _ in range(2):
        with socket.create_server((LOOPBACK, reservation.port), reuse_port=True) as server:
            server.settimeout(5)
            for _ in range(20):
                with socket.create_connection((LOOPBACK, reservation.port), timeout=5) as client:
                    accepted, address = server.accept()
                    accepted.close()
                    assert address == client.getsockname()
    reservation.release()


def test_two_reservations_never_get_the_same_port() -> None:
    reservations = [PortReservation() for _ in range(50)]
    assert len({reservation.port for reservation in reservations}) == 50
    for reservation in reservations:
        reservation.release()


def test_a_wanted_port_that_is_taken_is_named_also_when_the_taker_shares() -> None:
    taker = PortReservation()
    with pytest.raises(SettingsError, match=f"port {taker.port} on 127.0.0.1 is taken"):
        PortReservation(taker.port)
    taker.release()


def test_a_wanted_port_that_is_free_is_given() -> None:
    first = PortReservation()
    first.release()
    second = PortReservation(first.port)
    assert second.port == first.port
    second.release()
    second.release()
