"""What sites lack, fetched from where it is: asked of the resolvers there, whose executors read it and seal it.

AskSupply ──▶ each origin of each want, side by side ──▶ the best that has it ──▶ Supplied
fetch, from another site ──▶ our own executor's export, sealed for the destination ──▶ Fetched
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from schemas import subjects
from schemas.envelope import MessageError
from schemas.exports import Export, Exported, KeyAnswer
from schemas.identity import KindId, ResourceId, ResourceKey, SiteName, kind_of
from schemas.peers import Fetch, Fetched
from schemas.queries import StatusQuery
from services.chassis.bus.port import Bus
from services.chassis.errors import TransientError
from services.resolver.machine import Machine
from services.resolver.signals import AskSupply, Moment, Supplied

FETCH_TIMEOUT_S: Final = 2.5  # less than the machine waits for it
EXPORT_TIMEOUT_S: Final = 2.0
KEY_TIMEOUT_S: Final = 1.0
KEY_AGAIN_S: Final = 10.0  # a renewed key is known everywhere after this and a ping
KEY_UNKNOWN_S: Final = 0.5
SECRET: Final = KindId("Secret")
SILENT_AFTER: Final = 3  # questions in a row: one that is lost, or an executor that is being started again, is none
Bodies = Mapping[ResourceId, dict[str, Any]]
KeyOf = Callable[[SiteName], str]

log = structlog.get_logger(__name__)


class Fetching:
    """One site's. `key_of`: what a peer has said its Secrets are sealed with."""

    def __init__(self, site: SiteName, bus: Bus, machine: Machine, now: Callable[[], Moment], key_of: KeyOf) -> None:
        self._site, self._bus, self._machine, self._now, self._key_of = site, bus, machine, now, key_of
        self.own_key = ""
        self.executor_ahead_s: float | None = None
        self._unanswered = 0

    # ── for our own askings ─────────────────────────────────────────────────────────────────────────────────────────

    async def supply(self, effect: AskSupply) -> Supplied:
        """Everything that was found in time."""
        asked: defaultdict[tuple[SiteName, SiteName, bool], list[ResourceId]] = defaultdict(list)
        near = {self._site, *self._machine.desk.neighbours.near(self._now().monotonic_s)}
        for want in effect.wants:
            for origin in want.origins:
                if origin in near:
                    asked[origin, want.site, want.declared].append(want.resource)
        answers = await asyncio.gather(*(self._from(*pair, resources) for pair, resources in asked.items()))
        found = dict(zip(asked, answers, strict=True))
        bodies: dict[tuple[SiteName, ResourceId], tuple[SiteName, dict[str, Any]]] = {}
        for want in effect.wants:
            for origin in want.origins:
                body = (found.get((origin, want.site, want.declared)) or {}).get(want.resource)
                if body is not None and self._is_whole(origin, want.resource, body):
                    bodies[want.site, want.resource] = (origin, body)
                    break
        heard = tuple(sorted({origin for (origin, _, _), body in found.items() if body is not None}))
        return Supplied(effect.intent, effect.round, bodies, heard)

    async def _from(
        self, origin: SiteName, destination: SiteName, declared: bool, resources: Sequence[ResourceId]
    ) -> Bodies | None:
        """What an origin gives; None when it does not say so in time."""
        if origin == self._site:
            return await self.export(destination, resources, declared)
        subject = subjects.peer(origin, self._site, "fetch", uuid.uuid4().hex)
        names = {"sender": self._site, "receiver": origin, "destination": destination}
        fetch = Fetch(**names, resources=tuple(resources), declared=declared)
        try:
            reply = await self._bus.request(subject, fetch.to_json(), FETCH_TIMEOUT_S)
            fetched = Fetched.from_json(reply.payload)
        except (TransientError, MessageError) as error:
            log.warning("a peer did not give what it has", site=self._site, peer=origin, error=str(error))
            return None
        if fetched.site != origin:
            return None
        return {one: body for one, body in fetched.manifests.items() if one in resources}

    def _is_whole(self, origin: SiteName, resource: ResourceId, body: dict[str, Any]) -> bool:
        """What another site gives is looked at: the object that was asked for, with words where words are kept."""
        is_it = self._machine.desk.hearing.placed(body, ResourceKey.parse(resource).namespace) == resource
        if is_it and all(isinstance(body["metadata"].get(words) or {}, dict) for words in ("labels", "annotations")):
            return True
        log.warning("a peer gave something else than it was asked for", site=self._site, peer=origin, resource=resource)
        return False

    # ── for others ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def answer(self, payload: bytes) -> bytes:
        """Fetched, for another site. Raises TransientError when it is not known: that is not nothing."""
        fetch = Fetch.from_json(payload)
        found = await self.export(fetch.destination, fetch.resources, fetch.declared)
        if found is None:
            raise TransientError(f"the executor of {self._site} did not give what is there")
        return Fetched(site=self._site, manifests=dict(found)).to_json()

    async def export(
        self, destination: SiteName, resources: Sequence[ResourceId], declared: bool = False
    ) -> Bodies | None:
        """Of our own cluster, what is known to be there; Secrets sealed for the destination's executor.

        None when it is not known: also of Secrets while nobody has said what they are to be sealed with.
        """
        graph = self._machine.graph
        states = {one: state for one in resources if (state := graph.find(one)) is not None}
        if not states:
            return {}
        key = self.own_key if destination == self._site else self._key_of(destination)
        if not key and any(kind_of(one) == SECRET for one in states):
            log.warning("nothing to seal a Secret with is known yet", site=self._site, destination=destination)
            return None
        versions = {one: state.version for one, state in states.items()}
        export = Export(site=self._site, resources=tuple(states), versions=versions, key=key, declared=declared)
        try:
            reply = await self._bus.request(
                subjects.api("executor", self._site, "export"), export.to_json(), EXPORT_TIMEOUT_S
            )
            return Exported.from_json(reply.payload).manifests
        except (TransientError, MessageError) as error:
            log.warning("the executor did not give what is here", site=self._site, error=str(error))
            return None

    # ── the key ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def executor_silent(self) -> bool:
        """Nobody carries out what is allowed here: it was asked, and asked again."""
        return self._unanswered >= SILENT_AFTER

    async def run(self) -> None:
        """Keep asking our executor what others seal with for it, until cancelled."""
        while True:
            await self._ask_key()
            await asyncio.sleep(KEY_AGAIN_S if self.own_key and not self._unanswered else KEY_UNKNOWN_S)

    async def _ask_key(self) -> None:
        subject = subjects.api("executor", self._site, "key")
        try:
            reply = await self._bus.request(subject, StatusQuery().to_json(), KEY_TIMEOUT_S)
            answer = KeyAnswer.from_json(reply.payload)
        except (TransientError, MessageError) as error:
            self._unanswered += 1
            log.debug("the executor's key is not known", site=self._site, error=str(error))
            return
        self._unanswered, self.own_key = 0, answer.key
        ahead_s = (answer.at - self._now().wall).total_seconds() if answer.at is not None else None
        self.executor_ahead_s = ahead_s if ahead_s is None else round(ahead_s, 1)
