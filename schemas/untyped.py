"""Values that nobody has checked yet → what can be worked with. Pure.

A manifest may hold anything anywhere, and who reads it says what is wrong with it (cheops/forms) or leaves that to the
API server. So whoever only looks for something takes what has the right type, and nothing where something else stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MAPPINGS: Final = (dict, Mapping)  # nearly all are dicts, and that is asked for in no time


def mapping_of(value: Any) -> Mapping[str, Any]:
    """An object; an empty one where something else stands."""
    return value if value is not None and isinstance(value, _MAPPINGS) else {}


def rows_of(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; nothing where something else stands."""
    return [one for one in value if isinstance(one, _MAPPINGS)] if isinstance(value, list) else []


def texts_of(value: Any) -> list[str]:
    """The texts of a list; nothing where something else stands."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
