"""The rules of a site's ConfigMaps that are in force (stream RULES): what a file said before it was broken."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.envelope import IN_KEY_ORDER, Message
from schemas.identity import ResourceId
from schemas.intents import SiteToken


class FilesInForce(Message):
    """Of the ConfigMap with this uid, by key: one that is made anew under its name takes nothing over."""

    uid: str
    files: Annotated[dict[str, str], IN_KEY_ORDER]


class RulesInForce(Message):
    """rules/v1: written by the watcher whenever it changes; read by whoever starts, and by executors."""

    schema_: Literal["rules/v1"] = Field("rules/v1", alias="schema")
    site: SiteToken
    config_maps: Annotated[dict[ResourceId, FilesInForce], IN_KEY_ORDER]
