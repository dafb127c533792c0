"""Who is touched: exact direct counts, a bounded walk for the rest. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from schemas.identity import KindId, ResourceId, kind_of
from schemas.verdicts import Impact
from services.resolver.graph.numbers import Touched
from services.resolver.graph.remembered import numbers_of
from services.resolver.graph.view import View

NAMED_MAX: Final = 10
LOOKED_AT: Final = 128  # the first by name of so many are named; the counts are exact all the same


def impact_of(view: View, targets: Sequence[ResourceId]) -> Impact:
    """Dependents of these resources, each once (they themselves do not count).

    Of a hub's dependents only those that are named are known to depend on another target as well.
    """
    if not targets:
        return Impact()
    direct, by_kind = 0, Counter[KindId]()
    first: dict[ResourceId, None] = {}
    known = set(targets) if len(targets) > 1 else set()
    for target in targets:
        found = _touched(view, target)
        again = known.intersection(found.named)
        direct += found.direct - len(again)
        by_kind.update(found.by_kind)
        by_kind.subtract(map(kind_of, again))
        first.update(dict.fromkeys(one for one in found.named if one not in again))
        known.update(found.named)
    by_kind = +by_kind
    names = sorted(first)[:NAMED_MAX]
    reach = view.reach(targets)
    return Impact(
        direct=direct,
        by_kind={view.site: in_order(by_kind)} if by_kind else {},
        reached=max(reach.count, direct),
        bounded=reach.bounded,
        first=tuple(names),
        more=max(0, direct - len(names)),
    )


def in_order(by_kind: Mapping[KindId, int]) -> dict[KindId, int]:
    """As the message has it."""
    return dict(sorted(by_kind.items()))


def _touched(view: View, target: ResourceId) -> Touched:
    numbers = numbers_of(view)
    few = numbers.touched(target, LOOKED_AT) if numbers is not None else None
    if few is not None:
        return few
    found = view.dependents(target, LOOKED_AT)
    return Touched(found.count, found.by_kind, [edge.source for edge in found.edges])
