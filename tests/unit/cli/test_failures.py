"""What went wrong is said in one line, with what to do about it."""

from __future__ import annotations

import pytest

from cheops.cli.failures import NoGraphvizError


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (ModuleNotFoundError("No module named 'pygraphviz'"), "pip install 'cheops[picture]'"),
        (ImportError("libgobject-2.0.so.0: cannot open shared object file"), "apt install libglib2.0-0"),
    ],
)
def test_a_picture_that_cannot_be_drawn_names_what_is_to_be_installed(error: ImportError, remedy: str) -> None:
    said = str(NoGraphvizError(error))
    assert said.startswith("-o svg needs Graphviz: ")
    assert remedy in said
    assert str(error) in said
