"""Verdicts that somebody may ask for again: the newest as they are, older ones packed, the oldest forgotten. Pure.

Of what was forgotten the stream has to be asked, which halves what a resolver decides in a second: so names are kept in
a few bits each, and it is asked about an intent that was decided, not about every new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from schemas.envelope import MessageError
from schemas.verdicts import Verdict
from services.resolver.judge.written import WrittenVerdict
from services.resolver.shelf import Shelf

KNOWN_MAX: Final = 100_000
WHOLE_MAX: Final = 1_000  # one is 5 to 15 kB; packed it is a twentieth of that
SLACK: Final = 256  # decided before any of them is stored; to pack one takes a fifth of what its decision does
FORGOTTEN_MAX: Final = 2_000_000  # more than a stream of 1 GiB can hold
BITS: Final = 1 << 25
PROBES: Final = 7  # one name of thousands is taken for another when it is full


class Forgotten:
    """At least the last `FORGOTTEN_MAX` names that were added, in two Bloom filters of 4 MB, the older one full."""

    def __init__(self) -> None:
        self._newer, self._older = bytearray(), bytearray()
        self._count = 0

    def add(self, name: str) -> None:
        """It is forgotten from now on."""
        if not self._newer or self._count >= FORGOTTEN_MAX:
            self._newer, self._older, self._count = bytearray(BITS // 8), self._newer, 0
        self._count += 1
        for bit in _bits(name):
            self._newer[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, name: str) -> bool:
        """Perhaps; False when it was never added."""
        filters = [one for one in (self._newer, self._older) if one]
        return any(all(one[bit >> 3] & 1 << (bit & 7) for bit in _bits(name)) for one in filters)


def _bits(name: str) -> Iterator[int]:
    """Places of a name: two hashes make all of them (Kirsch and Mitzenmacher, 2006)."""
    first, step = divmod(hash(name) & (1 << 64) - 1, 1 << 32)
    return ((first + number * (step | 1)) % BITS for number in range(PROBES))


class Decided:
    """By intent, the last ones that were put."""

    def __init__(self) -> None:
        self.forgotten = Forgotten()
        self._shelf: Shelf[Verdict | WrittenVerdict] = Shelf(
            KNOWN_MAX,
            WHOLE_MAX,
            slack=SLACK,
            write=lambda verdict: verdict.to_json(),
            read=Verdict.from_json,
            forgotten=self.forgotten.add,
        )

    def get(self, intent_id: str) -> Verdict | None:
        """The verdict in force of an intent."""
        try:
            found = self._shelf.get(intent_id)
        except MessageError:  # as if it had been left out when the streams were read
            return None
        return found.whole() if isinstance(found, WrittenVerdict) else found

    def put(self, verdict: Verdict | WrittenVerdict) -> None:
        """It is in force from now on."""
        self._shelf.put(verdict.intent, verdict)

    def tidy(self) -> None:
        """What was decided has been said: now older ones are packed."""
        self._shelf.tidy()

    def shelve_all(self, kept: Iterable[tuple[str, bytes]], others: Iterable[str]) -> None:
        """What the stream holds, each by its intent, `squeezed`; `others`: intents whose verdicts it holds, too."""
        for intent_id in others:
            self.forgotten.add(intent_id)
        for intent_id, one in kept:
            self._shelf.shelve(intent_id, one)
