"""Settings that every service has, read once in `__main__`: environment variables CHEOPS_…"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.identity import SiteName
from schemas.intents import SiteToken
from services.chassis.bus.identity import Identity, identity_of

RULES_NAMESPACE: Final = "Namespace whose labelled ConfigMaps hold further rules; none: they are not read."
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
