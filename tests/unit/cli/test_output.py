"""A document holds what it is about in every encoding: whoever takes it from a pipe loses no character."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
import yaml

from cheops.cli.options import Output
from cheops.cli.render.output import document, kubernetes_objects

OBJECT = {"kind": "ConfigMap", "data": {"greeting": "Grüße, 5 €", "lines": "é\n€ and 🜂\n"}}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("output", [Output.JSON, Output.YAML])
def test_what_is_read_back_is_what_was_written(monkeypatch: pytest.MonkeyPatch, encoding: str, output: Output) -> None:
    assert _read_back(monkeypatch, encoding, output, lambda: document(OBJECT, output)) == OBJECT
    objects = _read_back(monkeypatch, encoding, output, lambda: kubernetes_objects([OBJECT], output))
    assert (objects["items"][0] if output is Output.JSON else objects) == OBJECT


def _read_back(monkeypatch: pytest.MonkeyPatch, encoding: str, output: Output, write: Any) -> Any:
    """As others read it, who take every document for UTF-8."""
    taken = io.BytesIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", io.TextIOWrapper(taken, encoding, errors="replace"))
        write()
        text = taken.getvalue().decode()
        return json.loads(text) if output is Output.JSON else yaml.safe_load(text)
