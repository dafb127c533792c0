"""Settings that every service has, read once in `__main__`: environment variables CHEOPS_…"""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.envelope import in_plain_words
from schemas.identity import SiteName
from schemas.intents import SiteToken
from services.chassis.bus.identity import Identity, identity_of
from services.chassis.errors import SettingsError

PREFIX: Final = "CHEOPS_"
ALIKE: Final = 0.88  # of 1: one letter or two; what other services and people set is less so
RULES: Final = "Further rule files: mine.yaml,other.yaml, or a JSON list."
RULES_NAMESPACE: Final = "Namespace whose labelled ConfigMaps hold further rules; none: they are not read."


def _parts(value: object) -> object:
    """`a,b` or `["a", "b"]` → the parts."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    try:
        return tuple(json.loads(value))
    except json.JSONDecodeError as error:
        raise ValueError(f"neither a,b nor a JSON list ({error})") from error


Part = TypeVar("Part")
Listed = Annotated[tuple[Part, ...], NoDecode, BeforeValidator(_parts)]
NamespaceName = Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$")]


class ServiceSettings(BaseSettings):
    """A service of one site."""

    model_config = SettingsConfigDict(env_prefix="CHEOPS_", frozen=True, extra="ignore")

    site: SiteToken = Field(description="The site's name, a DNS label.")
    nats_url: str = Field("nats://127.0.0.1:4222", description="Where the bus is.")
    nats_keys: Path | None = Field(None, description="Folder of the site's nkeys (ROLE.nk); none: no user is needed.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    metrics_port: int | None = Field(None, ge=1, le=65535, description="Where Prometheus may read; none: nowhere.")
    metrics_host: str = Field("127.0.0.1", min_length=1, description="At which address; in a pod its own.")
    log_format: Literal["auto", "text", "json"] = Field("auto", description="auto: text on a terminal, else JSON.")

    def identity(self, role: str) -> Identity | None:
        """Who this service is on the bus."""
        return identity_of(self.nats_keys, SiteName(self.site), role)


Settings = TypeVar("Settings", bound=ServiceSettings)


def read_settings(model: type[Settings], **given: Any) -> Settings:
    """From the environment. Raises SettingsError, which names each variable that cannot be used."""
    try:
        return model(**given)
    except ValidationError as error:
        rows = error.errors(include_url=False, include_input=False)
        raise SettingsError(
            "; ".join(f"{_variable(row['loc'])}: {in_plain_words(row['msg'])}" for row in rows)
        ) from error


def _variable(steps: tuple[int | str, ...]) -> str:
    return f"CHEOPS_{str(steps[0]).upper()}" if steps else "CHEOPS_…"


def mistyped(models: Iterable[type[ServiceSettings]], variables: Iterable[str]) -> list[tuple[str, str]]:
    """Variables of ours that are none of these settings, and which of them each looks like."""
    known = {f"{PREFIX}{name.upper()}" for model in models for name in model.model_fields}
    strange = sorted(one for one in variables if one.startswith(PREFIX) and one not in known)
    return [(one, near[0]) for one in strange if (near := get_close_matches(one, known, 1, ALIKE))]


def described(model: type[ServiceSettings]) -> list[tuple[str, str]]:
    """Each variable, what it is for and what it is when nobody sets it."""
    rows = []
    for name, info in model.model_fields.items():
        default = ", ".join(info.default) if isinstance(info.default, tuple) else info.default
        shown = "  [required]" if info.is_required() else "" if default in (None, "") else f"  [default: {default}]"
        rows.append((f"CHEOPS_{name.upper()}", f"{info.description or ''}{shown}"))
    return rows
