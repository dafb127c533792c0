"""nkeys: Ed25519 pairs. The server knows the public half; the seed lies in a file that only its owner reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import nkeys

from cheops.private_files import write_private
from cheops.topology.rendering import seed_text

SEED_BYTES: Final = 32


def new_seed() -> str:
    """A user's seed, `SU…`."""
    return str(nkeys.encode_seed(os.urandom(SEED_BYTES), nkeys.PREFIX_BYTE_USER).decode())


def public_key(seed: str) -> str:
    """`U…`, what a server's configuration names."""
    return str(nkeys.from_seed(bytearray(seed.encode())).public_key.decode())


def make(folder: Path, role: str) -> str:
    """Write a new seed for a role into `folder`, replacing one that is there; returns the public key."""
    seed = new_seed()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(folder / f"{role}.nk", f"{seed}\n")
    if role == "link":
        write_private(folder / "link.conf", seed_text(seed))
    return public_key(seed)
