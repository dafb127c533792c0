"""A snapshot of a machine, in memory: taken as preserving.py takes it, gone on from as beginning.py does."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from schemas.kinds import Surface
from schemas.ties import DRIFT_FACT, SCOPE_FACT
from services.resolver.evidence import Standing
from services.resolver.graph.restoring import Restoring
from services.resolver.graph.snapshot import Chunk, Copying
from services.resolver.graph.store import Graph
from services.resolver.machine import Machine

_chunk = msgspec.msgpack.Decoder(Chunk)


@dataclass(frozen=True, slots=True)
class Kept:
    """`outcomes`: how many of those stored were read; `held`: intents of which something was not seen yet."""

    standing: Standing
    held: frozenset[str]
    outcomes: int
    numbers: int
    chunks: tuple[bytes, ...]

    @classmethod
    def of(cls, machine: Machine, outcomes: int) -> Kept | None:
        """None where a resolver takes none."""
        standing = machine.evidence.standing()
        if standing is None or machine.graph.listings.under_way or not machine.desk.ruling.is_settled:
            return None
        chunks = tuple(map(msgspec.msgpack.encode, Copying(machine.graph).chunks()))
        held = frozenset(intent for _, intent, _ in machine.holds.rows())
        return cls(standing, held, outcomes, len(machine.graph.parts.names), chunks)

    def restore(self, machine: Machine) -> None:
        """Before the streams are read."""
        graph = Graph(machine.site)
        restoring = Restoring(graph.parts, self.numbers)
        for _ in restoring.begin():
            pass
        for chunk in self.chunks:
            restoring.take(_chunk.decode(chunk))
        for _ in restoring.finish():
            pass
        graph.resource_count = restoring.resource_count
        graph.surface = surface = Surface(self.standing.surface)
        machine.graph.become(graph)
        machine.evidence.go_on(self.standing)
        machine.desk.hearing.serve(surface)
        machine.desk.ruling.begin(machine.desk.hearing)


def look_around(machine: Machine, cause: str, now_s: float) -> None:
    """After what came since was replayed: nobody tells again of what stays as it is."""
    for drifting in machine.graph.bearing(DRIFT_FACT):
        for state in drifting:
            machine.desk.drifts.suspect(state, cause, now_s)
    for parts in machine.graph.bearing(SCOPE_FACT):
        for state in parts:
            machine.vigil.shares.observe(state)
