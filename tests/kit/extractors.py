"""What reads objects as a site does: one for all that serve the same, as `cheops check` has it.

To work out what the rules say about a kind takes longer than to read many of its objects.
"""

from __future__ import annotations

from functools import lru_cache

from schemas.events import ServedKind
from schemas.kinds import Surface
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue


def extractor_for(surface: Surface) -> Extractor:
    """With the shipped rules."""
    return _extractor(tuple(surface.served.values()))


@lru_cache(maxsize=16)
def _extractor(served: tuple[ServedKind, ...]) -> Extractor:
    return Extractor(load_catalogue(), Surface(served))
