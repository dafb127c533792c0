"""What a peer packs is stored as letters of that peer and as nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import subjects
from schemas.envelope import MessageError
from schemas.identity import SiteName
from schemas.parcels import PackedLetter, Parcel, Taken
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Received
from services.chassis.bus.streams import ensure_streams
from services.chassis.peering.parcel import unpack
from tests.unit.chassis.letters import LYON, NICE, OSLO


def packed(number: int, **changes: Any) -> PackedLetter:
    return PackedLetter(
        **{
            "what": "ask",
            "intent": f"i-{number}",
            "message_id": f"oslo.{number}",
            "headers": {"ce-id": f"oslo.{number}"},
            "body": str(number),
            **changes,
        }
    )


def parcel(*letters: PackedLetter, sender: SiteName = OSLO, receiver: SiteName = LYON) -> Received:
    """From oslo's server to lyon's."""
    body = Parcel(sender=sender, receiver=receiver, letters=letters)
    return Received(subjects.peer(LYON, OSLO, "parcel", "1"), body.to_json())


async def stored(bus: MemoryBus) -> list[str]:
    return [
        one.payload.decode() async for one in bus.scan(subjects.inbox_stream(LYON), subjects.filters("INBOX", LYON))
    ]


@pytest.fixture
async def bus() -> MemoryBus:
    made = MemoryBus()
    await ensure_streams(made, LYON)
    return made


async def test_letters_are_stored_in_order_and_a_copy_of_them_changes_nothing(bus: MemoryBus) -> None:
    for _ in range(2):
        taken = Taken.from_json(await unpack(bus, LYON, parcel(*(packed(number) for number in range(5)))))
        assert (taken.site, taken.count) == (LYON, 5)
    assert await stored(bus) == ["0", "1", "2", "3", "4"]


async def test_what_came_before_in_another_parcel_or_alone_is_not_stored_again(bus: MemoryBus) -> None:
    await unpack(bus, LYON, parcel(*(packed(number) for number in range(3))))
    await bus.publish(subjects.peer(LYON, OSLO, "ask", "i-3"), b"3", message_id="oslo.3")
    await unpack(bus, LYON, parcel(*(packed(number) for number in range(1, 6))))
    assert await stored(bus) == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("received", "said"),
    [
        (parcel(packed(1), sender=NICE), "sender, receiver: nice, lyon"),
        (parcel(packed(1), receiver=NICE), "sender, receiver: oslo, nice"),
        (parcel(packed(1), packed(2, what="ping")), "what: 'ping'"),
        (parcel(packed(1), packed(2, message_id="nice.2")), "message_id: 'nice.2'"),
        (parcel(packed(1), packed(2, headers={"Nats-Rollup": "all"})), "headers: 'Nats-Rollup'"),
        (parcel(packed(1), packed(2, headers={"ce-id": "x\r\nNats-Rollup: all"})), "headers: 'ce-id'"),
        (Received(subjects.peer(LYON, OSLO, "parcel", "1"), b'{"schema":"parcel/v2"}'), "unknown version 'parcel/v2'"),
    ],
)
async def test_a_parcel_that_holds_anything_else_is_refused_whole(
    bus: MemoryBus, received: Received, said: str
) -> None:
    with pytest.raises(MessageError, match=said):
        await unpack(bus, LYON, received)
    assert await stored(bus) == []
