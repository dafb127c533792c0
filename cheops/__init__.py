"""Verdicts before damage: the SDK.

from cheops import connect, Intent

async with connect() as mesh:
    verdict = await mesh.submit(Intent.delete("secret/edge-ca", namespace="platform"))
"""

from cheops.drafts import Intent
from cheops.mesh import Mesh, connect

__all__ = ["Intent", "Mesh", "connect"]
