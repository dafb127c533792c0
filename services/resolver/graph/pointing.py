"""Who of many points at a resource, and who of many is selected: looked up, not looked for. Pure.

By name, or by what a selector asks for: a kind, where it looks, and one of the labels that it wants (of those that it
says to be equal). What is found may point or be selected; whoever asks looks at it then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from schemas.events import Reference, ResourceState, Selector
from schemas.identity import KindId, ResourceId, kind_of
from services.resolver.graph.label_index import ANY, EVERYWHERE, POD, Wanted, namespace_of
from services.resolver.graph.view import View

Anchor = tuple[KindId, str, Wanted]  # a kind, a namespace or everywhere, a label or any


class Pointing:
    """Who of many may point at a resource, in their order."""

    def __init__(self, states: Iterable[ResourceState]) -> None:
        self._rows: list[tuple[ResourceState, Reference]] = []
        self._naming: dict[ResourceId, list[int]] = {}
        self._selecting: dict[Anchor, list[int]] = {}
        for state in states:
            for reference in state.references:
                place = len(self._rows)
                self._rows.append((state, reference))
                if reference.selector is None:
                    self._naming.setdefault(reference.target, []).append(place)
                    continue
                wanted = next(iter(reference.selector.labels.match_labels.items()), ANY)
                for home in _homes(reference.selector):
                    self._selecting.setdefault((reference.selector.kind, home, wanted), []).append(place)

    def at(self, resource: ResourceId, view: View) -> list[tuple[ResourceState, list[Reference]]]:
        """All that do, and some that do not, each with those of its references by which it may."""
        places: Sequence[int] = self._naming.get(resource, [])
        if not places and not self._selecting:
            return []
        state = view.find(resource)
        if self._selecting and state is not None:
            places = sorted({*places, *self._choosing(state)})
        found: list[tuple[ResourceState, list[Reference]]] = []
        for place in places:
            source, reference = self._rows[place]
            if not found or found[-1][0] is not source:
                found.append((source, []))
            found[-1][1].append(reference)
        return found

    def _choosing(self, state: ResourceState) -> Iterator[int]:
        for anchor in _anchors(state):
            yield from self._selecting.get(anchor, ())


class Selectable:
    """Who of many a selector may match, in their order."""

    def __init__(self, states: Iterable[ResourceState]) -> None:
        self._states = [*states]
        self._places: dict[Anchor, list[int]] = {}
        for place, state in enumerate(self._states):
            for anchor in {*_anchors(state)}:
                self._places.setdefault(anchor, []).append(place)

    def by(self, selector: Selector) -> list[ResourceState]:
        """All that it does, and some that it does not."""
        found: set[int] = set()
        for home in _homes(selector):
            wanted = selector.labels.match_labels.items() or (ANY,)
            rows = [self._places.get((selector.kind, home, one), []) for one in wanted]
            fewest: list[int] = min(rows, key=len)
            found.update(fewest)
        return [self._states[place] for place in sorted(found)]


def _homes(selector: Selector) -> Sequence[str]:
    """Where it looks."""
    return selector.namespaces if selector.namespaces and selector.namespace_labels is None else (EVERYWHERE,)


def _anchors(state: ResourceState) -> Iterator[Anchor]:
    """By which a selector may find it, or the pods that it makes."""
    homes = (namespace_of(state.resource), EVERYWHERE)
    shown = [(kind_of(state.resource), state.labels)]
    if state.template_labels is not None:
        shown.append((POD, state.template_labels))
    for kind, labels in shown:
        for home in homes:
            for wanted in (ANY, *labels.items()):
                yield kind, home, wanted
