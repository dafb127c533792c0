"""Controllers in one task: a change → the keys it concerns → each reconciled once, soon.

A controller compares what is with what should be and never asks what happened; so keys that wait twice are done once.
What could not be done, as a pod whose service account is missing, is tried again when something new appears near it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog

from cheops.sandbox.apiserver.kinds import CollectionKey
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.statuses import StatusError
from cheops.sandbox.apiserver.store import Change, ObjectKey

log = structlog.get_logger(__name__)

TURN_LEN_MAX = 50  # keys reconciled before requests get their turn

Key = tuple[CollectionKey, ObjectKey]


class Controller(Protocol):
    """One concern."""

    def concerns(self, collection: CollectionKey, change: Change) -> Iterable[Key]:
        """What has to be looked at because of this change. Called for every change: cheap."""

    def reconcile(self, key: Key) -> None:
        """Make it so. What the key names may be gone."""


class ControllerLoop:
    """`run` until cancelled. Nothing is missed before: changes are noted from the beginning."""

    def __init__(self, realm: Realm, controllers: Sequence[Controller]) -> None:
        self._controllers = controllers
        self._waiting: dict[tuple[int, Key], None] = {}  # as an ordered set
        self._failed: dict[tuple[int, Key], None] = {}
        self._news = asyncio.Event()
        realm.store.observers.append(self._note)

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self.drain(TURN_LEN_MAX)
            if not self._waiting:
                self._news.clear()
            await asyncio.sleep(0)

    def drain(self, turns_max: int) -> None:
        """Reconcile what waits, and what that causes, at most so many."""
        for _ in range(turns_max):
            if not self._waiting:
                return
            place, key = next(iter(self._waiting))
            del self._waiting[place, key]
            self._failed.pop((place, key), None)
            self._reconcile(place, key)

    def _note(self, collection: CollectionKey, change: Change) -> None:
        for place, controller in enumerate(self._controllers):
            for key in controller.concerns(collection, change):
                self._waiting[place, key] = None
        if self._failed and change.type == "ADDED":
            self._retry(change.key[0])
        if self._waiting:
            self._news.set()

    def _retry(self, namespace: str) -> None:
        for place, key in [one for one in self._failed if namespace in ("", one[1][1][0])]:
            del self._failed[place, key]
            self._waiting[place, key] = None

    def _reconcile(self, place: int, key: Key) -> None:
        controller = self._controllers[place]
        try:
            controller.reconcile(key)
        except StatusError as error:
            self._failed[place, key] = None
            log.debug("not reconciled", controller=type(controller).__name__, key=key, error=str(error))
        except Exception:
            log.exception("controller failed", controller=type(controller).__name__, key=key)
