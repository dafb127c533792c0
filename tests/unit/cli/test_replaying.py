"""A stored decision is run again with the rules that were in force, or it is said what can be run again instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cheops.replaying import DecidedTogetherError, ReplayError, parts_of, replay, together
from schemas import subjects
from schemas.basis import HEADER, pack
from schemas.events import EventBatch, ResourceEvent
from schemas.identity import KindId, ResourceId, SiteName
from schemas.relations.extract import Extractor
from schemas.relations.loader import Catalogue, load_catalogue
from schemas.relations.surface import builtin_surface
from schemas.verdicts import Evidence, Verdict
from services.chassis.bus.memory import MemoryBus
from services.resolver.basis import basis_of
from services.resolver.graph.store import Graph
from services.resolver.judge.case import Case, Change
from services.resolver.judge.decide import decide
from services.resolver.judge.policy import Policy
from services.watcher.telling.teller import encode_batch
from tests.kit.court import FRESH, HOUR, LYON, NOW
from tests.kit.manifests import secret

MINE = """\
area: mine
mounts:
  - kinds: [example.com/Widget]
    rules:
      - {rule: widget.secret, at: spec, to: {kind: Secret, name: secretName}, phases: [L]}
kinds:
  - {kind: example.com/Widget, plural: widgets}
"""
SECRET = ResourceId("Secret/shop/ca")
OSLO = SiteName("oslo")


async def decided_where_widgets_are_not_observed(bus: MemoryBus, rules: Catalogue) -> str:
    """What the resolver of such a site has stored of the deletion of a Secret; its decision."""
    events = (ResourceEvent("put", Extractor(rules, builtin_surface()).state(secret("ca"))),)
    graph = Graph(LYON)
    for event in events:
        graph.apply(event)
    evidence = FRESH.model_copy(update={"seq": len(events), "blind": (KindId("example.com/Widget"),)})
    case = Case("i-1", "delete", LYON, (Change(SECRET, "delete", "v1"),), evidence, NOW + HOUR, 10.0)
    verdict = decide(case, graph, Policy(), NOW, rules.sources_of)
    batch = encode_batch(EventBatch("event/v1", LYON, evidence.epoch, 1, "", events))
    await bus.publish(subjects.event(LYON), batch, message_id="e-1")
    headers = {HEADER: pack(basis_of(case, graph))}
    subject = subjects.verdict(LYON, verdict.decision, "i-1")
    await bus.publish(subject, verdict.to_json(), message_id="v-1", headers=headers)
    return verdict.decision


async def test_a_replay_with_the_rules_that_were_in_force_gives_the_same_bytes(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(MINE)
    bus, mine = MemoryBus(), load_catalogue([file])
    assert await decided_where_widgets_are_not_observed(bus, mine) == "defer"
    assert (await replay(bus, "i-1", mine, Policy())).same
    with_shipped_ones = await replay(bus, "i-1", load_catalogue(), Policy())
    assert (with_shipped_ones.same, with_shipped_ones.again.decision) == (False, "allow")


async def stored(bus: MemoryBus, site: SiteName, evidence: tuple[Evidence, ...], **more: Any) -> Verdict:
    """A verdict that carries no basis."""
    names = {"intent": "i-1", "verb": "apply", "summary": "apply", "decided_by": f"resolver/{site}@test"}
    verdict = Verdict.model_validate(
        {**names, "decision": "deny", "site": site, "decided_at": NOW, "valid_until": NOW, "evidence": evidence, **more}
    )
    subject = subjects.verdict(site, verdict.decision, "i-1")
    await bus.publish(subject, verdict.to_json(), message_id=f"{site}-{verdict.revision}")
    return verdict


async def test_an_undo_names_the_revision_that_can_be_run_again() -> None:
    bus = MemoryBus()
    await stored(bus, LYON, (FRESH,), revision=2, undoes=1)
    with pytest.raises(ReplayError, match=r"^revision 2 of i-1 takes back what revision 1 .*: say --revision 1$"):
        await replay(bus, "i-1", load_catalogue(), Policy())


async def test_of_what_was_denied_before_any_site_was_asked_that_is_said() -> None:
    bus = MemoryBus()
    await stored(bus, LYON, (FRESH,))
    with pytest.raises(ReplayError, match=r"^i-1 carries no basis: no site was asked about it, "):
        await replay(bus, "i-1", load_catalogue(), Policy())


async def test_of_a_decision_of_several_sites_only_those_that_stored_their_part_are_named() -> None:
    bus = MemoryBus()
    evidence = (FRESH, FRESH.model_copy(update={"site": OSLO}))
    whole = await stored(bus, LYON, evidence)
    with pytest.raises(DecidedTogetherError) as refused:
        await replay(bus, "i-1", load_catalogue(), Policy(), site="lyon")
    assert str(together(refused.value.verdict, await parts_of([bus], whole))).endswith("it cannot be run again")
    part = whole.model_copy(update={"site": OSLO, "evidence": evidence[1:]})
    subject = subjects.verdict(OSLO, part.decision, "i-1")
    await bus.publish(subject, part.to_json(), message_id="oslo", headers={HEADER: "x"})
    said = str(together(refused.value.verdict, await parts_of([bus], whole)))
    assert said.endswith("each on its own evidence: say --site oslo")
