"""What all requests work on: the objects, the kinds that are served, the clock and the source of ids."""

from __future__ import annotations

import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cheops.sandbox.apiserver.kinds import Kind, Registry, builtin_kinds
from cheops.sandbox.apiserver.schema.builtin import shape_of_model
from cheops.sandbox.apiserver.schema.shape import Shape
from cheops.sandbox.apiserver.store import Store, Stored

if TYPE_CHECKING:
    from cheops.sandbox.apiserver.writing.draft import Draft

SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # as the real generator: no vowels, so no words by chance
SUFFIX_LEN = 5
HISTORY_LEN_MAX = 10_000  # changes per resource


@dataclass(slots=True)
class Realm:
    """One cluster."""

    name: str
    store: Store = field(default_factory=lambda: Store(HISTORY_LEN_MAX))
    registry: Registry = field(default_factory=lambda: Registry(builtin_kinds()))
    shapes: dict[Kind, Shape] = field(default_factory=dict)  # of custom kinds
    protects_volumes: bool = False
    admit: Callable[[Draft], Awaitable[None]] = field(default_factory=lambda: _nobody_minds)
    _allocated: int = 0

    def get(self, kind: Kind, namespace: str, name: str) -> Stored | None:
        return self.store.get(kind.collection, namespace, name)

    def serve(self, kind: Kind, shape: Shape) -> None:
        """A custom kind, from now on."""
        self.registry.add(kind)
        self.shapes[kind] = shape

    def stop_serving(self, group: str, plural: str) -> None:
        self.registry.remove(group, plural)
        for kind in [kind for kind in self.shapes if (kind.group, kind.plural) == (group, plural)]:
            del self.shapes[kind]

    def shape(self, kind: Kind) -> Shape:
        return self.shapes[kind] if kind.custom else shape_of_model(kind.model)

    def next_cluster_ip(self) -> str:
        """10.96.0.0/16, never twice: the sandbox does not live long enough to run out."""
        self._allocated += 1
        place = self._allocated + 255  # 10.96.0.x is left to those who ask for an address of their own
        return f"10.96.{(place >> 8) % 256}.{place % 256}"

    def next_node_port(self) -> int:
        """30000 to 32767."""
        self._allocated += 1
        return 30000 + self._allocated % 2768

    def kind(self, api_version: str, name: str) -> Kind:
        """A kind that is surely served: a built-in one."""
        found = self.registry.by_kind(api_version, name)
        assert found is not None, f"{api_version} {name} is not served"
        return found


async def _nobody_minds(draft: Draft) -> None:
    """Where no webhook is asked."""


def now_text(later_s: int = 0) -> str:
    """RFC 3339 in seconds, as in creationTimestamp."""
    return (datetime.now(UTC) + timedelta(seconds=later_s)).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_uid() -> str:
    return str(uuid.uuid4())


def name_suffix() -> str:
    """What generateName gets behind it."""
    return "".join(random.choices(SUFFIX_LETTERS, k=SUFFIX_LEN))
