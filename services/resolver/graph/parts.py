"""What a graph is made of, for those who copy it, fill it or walk over it as a whole. Pure."""

from __future__ import annotations

from typing import NamedTuple

from services.resolver.graph.digests import Digests
from services.resolver.graph.links import Links
from services.resolver.graph.names import Names
from services.resolver.graph.records import Records
from services.resolver.graph.selecting import Selecting


class Parts(NamedTuple):
    """Of one graph; only it changes them, and who fills it while it is empty."""

    names: Names
    records: Records
    links: Links
    selecting: Selecting
    digests: Digests
