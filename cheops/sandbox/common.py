"""What programs of a sandbox have in common, made once before they are forked (forkserver.py)."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Sequence
from typing import Final

MODULES: Final = (
    "cheops.cli.main",
    "cheops.cli.serve",
    "cheops.sandbox.apiserver",
    "cheops.sandbox.links",
    "cheops.site",
    "kubernetes.aio.config",
    "services.executor.__main__",
    "services.resolver.__main__",
    "services.watcher.__main__",
    "uvloop",
)


def import_all(more: Sequence[str] = ()) -> None:
    """What services, clusters and their supervisor need; the collector need not walk over it, nor copy its pages.

    With what nearly each of them makes at its start or at the first scope: the shipped rules and kinds, the parser of
    scopes, the shape of what has pods, and what every cluster holds at first.
    """
    for name in (*MODULES, *more):
        importlib.import_module(name)
    from cheops.sandbox.apiserver import EmbeddedCluster
    from cheops.sandbox.apiserver.schema.builtin import shape_of_model
    from schemas.relations.carried import Rulebook
    from schemas.relations.surface import builtin_surface
    from schemas.scope.parse import parse_scope

    Rulebook()
    builtin_surface()
    parse_scope("lyon")
    shape_of_model("V1Deployment")
    EmbeddedCluster().furnished()  # thrown away: the classes and shapes that it needs stay
    gc.collect()
    gc.freeze()
