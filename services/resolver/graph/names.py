"""Identity string → number → identity string. Pure.

A number stands for a resource everywhere inside the graph, whether the resource is there or only named. An identity is
kept in two pieces: its place (`Secret/shop`: one kind in one namespace), which all its neighbours share, and its name.
The places double as the index of what there is of a kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from schemas.identity import KindId, ResourceId
from services.resolver.graph.kept import Place, Same, place_of

NOWHERE: Final = -1


class Names:
    """Numbers are handed out densely; a forgotten one is handed out again."""

    def __init__(self) -> None:
        self.place: list[Place] = []  # by number
        self._name: list[str] = []
        self._places: dict[str, Place] = {}
        self._of_kind: dict[KindId, dict[str, Place]] = {}  # by their heads
        self._free: list[Same] = []

    def find(self, resource: str) -> int:
        """The number, or NOWHERE."""
        head, _, name = resource.rpartition("/")
        place = self._places.get(head)
        return NOWHERE if place is None else place.members.get(name, NOWHERE)

    def number(self, resource: str) -> Same:
        """The number; a new one when it has none."""
        head, _, name = resource.rpartition("/")
        place = self._places.get(head)
        if place is None:
            place = place_of(head)
            self._enter(place)
        found = place.members.get(name)
        if found is not None:
            return found
        made: Same
        if self._free:
            made = self._free.pop()
            self.place[made], self._name[made] = place, name
        else:
            made = len(self.place)
            self.place.append(place)
            self._name.append(name)
        place.members[name] = made
        return made

    def numbers(self, resources: Iterable[str]) -> list[Same]:
        """The number of each, one after the other."""
        places, free, found = self._places, self._free, list[Same]()
        for resource in resources:
            head, _, name = resource.rpartition("/")
            place = places.get(head)
            known: Same = None if place is None else place.members.get(name)
            if known is None:
                if place is None or free:
                    known = self.number(resource)
                else:
                    known = place.members[name] = len(self.place)
                    self.place.append(place)
                    self._name.append(name)
            found.append(known)
        return found

    def _enter(self, place: Place) -> None:
        self._places[place.head] = place
        self._of_kind.setdefault(place.kind, {})[place.head] = place

    def restore(self, places: Iterable[Place], names: Iterable[str]) -> None:
        """The next numbers, as they were handed out once; each is still to be adopted or released."""
        self.place += places
        self._name += names

    def adopt(self, number: Same) -> None:
        """A number that was restored is in use."""
        place = self.place[number]
        if not place.members:
            self._enter(place)
        place.members[self._name[number]] = number

    def release(self, number: Same) -> None:
        """A number that was restored is not in use."""
        self._free.append(number)

    def names(self, first: int, last: int) -> list[str]:
        """The names of numbers, without their places."""
        return self._name[first:last]

    def forget(self, number: Same) -> None:
        """Nobody uses this number any more."""
        place = self.place[number]
        del place.members[self._name[number]]
        self._free.append(number)
        if not place.members:
            del self._places[place.head]
            places = self._of_kind[place.kind]
            del places[place.head]
            if not places:
                del self._of_kind[place.kind]

    def resource(self, number: int) -> ResourceId:
        """The identity."""
        return ResourceId(f"{self.place[number].head}/{self._name[number]}")

    def name(self, number: int) -> str:
        """The name, without its place."""
        return self._name[number]

    def kind(self, number: int) -> KindId:
        """Of which kind it is."""
        return self.place[number].kind

    def kinds(self) -> Iterator[KindId]:
        """Kinds of which something is there or named."""
        yield from self._of_kind

    def members(self, kind: KindId, namespace: str | None = None) -> Iterator[list[Same]]:
        """Numbers of what is there or named of a kind, namespace by namespace; they may change while this is asked."""
        places = self._of_kind.get(kind, {})
        head = f"{kind}/{namespace}" if namespace else kind
        for place in [*places.values()] if namespace is None else [places[head]] if head in places else []:
            yield [*place.members.values()]

    def __len__(self) -> int:
        """One more than the largest number that was ever handed out."""
        return len(self.place)
