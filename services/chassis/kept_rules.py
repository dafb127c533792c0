"""The rules of ConfigMaps that are in force, on the bus: what a file said before it was broken stands nowhere else.

    watcher: when they change ─▶ stream RULES, the last word of a site ─▶ a watcher that starts; an executor that shapes

It is kept by uid: a ConfigMap that is made anew under a name takes nothing over (docs/adr/0042). What was kept of
another namespace than is read now stays until its ConfigMap is known to be gone: nothing of it holds meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection

import structlog

from schemas import envelope, subjects
from schemas.envelope import MessageError
from schemas.identity import ResourceId, SiteName
from schemas.relations.carried import BYTES_MAX, said
from schemas.ruling import FilesInForce, RulesInForce
from services.chassis.bus.port import Bus, Received
from services.chassis.errors import ConflictError, TransientError

log = structlog.get_logger(__name__)


class KeptRules:
    """Those of one site.

    in_force    what is, of the ConfigMaps that are read; before anything was noted, all that was kept
    """

    def __init__(self, bus: Bus, site: SiteName) -> None:
        self.bus, self._site = bus, site
        self._last_seq = 0
        self._stored: dict[ResourceId, FilesInForce] = {}
        self._elsewhere: dict[ResourceId, FilesInForce] = {}  # of ConfigMaps that are not read
        self._is_read: Callable[[ResourceId], bool] = lambda _: True
        self._lock = asyncio.Lock()
        self.in_force = self._stored

    async def load(self) -> None:
        """What was kept last. Raises TransientError."""
        self._take(await self.bus.last("RULES", subjects.rules(self._site)))

    def _take(self, found: Received | None) -> None:
        self._last_seq, self._stored = 0, {}
        if found is not None:
            self._last_seq = found.stream_seq
            try:
                self._stored = RulesInForce.from_json(found.payload).config_maps
            except MessageError as error:  # of a later version, or a stranger's: as if nothing had been kept
                log.error("the rules that were in force cannot be read", site=self._site, reason=str(error))
        self.in_force, self._elsewhere = self._stored, {}

    def before(self, resource: ResourceId, uid: str) -> str:
        """The fact of what a ConfigMap's files said when they could be used; "" when nobody knows."""
        found = self.in_force.get(resource)
        return said(found.files) if found is not None and found.uid == uid else ""

    def note(self, in_force: dict[ResourceId, FilesInForce], is_read: Callable[[ResourceId], bool]) -> None:
        """These are in force now, of the ConfigMaps that are read."""
        others = {one: files for one, files in self.in_force.items() if not is_read(one)}
        self._elsewhere, self.in_force = self._bounded({**self._elsewhere, **others}), in_force
        self._is_read = is_read

    def is_elsewhere(self, resource: ResourceId) -> bool:
        """Whether something is kept of a ConfigMap that is not read."""
        return resource in self._elsewhere

    def forget(self, resource: ResourceId) -> None:
        """A ConfigMap that is not read is gone, or carries no rules any more."""
        self._elsewhere.pop(resource, None)

    def forget_others(self, there: Collection[ResourceId]) -> None:
        """All ConfigMaps that are not read are gone but these."""
        self._elsewhere = {one: files for one, files in self._elsewhere.items() if one in there}

    async def keep(self) -> None:
        """So that others know. Raises TransientError; PermanentError when the server takes no message of that size.

        Fenced: where somebody else has kept some meanwhile, or an acknowledgement was lost, that is read first.
        """
        async with self._lock:
            kept = {**self._elsewhere, **self.in_force}
            if kept != self._stored:
                await self._store(kept)

    async def recall(self) -> None:
        """Whether the bus still has what was kept: one that has lost its streams is to be told again.

        Raises TransientError, also where there is no stream.
        """
        async with self._lock:
            if self._stored and await self.bus.last("RULES", subjects.rules(self._site)) is None:
                self._last_seq, self._stored = 0, {}

    async def _store(self, kept: dict[ResourceId, FilesInForce]) -> None:
        body = RulesInForce(site=self._site, config_maps=kept).to_json()
        digest = hashlib.blake2b(body, digest_size=8).hexdigest()
        message_id = f"rules.{self._site}.{self._last_seq}.{digest}"  # what is kept again later is another word
        headers = envelope.headers("rules", f"watcher/{self._site}", message_id)
        subject = subjects.rules(self._site)
        try:
            self._last_seq = await self.bus.publish(
                subject, body, message_id=message_id, headers=headers, expected_last_seq=self._last_seq
            )
        except ConflictError as error:
            found = await self.bus.last("RULES", subject)
            here, is_read = self.in_force, self._is_read  # as noted meanwhile
            self._take(found)
            self.note(here, is_read)
            raise TransientError(f"{subject}: another watcher has kept rules") from error
        self._stored = kept

    def _bounded(self, others: dict[ResourceId, FilesInForce]) -> dict[ResourceId, FilesInForce]:
        """As much as one namespace may carry: a message must stay small enough to be stored."""
        found, size = {}, 0
        for resource in sorted(others):
            size_of_one = len(said(others[resource].files).encode("utf-8", "replace"))
            if size + size_of_one <= BYTES_MAX:
                found[resource], size = others[resource], size + size_of_one
            else:
                log.warning("rules of another namespace are kept no longer", site=self._site, config_map=resource)
        return found
