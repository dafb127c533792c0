"""How several workers share the tests (`make test`, or pytest with `-n 3`): whole files, the dear ones first.

    each worker collects → nodes become units of work, in the order of the command line → who is free takes the next

A file stays with one worker, so what it starts for itself is started once; files that share more than that (three
sites, two real clusters, one control plane, what was worked out) stay together, too. What waits for other processes
comes first, what only computes comes last, so the workers end together. Ids of tests are as without workers: what is
printed can be pasted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

FAULTS, REAL = "three sites", "two real clusters"
RULES = "what the rules say about every kind"
PLANE, WRITTEN = "a control plane", "a control plane that an executor writes to"
TOGETHER: Final = {
    "tests/e2e/faults/": FAULTS,
    "tests/e2e/test_main_job.py": REAL,
    "tests/e2e/test_real_cuts.py": REAL,
    "tests/e2e/test_real_faults.py": REAL,
    "tests/e2e/test_real_neighbours.py": REAL,
    "tests/e2e/test_real_shop.py": REAL,
    "tests/e2e/test_real_takeover.py": REAL,
    "tests/accuracy/test_relations.py": PLANE,
    "tests/contract/api/": PLANE,
    "tests/contract/test_controlplane": PLANE,
    "tests/contract/test_merging.py": PLANE,
    "tests/flow/test_executor_": WRITTEN,
    "tests/flow/test_watcher_cluster.py": WRITTEN,
    "tests/e2e/test_manifests_on_a_real_cluster.py": WRITTEN,
    "tests/unit/relations/": RULES,
}


def unit_of(test: str) -> str:
    """What one worker does: a file, or what several files share."""
    shared = (unit for start, unit in TOGETHER.items() if test.startswith(start))
    return next(shared, test.partition("::")[0])


@pytest.hookimpl(optionalhook=True)  # known only where pytest-xdist is
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Ours, whatever `--dist` says."""
    from xdist.scheduler import LoadScopeScheduling

    class ByWhatIsShared(LoadScopeScheduling):
        """Its one method that is meant to be written anew."""

        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

    config.option.loadscopereorder = False  # many small tests are no long work: the order of the command line is kept
    return ByWhatIsShared(config, log)
