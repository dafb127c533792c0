"""Headers of messages are read as nats-py reads them, in a third of the time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client

from services.chassis.bus.nats.headers import CRLF, QuickClient

LETTERS = st.sampled_from([*map(bytes, zip(b"aZ-: \t\r\n\x0b\x1c\x85\xff", strict=False)), "é".encode()])
LINES = st.lists(st.lists(LETTERS, max_size=8).map(b"".join), max_size=6)


@given(LINES | st.lists(st.binary(max_size=12), max_size=4))
def test_the_headers_of_a_message_are_those_that_nats_py_reads(lines: list[bytes]) -> None:
    raw = CRLF.join(lines)
    assert list(QuickClient._parse_header_lines(raw).items()) == list(Client._parse_header_lines(raw).items())
