"""What `cheops policy check` says of a file that is good."""

from __future__ import annotations

from pathlib import Path

import pytest

from cheops.cli.failures import explained
from cheops.cli.main import app

POLICY = """schema: policy/v1
rules:
  - {code: D310, set: warn}
  - {code: D310, set: deny, namespaces: [shop]}
"""


def test_a_rule_that_never_gets_its_turn_is_said_below_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    assert explained(lambda: app(["policy", "check", str(file)], standalone_mode=False, prog_name="cheops")) == 0
    *_, narrow, said, _ = capsys.readouterr().out.splitlines()
    assert narrow.endswith("(namespaces shop)")
    assert said.strip() == "never used: rules.0 comes first and fits all that rules.1 fits"
