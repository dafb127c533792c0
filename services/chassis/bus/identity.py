"""Who connects to the bus: the nkey of one role at one site, and the inbox where only that role listens."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.identity import SiteName
from schemas.subjects import reply_inbox
from services.chassis.errors import SettingsError

_SEED: Final = re.compile(r"SU[A-Z2-7]{56}")


@dataclass(frozen=True, slots=True)
class Identity:
    """`seed_file` holds an nkey's seed; it is read at each connection, so that a renewed key is found.

    Where `ca.pem` lies beside it, the server must prove itself by a certificate of that authority first.
    """

    seed_file: Path
    inbox: str

    def seed(self) -> str:
        """Raises SettingsError that names the file, never what is in it."""
        try:
            text = self.seed_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not text"
            raise SettingsError(f"{self.seed_file}: cannot be read ({why}; set CHEOPS_NATS_KEYS)") from error
        if not _SEED.fullmatch(text):
            raise SettingsError(f"{self.seed_file}: not the seed of a user (expected SU… , 58 letters and digits)")
        return text

    def trust(self) -> ssl.SSLContext | None:
        """None without a `ca.pem`: the connection is not encrypted then."""
        file = self.seed_file.parent / "ca.pem"
        if not file.exists():
            return None
        try:
            return ssl.create_default_context(cafile=str(file))
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"{file}: no certificate of an authority can be read ({error})") from error


def identity_of(keys: Path | None, site: SiteName, role: str) -> Identity | None:
    """From the folder of a site's keys; None without one: the server asks for nothing then."""
    return Identity(keys / f"{role}.nk", reply_inbox(site, role)) if keys else None
