"""One of something is not many of it, in whatever a person reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from cheops.cli.failures import explained
from cheops.cli.main import app

POLICY = "schema: policy/v1\nrules:\n  - {code: D311, set: warn}\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: edge-ca, namespace: shop}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("policy", "check", "policy.yaml"), "policy.yaml: good, 1 rule, digest "),
        (("order", "-f", "secret.yaml"), "create 1 resource @ "),
    ],
)
def test_one_of_something_is_said_as_one(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "secret.yaml").write_text(SECRET)
    monkeypatch.chdir(tmp_path)
    assert explained(lambda: app(list(words), standalone_mode=False, prog_name="cheops")) == 0
    assert said in capsys.readouterr().out
