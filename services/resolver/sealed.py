"""What leaves for another site, with the values of its Secrets sealed for that site's executor.

The resolver has no key that opens anything: the entry site's own part goes to its own executor as it was entered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from schemas.peers import Ask, Decide, Part, PeerMessage
from services.chassis.kubernetes.sealing import sealed


def sealed_for(message: PeerMessage, key: str) -> PeerMessage:
    """The same message; raises SealError when it holds a Secret and no key of the receiver is known."""
    if not isinstance(message, (Ask, Decide)) or message.part is None:
        return message
    part = message.part
    update = {"manifests": _sealed(part.manifests, key), "brings": _sealed(part.brings, key)}
    sealed_part: Part = part.model_copy(update=update)
    return message.model_copy(update={"part": sealed_part})


def _sealed(manifests: Iterable[dict[str, Any]], key: str) -> tuple[dict[str, Any], ...]:
    return tuple(sealed(one, key) for one in manifests)
