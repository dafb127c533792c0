"""What all requests work on: the objects, the kinds that are served, the clock and the source of ids."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cheops.sandbox.apiserver.kinds import Kind, Registry, builtin_kinds
from cheops.sandbox.apiserver.store import Store, Stored

SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # as the real generator: no vowels, so no words by chance
SUFFIX_LEN = 5
HISTORY_LEN_MAX = 10_000  # changes per resource


@dataclass(slots=True)
class Realm:
    """One cluster."""

    name: str
    store: Store = field(default_factory=lambda: Store(HISTORY_LEN_MAX))
    registry: Registry = field(default_factory=lambda: Registry(builtin_kinds()))

    def get(self, kind: Kind, namespace: str, name: str) -> Stored | None:
        return self.store.get(kind.collection, namespace, name)

    def kind(self, api_version: str, name: str) -> Kind:
        """A kind that is surely served: a built-in one."""
        found = self.registry.by_kind(api_version, name)
        assert found is not None, f"{api_version} {name} is not served"
        return found


def now_text() -> str:
    """RFC 3339 in seconds, as in creationTimestamp."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_uid() -> str:
    return str(uuid.uuid4())


def name_suffix() -> str:
    """What generateName gets behind it."""
    return "".join(random.choices(SUFFIX_LETTERS, k=SUFFIX_LEN))
