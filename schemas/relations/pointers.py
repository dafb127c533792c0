"""What a text points at, and the object in which it stands: what readers (readers.py) take and give. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from schemas.identity import KindId
from schemas.kinds import Surface

OBJECT_PATH_LENS: Final = (3, 5)  # group/kind/name, group/namespaces/namespace/kind/name


class Pointer(NamedTuple):
    """What one text points at.

    namespace   None: the source's own
    name        "": all of the kind there
    doubtful    it points at nothing when that is not there: it says something else then
    """

    kind: KindId
    name: str
    namespace: str | None = None
    granule: str = ""
    suffix: str = ""  # what is added to the path of the rule
    inferred: bool = False
    doubtful: bool = False


class Source(NamedTuple):
    """The object that is read."""

    group: str
    kind: str
    namespace: str
    name: str
    body: Mapping[str, Any]
    surface: Surface
