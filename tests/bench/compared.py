"""The same resources in a networkx DiGraph: its memory, and how long it takes to say who depends on something.

The DiGraph holds less than ours: identities, and for each edge the name of its rule; selectors are resolved once, when
all is known, which a live graph would have to repeat. It is asked what a verdict asks first: who depends on this
directly, and how many do through others, a thousand at most. Ours is asked the same by the same names, and decides as a
whole in the rows of `verdicts`.
"""

from __future__ import annotations

import gc
import random
from collections import deque
from pathlib import Path
from typing import Any, Final

import networkx

from schemas.batches import decode_batch
from schemas.identity import ResourceId
from services.resolver.graph.store import Graph
from tests.bench import history
from tests.bench.fleet import HUB
from tests.bench.measuring import Row, cpu_s, resident, spread

ASKED: Final = 500
HUB_ASKED: Final = 60
WALK_MAX: Final = 1_000
GOAL_MS: Final = 1.0
Directed = Any  # networkx ships no annotations that fit a graph of texts


def run(size: int, file: Path) -> list[Row]:
    """networkx first, in a process that did nothing before; then our graph beside it."""
    gc.collect()
    before = resident()
    theirs = _directed(file)
    gc.collect()
    count = theirs.number_of_nodes()
    their_kb = (resident() - before) / count / 1000
    machine = history.loaded(file)
    ours = machine.graph
    edges = ours.edge_count
    _select(theirs, ours)
    every = [one for one in theirs if "/team-" in one]
    asked = random.Random(5).sample(every, ASKED)
    _same(theirs, ours, asked[:50])
    return [
        Row("resources", ours.resource_count, ""),
        Row("edges", edges, ""),
        Row("networkx, resident kB a resource", their_kb, "kB"),
        *spread("dependents, networkx", [cpu_s(lambda one=one: _dependents(theirs, one)) for one in asked]),
        *spread("dependents", [cpu_s(lambda one=one: _ours(ours, one)) for one in asked], GOAL_MS),
        *spread("dependents of the hub, networkx", [cpu_s(lambda: _dependents(theirs, HUB)) for _ in range(HUB_ASKED)]),
        *spread("dependents of the hub", [cpu_s(lambda: _ours(ours, HUB)) for _ in range(HUB_ASKED)]),
    ]


def _directed(file: Path) -> Directed:
    made: Directed = networkx.DiGraph()
    for payload in history.read(file):
        for event in decode_batch(payload).events:
            if event.state is not None:
                source = event.state.resource
                made.add_node(source)
                named = [one for one in event.state.references if one.target]
                made.add_edges_from((source, one.target, {"rule": one.rule}) for one in named)
    return made


def _select(theirs: Directed, ours: Graph) -> None:
    """Edges by selector, as they are now."""
    for state in ours.resources():
        for one in state.references:
            if one.selector is not None:
                found = ours.targets(state.resource, one).present
                theirs.add_edges_from((state.resource, target, {"rule": one.rule}) for target in found)


def _dependents(graph: Directed, start: str) -> tuple[int, int]:
    """How many directly, and how many in all, as far as a walk goes."""
    seen, queue = {start}, deque([start])
    while queue and len(seen) <= WALK_MAX:
        for one in graph.predecessors(queue.popleft()):
            if one not in seen:
                seen.add(one)
                queue.append(one)
    return graph.in_degree(start), min(len(seen) - 1, WALK_MAX)


def _ours(graph: Graph, start: ResourceId) -> tuple[int, int]:
    return graph.dependents(start).count, graph.reach([start], WALK_MAX).count


def _same(theirs: Directed, ours: Graph, asked: list[ResourceId]) -> None:
    """Both must mean the same, or the comparison says nothing."""
    for one in asked:
        assert _dependents(theirs, one) == _ours(ours, one), one
