"""A question about a site's graph → its answer. Pure: live over the bus and offline on folders of manifests alike.

Names in a question are what people call things; IdentityError says which of them cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice

from schemas.events import ResourceState
from schemas.identity import ResourceId, ResourceKey, resource_id
from schemas.kinds import NEAR_NAMES_MAX
from schemas.queries import (
    GraphAnswer,
    GraphQuery,
    MissingQuery,
    NamesAnswer,
    NamesQuery,
    OrderAnswer,
    OrderQuery,
    WhyQuery,
)
from schemas.relations.ambient import is_ambient
from schemas.verdicts import Evidence, Preconditions
from services.chassis.errors import PermanentError
from services.resolver.graph import walk
from services.resolver.graph.selecting import NAMESPACE
from services.resolver.graph.store import Graph
from services.resolver.graph.view import View
from services.resolver.plan import Planned, cycle, plan


def graph(view: View, query: GraphQuery, evidence: Evidence) -> GraphAnswer:
    """The neighbourhood of a resource."""
    return walk.neighbourhood(
        view,
        view.surface.resolve(query.resource, query.namespace),
        direction=query.direction,
        depth=query.depth,
        kinds=frozenset(map(view.surface.kind, query.kinds)),
        phases=frozenset(query.phases),
        limit=query.limit,
        evidence=evidence,
    )


def why(view: View, query: WhyQuery, evidence: Evidence) -> GraphAnswer:
    """The shortest path from a dependent to its dependency."""
    source, target = (view.surface.resolve(one, query.namespace) for one in (query.source, query.target))
    return walk.why(view, source, target, evidence=evidence)


class NoNamespaceError(PermanentError):
    """A namespace is asked about that is known not to be there."""


def missing(view: View, live: Graph, query: MissingQuery, evidence: Evidence) -> Iterator[GraphAnswer | None]:
    """What leads nowhere, of all that is there: None when others may have a turn, and then the answer.

    Raises NoNamespaceError.
    """
    if query.namespace and _is_known_not_to_be_there(view, live, query.namespace, evidence):
        near: list[str] = []
        there = (ResourceKey.parse(one).name for one in live.members(NAMESPACE))
        while some := [*islice(there, walk.SLICE)]:
            near = get_close_matches(query.namespace, [*near, *some], NEAR_NAMES_MAX)
            yield None
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise NoNamespaceError(f"no namespace is called {query.namespace[:80]!r} at {view.site}{hint}")
    yield from walk.missing(
        view,
        optional=query.optional,
        limit=query.limit,
        evidence=evidence,
        sources=live.identities(query.namespace or None),
    )


def _is_known_not_to_be_there(view: View, live: Graph, namespace: str, evidence: Evidence) -> bool:
    """Nothing is known where namespaces are not observed; what is in one proves it, though it was not seen itself."""
    served = view.surface.find(NAMESPACE)
    is_seen = served is not None and served.watched and evidence.fresh and NAMESPACE not in evidence.blind
    is_there = view.find(resource_id("", NAMESPACE, "", namespace)) is not None
    return is_seen and not is_there and next(live.identities(namespace), None) is None


def names(live: Graph, query: NamesQuery) -> NamesAnswer:
    """Kinds that have objects, or the names of one kind that begin with a prefix."""
    surface = live.surface
    if not query.kind:
        called = {one.singular for kind in live.kinds() if (one := surface.find(kind)) is not None}
        return NamesAnswer(site=live.site, kinds=tuple(sorted(called)))
    kind = surface.kind(query.kind)
    served = surface.find(kind)
    namespace = (query.namespace or "default") if served is None or served.namespaced else None
    members = live.members(kind, namespace)
    found = sorted(one for one in members if one.rpartition("/")[2].startswith(query.prefix))
    return NamesAnswer(site=live.site, resources=tuple(found[: query.limit]), more=max(0, len(found) - query.limit))


def order(view: View, query: OrderQuery, evidence: Evidence) -> OrderAnswer:
    """Steps for a set of resources, and with `closure` all that they need (create) or all that needs them (delete)."""
    wanted = {view.surface.resolve(one, query.namespace): 0 for one in query.resources}
    more = 0
    for resource in list(wanted) if query.closure else ():
        found = walk.neighbourhood(
            view,
            resource,
            direction="dependencies" if query.action == "create" else "dependents",
            depth=0,
            kinds=(),
            phases=(),
            limit=query.limit,
            evidence=evidence,
        )
        wanted |= dict.fromkeys((node.resource for node in found.nodes), 0)
        more += found.more
    states = {one: state for one in wanted if (state := view.find(one)) is not None}
    absent = tuple(sorted(wanted.keys() - states.keys()))
    return OrderAnswer(
        site=view.site, action=query.action, missing=absent, more=more, evidence=evidence, **_steps(view, query, states)
    )


def _steps(view: View, query: OrderQuery, states: dict[ResourceId, ResourceState]) -> dict[str, object]:
    """A cycle of what is needed at admission or start has no order for creation; deletion takes it apart anywhere."""
    found = cycle(states) if query.action == "create" else []
    if found:
        return {"cycle": tuple(found)}
    made = _not_made(view, states) if query.action == "create" else states
    changes = [Planned(one, query.action, Preconditions(), states[one]) for one in made]
    return {"steps": plan(view.site, changes)}


def _not_made(view: View, states: Iterable[ResourceId]) -> list[ResourceId]:
    """Nobody creates what an owner makes, or what every cluster has."""
    return [one for one in states if walk.owner_of(view, one) is None and not is_ambient(one)]
