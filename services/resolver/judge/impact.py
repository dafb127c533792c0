"""Who is touched: exact direct counts, a bounded walk for the rest. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Final

from schemas.identity import KindId, ResourceId
from schemas.verdicts import Impact
from services.resolver.graph.view import WALK_MAX, Dependents, View

NAMED_MAX: Final = 10


def impact_of(view: View, targets: Sequence[ResourceId]) -> Impact:
    """Dependents of these resources (they themselves do not count)."""
    if not targets:
        return Impact()
    direct, by_kind = 0, Counter[KindId]()
    first: dict[ResourceId, None] = {}
    rows = {target: view.dependents(target) for target in targets}
    for found in rows.values():
        direct += found.count
        by_kind.update(found.by_kind)
        first.update(dict.fromkeys(edge.source for edge in found.edges))
    names = sorted(first)[:NAMED_MAX]
    reached, bounded = _reach(view, rows)
    return Impact(
        direct=direct,
        by_kind={view.site: dict(sorted(by_kind.items()))} if by_kind else {},
        reached=max(reached, direct),
        bounded=bounded,
        first=tuple(names),
        more=max(0, direct - len(names)),
    )


def _reach(view: View, targets: Mapping[ResourceId, Dependents]) -> tuple[int, bool]:
    seen = set(targets)
    queue = deque(targets)
    while queue:
        resource = queue.popleft()
        found = targets.get(resource) or view.dependents(resource)
        if found.count > len(found.edges):
            return len(seen) - len(targets), True
        for edge in found.edges:
            if edge.source not in seen:
                if len(seen) - len(targets) >= WALK_MAX:
                    return len(seen) - len(targets), True
                seen.add(edge.source)
                queue.append(edge.source)
    return len(seen) - len(targets), False
