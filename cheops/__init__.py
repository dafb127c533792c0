"""Verdicts before damage: the SDK.

    from cheops import connect, Intent

    async with connect() as mesh:
        verdict = await mesh.submit(Intent.delete("secret/edge-ca", namespace="platform"))

The names are imported when they are used: the command line's `--help` needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cheops.drafts import Intent
    from cheops.mesh import Mesh, connect
    from schemas.verdicts import Verdict
    from services.chassis.errors import CheopsError

__all__ = ["CheopsError", "Intent", "Mesh", "Verdict", "connect"]

_HOMES = {
    "CheopsError": "services.chassis.errors",
    "Intent": "cheops.drafts",
    "Mesh": "cheops.mesh",
    "Verdict": "schemas.verdicts",
    "connect": "cheops.mesh",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cheops' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
