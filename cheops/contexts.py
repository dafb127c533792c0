"""Where is the bus, and which site do I mean? Environment first, then the context file.

`CHEOPS_NATS_URL`, `CHEOPS_NATS_KEYS` and `CHEOPS_SITE`, or a JSON file (`CHEOPS_CONTEXT`, else `.cheops/context.json`
in this folder or a parent of it, else `~/.config/cheops/context.json`), which `cheops sandbox up` writes. Each site has
a server of its own, or several share one; `keys` is the folder that holds `client.nk`, where the server wants a user:

    {"site": "", "sites": ["lyon", "oslo"], "servers": {"lyon": {"nats_url": "nats://10.1.0.5:4222", "keys": "keys"}}}
    {"site": "lyon", "sites": ["lyon", "oslo"], "nats_url": "nats://127.0.0.1:4222"}
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.envelope import describe
from services.chassis.errors import SettingsError

DEFAULT_NATS_URL: Final = "nats://127.0.0.1:4222"
FILE_NAME: Final = Path(".cheops") / "context.json"
AT_HOME: Final = "~/.config/cheops/context.json"


class Server(BaseModel):
    """Where to connect, and the folder of the key to do it with; "" where none is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    nats_url: str = DEFAULT_NATS_URL
    keys: str = ""


class Context(Server):
    """Connections and their defaults. `servers`: the sites that have a server of their own."""

    site: str = ""
    sites: tuple[str, ...] = ()
    servers: Mapping[str, Server] = Field(default_factory=dict)
    origin: str = "defaults"

    @property
    def where(self) -> str:
        """Every server, for people."""
        urls = dict.fromkeys(one.nats_url for one in self.servers.values())
        return ", ".join(urls) or self.nats_url


def load_context(nats_url: str | None = None, site: str | None = None) -> Context:
    """Arguments, else environment, else file; raises SettingsError that names the file and the field.

    One server that is named in an argument or the environment stands for all that the file names.
    """
    file = _context_file()
    found = read_context(file) if file else Context()
    named = nats_url or os.environ.get("CHEOPS_NATS_URL")
    changes: dict[str, object] = {
        "nats_url": named,
        "keys": os.environ.get("CHEOPS_NATS_KEYS"),
        "site": site or os.environ.get("CHEOPS_SITE"),
    }
    kept = {name: value for name, value in changes.items() if value}
    if named:
        known = next((one.keys for one in found.servers.values() if one.nats_url == named), "")
        kept = {"keys": known, "servers": {}, **kept}
    return found.model_copy(update=kept)


def _context_file() -> Path | None:
    named = os.environ.get("CHEOPS_CONTEXT")
    if named:
        return Path(named)
    candidates = [folder / FILE_NAME for folder in _folders()]
    candidates.append(Path(os.path.expanduser(AT_HOME)))  # as it is where nobody says where home is
    return next((path for path in candidates if path.is_file()), None)


def _folders() -> list[Path]:
    """This one and those above it; none when somebody has removed it."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return []
    return [here, *here.parents]


def read_context(path: Path) -> Context:
    """Raises SettingsError that names the file and the field."""
    try:
        found = Context.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise SettingsError(f"{path}: {describe(error).removeprefix('message: ')}") from error
    servers = {name: one.model_copy(update={"keys": _beside(path, one.keys)}) for name, one in found.servers.items()}
    return found.model_copy(update={"origin": str(path), "keys": _beside(path, found.keys), "servers": servers})


def _beside(file: Path, folder: str) -> str:
    """A relative folder is meant from where the file is."""
    return str(file.absolute().parent / folder) if folder else ""
