"""One of three sites is lost for good in every interleaving that Hypothesis finds, and the others are told, one by one.

What must hold among the two that are left is what holds in any mesh (mesh_oracles.py): each intent ends.
"""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import precondition, rule

from tests.kit.examples import examples
from tests.unit.resolver.test_together_states import HOW, NAMES, Deciding, soak

LOST = NAMES[2]
EXAMPLES, EXAMPLES_LONG = 100, 3_000


class Losing(Deciding):
    @precondition(lambda self: not self.mesh.lost and self.mesh.entered)
    @rule()
    def a_site_is_lost(self) -> None:
        self.mesh.lose(LOST)

    @precondition(lambda self: self.mesh.lost)
    @rule(at=st.integers(0, 1))
    def a_site_is_told_that_it_is_gone_for_good(self, at: int) -> None:
        world = self.site(at)
        if not world.gone:
            world.gone = (LOST,)
            world.kill()

    def teardown(self) -> None:
        self.mesh.lose(LOST)
        for world in self.mesh.worlds.values():
            world.cut_after = None
        for at in (0, 1):
            self.a_site_is_told_that_it_is_gone_for_good(at)
        self.mesh.bury()
        super().teardown()


Losing.TestCase.settings = settings(HOW, max_examples=examples(EXAMPLES))
TestLosing = pytest.mark.timeout(1_800)(Losing.TestCase)


@pytest.mark.soak
@pytest.mark.timeout(6 * 3_600)
def test_the_same_holds_in_many_longer_runs(capsys: pytest.CaptureFixture[str]) -> None:
    soak(Losing, EXAMPLES_LONG, capsys)
