"""From a typer command to an awaitable with a connection."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from cheops.contexts import Context
    from cheops.mesh import Mesh

Result = TypeVar("Result")


def _say_unheard(site: str, why: str) -> None:
    """What is not known is not taken for absent."""
    sys.stderr.write(f"cheops: {site} did not answer: {why}\n")


def insist_on_all(mesh: Mesh, what: str) -> None:
    """What was found, or nothing, is not the whole answer where a site was not heard. Raises TransientError."""
    from services.chassis.errors import TransientError

    if mesh.unheard:
        raise TransientError(f"{what} at {', '.join(sorted(mesh.unheard))} is not known")


def with_mesh(
    use: Callable[[Mesh], Awaitable[Result]], server: str | Context | None = None, site: str | None = None
) -> Result:
    """Connect, use, disconnect; sites that could not be read are named on stderr, as is what the bus complains of."""
    from cheops.mesh import connect
    from services.chassis import logs

    logs.configure("warning", cached=False)

    async def run() -> Result:
        async with connect(server, site=site) as mesh:
            mesh.on_unheard = _say_unheard
            return await use(mesh)

    return asyncio.run(run())
