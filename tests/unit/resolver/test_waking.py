"""Who waits is judged again when what he waits for has changed, and not whenever anything has."""

from __future__ import annotations

import pytest

from schemas.identity import KindId, SiteName
from schemas.verdicts import Wait
from services.resolver.docket import ANYTHING, SITE, World, awaited
from tests.kit.manifests import secret, without_uid
from tests.unit.resolver.test_sets import NEW, mesh
from tests.unit.resolver.virtual_mesh import VirtualMesh

__all__ = ["mesh"]

LYON = SiteName("lyon")


def test_who_waits_for_an_intent_is_judged_again_when_that_lets_go_and_not_when_others_do(mesh: VirtualMesh) -> None:
    """Each step of a bundle had all that waited judged again: a hundred of them took a tenth of a second, each time."""
    lyon, docket = mesh["lyon"], mesh["lyon"].machine.docket
    mesh.enter("lyon", "create", "", "i-first", manifests=(without_uid(secret("new")),))
    mesh.catches_up(lyon)
    mesh.enter("lyon", "delete", "", "i-waits", resources=(NEW,))
    mesh.catches_up(lyon)
    waiting = docket.deferred["i-waits"]
    mesh.enter("lyon", "create", "", "i-other", manifests=(without_uid(secret("other")),))
    mesh.catches_up(lyon)
    lyon.execute(1)
    while lyon.outcomes:
        lyon.report()
    mesh.catches_up(lyon)
    assert not lyon.machine.holds.changed("i-other"), "it began and ended"
    assert docket.deferred["i-waits"] is waiting, "nobody looked at it again"
    mesh.pump()
    mesh.settle()
    assert lyon.latest()["i-waits"].decision == "allow"
    assert NEW not in lyon.cluster.objects


def test_who_waits_for_an_intent_is_judged_again_at_the_first_thing_that_it_lets_go_of(mesh: VirtualMesh) -> None:
    lyon, docket = mesh["lyon"], mesh["lyon"].machine.docket
    both = (without_uid(secret("new")), without_uid(secret("other")))
    mesh.enter("lyon", "create", "", "i-first", manifests=both)
    mesh.catches_up(lyon)
    mesh.enter("lyon", "delete", "", "i-waits", resources=(NEW,))
    mesh.catches_up(lyon)
    place = next(place for place, one in enumerate(lyon.operations) if one.resource == NEW)
    lyon.execute(place)
    while lyon.outcomes:
        lyon.report()
    mesh.catches_up(lyon)
    assert "i-waits" not in docket.deferred
    assert docket.active.keys() == {"i-first", "i-waits"}, "the other half of the first is under way yet"


def test_who_wants_evidence_younger_than_others_is_judged_again_when_it_is(mesh: VirtualMesh) -> None:
    """It was looked at again only when what is fresh for a bound of ten seconds came or went."""
    lyon = mesh["lyon"]
    lyon.now_s += 0.4
    mesh.enter("lyon", "create", "", "i-1", manifests=(without_uid(secret("new")),), bound_s=0.2)
    mesh.catches_up(lyon)
    assert [one.code for one in lyon.latest()["i-1"].reasons] == ["F502"]
    lyon.beat()
    mesh.pump()
    assert lyon.latest()["i-1"].decision == "allow"


@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        ((), ANYTHING),
        ((Wait(site=LYON, intent="i-1"), Wait(site=LYON, intent="i-2")), ("i-1", "i-2")),
        ((Wait(site=LYON, kind=KindId("Pod")),), ()),
        ((Wait(site=LYON), Wait(site=LYON, intent="i-1")), (SITE, "i-1")),
    ],
)
def test_what_is_awaited_is_what_the_verdict_says(waits: tuple[Wait, ...], expected: tuple[str | None, ...]) -> None:
    assert awaited(waits) == expected


def test_a_world_is_another_one_for_those_to_whom_it_matters() -> None:
    blind = (KindId("Pod"),)
    changed = {"i-1": 3}

    def world(generation: int, *, fresh: bool = True) -> World:
        return World(lambda bound_s: fresh and bound_s > 1, blind, generation, lambda intent: changed.get(intent, 0))

    before, stale = world(3), world(3, fresh=False)
    assert world(4).stamp(("i-1",)) == before.stamp(("i-1",))
    assert world(4).stamp(()) == before.stamp(())
    assert world(4).stamp() != before.stamp()
    assert world(4).stamp((SITE,)) != before.stamp((SITE,))
    assert world(4, fresh=False).stamp((SITE,)) == stale.stamp((SITE,)), "nothing that is done makes it fresh"
    assert world(4, fresh=False).stamp() != stale.stamp()
    for these in ((), (SITE,), ("i-1",), ANYTHING):
        assert stale.stamp(these) != before.stamp(these)
    assert world(3).stamp(ANYTHING, 0.5) == stale.stamp(ANYTHING), "it has to be fresher for that one"
    changed["i-1"] = 4
    assert world(4).stamp(("i-1",)) != before.stamp(("i-1",))
