"""From a typer command to an awaitable with a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from cheops.contexts import Context
    from cheops.mesh import Mesh

Result = TypeVar("Result")


def with_mesh(
    use: Callable[[Mesh], Awaitable[Result]], server: str | Context | None = None, site: str | None = None
) -> Result:
    """Connect, use, disconnect."""
    from cheops.mesh import connect

    async def run() -> Result:
        async with connect(server, site=site) as mesh:
            return await use(mesh)

    return asyncio.run(run())
