"""Manifests → states, objects a second on one core: what a watcher does with every object it reads.

As in a watcher, each object comes as bytes, is decoded, read, and gone; the garbage collector runs, over what is young:
what the process started with is frozen (services/chassis/lifecycle.py). Nothing of an object was seen before: its
namespace and its names are new to the extractor, which has read one object of each kind. Then all is read once more,
as after a reconnection. Extraction is what both together take over decoding alone, in turns, so that other work on the
machine falls on both.
"""

from __future__ import annotations

import gc
import statistics
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from tests.bench.fleet import Fleet
from tests.bench.measuring import Row, cpu_s

SAMPLE: Final = 10_000  # objects are taken one by one: more of them change nothing
TURN: Final = 100  # objects: a turn is a few milliseconds
ROUNDS: Final = 5
GOAL: Final = 60_000
Turn = tuple[float, float]  # seconds: decoding and reading its objects, decoding alone
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def run(size: int, file: Path) -> list[Row]:
    """Objects a second: read for the first time, read again, with their decoding, and decoding alone."""
    raw = [msgspec.json.encode(body) for body in Fleet(min(size, SAMPLE)).bodies()]
    turns = [raw[place : place + TURN] for place in range(0, len(raw), TURN)]
    warm()
    gc.collect()
    gc.freeze()
    firsts: list[list[Turn]] = []
    agains: list[list[Turn]] = []
    for _ in range(ROUNDS):
        extractor = warm()
        firsts.append(passed(extractor, turns))
        agains.append(passed(extractor, turns))
    return [
        _row("manifest → state, objects/s", len(raw), [_reading(one) for one in firsts], GOAL),
        _row("manifest → state, seen before, objects/s", len(raw), [_reading(one) for one in agains]),
        _row(f"manifest → state, each turn's best of {ROUNDS}, objects/s", len(raw), [_reading(_best(firsts))]),
        _row("bytes → manifest → state, objects/s", len(raw), [sum(both for both, _ in one) for one in firsts]),
        _row("bytes → manifest alone, objects/s", len(raw), [sum(alone for _, alone in one) for one in firsts]),
    ]


def warm() -> Extractor:
    """An extractor that knows its kinds, and no name of the sample."""
    extractor = Extractor(load_catalogue(), builtin_surface())
    for body in Fleet(200, seed=1).bodies():
        body["metadata"]["namespace"] = "elsewhere"
        extractor.state(body)
    return extractor


def passed(extractor: Extractor, turns: list[list[bytes]]) -> list[Turn]:
    """What each turn takes."""
    return [
        (cpu_s(lambda turn=turn: _read(extractor, turn)), cpu_s(lambda turn=turn: _only_decode(turn))) for turn in turns
    ]


def _reading(turns: list[Turn]) -> float:
    return sum(both - alone for both, alone in turns)


def _best(rounds: list[list[Turn]]) -> list[Turn]:
    """Leaves out what the rest of the machine did meanwhile."""
    return [(min(both for both, _ in one), min(alone for _, alone in one)) for one in zip(*rounds, strict=True)]


def _read(extractor: Extractor, turn: list[bytes]) -> None:
    for one in turn:
        extractor.state(_decode(one))


def _only_decode(turn: list[bytes]) -> None:
    for one in turn:
        _decode(one)


def _row(what: str, count: int, seconds: list[float], goal: float | None = None) -> Row:
    return Row(what, count / statistics.median(seconds), "", goal, "more")
