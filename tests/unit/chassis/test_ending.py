"""A service that ends in the middle of something says why it ends, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from services.chassis.errors import PermanentError
from services.chassis.lifecycle import begin


async def test_what_is_begun_while_a_service_ends_hides_not_why_it_ends() -> None:
    begun: list[str] = []

    async def question() -> None:
        begun.append("asked")

    async def decide(tasks: asyncio.TaskGroup) -> None:
        try:
            await asyncio.Event().wait()
        finally:  # what was decided is still carried out
            begin(question(), tasks)

    async def step_down() -> None:
        await asyncio.sleep(0)
        raise PermanentError("another resolver decides; stepping down")

    async def serve() -> None:
        async with asyncio.TaskGroup() as tasks:
            begin(decide(tasks), tasks)
            begin(step_down(), tasks)

    with pytest.raises(ExceptionGroup) as ended:
        await serve()
    assert [str(one) for one in ended.value.exceptions] == ["another resolver decides; stepping down"]
    assert begun == []
