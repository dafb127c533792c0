"""Annotations that have a Secret or a ConfigMap copied into other namespaces → the copies. Pure.

Read as Reflector and kubernetes-replicator read them: namespaces by commas, each a name or a pattern; a pattern, a
selector of labels or no word at all is every namespace here, since which ones it means is not known in the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from schemas.identity import KindId
from schemas.relations.pointers import Pointer, Source

REFLECTED: Final = "reflector.v1.k8s.emberstack.com/reflection-auto-enabled"
REFLECTED_TO: Final = "reflector.v1.k8s.emberstack.com/reflection-auto-namespaces"
REPLICATED_TO: Final = "replicator.v1.mittwald.de/replicate-to"
REPLICATED_TO_MATCHING: Final = "replicator.v1.mittwald.de/replicate-to-matching"
NAMESPACES_MAX: Final = 1_000
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


def copies_nothing(annotations: Any) -> bool:
    """Whether that is known at a glance, as of most objects."""
    return not isinstance(annotations, dict) or not (
        REFLECTED in annotations or REPLICATED_TO in annotations or REPLICATED_TO_MATCHING in annotations
    )


def _namespaces(annotations: Any) -> Iterator[str]:
    """Where the copies are: names and patterns, and "" for every namespace."""
    lists = []
    if annotations.get(REFLECTED) == "true":
        lists.append(annotations.get(REFLECTED_TO) or "")
    if REPLICATED_TO in annotations:
        lists.append(annotations[REPLICATED_TO])
    for text in lists:
        yield from (text.split(",")[:NAMESPACES_MAX] if isinstance(text, str) else ())
    if annotations.get(REPLICATED_TO_MATCHING):
        yield ""


def read_copies(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Those in the namespaces that are named."""
    for one in _namespaces(value) if not copies_nothing(value) else ():
        namespace = one.strip()
        if namespace != source.namespace and _NAME.fullmatch(namespace):
            yield Pointer(kind, source.name, namespace)


def read_copies_everywhere(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Those in namespaces that are not named."""
    if not copies_nothing(value) and any(not _NAME.fullmatch(one.strip()) for one in _namespaces(value)):
        yield Pointer(kind, source.name)
