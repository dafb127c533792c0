"""What the language can say and no mesh does: refused at the place where it stands, never kept in silence. Pure."""

from __future__ import annotations

from typing import Final

from schemas.scope.errors import ScopeError
from schemas.scope.parse import column_of
from schemas.scope.tree import All, Cross, Location, Otherwise, Replicate, Scope, leaves, operands

NOT_DIVIDED: Final = (
    "rebalance: true moves the share of a lost site, so it needs a resource that is divided over sites, "
    "like lyon % oslo % nice, and nothing in it that is the same at several (&, all)"
)


def check_offered(scope: Scope, text: str) -> None:
    """`text`: what the scope was read from. Raises ScopeError (docs/adr/0023-rebalance.md)."""
    if any(part.options.rebalance and not has_shares(part.location) for part in scope.parts):
        raise ScopeError(NOT_DIVIDED, column_of(text, "REBALANCE", "TRUE"), text=text)


def has_shares(location: Location) -> bool:
    """Whether it is divided in some way to read it, and in each such way only divided: then shares add up."""
    return _is_divided(location) and not _is_repeated(location)


def _is_divided(location: Location) -> bool:
    if isinstance(location, Otherwise):
        return any(map(_is_divided, location.choices))
    return isinstance(location, Cross)


def _is_repeated(location: Location) -> bool:
    if isinstance(location, Otherwise):  # another choice may be whole, or the same at several sites
        return any(_is_repeated(one) for one in location.choices if _is_divided(one))
    inside = any(isinstance(one, Replicate) or _is_repeated(one) for one in operands(location))
    return inside or any(isinstance(one, All) for one in leaves(location))
