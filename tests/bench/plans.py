"""Scopes and plans: parsing, planning over ten sites and back, what a verdict of three sites costs beside one of one.

A verdict over three sites may take two round trips and three times a decision of one site. It takes one round trip
(two letters one after the other), and what the three resolvers do; how long a letter has to take for that to be within
the bound is computed. From a site into another's stream it takes 0.54 ms on one machine (design), more on any network.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Final

from schemas.identity import SiteName
from schemas.outcomes import Outcome
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from schemas.scope.parse import parse_scope
from schemas.verdicts import Impact, Preconditions, Step, Verdict
from services.resolver.coordinate import combine
from services.resolver.deeds import Deeds, reversed_steps
from services.resolver.plan import Planned, plan
from tests.bench.fleet import Fleet
from tests.bench.measuring import Row, cpu_s
from tests.kit.manifests import deployment, mounts_secret, secret, without_uid
from tests.unit.resolver.virtual_mesh import VirtualMesh
from tests.unit.resolver.world import BEGIN

ROUNDS: Final = 20
PARSES: Final = 500
SITES: Final = tuple(SiteName(f"site-{number}") for number in range(10))
RESOURCES: Final = 1_000
USUAL: Final = "deployment: lyon & oslo, secret: nice"
LONG: Final = "deployment: lyon*2 % oslo, secret/edge-ca: nice, lyon & oslo {min: 1}"
LETTER_MS: Final = 0.54
VERDICTS: Final = 30


def run(size: int, file: Path) -> list[Row]:
    """The same for every size: nothing here depends on how much a site holds."""
    parses = {text: [cpu_s(lambda: parse_scope(text)) for _ in range(PARSES)] for text in (USUAL, LONG)}  # noqa: B023 – called at once
    whole = _planned()
    forward = [cpu_s(_planned) for _ in range(ROUNDS)]
    deeds = _done(whole)
    back = [cpu_s(lambda: reversed_steps(deeds.of("i-1"))) for _ in range(ROUNDS)]
    own_s, all_s, hops = _verdicts()
    alone, together = statistics.median(own_s), statistics.median(all_s)
    spare_ms = 1e3 * (together - 3 * alone) / (4 - hops)
    return [
        Row("parsing a usual scope", 1e6 * statistics.median(parses[USUAL]), "µs", 100.0),
        Row("parsing a scope of three parts with weights and options", 1e6 * statistics.median(parses[LONG]), "µs"),
        Row(f"planning {RESOURCES:,} resources over {len(SITES)} sites", 1e3 * statistics.median(forward), "ms", 200.0),
        Row("the way back of all of it", 1e3 * statistics.median(back), "ms", 200.0),
        Row("a verdict of one site, CPU", 1e3 * alone, "ms"),
        Row("a verdict of three sites, CPU of all three", 1e3 * together, "ms"),
        Row("ratio of the two", together / alone, ""),
        Row("letters one after the other before it is stored", hops, "", 4.0),
        Row("within 2 round trips and 3 decisions where a letter takes", spare_ms, "ms", LETTER_MS),
    ]


def _changes() -> list[Planned]:
    if not _CHANGES:
        extractor = Extractor(load_catalogue(), builtin_surface())
        for body in Fleet(RESOURCES).bodies():
            state = extractor.state(body)
            _CHANGES.append(Planned(state.resource, "apply", Preconditions(absent=True), state))
            if len(_CHANGES) == RESOURCES:
                break
    return _CHANGES


_CHANGES: list[Planned] = []


def _planned() -> Verdict:
    """A tenth of the resources at each site, each site's part in order, and the parts made one."""
    changes = _changes()
    share = len(changes) // len(SITES)
    answers = []
    for place, site in enumerate(SITES):
        steps = plan(site, changes[place * share : (place + 1) * share])
        answers.append(_verdict(site, steps))
    return combine(answers, SITES[0])


def _verdict(site: SiteName, steps: tuple[Step, ...]) -> Verdict:
    return Verdict(
        intent="i-1",
        decision="allow",
        verb="apply",
        site=site,
        summary=f"apply @ {site}",
        decided_at=BEGIN,
        decided_by="bench",
        valid_until=BEGIN,
        impact=Impact(),
        plan=steps,
    )


def _done(whole: Verdict) -> Deeds:
    deeds = Deeds()
    for step in whole.plan:
        names = {"operation": f"i-1.1.{step.id}", "intent": "i-1", "revision": 1, "step": step.id, "site": step.site}
        done = Outcome(**names, action="apply", resource=step.resource, state="ready", former="", at=BEGIN)
        deeds.note(done, whole)
    return deeds


def _verdicts() -> tuple[list[float], list[float], int]:
    """(CPU of a verdict of one site, of three, letters in a row): in turns, so that other work disturbs both alike."""
    mesh = VirtualMesh(["lyon", "oslo", "nice"])
    for world in mesh.worlds.values():
        world.cluster.put(secret("ca"))
    mesh.settle()
    alone, together, hops = [], [], 0
    for number in range(VERDICTS):
        web = without_uid(deployment(f"web-{number}", mounts_secret("ca"), app=f"web-{number}"))
        other = without_uid(deployment(f"own-{number}", mounts_secret("ca"), app=f"own-{number}"))
        taken_s, _ = _until_decided(mesh, f"a-{number}", "lyon", other)
        alone.append(taken_s)
        taken_s, hops = _until_decided(mesh, f"t-{number}", "lyon & oslo & nice", web)
        together.append(taken_s)
        mesh.settle(1.0)
    return alone, together, hops


def _until_decided(mesh: VirtualMesh, name: str, scope: str, body: dict[str, object]) -> tuple[float, int]:
    hops, start_s = 0, time.thread_time()
    mesh.enter("lyon", "create", scope, name, manifests=(body,))
    mesh.catches_up(mesh["lyon"])
    while name not in mesh["lyon"].latest():
        mesh.collect()
        hops += 1
        for wire, waiting in mesh.wires.items():
            for _ in range(len(waiting)):
                mesh.arrive(wire)
        for world in mesh.worlds.values():
            mesh.catches_up(world)
    return time.thread_time() - start_s, hops
