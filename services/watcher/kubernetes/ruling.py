"""The rules that a site's ConfigMaps carry, as its watcher sees them: told to the resolver, and read by.

    before anything else is read   stream RULES, GET the labelled ConfigMaps of the namespace ─▶ Rulebook
    then, in passing               observations of ConfigMaps ─▶ Rulebook ─▶ Shaping reads by other rules from here on
                                                              └▶ stream RULES, then the resolver is told

What was read by other rules is asked for by the resolver: it hears of the ConfigMap, and knows what that changes
(services/resolver/ruling.py). What a file said before it was broken is told with its ConfigMap (docs/adr/0042), and is
forgotten when that is known to be gone, whichever namespace is read meanwhile (docs/adr/0045).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from msgspec import Raw

from schemas.events import ResourceState
from schemas.identity import ResourceId, resource_id
from schemas.relations.carried import KIND, SELECTOR, Rulebook, carries, fact_of, said
from schemas.ruling import FilesInForce
from schemas.ties import RULES_BEFORE_FACT, RULES_FACT
from services.chassis.errors import PermanentError, TransientError
from services.chassis.kept_rules import KeptRules
from services.watcher.kubernetes.decoding import UndecodableError
from services.watcher.kubernetes.shaping import Shaping, read_fields, read_metadata, read_page, value_of
from services.watcher.kubernetes.transport import Transport
from services.watcher.source import Gone, Listed, Listing, Observation, Seen, Unreadable, Wants

PAGE_LIMIT = 20  # each may have a megabyte
DIGEST_BYTES = 12  # as of other states

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Carrying:
    """A ConfigMap that carries rules. `state`: as it was seen, if it was; `held`: what was told of it besides."""

    uid: str
    fact: object
    state: ResourceState | None = None
    held: str = ""


class Ruling:
    """Keeps a rulebook as the ConfigMaps are. `kept` is there before it begins."""

    def __init__(self, book: Rulebook, shaping: Shaping) -> None:
        self.kept: KeptRules
        self._book, self._shaping = book, shaping
        self._carrying: dict[ResourceId, _Carrying] = {}
        self._said: list[str] = []
        self._named: set[ResourceId] | None = None  # of the listing under way
        self._has_begun = False

    async def begin(self, transport: Transport) -> None:
        """Nothing is read by too few rules. Raises TransientError when they cannot be read.

        Harmless when repeated: what the bus did not take before, or has lost, is kept then.
        """
        if not self._book.namespace:
            return
        if not self._has_begun:
            await self.kept.load()
            self._carrying = await self._listed(transport)
            self._has_begun = True
            self._renew()
        await self._keep(again=True)

    async def _listed(self, transport: Transport) -> dict[ResourceId, _Carrying]:
        """The ConfigMaps that carry rules. Is one of them not understood, what was kept stands for those not named."""
        found: dict[ResourceId, _Carrying] = {}
        troubles: list[str] = []
        params = {"labelSelector": SELECTOR, "limit": str(PAGE_LIMIT)}
        while True:
            body = await transport.get(f"/api/v1/namespaces/{self._book.namespace}/configmaps", params)
            try:
                page = read_page(body)
            except UndecodableError as error:
                troubles.append(str(error))
                break
            for item in page.items or ():
                try:
                    found |= self._read(item)
                except UndecodableError as error:
                    troubles.append(str(error))
            if not page.metadata.continue_:
                break
            params["continue"] = page.metadata.continue_
        if not troubles:
            return found
        log.error("rules of ConfigMaps cannot be read: they hold as they were kept", reason="; ".join(troubles[:3]))
        kept = {one: _Carrying(files.uid, said(files.files)) for one, files in self.kept.in_force.items()}
        return {one: carrying for one, carrying in kept.items() if self._book.concerns(one)} | found

    def _read(self, item: Raw) -> dict[ResourceId, _Carrying]:
        fields = read_fields(item)
        metadata = read_metadata(fields)
        data: Any = value_of(fields["data"]) if "data" in fields else {}
        resource = resource_id("", KIND, self._book.namespace, metadata.name)
        return {resource: _Carrying(metadata.uid, fact_of(data))}

    def wanting(self, wants: Wants) -> Wants:
        """Those that may carry rules are always wanted: what they say is read here, whoever knows it already."""
        return lambda resource, uid, version: self._book.concerns(resource) or wants(resource, uid, version)

    async def take(self, observation: Observation) -> list[Observation]:
        """An observation of ConfigMaps → what is passed on."""
        match observation:
            case Listing():
                self._named = set()
            case ResourceState() if self._book.concerns(observation.resource):
                self._name(observation.resource)
                self._note(observation)
                return [self._told(observation), *await self._settle()]
            case ResourceState() | Seen() | Unreadable():
                self._name(observation.resource)
                if isinstance(observation, ResourceState) and not carries(observation.labels):
                    self.kept.forget(observation.resource)
            case Gone() if self._book.concerns(observation.resource):
                self._carrying.pop(observation.resource, None)
                return [observation, *await self._settle()]
            case Gone():
                self.kept.forget(observation.resource)
            case Listed() if self._named is not None:
                self._carrying = {one: found for one, found in self._carrying.items() if one in self._named}
                self.kept.forget_others(self._named)
                self._named = None
                return [observation, *await self._settle()]
        return [observation]

    def _name(self, resource: ResourceId) -> None:
        if self._named is not None and (self._book.concerns(resource) or self.kept.is_elsewhere(resource)):
            self._named.add(resource)

    def _note(self, state: ResourceState) -> None:
        if RULES_FACT in state.facts:
            self._carrying[state.resource] = _Carrying(state.uid, state.facts[RULES_FACT], state)
        else:
            self._carrying.pop(state.resource, None)
        self._renew()

    async def _settle(self) -> list[ResourceState]:
        """By what is there now; the others of which something else holds therefore. None amid a listing: who it does
        not name is gone."""
        self._renew()
        await self._keep()
        if self._named is not None:
            return []
        states = [one.state for one in self._carrying.values() if one.state is not None]
        return [self._told(one) for one in states if self._carrying[one.resource].held != self._book.held(one.resource)]

    def _told(self, state: ResourceState) -> ResourceState:
        """With what holds in place of its files that cannot be used."""
        held, found = self._book.held(state.resource), self._carrying.get(state.resource)
        if found is not None:
            found.held = held
        if not held:
            return state
        digest = hashlib.blake2b(f"{state.digest} {held}".encode("utf-8", "replace"), digest_size=DIGEST_BYTES)
        facts = {**state.facts, RULES_BEFORE_FACT: held}
        return msgspec.structs.replace(state, facts=facts, digest=digest.hexdigest())

    def _renew(self) -> None:
        for resource, one in self._carrying.items():
            before = self.kept.before(resource, one.uid)
            self._book.note(resource, {RULES_FACT: one.fact, RULES_BEFORE_FACT: before})
        self._book.keep(self._carrying)
        if self._book.renew() is not None:
            self._shaping.renew()
            log.info("other rules of relationships are in force", config_maps=self._book.count)
        in_force = self._book.in_force.items()
        self.kept.note(
            {one: FilesInForce(uid=self._carrying[one].uid, files=files) for one, files in in_force},
            self._book.concerns,
        )
        words = [*self._book.words()]
        for line in words:
            if line not in self._said:
                log.error("rules are not in force", reason=line)
        self._said = words

    async def _keep(self, *, again: bool = False) -> None:
        try:
            if again:
                await self.kept.recall()
            await self.kept.keep()
        except (TransientError, PermanentError) as error:
            log.warning("what rules say is not kept: broken by an edit, they hold until a restart", reason=str(error))
