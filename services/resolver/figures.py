"""What a resolver shows of its site to Prometheus, worked out when somebody reads. docs/metrics.md."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.intents import BOUND_DEFAULT_S
from services.chassis.metrics import Figure
from services.resolver.machine import Machine


def figures(machine: Machine, now_s: float, *, is_unstored: bool, is_executor_silent: bool) -> Iterator[Figure]:
    """Labelled with the site. `is_unstored`: the bus does not store what was decided. `now_s`: monotonic."""
    evidence, docket, graph, site = machine.evidence, machine.docket, machine.graph, (machine.site,)
    claim = evidence.claim(BOUND_DEFAULT_S, now_s)
    behind = max(0, evidence.published_seq - evidence.seq)
    yield "cheops_site_fresh", "1 while what is known of the site may be relied on.", site, float(claim.fresh)
    if claim.age_s is not None:
        yield "cheops_evidence_age_seconds", "How old what is known of the site is.", site, claim.age_s
    yield "cheops_events_behind", "Events that were told, and are not taken in.", site, behind
    yield "cheops_kinds_blind", "Kinds that are not observed as they are now.", site, len(claim.blind)
    yield "cheops_resyncs_total", "How often all was asked for anew.", site, evidence.resyncs
    yield "cheops_resources", "Resources in the graph.", site, graph.resource_count
    yield "cheops_references", "References between them.", site, graph.edge_count
    yield "cheops_intents_in_flight", "Intents that are being carried out.", site, len(docket.active)
    yield "cheops_intents_deferred", "Intents that wait.", site, len(docket.deferred)
    yield "cheops_verdicts_unstored", "1 while the bus does not store what was decided.", site, float(is_unstored)
    yield "cheops_executor_silent", "1 while nobody carries out what is allowed.", site, float(is_executor_silent)
