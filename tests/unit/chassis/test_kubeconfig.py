"""A kubeconfig that cannot be used is told in one line that names it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.chassis.errors import SettingsError
from services.chassis.kubernetes.connection import connect


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not YAML: while parsing a flow node expected the node content"),
        ("", "is none (expected clusters, users and contexts)"),
        ("[]", "is none (expected clusters, users and contexts)"),
        ("{apiVersion: v1, kind: Config, clusters: [], users: [], contexts: []}", "Expected key current-context in"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_named_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        asyncio.run(connect(file))
    assert said in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
