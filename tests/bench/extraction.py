"""Manifests → states, objects a second on one core: what a watcher does with every object it reads."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Final

import msgspec

from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from tests.bench.fleet import Fleet
from tests.bench.measuring import Row, cpu_s

SAMPLE: Final = 10_000  # objects are taken one by one: more of them change nothing
ROUNDS: Final = 5
GOAL: Final = 60_000


def run(size: int, file: Path) -> list[Row]:
    """Extraction, and beside it in the same rounds what decoding the objects' JSON takes."""
    extractor = Extractor(load_catalogue(), builtin_surface())
    bodies = list(Fleet(min(size, SAMPLE)).bodies())
    raw = [msgspec.json.encode(body) for body in bodies]
    extracting, decoding = [], []
    for _ in range(ROUNDS):
        extracting.append(cpu_s(lambda: [extractor.state(body) for body in bodies]))
        decoding.append(cpu_s(lambda: [msgspec.json.decode(one) for one in raw]))
    return [
        Row("manifest → state, objects/s", len(bodies) / statistics.median(extracting), "", GOAL, "more"),
        Row("decoding their JSON alone, objects/s", len(bodies) / statistics.median(decoding), ""),
    ]
