"""Verdicts before damage: the SDK.

    from cheops import connect, Intent

    async with connect() as mesh:
        verdict = await mesh.submit(Intent.delete("secret/edge-ca", namespace="platform"))

What the caller got wrong is a ValueError that names the field (MessageError, ScopeError); what cannot be had is a
CheopsError: TransientError for what is worth another try.
The names are imported when they are used: the command line's `--help` needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cheops.asking import RefusedError
    from cheops.drafts import Intent
    from cheops.lines import NoSiteError
    from cheops.mesh import Mesh, connect
    from schemas.envelope import MessageError
    from schemas.scope.errors import ScopeError
    from schemas.verdicts import Verdict
    from services.chassis.errors import BusUnavailableError, CheopsError, TransientError

__all__ = [
    "BusUnavailableError",
    "CheopsError",
    "Intent",
    "Mesh",
    "MessageError",
    "NoSiteError",
    "RefusedError",
    "ScopeError",
    "TransientError",
    "Verdict",
    "connect",
]

_HOMES = {
    "BusUnavailableError": "services.chassis.errors",
    "CheopsError": "services.chassis.errors",
    "Intent": "cheops.drafts",
    "Mesh": "cheops.mesh",
    "MessageError": "schemas.envelope",
    "NoSiteError": "cheops.lines",
    "RefusedError": "cheops.asking",
    "ScopeError": "schemas.scope.errors",
    "TransientError": "services.chassis.errors",
    "Verdict": "schemas.verdicts",
    "connect": "cheops.mesh",
}

if not TYPE_CHECKING:  # else any name would be one

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'cheops' has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
