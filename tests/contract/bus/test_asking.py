"""Questions and answers: request, gather, serve."""

from __future__ import annotations

import asyncio
import json

import pytest

from schemas import subjects
from schemas.envelope import MESSAGE_BYTES_MAX
from services.chassis.bus.port import Bus, Received
from services.chassis.bus.serving import HANDLERS_MAX
from services.chassis.errors import BusUnavailableError, PermanentError, TransientError
from tests.contract.bus.words import LYON, OSLO, WAIT_S

QUESTION = subjects.api("resolver", LYON, "graph")
EVERYWHERE = subjects.api("resolver", subjects.EVERY_SITE, "status")


async def echo(received: Received) -> bytes:
    return b"heard " + received.payload


async def test_a_question_is_answered(bus: Bus) -> None:
    async with bus.serve(QUESTION, echo, name="resolver"):
        assert (await bus.request(QUESTION, b"it", WAIT_S)).payload == b"heard it"


async def test_a_question_that_nobody_serves_fails_at_once_and_names_it(bus: Bus) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(BusUnavailableError, match=f"nobody serves {QUESTION}"):
            await bus.request(QUESTION, b"", WAIT_S)


async def test_a_service_that_has_ended_serves_no_more(bus: Bus) -> None:
    async with bus.serve(QUESTION, echo, name="resolver"):
        pass
    with pytest.raises(BusUnavailableError):
        await bus.request(QUESTION, b"", WAIT_S)


async def test_a_question_that_is_not_answered_in_time_is_a_transient_error(bus: Bus) -> None:
    async def never(received: Received) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with bus.serve(QUESTION, never, name="resolver"):
        with pytest.raises(TransientError, match=r"not answered within 0\.2 s"):
            await bus.request(QUESTION, b"", 0.2)


async def test_a_handler_that_fails_answers_a_refusal_and_keeps_serving(bus: Bus) -> None:
    async def failing(received: Received) -> bytes:
        if received.payload == b"defect":
            raise KeyError("secret value")
        if received.payload == b"world":
            raise PermanentError("no such thing")
        return b"fine"

    async with bus.serve(QUESTION, failing, name="resolver"):
        defect = await bus.request(QUESTION, b"defect", WAIT_S)
        world = await bus.request(QUESTION, b"world", WAIT_S)
        assert json.loads(defect.payload)["code"] == "500"
        assert b"secret value" not in defect.payload
        assert (json.loads(world.payload)["code"], json.loads(world.payload)["message"]) == ("400", "no such thing")
        assert world.headers["Nats-Service-Error-Code"] == "400"
        assert (await bus.request(QUESTION, b"", WAIT_S)).payload == b"fine"


async def test_a_handler_that_knows_at_once_answers_and_refuses_without_waiting(bus: Bus) -> None:
    def known(received: Received) -> bytes:
        if received.payload == b"defect":
            raise KeyError("secret value")
        return b"x" * (MESSAGE_BYTES_MAX + 1) if received.payload == b"large" else b"heard " + received.payload

    async with bus.serve(QUESTION, known, name="resolver"):
        assert (await bus.request(QUESTION, b"it", WAIT_S)).payload == b"heard it"
        codes = [
            json.loads((await bus.request(QUESTION, one, WAIT_S)).payload)["code"] for one in (b"defect", b"large")
        ]
        assert codes == ["500", "400"]
        assert (await bus.request(QUESTION, b"it", WAIT_S)).payload == b"heard it"


async def test_an_answer_that_is_too_large_is_refused_instead_of_kept_silent(bus: Bus) -> None:
    async def large(received: Received) -> bytes:
        return b"x" * (MESSAGE_BYTES_MAX + int(received.payload))

    async with bus.serve(QUESTION, large, name="resolver"):
        assert len((await bus.request(QUESTION, b"0", WAIT_S)).payload) == MESSAGE_BYTES_MAX
        refusal = await bus.request(QUESTION, b"1", WAIT_S)
        assert "ask for less" in json.loads(refusal.payload)["message"]


async def test_questions_are_answered_beside_each_other(bus: Bus) -> None:
    both = asyncio.Barrier(2)

    async def together(received: Received) -> bytes:
        await both.wait()
        return received.payload

    async with bus.serve(QUESTION, together, name="resolver"):
        answers = await asyncio.gather(*(bus.request(QUESTION, b"%d" % number, WAIT_S) for number in (1, 2)))
        assert [one.payload for one in answers] == [b"1", b"2"]


async def test_more_questions_than_handlers_are_all_answered_and_few_run_at_a_time(bus: Bus) -> None:
    running = most = 0
    full = asyncio.Event()

    async def counted(received: Received) -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == HANDLERS_MAX:
            full.set()
        await full.wait()
        await asyncio.sleep(0)
        running -= 1
        return received.payload

    async with bus.serve(QUESTION, counted, name="resolver"):
        answers = await asyncio.gather(*(bus.request(QUESTION, b"%d" % number, WAIT_S) for number in range(200)))
    assert [one.payload for one in answers] == [b"%d" % number for number in range(200)]
    assert most == HANDLERS_MAX


async def test_of_two_servers_of_one_name_one_is_asked_and_of_two_names_both(bus: Bus) -> None:
    asked: list[str] = []

    async def note(received: Received) -> bytes:
        asked.append(received.subject)
        return b""

    async with bus.serve(QUESTION, note, name="one"), bus.serve(QUESTION, note, name="one"):
        await bus.request(QUESTION, b"", WAIT_S)
        assert len(asked) == 1
    asked.clear()
    async with bus.serve(QUESTION, note, name="one"), bus.serve(QUESTION, note, name="two"):
        await bus.gather(QUESTION, b"", 0.3)
        assert len(asked) == 2


async def test_gathering_collects_every_answer_and_none_when_nobody_serves(bus: Bus) -> None:
    async def here(site: str) -> bytes:
        return site.encode()

    assert await bus.gather(EVERYWHERE, b"", 5.0) == []
    async with (
        bus.serve(EVERYWHERE, lambda _: here(LYON), name="resolver-lyon"),
        bus.serve(EVERYWHERE, lambda _: here(OSLO), name="resolver-oslo"),
    ):
        answers = await bus.gather(EVERYWHERE, b"", 0.5)
    assert sorted(one.payload for one in answers) == [b"lyon", b"oslo"]


async def test_gathering_gives_up_on_who_does_not_answer_in_time(bus: Bus) -> None:
    async def never(received: Received) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with (
        bus.serve(EVERYWHERE, never, name="resolver-lyon"),
        bus.serve(EVERYWHERE, echo, name="resolver-oslo"),
    ):
        assert [one.payload for one in await bus.gather(EVERYWHERE, b"it", 0.5)] == [b"heard it"]


async def test_an_exception_of_who_serves_comes_out_as_it_was(bus: Bus) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with bus.serve(QUESTION, echo, name="resolver"):
            raise LookupError("mine")
