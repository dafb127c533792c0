"""The rules of ConfigMaps that are in force, on the bus: what a file said before it was broken stands nowhere else.

    watcher: when they change ─▶ stream RULES, the last word of a site ─▶ a watcher that starts; an executor that shapes

It is kept by uid: a ConfigMap that is made anew under a name takes nothing over (docs/adr/0042).
"""

from __future__ import annotations

import hashlib

import structlog

from schemas import envelope, subjects
from schemas.envelope import MessageError
from schemas.identity import ResourceId, SiteName
from schemas.relations.carried import said
from schemas.ruling import FilesInForce, RulesInForce
from services.chassis.bus.port import Bus
from services.chassis.errors import ConflictError, TransientError

log = structlog.get_logger(__name__)


class KeptRules:
    """Those of one site."""

    def __init__(self, bus: Bus, site: SiteName) -> None:
        self._bus, self._site = bus, site
        self._last_seq = 0
        self._stored: dict[ResourceId, FilesInForce] = {}
        self._in_force = self._stored

    async def load(self) -> None:
        """What was kept last. Raises TransientError."""
        found = await self._bus.last("RULES", subjects.rules(self._site))
        self._last_seq, self._stored = 0, {}
        if found is not None:
            self._last_seq = found.stream_seq
            try:
                self._stored = RulesInForce.from_json(found.payload).config_maps
            except MessageError as error:  # of a later version, or a stranger's: as if nothing had been kept
                log.error("the rules that were in force cannot be read", site=self._site, reason=str(error))
        self._in_force = self._stored

    def before(self, resource: ResourceId, uid: str) -> str:
        """The fact of what a ConfigMap's files said when they could be used; "" when nobody knows."""
        found = self._in_force.get(resource)
        return said(found.files) if found is not None and found.uid == uid else ""

    def note(self, in_force: dict[ResourceId, FilesInForce]) -> None:
        """These are in force now."""
        self._in_force = in_force

    async def keep(self) -> None:
        """So that others know. Raises TransientError; PermanentError when the server takes no message of that size.

        Fenced: where somebody else has kept some meanwhile, or an acknowledgement was lost, that is read first.
        """
        if self._in_force == self._stored:
            return
        kept = self._in_force
        body = RulesInForce(site=self._site, config_maps=kept).to_json()
        digest = hashlib.blake2b(body, digest_size=8).hexdigest()
        message_id = f"rules.{self._site}.{self._last_seq}.{digest}"  # what is kept again later is another word
        headers = envelope.headers("rules", f"watcher/{self._site}", message_id)
        subject = subjects.rules(self._site)
        try:
            self._last_seq = await self._bus.publish(
                subject, body, message_id=message_id, headers=headers, expected_last_seq=self._last_seq
            )
        except ConflictError as error:
            await self.load()
            self._in_force = kept
            raise TransientError(f"{subject}: another watcher has kept rules") from error
        self._stored = kept
