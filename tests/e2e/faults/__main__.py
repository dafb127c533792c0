"""`make faults`, `make faults-long`: every fault on real control planes, and a table of what passed and what failed.

Further words go to pytest: `python -m tests.e2e.faults -k test_fault_42`. `--embedded`: on embedded API servers.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.e2e.faults.table import ELSEWHERE, Table


def main(words: list[str]) -> int:
    """pytest's exit code; 1 when a fault was not shown, whatever pytest thinks of skipped tests."""
    ours = {"--long", "--embedded"}
    os.environ["CHEOPS_FAULTS_ENGINE"] = "embedded" if "--embedded" in words else "kube"
    if "--long" in words:
        os.environ["CHEOPS_FAULTS_LONG"] = "1"
    left = [word for word in words if word not in ours]
    table = Table()
    elsewhere = sorted({test for tests in ELSEWHERE.values() for test in tests})
    code = int(pytest.main([str(Path(__file__).parent), *elsewhere, *left], plugins=[table]))
    whole = all(row.word == "passed" for row in table.rows.values())
    return code or (0 if whole or left else 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
