"""The rules that a site's ConfigMaps carry, as its watcher sees them: told to the resolver, and read by.

    before anything else is read   GET the labelled ConfigMaps of the namespace ─▶ Rulebook
    then, in passing               observations of ConfigMaps ─▶ Rulebook ─▶ Shaping reads by other rules from here on

What was read by other rules is asked for by the resolver: it hears of the ConfigMap, and knows what that changes
(services/resolver/ruling.py).
"""

from __future__ import annotations

from typing import Any

import structlog

from schemas.events import ResourceState
from schemas.identity import ResourceId, resource_id
from schemas.relations.carried import KIND, SELECTOR, Rulebook, fact_of
from schemas.ties import RULES_FACT
from services.watcher.kubernetes.decoding import UndecodableError
from services.watcher.kubernetes.shaping import Shaping, read_fields, read_metadata, read_page, value_of
from services.watcher.kubernetes.transport import Transport
from services.watcher.source import Gone, Listed, Listing, Observation, Seen, Unreadable, Wants

PAGE_LIMIT = 20  # each may have a megabyte

log = structlog.get_logger(__name__)


class Ruling:
    """Keeps a rulebook as the ConfigMaps are."""

    def __init__(self, book: Rulebook, shaping: Shaping) -> None:
        self._book, self._shaping = book, shaping
        self._named: set[ResourceId] | None = None  # of the listing under way
        self._has_begun = False

    async def begin(self, transport: Transport) -> None:
        """Nothing is read by too few rules. Raises TransientError when they cannot be read."""
        if self._has_begun or not self._book.namespace:
            return
        params = {"labelSelector": SELECTOR, "limit": str(PAGE_LIMIT)}
        while True:
            body = await transport.get(f"/api/v1/namespaces/{self._book.namespace}/configmaps", params)
            try:
                page = read_page(body)
                for fields in map(read_fields, page.items or ()):
                    name = read_metadata(fields).name
                    data: Any = value_of(fields["data"]) if "data" in fields else {}
                    self._book.note(resource_id("", KIND, self._book.namespace, name), {RULES_FACT: fact_of(data)})
            except UndecodableError as error:
                log.error("rules of ConfigMaps cannot be read", reason=str(error))
                break
            if not page.metadata.continue_:
                break
            params["continue"] = page.metadata.continue_
        self._has_begun = True
        self._renew()

    def wanting(self, wants: Wants) -> Wants:
        """Those that may carry rules are always wanted: what they say is read here, whoever knows it already."""
        return lambda resource, uid, version: self._book.concerns(resource) or wants(resource, uid, version)

    def take(self, observation: Observation) -> None:
        """An observation of ConfigMaps, before it is passed on."""
        match observation:
            case Listing():
                self._named = set()
            case ResourceState():
                self._name(observation.resource)
                self._book.note(observation.resource, observation.facts)
            case Seen() | Unreadable():
                self._name(observation.resource)
            case Gone():
                self._book.note(observation.resource, None)
            case Listed():
                if self._named is not None:
                    self._book.keep(self._named)
                self._named = None
        self._renew()

    def _name(self, resource: ResourceId) -> None:
        if self._named is not None and self._book.concerns(resource):
            self._named.add(resource)

    def _renew(self) -> None:
        if self._book.renew() is None:
            return
        self._shaping.renew()
        log.info("other rules of relationships are in force", config_maps=self._book.count)
        for line in self._book.words():
            log.error("rules are not in force", reason=line)
