"""The SDK's questions: answered by a site's resolver from memory, in milliseconds; nothing is stored.

Every answer carries its evidence: whose knowledge it is, how old, and what could not be seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final, TypeVar

import msgspec
from pydantic import ValidationError

from cheops.contexts import Context
from cheops.lines import Lines, NoSiteError
from schemas import subjects
from schemas.envelope import Message, MessageError, describe
from schemas.events import ResourceState
from schemas.identity import SiteName, site_name
from schemas.queries import (
    Direction,
    GatheredAnswer,
    GraphAnswer,
    GraphQuery,
    MissingQuery,
    NamesAnswer,
    NamesQuery,
    OrderAnswer,
    OrderQuery,
    Refusal,
    SiteLinks,
    SiteStatus,
    StatesAnswer,
    StatesQuery,
    StatusQuery,
    WhyQuery,
)
from schemas.scope.parse import parse_scope
from schemas.scope.sites import site_names
from services.chassis.bus.port import Bus, Received
from services.chassis.errors import BusUnavailableError, PermanentError, SettingsError, TransientError

ANSWER_TIMEOUT_S: Final = 15.0
GATHER_WAIT_S: Final = 0.6
WRONG_QUESTION: Final = "D010"

Answer = TypeVar("Answer", bound=Message)


class RefusedError(PermanentError):
    """A question that the site refused, in its words."""


class WrongQuestionError(RefusedError, SettingsError):
    """The site could not read the question: an unknown kind, a name that is none."""


class Questions:
    """What can be asked of sites.

    `site` may be left out where the context names one or where there is only one. Raises NoSiteError when it is not
    clear which site is meant, MessageError for a field that is wrong whoever is asked, WrongQuestionError for a kind or
    name that the site cannot read, BusUnavailableError when no resolver answers for it.
    """

    def __init__(self, lines: Lines, context: Context) -> None:
        self._lines = lines
        self._context = context

    async def graph(self, query: GraphQuery, *, site: str | None = None) -> GraphAnswer:
        """The neighbourhood of a resource."""
        return await self._ask(await self.entry_site(site), "graph", query, GraphAnswer)

    async def gather(self, query: GraphQuery, *, site: str | None = None) -> GatheredAnswer:
        """The same of every site that `site` can hear, `site` first; who did not answer is named."""
        try:
            asked = await self.entry_site(site)
        except NoSiteError:  # any will do
            there = [*self._context.sites, *(status.site for status in await self.sites())]
            if not there:
                raise
            asked = site_name(there[0])
        return await self._ask(asked, "gather", query, GatheredAnswer)

    async def tree(
        self,
        resource: str,
        *,
        namespace: str = "",
        site: str | None = None,
        direction: Direction = "both",
        depth: int = 0,
    ) -> GraphAnswer:
        """What `kind/name` needs and what needs it, `depth` hops far (0: to the end, at most 1,000 resources).

        `nodes` carry their state (present, missing, terminating, in flight), `edges` the field that makes them;
        `direct_dependents` and `direct_dependencies` are exact, `more` counts what the bound left out.
        """
        query = _question(GraphQuery, resource=resource, namespace=namespace, direction=direction, depth=depth)
        return await self.graph(query, site=site)

    async def dependents(self, resource: str, *, namespace: str = "", site: str | None = None) -> GraphAnswer:
        """What needs a resource, transitively."""
        return await self.tree(resource, namespace=namespace, site=site, direction="dependents")

    async def dependencies(self, resource: str, *, namespace: str = "", site: str | None = None) -> GraphAnswer:
        """What a resource needs, transitively."""
        return await self.tree(resource, namespace=namespace, site=site, direction="dependencies")

    async def why(self, source: str, target: str, *, namespace: str = "", site: str | None = None) -> GraphAnswer:
        """The shortest path by which `source` depends on `target`; no edges when there is none."""
        query = _question(WhyQuery, source=source, target=target, namespace=namespace)
        return await self._ask(await self.entry_site(site), "why", query, GraphAnswer)

    async def missing(self, *, namespace: str = "", site: str | None = None, optional: bool = False) -> GraphAnswer:
        """Dangling references, of one namespace or of the site; a node's `made_by` is the top of its owners.

        Raises RefusedError for a namespace that is not there.
        """
        query = _question(MissingQuery, namespace=namespace, optional=optional)
        return await self._ask(await self.entry_site(site), "missing", query, GraphAnswer)

    async def order(self, query: OrderQuery, *, site: str | None = None) -> OrderAnswer:
        """A safe order to create or delete a set: `steps`, or the `cycle` that leaves none."""
        return await self._ask(await self.entry_site(site), "order", query, OrderAnswer)

    async def names(
        self, kind: str = "", *, prefix: str = "", namespace: str = "", site: str | None = None
    ) -> NamesAnswer:
        """The names of one kind at a site (`resources`), or the kinds that have objects (`kinds`)."""
        query = _question(NamesQuery, kind=kind, prefix=prefix, namespace=namespace)
        return await self._ask(await self.entry_site(site), "names", query, NamesAnswer)

    async def states(self, *, kinds: Iterable[str] = (), site: str | None = None) -> AsyncIterator[ResourceState]:
        """Everything that the site's graph holds (of these kinds), in the order of identities; page by page."""
        where, after, more = await self.entry_site(site), "", True
        while more:
            page = await self._ask(
                where, "states", _question(StatesQuery, kinds=tuple(kinds), after=after), StatesAnswer
            )
            for one in page.states:
                state = msgspec.convert(one, ResourceState)
                after = state.resource
                yield state
            more = page.more

    async def status(self, site: str | None = None) -> SiteStatus:
        """How one site is."""
        return await self._ask(await self.entry_site(site), "status", StatusQuery(), SiteStatus)

    async def links(self, site: str | None = None) -> SiteLinks:
        """How the peers of one site are, as it sees them: reachable, how far, what waits for them."""
        return await self._ask(await self.entry_site(site), "sites", StatusQuery(), SiteLinks)

    async def sites(self) -> list[SiteStatus]:
        """How every site is whose resolver answers now (within 0.6 s), by name."""
        subject = subjects.api("resolver", subjects.EVERY_SITE, "status")
        asked = [self._gathered(bus, subject) for bus in await self._lines.all()]
        answers = [one for found in await asyncio.gather(*asked) for one in found]
        return sorted((SiteStatus.from_json(one.payload) for one in answers), key=lambda status: status.site)

    async def _gathered(self, bus: Bus, subject: str) -> list[Received]:
        """Whoever answers; nobody, where the server went away."""
        try:
            return await bus.gather(subject, StatusQuery().to_json(), GATHER_WAIT_S)
        except TransientError:
            return []

    @property
    def server(self) -> str:
        """Where the bus is: of one site, or all of them."""
        return self._context.where

    @property
    def expected_sites(self) -> tuple[str, ...]:
        """The sites that the context file names."""
        return self._context.sites

    async def entry_site(self, wanted: str | None = None, *, scope: str = "") -> SiteName:
        """The named site, else the only one in the scope, the context's, the first in the scope, the only one there is.

        Raises NoSiteError; ScopeError for a scope that cannot be read.
        """
        in_scope = site_names(parse_scope(scope)) if scope.strip() else []
        alone = in_scope[0] if len(in_scope) == 1 and scope.strip() == in_scope[0] else None
        named = wanted or alone or self._context.site or (in_scope[0] if in_scope else None)
        if named:
            return site_name(named)
        found = [status.site for status in await self.sites()]
        if len(found) == 1:
            return found[0]
        known = f"there are {', '.join(found)}" if found else "no resolver answers"
        raise NoSiteError(f"which site? {known} (say --site NAME, or set CHEOPS_SITE)")

    async def ensure_site(self, site: SiteName) -> None:
        """Raise NoSiteError for a site that is neither known here nor answers: most likely a mistyped name.

        A known site that is silent is no error: what is published there is decided when its resolver is back.
        """
        if site in self._context.sites:
            return
        try:
            await self._ask(site, "status", StatusQuery(), SiteStatus)
        except BusUnavailableError:
            known = sorted({*self._context.sites, *(status.site for status in await self.sites())})
            there = f"there are {', '.join(known)}" if known else "no resolver answers: cheops doctor"
            raise NoSiteError(f"no site is called {site!r} ({there})") from None

    async def _ask(self, site: SiteName, verb: str, question: Message, model: type[Answer]) -> Answer:
        subject = subjects.api("resolver", site, verb)
        bus = await self._lines.to(site)
        try:
            reply = await bus.request(subject, question.to_json(), ANSWER_TIMEOUT_S)
        except BusUnavailableError as error:
            raise BusUnavailableError(f"no resolver answers for site {site} (cheops sites, cheops doctor)") from error
        except TransientError as error:
            raise TransientError(f"of site {site} there is no answer: {error} (cheops doctor)") from error
        try:
            return model.from_json(reply.payload)
        except MessageError:
            refusal = _refusal(reply.payload)
            if refusal is None:
                raise
            wrong = refusal.code == WRONG_QUESTION
            raise (WrongQuestionError if wrong else RefusedError)(refusal.message) from None


def _question(model: type[Answer], **fields: Any) -> Answer:
    """Raises MessageError that names the field."""
    try:
        return model(**fields)
    except ValidationError as error:
        raise MessageError(describe(error)) from error


def _refusal(payload: bytes) -> Refusal | None:
    try:
        return Refusal.from_json(payload)
    except MessageError:
        return None
