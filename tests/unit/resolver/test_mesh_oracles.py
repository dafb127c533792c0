"""Each oracle of a whole mesh can fail: the product is broken in one place, and the oracle that guards it says so.

A story is played twice: on the product as it is, where every oracle holds, and on the one that is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from schemas.events import ResourceEvent
from schemas.identity import ResourceId, SiteName
from schemas.verdicts import Verdict
from services.resolver.across.following import Following
from services.resolver.across.participant import Participant
from services.resolver.coordinate import combine
from services.resolver.signals import Effect
from tests.unit.resolver.mesh_oracles import ALWAYS, AT_THE_END
from tests.unit.resolver.virtual_mesh import VirtualMesh, committed_but_cut, three_sites, web

LYON, OSLO = SiteName("lyon"), SiteName("oslo")
CA = ResourceId("Secret/shop/ca")
Story = Callable[[VirtualMesh], None]


# ── stories ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def an_entry_site_falls_silent(mesh: VirtualMesh) -> None:
    """oslo holds for lyon, of which nothing is heard any more."""
    mesh.enter("lyon", "delete", "lyon & oslo", resources=("secret/ca",))
    mesh.collect()
    mesh.arrive((LYON, OSLO))
    assert mesh["oslo"].machine.holds.any
    mesh.sever("lyon")
    for _ in range(2):
        for oracle in ALWAYS:
            oracle(mesh)
        mesh.pass_time(75.0)


def a_site_is_cut_off_and_comes_back(mesh: VirtualMesh) -> None:
    mesh.sever("oslo")
    mesh.settle(6)
    mesh.enter("lyon", "delete", "lyon & oslo", resources=("secret/ca",))
    mesh.settle(6)
    the_end(mesh)


def two_want_what_the_other_holds(mesh: VirtualMesh) -> None:
    for entry, other in (("lyon", "oslo"), ("oslo", "lyon")):
        mesh.enter(entry, "delete", f"{entry} & {other}", f"i-{entry}", resources=("secret/ca",))
    the_end(mesh)


def all_is_well(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "lyon & oslo", manifests=(web(),))
    the_end(mesh)


def one_of_three_denies(mesh: VirtualMesh) -> None:
    lose_ca(mesh, "nice")
    mesh.enter("lyon", "create", "lyon & oslo & nice", manifests=(web(),))
    the_end(mesh)


def one_lets_go_of_what_the_other_takes(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "delete", "lyon & oslo", "i-1", resources=("secret/ca",))
    mesh.enter("lyon", "create", "lyon & oslo", "i-2", manifests=(web(),))
    for _ in range(3):  # no executor acts
        mesh.exchange()


def a_commit_comes_after_its_lease_and_the_world_has_changed(mesh: VirtualMesh) -> None:
    mesh.enter("lyon", "create", "lyon & oslo", manifests=(web(),))
    committed_but_cut(mesh)
    lose_ca(mesh, "oslo")
    the_end(mesh)


def lose_ca(mesh: VirtualMesh, name: str) -> None:
    mesh[name].cluster.remove(CA)
    mesh[name].see(ResourceEvent("delete", resource=CA))
    mesh.pump()


def the_end(mesh: VirtualMesh) -> None:
    mesh.mend()
    mesh.settle_down(160.0, step_s=2.0)
    for oracle in AT_THE_END:
        oracle(mesh)


# ── breaks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def nothing(*_: Any, **__: Any) -> list[Any]:
    return []


def only_allows(_scope: Any, _way: Any, verdicts: dict[SiteName, Verdict]) -> tuple[dict[SiteName, Verdict], tuple[()]]:
    return {name: one for name, one in verdicts.items() if one.decision == "allow"} or verdicts, ()


def names_nothing(answers: Sequence[Verdict], entry: SiteName) -> Verdict:
    return combine(answers, entry).model_copy(update={"waits_for": ()})


def tells_the_first_only(following: Following, *what: Any) -> list[Effect]:
    return COMMIT(following, *what)[:1]


def commits_anyway(participant: Participant, engaged: Any, late: Any, verdict: Verdict, moment: Any) -> list[Effect]:
    participant._hold(engaged, verdict, moment)
    engaged.late = None
    return participant.doing.commit(engaged, late, verdict, moment)


COMMIT = Following.commit
BREAKS: dict[str, tuple[Story, dict[str, Any], str]] = {
    "leases do not end": (
        an_entry_site_falls_silent,
        {"across.participant.LEASE_S": 600.0},
        "oslo holds for i-1; lyon is silent",
    ),
    "nobody is woken": (
        a_site_is_cut_off_and_comes_back,
        {"across.waking.Waking.wake": nothing, "across.waking.Waking._waiting": nothing},
        "i-1 waits at lyon for",
    ),
    "a deferral names nothing": (
        a_site_is_cut_off_and_comes_back,
        {"across.coordinator.combine": names_nothing},
        "lyon: i-1: delete Secret shop/ca",
    ),
    "who waits holds, and nobody is asked to let go": (
        two_want_what_the_other_holds,
        {
            "across.precedence._goes_before": lambda *_: True,
            "across.participant.ask_to_yield": nothing,
            "across.coordinator.ANSWER_TIMEOUT_S": 1e9,
        },
        "has no verdict at",
    ),
    "one site is not told of the commit": (
        all_is_well,
        {"across.following.Following.commit": tells_the_first_only, "across.following.Following.tick": nothing},
        "lyon follows something",
    ),
    "what others have done is not stored": (
        all_is_well,
        {"across.following.StoreOutcome": nothing},
        "does not know of|stays, and nobody says so",
    ),
    "one denial does not deny the whole": (
        one_of_three_denies,
        {"across.coordinator.enough": only_allows},
        "is allowed without ..nice",
    ),
    "what is decided lies over nothing": (
        one_lets_go_of_what_the_other_takes,
        {"holds.Holds.add": nothing},
        "i-1 and i-2",
    ),
    "a late commit is not judged": (
        a_commit_comes_after_its_lease_and_the_world_has_changed,
        {"across.participant.Participant._judged_late": commits_anyway},
        "oslo never allowed|misses ca",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_an_oracle_finds_what_is_broken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    story, places, said = BREAKS[name]
    play(story)
    for place, instead in places.items():
        monkeypatch.setattr(f"services.resolver.{place}", instead)
    with pytest.raises(AssertionError, match=said):
        play(story)


def play(story: Story) -> None:
    """A story, with what must hold looked at at its end."""
    mesh = three_sites()
    story(mesh)
    for oracle in ALWAYS:
        oracle(mesh)
