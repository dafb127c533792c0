"""A read of replicas: the nearest fresh one answers, and the next when it cannot."""

from __future__ import annotations

from fractions import Fraction

import pytest

from schemas.identity import ResourceId, SiteName
from services.resolver.across.nearest import nearest_first
from services.resolver.placing import Alternative
from services.resolver.signals import PeerBeat
from tests.kit.manifests import secret
from tests.unit.resolver.virtual_mesh import GOOD_FOR_S, VirtualMesh

LYON, OSLO, NICE = SiteName("lyon"), SiteName("oslo"), SiteName("nice")
FAR_S = {LYON: 0.0, NICE: 0.005, OSLO: 0.02}
WHOLE = Fraction(1)


def test_each_replica_is_a_way_of_its_own_the_nearest_first() -> None:
    way = Alternative(({OSLO: WHOLE, NICE: WHOLE, LYON: WHOLE},), (False,))
    assert [one.sites for one in nearest_first([way], FAR_S.__getitem__)] == [(LYON,), (NICE,), (OSLO,)]


def test_what_is_spread_is_read_whole() -> None:
    way = Alternative(({OSLO: Fraction(1, 2), NICE: Fraction(1, 2)},), (True,))
    assert nearest_first([way], FAR_S.__getitem__) == [way]


@pytest.fixture
def mesh() -> VirtualMesh:
    made = VirtualMesh(["lyon", "oslo", "nice"])
    for name in ("oslo", "nice"):
        made[name].cluster.put(secret("ca"))
    made.settle()
    for name, trip_s in FAR_S.items():
        for _ in range(20):
            made["lyon"].step(PeerBeat(name, trip_s, GOOD_FOR_S))
    return made


def read_at(mesh: VirtualMesh) -> set[SiteName]:
    mesh.enter("lyon", "read", "oslo & nice", resources=("secret/ca",))
    mesh.collect()
    for _ in range(4):
        for wire, waiting in mesh.wires.items():
            while waiting and wire not in mesh.cut:
                mesh.arrive(wire)
        for world in mesh.worlds.values():
            mesh.catches_up(world)
        mesh.collect()
    return {step.site for step in mesh.verdict("lyon").plan}


def test_the_nearest_is_read(mesh: VirtualMesh) -> None:
    assert read_at(mesh) == {NICE}


def test_the_next_one_is_read_when_the_nearest_is_cut_off_or_has_it_no_more(mesh: VirtualMesh) -> None:
    mesh.sever("nice")
    mesh.settle(6)
    assert read_at(mesh) == {OSLO}
    assert "N505" in {one.code for one in mesh.verdict("lyon").reasons}


def test_it_is_denied_only_when_nobody_has_it(mesh: VirtualMesh) -> None:
    for name in ("oslo", "nice"):
        mesh[name].cluster.remove(ResourceId("Secret/shop/ca"))
        mesh[name].start()
    mesh.settle()
    assert read_at(mesh) == set()
    assert mesh.verdict("lyon").decision == "deny"
