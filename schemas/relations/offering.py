"""Whether what a reference needs of its target is offered there: a key, a port, a listener, a version. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.among import is_among

KEY: Final = "key"
TEXT: Final = "text"  # the keys of a ConfigMap that are in `data`: no variable reads `binaryData`
OF_TEXT: Final = ("podspec.env.configmap", "podspec.envfrom.configmap")
Parts = Mapping[str, tuple[str, ...]]


def sort_of(rule: str, granule: str, parts: Parts) -> str:
    """The sort of part that a rule's references need, where they name one of (`key:mode`), or read all of a kind."""
    if rule in OF_TEXT and TEXT in parts:  # who tells of it may be older
        return TEXT
    return granule.partition(":")[0]


def is_offered(rule: str, granule: str, parts: Parts) -> bool:
    """A target with these parts has the one that is needed, or parts of that sort are not known of it."""
    sort = sort_of(rule, granule, parts)
    return not granule or sort not in parts or is_among(granule.partition(":")[2], parts[sort])
