"""Settings that every service has, read once in `__main__`: environment variables CHEOPS_…"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.intents import SiteToken


class ServiceSettings(BaseSettings):
    """A service of one site."""

    model_config = SettingsConfigDict(env_prefix="CHEOPS_", frozen=True, extra="ignore")

    site: SiteToken = Field(description="The site's name, a DNS label.")
    nats_url: str = Field("nats://127.0.0.1:4222", description="Where the bus is.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    metrics_port: int | None = Field(None, ge=1, le=65535, description="Where Prometheus may read, on 127.0.0.1.")
    log_format: Literal["auto", "text", "json"] = Field("auto", description="auto: text on a terminal, else JSON.")
