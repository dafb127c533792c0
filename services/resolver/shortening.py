"""What no message of this bus can hold, with fewer words: what was decided, and what became of it, is the same. Pure.

A thousand resources may have more findings than a server takes at once (1 MiB unless it is told otherwise).
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from schemas.peers import PeerMessage, Report
from schemas.verdicts import Impact, Reason, Verdict
from services.resolver.signals import StoreVerdict

REASONS_MAX: Final = 50  # of each code
LINKS_MAX: Final = 4  # of the chain of a finding


def shortened(effect: StoreVerdict, why: str) -> StoreVerdict:
    """Of each code the first findings, and how many were left out; without its basis, so it cannot be replayed."""
    whole = Verdict.from_json(effect.verdict.to_json())
    of_code, kept = Counter[str](), list[Reason]()
    for one in whole.reasons:
        of_code[one.code] += 1
        if of_code[one.code] <= REASONS_MAX:
            kept.append(one.model_copy(update={"chain": one.chain[:LINKS_MAX]}))
    summary = f"{whole.summary} ({len(whole.reasons) - len(kept)} findings are left out: {why})"
    impact = Impact(direct=whole.impact.direct, reached=whole.impact.reached, bounded=True, more=whole.impact.direct)
    words = {"summary": summary, "reasons": tuple(kept), "remedies": (), "impact": impact}
    return StoreVerdict(whole.model_copy(update=words))


def without_objects(message: PeerMessage, why: str) -> Report | None:
    """A report without the objects that were read; None for what is no such report."""
    if not isinstance(message, Report) or all(one.object is None for one in message.outcomes):
        return None
    said = (f"{one.message}; " if one.message else "" for one in message.outcomes)
    outcomes = tuple(
        one if one.object is None else one.model_copy(update={"object": None, "message": f"{words}not told: {why}"})
        for one, words in zip(message.outcomes, said, strict=True)
    )
    return message.model_copy(update={"outcomes": outcomes})
