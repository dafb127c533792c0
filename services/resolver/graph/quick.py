"""Batches read and taken in without an object for each thing in them: what compiled code does, and plain Python cannot.

quick.pyx stands in for this module where `make compiled` was called (docs/adr/0040). Here everything is left to the
plain way: reading.py reads a batch, and taking.py takes it in.
"""

from __future__ import annotations

from services.resolver.graph.reading import Read
from services.resolver.graph.taking import Inside, Taken


class Quick:
    """Of one graph, whose parts it changes."""

    def __init__(self, inside: Inside) -> None:
        """Nothing is kept of them here."""

    def read(self, payload: bytes) -> Read | None:
        """Bytes of a batch → what `puts` takes, with `lines`; None: the plain way is to look at it."""
        return None

    def puts(self, batch: Read, first: int, last: int) -> Taken:
        """As `Taking.puts`, of a batch that was read here: from place `first` to before `last`."""
        raise NotImplementedError("nothing was read here")
