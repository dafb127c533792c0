"""What some tests need of a machine beside Python: without it they skip, and say what would have to be installed."""

from __future__ import annotations

from typing import Final

import pytest

from cheops.forms import cel


def _lacks_graphviz() -> str:
    """Its wheel leaves out one library, which a small image of a system has not."""
    try:
        import pygraphviz  # noqa: F401
    except ImportError as error:
        return str(error)
    return ""


NO_GRAPHVIZ: Final = _lacks_graphviz()
GRAPHVIZ: Final = pytest.mark.skipif(bool(NO_GRAPHVIZ), reason=f"no picture can be drawn here: {NO_GRAPHVIZ}")
CEL: Final = pytest.mark.skipif(not cel.is_installed(), reason="cel-expr-python has no wheel for this Python (or libc)")
