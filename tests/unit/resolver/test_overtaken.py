"""An intent that waited is done, or not, by when it was entered: what a later one has declared since stays."""

from __future__ import annotations

import pytest

from tests.unit.resolver.test_sets import NEW, do, keys, mesh, new
from tests.unit.resolver.virtual_mesh import VirtualMesh

__all__ = ["mesh"]


def is_overtaken(mesh: VirtualMesh) -> None:
    """The verdict on i-2 says by whom."""
    late = mesh.verdict("lyon", "i-2")
    assert (late.decision, [(one.code, "by intent i-3" in one.message) for one in late.reasons]) == (
        "deny",
        [("D512", True)],
    )


def one_that_waits(mesh: VirtualMesh) -> None:
    """An update of i-2 that takes a key away while nice is cut off."""
    do(mesh, "lyon", "create", "lyon & nice", "i-1", manifests=(new("a", "b"),))
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "apply", "", "i-2", manifests=(new("a"),)).decision == "defer"


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_update_that_waited_does_not_replace_what_was_declared_since(mesh: VirtualMesh, is_killed: bool) -> None:
    one_that_waits(mesh)
    mesh.settle(2)
    verdict = do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b", "c"),))
    assert (verdict.decision, keys(mesh, "lyon")) == ("allow", {"a", "b", "c"})
    if is_killed:
        mesh["lyon"].kill()
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"a", "b", "c"}
    is_overtaken(mesh)


@pytest.mark.parametrize("is_killed", [False, True])
def test_of_two_that_wait_the_later_is_done_last(mesh: VirtualMesh, is_killed: bool) -> None:
    one_that_waits(mesh)
    mesh.settle(2)
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(new("b"),)).decision == "defer"
    if is_killed:
        mesh["lyon"].kill()
        mesh.settle(4)
    mesh.mend()
    mesh.settle(200)
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"b"}


def test_an_update_that_waited_is_done_over_what_kubectl_has_changed_since(mesh: VirtualMesh) -> None:
    one_that_waits(mesh)
    body = mesh["lyon"].cluster.objects[NEW]
    mesh["lyon"].cluster.put({**body, "data": {"a": "eA==", "b": "eA==", "by-hand": "eA=="}})
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert mesh.verdict("lyon", "i-2").decision == "allow"
    assert keys(mesh, "nice") == {"a"}


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_deletion_that_waited_does_not_take_what_was_declared_since(mesh: VirtualMesh, is_killed: bool) -> None:
    do(mesh, "lyon", "create", "lyon & nice", "i-1", manifests=(new("a"),))
    mesh.sever("nice")
    mesh.settle(6)
    assert do(mesh, "lyon", "delete", "", "i-2", resources=("secret/new",)).decision == "defer"
    mesh.settle(2)
    assert do(mesh, "lyon", "apply", "", "i-3", manifests=(new("a", "b"),)).decision == "allow"
    if is_killed:
        mesh["lyon"].kill()
    mesh.settle(2)
    mesh.mend()
    mesh.settle(60)
    assert keys(mesh, "lyon") == keys(mesh, "nice") == {"a", "b"}
    is_overtaken(mesh)
