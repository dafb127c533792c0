"""When a forbidden kind is asked for again: rarely, and soon after somebody's rights have changed.

A change of a role or a binding that we see may reach the API server's authorizer a moment later (another replica of it
may answer), so the kind is asked for several times after it; and so it is when it is refused for the first time, or was
allowed before: an API server that starts refuses what it knows no roles for yet. Where roles cannot be watched, the
rare look is what is left.
"""

from __future__ import annotations

import asyncio
from typing import Final

from schemas.identity import KindId

RIGHTS: Final = frozenset(
    KindId(f"rbac.authorization.k8s.io/{kind}") for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
)
FOLLOW_UPS_S: Final = (0.5, 2.0, 8.0)  # the first also bounds how often a kind is asked for while roles keep changing


class Rights:
    """Of everybody, in one cluster: how often they have changed."""

    def __init__(self) -> None:
        self.changes = 0
        self._changed = asyncio.Event()

    def note_change(self) -> None:
        """A role or a binding is another one now, or gone."""
        self.changes += 1
        self._changed.set()
        self._changed = asyncio.Event()  # whoever waits holds the old one

    async def until_changed(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()


class Petition:
    """Of one kind that is forbidden: when to ask again."""

    def __init__(self, rights: Rights) -> None:
        self._rights = rights
        self._known = rights.changes
        self._left = list(FOLLOW_UPS_S)

    def granted(self) -> None:
        """It was allowed: is it forbidden after that, it may be so for a moment."""
        self._left = list(FOLLOW_UPS_S)

    async def wait(self, period_s: float) -> None:
        """Return when it is worth asking, after `period_s` at the latest."""
        if self._known == self._rights.changes and not self._left:
            try:
                async with asyncio.timeout(period_s):
                    await self._rights.until_changed()
            except TimeoutError:
                return
        if self._known != self._rights.changes:
            self._known, self._left = self._rights.changes, list(FOLLOW_UPS_S)
        await asyncio.sleep(min(period_s, self._left.pop(0)))
