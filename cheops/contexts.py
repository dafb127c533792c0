"""Where is the bus, and which site do I mean? Environment first, then the context file.

`CHEOPS_NATS_URL` and `CHEOPS_SITE`, or a JSON file (`CHEOPS_CONTEXT`, else `.cheops/context.json` in this folder or a
parent of it, else `~/.config/cheops/context.json`), which `cheops sandbox up` writes:

    {"nats_url": "nats://127.0.0.1:4222", "site": "lyon", "sites": ["lyon", "oslo"]}
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.envelope import describe
from services.chassis.errors import SettingsError

DEFAULT_NATS_URL: Final = "nats://127.0.0.1:4222"
FILE_NAME: Final = Path(".cheops") / "context.json"


class Context(BaseModel):
    """A connection and its defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    nats_url: str = DEFAULT_NATS_URL
    site: str = ""
    sites: tuple[str, ...] = ()
    origin: str = "defaults"


def load_context(nats_url: str | None = None, site: str | None = None) -> Context:
    """Arguments, else environment, else file; raises SettingsError that names the file and the field."""
    found = _from_file(_context_file())
    changes = {
        "nats_url": nats_url or os.environ.get("CHEOPS_NATS_URL"),
        "site": site or os.environ.get("CHEOPS_SITE"),
    }
    return found.model_copy(update={name: value for name, value in changes.items() if value})


def _context_file() -> Path | None:
    named = os.environ.get("CHEOPS_CONTEXT")
    if named:
        return Path(named)
    here = Path.cwd()
    candidates = [folder / FILE_NAME for folder in (here, *here.parents)]
    candidates.append(Path.home() / ".config" / "cheops" / "context.json")
    return next((path for path in candidates if path.is_file()), None)


def _from_file(path: Path | None) -> Context:
    if path is None:
        return Context()
    try:
        return Context.model_validate_json(path.read_bytes()).model_copy(update={"origin": str(path)})
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise SettingsError(f"{path}: {describe(error)}") from error
