"""What the language can say and no mesh does: refused at the place where it stands, never kept in silence. Pure."""

from __future__ import annotations

from typing import Final

from schemas.scope.errors import ScopeError
from schemas.scope.parse import column_of
from schemas.scope.tree import Scope

NO_REBALANCE: Final = (
    "rebalance: true is not offered: a site that is lost looks like one that is cut off, "
    "so both sides would take its share; lower the weight of the lost site instead"
)


def check_offered(scope: Scope, text: str) -> None:
    """`text`: what the scope was read from. Raises ScopeError (docs/adr/0019-no-rebalance.md)."""
    if any(part.options.rebalance for part in scope.parts):
        raise ScopeError(NO_REBALANCE, column_of(text, "REBALANCE", "TRUE"), text=text)
