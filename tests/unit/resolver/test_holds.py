"""What is in flight is so until its effect is seen, in whatever order outcomes and events come."""

from __future__ import annotations

from services.resolver.signals import OutcomeSeen
from tests.kit.manifests import secret, without_uid
from tests.unit.resolver.test_sets import NEW, mesh
from tests.unit.resolver.virtual_mesh import VirtualMesh

__all__ = ["mesh"]


def test_what_has_only_begun_is_in_flight_though_what_it_replaces_is_known(mesh: VirtualMesh) -> None:
    """An executor says which version it is about to replace; that was seen long ago."""
    lyon = mesh["lyon"]
    before = lyon.cluster.put(secret("new"))
    lyon.cluster.put(secret("other"))
    mesh["lyon"].kill()
    mesh.settle()
    mesh.enter("lyon", "apply", "", manifests=(without_uid(secret("new", "crt", "key")),))
    mesh.catches_up(lyon)
    operation = lyon.operations[-1]
    begun = lyon._outcome(operation, "begun", version=before.resource_version, uid=before.uid)
    lyon.step(OutcomeSeen(begun))
    assert lyon.machine.holds.holds(NEW)
    mesh.pump()
    mesh.settle()
    assert not lyon.machine.holds.holds(NEW), "what was done is seen"
