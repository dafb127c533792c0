"""A finding before its letter is known: the number, what it is about, and what kind of knowledge it rests on. Pure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from schemas.identity import ResourceId, SiteName
from schemas.verdicts import EdgeRef
from services.resolver.graph.view import Edge

Rests = Literal["presence", "absence", "nothing"]


class Finding(Struct, frozen=True):
    """`code` is letter and number, the letter that the tables give for this case (a policy may change it).

    rests_on   presence: "it exists and blocks" holds however old the observation is; absence: "it is not there",
               "nobody uses it" needs fresh evidence, else it is unknown; nothing: about the intent itself
    waits_for  the intent in flight that decides it (F510)
    at         other sites that it is about
    """

    code: str
    message: str
    rests_on: Rests
    resource: ResourceId | None = None
    edge: Edge | None = None
    chain: tuple[Edge, ...] = ()
    waits_for: str = ""
    at: tuple[SiteName, ...] = ()

    @property
    def letter(self) -> str:
        """D, F, W or N."""
        return self.code[0]

    @property
    def number(self) -> str:
        """The stable part of the code."""
        return self.code[1:]


def edge_ref(edge: Edge) -> EdgeRef:
    """An edge as a verdict cites it."""
    reference = edge.reference
    return EdgeRef(
        source=edge.source,
        target=edge.target,
        kind=reference.relation,
        phases=tuple(reference.phases),
        rule=reference.rule,
        path=reference.path,
        granule=reference.granule,
    )


def named(resource: ResourceId) -> str:
    """`Secret shop/edge-ca`: how a resource reads in a sentence."""
    first, _, rest = resource.partition("/")
    kind, name = (first, rest) if first[:1].isupper() else rest.split("/", 1)  # the group is left out
    return f"{kind} {name}"
