"""Which tests go to the same worker of `make test`: those that share what takes long to start.

A control plane costs a worker ten seconds of a core at its start and a twentieth of one as long as it is there.
"""

from __future__ import annotations

from typing import Final

import pytest

CONTROL_PLANES: Final = "control planes"
APART: Final = frozenset(("unit", "accuracy"))  # without a bed they share nothing: each goes where there is time


@pytest.hookimpl(tryfirst=True)  # before xdist looks at it
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        group = group_of(item)
        if group:
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish(session: pytest.Session) -> None:
    """A worker says so when xdist does not know the groups: nothing else would show it but minutes."""
    if getattr(session.config.option, "loadgroup", False):
        unknown = [
            one.nodeid for one in session.items if group_of(one) and not one.nodeid.endswith(f"@{group_of(one)}")
        ]
        assert not unknown, f"{unknown[0]} is dealt without its group"


def group_of(item: pytest.Item) -> str:
    """Of control planes for the whole session, of clusters of a folder, of what a module starts; "" for none."""
    _, *folders, module = item.path.relative_to(item.config.rootpath).with_suffix("").parts
    fixtures = getattr(item, "fixturenames", ())
    if "real_bed" in fixtures:
        return "real bed"
    if "control_planes" in fixtures or ("e2e" not in folders and item.get_closest_marker("controlplane") is not None):
        return CONTROL_PLANES
    if not APART.isdisjoint(folders) and "bed" not in fixtures:
        return ""
    return "/".join(folders if "faults" in folders else (*folders, module))
