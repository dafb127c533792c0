"""Real control planes for tests: `lyon`, `oslo`, or any name from `control_planes("bern")`.

Each is started when the first test asks for it and serves all that stay with it in one worker (spread.py), so a test
keeps to namespaces of its own. Then it is stopped: one that nobody uses takes a twentieth of a processor.
Where the programs are missing such tests skip and say how to get them; with CHEOPS_REQUIRE_CONTROLPLANE=1 they fail.
Tests that use one are marked `controlplane` here, so none can be forgotten.

Every test run loads this module, so what it needs is imported when a control plane is really wanted.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Never

import pytest

from tests.kit.spread import unit_of

if TYPE_CHECKING:
    from cheops.sandbox.controlplane import ControlPlane, ControlPlaneMissingError, User

REQUIRE_VARIABLE = "CHEOPS_REQUIRE_CONTROLPLANE"
VISITOR = "visitor"  # may log in to each, may do nothing until a test says what
KUBECTL_TIMEOUT_S = 60.0


class ControlPlanes:
    """Name → a running control plane, made on demand. Belongs to no event loop."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, ControlPlane] = {}

    def __call__(self, name: str) -> ControlPlane:
        """Skips or fails the test when programs are missing."""
        from cheops.sandbox.controlplane import User

        if name not in self._running:
            plane = prepare(name, self._directory / name, users=[User(VISITOR)])
            plane.start_sync()
            self._running[name] = plane
        return self._running[name]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
        """After the last test of those that share them."""
        try:
            return (yield)
        finally:
            if nextitem is not None and unit_of(nextitem.nodeid) != unit_of(item.nodeid):
                self.stop()

    def stop(self) -> None:
        """Those that run; who asks for one again starts it anew."""
        while self._running:
            _, plane = self._running.popitem()
            plane.stop_sync()


def prepare(
    name: str, directory: Path, users: Iterable[User] = (), port: int = 0, run_pods: bool = True
) -> ControlPlane:
    """One that is not started, for tests about starting. Skips or fails the test when programs are missing."""
    from cheops.sandbox.controlplane import ControlPlane, ControlPlaneMissingError

    try:
        return ControlPlane(name, directory, run_pods=run_pods, users=users, port=port)
    except ControlPlaneMissingError as error:
        give_up(error)


def give_up(error: ControlPlaneMissingError) -> Never:
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(f"{error} ({REQUIRE_VARIABLE}=1 forbids to skip)")
    pytest.skip(str(error))


def kubectl(plane: ControlPlane, *arguments: str, user: str = "admin", manifest: str = "") -> str:
    """What kubectl of the same version prints; CalledProcessError carries what it complains about."""
    command = [kubectl_program(), f"--kubeconfig={plane.kubeconfig_of(user)}", *arguments]
    return subprocess.run(
        command, input=manifest, capture_output=True, text=True, timeout=KUBECTL_TIMEOUT_S, check=True
    ).stdout


def kubectl_program() -> str:
    from cheops.sandbox.plane.assets import FOR_PEOPLE, ControlPlaneMissingError, require

    try:
        return str(require(FOR_PEOPLE) / "kubectl")
    except ControlPlaneMissingError as error:
        give_up(error)


@pytest.fixture(scope="session")
def control_planes(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlanes]:
    planes = ControlPlanes(tmp_path_factory.mktemp("controlplanes"))
    pytestconfig.pluginmanager.register(planes)
    yield planes
    pytestconfig.pluginmanager.unregister(planes)
    planes.stop()


@pytest.fixture(scope="module")
def lyon(control_planes: ControlPlanes) -> ControlPlane:
    return control_planes("lyon")


@pytest.fixture(scope="module")
def oslo(control_planes: ControlPlanes) -> ControlPlane:
    return control_planes("oslo")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "control_planes" in getattr(item, "fixturenames", ()):
            item.add_marker("controlplane")
