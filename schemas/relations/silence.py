"""What is known of readers of texts (readers.py) at a glance: where one says nothing, so it is not asked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.identity import KindId, split_kind
from schemas.kinds import Surface
from schemas.relations.copies import copies_nothing
from schemas.relations.hosts import names_no_alone, names_no_host


def can_speak(reads: str, source: KindId, surface: Surface) -> bool:
    """Whether it can say anything of the objects of a kind."""
    if reads == "own-definition":
        return not surface.is_built_in(split_kind(source)[0])
    return reads != "pod-claim" or split_kind(source)[1] == "Pod"


def _projects_nothing(value: Any) -> bool:
    volumes = value.get("volumes") if isinstance(value, dict) else None
    for volume in volumes if isinstance(volumes, list) else ():
        if isinstance(volume, dict) and "projected" in volume:
            return False
    return True


# Fields without which a mapping points at nothing; values that point at nothing.
NEEDS: Final[Mapping[str, str]] = {
    "pod-claim": "ephemeral",
    "mesh-subset": "subset",
    "pod-tokens": "volumes",
    "role-rule": "resourceNames",
}
MUTE: Final[Mapping[str, Callable[[Any], bool]]] = {
    "hosts": names_no_host,
    "named-hosts": names_no_alone,
    "copies": copies_nothing,
    "copies-everywhere": copies_nothing,
    "pod-tokens": _projects_nothing,
}
# What these say rests on other fields of the object, too: of its metadata alone, or of all of it.
LOOKS_AT_METADATA: Final = frozenset(("flux-applied", "argo-tracked", "issued"))
LOOKS_AROUND: Final = LOOKS_AT_METADATA | {"set-claims"}
# What these say rests on nothing but the value, its place, and the namespace (named, where a rule says so).
SAYS_BY_VALUE: Final = frozenset(
    (
        "hosts", "named-hosts", "pod-tokens", "outside", "namespaced-name", "dotted-name", "account-user",
        "account-group", "secret-flag",
    )
)  # fmt: skip
