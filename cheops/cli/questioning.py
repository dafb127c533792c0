"""A question → a site's resolver over the bus, or a folder of manifests (-f): the same answer either way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from cheops.cli.failures import BadInputError
from cheops.cli.manifests import checked_documents
from cheops.cli.options import Asked
from cheops.cli.running import with_mesh
from schemas.queries import GraphAnswer, GraphQuery, OrderAnswer, OrderQuery

Answer = TypeVar("Answer")


class Questioned(Protocol):
    """Whoever answers: `Mesh` and `OfflineQuestions` alike."""

    async def graph(self, query: GraphQuery, *, site: str | None = None) -> GraphAnswer: ...

    async def why(self, source: str, target: str, *, namespace: str = "", site: str | None = None) -> GraphAnswer: ...

    async def missing(self, *, namespace: str = "", site: str | None = None, optional: bool = False) -> GraphAnswer: ...

    async def order(self, query: OrderQuery, *, site: str | None = None) -> OrderAnswer: ...


def answered(asked: Asked, ask: Callable[[Questioned], Awaitable[Answer]]) -> Answer:
    """Ask manifests when there are any, else the site; raises BadInputError, DocumentError, CheopsError."""
    if not asked.filenames:
        if asked.rule_files:
            raise BadInputError("--with is for manifests (-f): at a site the rules of its services are in force")
        return with_mesh(ask, asked.server)
    from cheops.offline.questions import OfflineQuestions
    from cheops.offline.rules import rule_sources
    from services.resolver.uncollected import Uncollected

    rules = rule_sources(asked.rule_files or ())
    with Uncollected():
        documents = checked_documents([Path(one) for one in asked.filenames], "")

        async def run() -> Answer:
            return await ask(OfflineQuestions(documents, asked.site or "", rules))

        return asyncio.run(run())
