"""What a gate let pass a moment ago: what was made is there, what was deleted goes; neither is seen yet. Pure."""

from __future__ import annotations

from typing import Final

from schemas.identity import ResourceId

SEEN_WITHIN_S: Final = 2.0


class Lately:
    """By what it is called: when it was let pass, and its uid. What is not seen within two seconds did not happen."""

    def __init__(self) -> None:
        self._made: dict[ResourceId, tuple[float, str]] = {}
        self._let_go: dict[ResourceId, tuple[float, str]] = {}

    def note(self, operation: str, resource: ResourceId, uid: str, now_s: float) -> None:
        """It may be done. The latest stands last."""
        self._made.pop(resource, None)
        kept = {"CREATE": self._made, "DELETE": self._let_go}.get(operation)
        if kept is not None:
            kept.pop(resource, None)
            kept[resource] = now_s, uid

    def forget(self, now_s: float) -> None:
        """What was let pass before that is seen by now, or was not done."""
        for kept in (self._made, self._let_go):
            for resource, (at_s, _) in list(kept.items()):
                if now_s - at_s <= SEEN_WITHIN_S:
                    break
                del kept[resource]

    def is_made(self, resource: ResourceId) -> bool:
        """Somebody makes it right now."""
        return resource in self._made

    def goes(self, resource: ResourceId, uid: str) -> bool:
        """It was let go; another one of that name stays."""
        _, let_go = self._let_go.get(resource, (0.0, ""))
        return bool(let_go) and let_go == uid
