"""Verdicts that somebody may ask for again: the newest as they are, older ones packed, the oldest forgotten. Pure."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from schemas.envelope import MessageError
from schemas.verdicts import Verdict
from services.resolver.judge.written import WrittenVerdict

KNOWN_MAX: Final = 100_000
WHOLE_MAX: Final = 1_000  # one is 5 to 15 kB; packed it is a twentieth of that


def packed(payload: bytes) -> bytes:
    """A verdict's JSON, to be kept."""
    return zlib.compress(payload, 1)


def unpacked(kept: bytes) -> Verdict:
    """It again; raises MessageError."""
    return Verdict.from_json(zlib.decompress(kept))


class Decided:
    """By intent, the last ones that were put."""

    def __init__(self) -> None:
        self._whole: OrderedDict[str, Verdict | WrittenVerdict] = OrderedDict()
        self._packed: OrderedDict[str, bytes] = OrderedDict()
        self.forgetful = False  # some were forgotten

    def get(self, intent_id: str) -> Verdict | None:
        """The verdict in force of an intent."""
        found = self._whole.get(intent_id)
        if isinstance(found, WrittenVerdict):  # nearly nobody asks again
            found = self._whole[intent_id] = found.whole()
        if found is not None or intent_id not in self._packed:
            return found
        try:
            return unpacked(self._packed[intent_id])
        except MessageError:  # as if it had been left out when the streams were read
            return None

    def put(self, verdict: Verdict | WrittenVerdict) -> None:
        """It is in force from now on."""
        self._packed.pop(verdict.intent, None)
        self._whole[verdict.intent] = verdict
        self._whole.move_to_end(verdict.intent)
        if len(self._whole) > WHOLE_MAX:
            intent_id, oldest = self._whole.popitem(last=False)
            self.shelve(intent_id, packed(oldest.to_json()))

    def shelve_all(self, kept: Iterable[tuple[str, bytes]], forgot: bool) -> None:
        """What the stream holds, each by its intent, `packed`; `forgot`: it holds more."""
        for intent_id, one in kept:
            self.shelve(intent_id, one)
        self.forgetful |= forgot

    def shelve(self, intent_id: str, kept: bytes) -> None:
        """It was in force already, and is `packed`."""
        self._packed[intent_id] = kept
        self._packed.move_to_end(intent_id)
        while len(self._whole) + len(self._packed) > KNOWN_MAX:
            self._packed.popitem(last=False)
            self.forgetful = True
