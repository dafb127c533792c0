"""A shared original was changed: its copies follow, by an intent like any other, entered here. Pure.

    original seen at another version, and no intent of ours did it ──▶ a moment later ──▶ EnterIntent per site of a copy
    our own intent did it, and a site of a copy was away           ──▶ the same, for that site
    gone, or it says no more who has a copy, and no intent did it  ──▶ the same, when it is there again

What the intent does is to heal the copy: it becomes what its original is then, with the consent of its own site. One
that still waits for its site stands for all later changes, because it reads the original when it is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Final

from schemas.identity import KindId, ResourceId, SiteName, kind_of
from schemas.intents import LIFETIME_DEFAULT_S
from schemas.ties import shared_to
from services.resolver.entering import healing
from services.resolver.graph.changed import Changed
from services.resolver.graph.view import View
from services.resolver.signals import EnterIntent, Moment

SETTLE_S: Final = 1.0  # several writes of one person are followed once
EVERY_S: Final = 10.0  # and what changes all the time is followed so often
FOLLOWED_MAX: Final = 10_000
MISSED_MAX: Final = 1_000  # all are looked for at once
ID_BYTES: Final = 12
PREFIX: Final = "follow-"


@dataclass(slots=True)
class _Followed:
    """One copy. `due_s`: when it is to follow, None when it does; `intent`: the last one that was entered for it."""

    due_s: float | None = None
    last_s: float = float("-inf")
    intent: str = ""


class Originals:
    """Of one site.

    is_near          whether a site is heard     is_waiting   whether an intent of ours is deferred
    is_confidential  whether the digest of a kind's objects says nothing of their values
    """

    def __init__(self, site: SiteName, is_made: Callable[[Changed], bool]) -> None:
        """`is_made`: whether an intent does it, or has done it."""
        self._site, self._is_made = site, is_made
        self.is_near: Callable[[SiteName, float], bool] = lambda _, __: True
        self.gone: Set[SiteName] = frozenset()  # for good: nobody there follows
        self.is_waiting: Callable[[str], bool] = lambda _: False
        self.is_confidential: Callable[[KindId], bool] = lambda _: True
        self._followed: dict[tuple[ResourceId, SiteName], _Followed] = {}
        self._missed: dict[ResourceId, set[SiteName]] = {}  # copies of which their original does not say any more
        self._next_look_s = 0.0

    def miss(self, changed: Changed) -> None:
        """Something that was shared is gone, or perhaps does not say so any more."""
        old, new = changed.old, changed.new
        if old is None or self._is_made(changed):
            return
        lost = {*shared_to(old)} - {*(shared_to(new) if new is not None else ())} - self.gone
        if lost and len(self._missed) < MISSED_MAX:
            self._missed.setdefault(old.resource, set()).update(lost)

    def observe(self, changed: Changed, now_s: float) -> None:
        """Something that is shared was seen; asked before what is in flight is told of it."""
        old, new = changed.old, changed.new
        if old is None or new is None or old.resource_version == new.resource_version:
            return
        if old.digest == new.digest and not self.is_confidential(kind_of(new.resource)):
            return  # a status went on
        is_ours = self._is_made(changed)
        for name in shared_to(new):
            if name == self._site or name in self.gone or (is_ours and self.is_near(name, now_s)):
                continue  # an intent of ours has brought it along
            row = self._followed.setdefault((new.resource, name), _Followed())
            if row.due_s is None:
                row.due_s = max(now_s + SETTLE_S, row.last_s + EVERY_S)

    def _look_for_missed(self, view: View, now_s: float) -> None:
        """What is there again is followed; each of its versions once, until it says again who has a copy."""
        self._next_look_s = now_s + SETTLE_S
        for resource, names in list(self._missed.items()):
            state = view.find(resource)
            if state is None:
                continue
            names.difference_update(shared_to(state))
            if not names:
                del self._missed[resource]
            for name in sorted(names):
                row = self._followed.setdefault((resource, name), _Followed())
                if row.due_s is None and row.intent != _id_of(resource, name, state.resource_version):
                    row.due_s = max(now_s, row.last_s + EVERY_S)

    def due(self, view: View, moment: Moment) -> list[EnterIntent]:
        """The intents that are due now."""
        entered: list[EnterIntent] = []
        if self._missed and moment.monotonic_s >= self._next_look_s:
            self._look_for_missed(view, moment.monotonic_s)
        for (resource, name), row in list(self._followed.items()):
            if row.due_s is None or row.due_s > moment.monotonic_s:
                continue
            state = view.find(resource)
            row.due_s, row.last_s = None, moment.monotonic_s
            if state is None or name not in (*shared_to(state), *self._missed.get(resource, ())):
                del self._followed[resource, name]
            elif not self.is_waiting(row.intent):
                row.intent = _id_of(resource, name, state.resource_version)
                entered.append(healing(row.intent, self._site, resource, name, LIFETIME_DEFAULT_S, moment))
        while len(self._followed) > FOLLOWED_MAX:
            del self._followed[next(iter(self._followed))]
        return entered

    def copy_of(self, intent_id: str) -> tuple[ResourceId, SiteName] | None:
        """What an intent was entered for."""
        if not intent_id.startswith(PREFIX):
            return None
        return next((place for place, row in self._followed.items() if row.intent == intent_id), None)


def _id_of(resource: ResourceId, name: SiteName, version: str) -> str:
    """The same for the same change, however often it is entered."""
    digest = hashlib.blake2s(f"{resource}|{name}|{version}".encode(), digest_size=ID_BYTES).hexdigest()
    return f"{PREFIX}{digest}"
