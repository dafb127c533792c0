"""Whole objects that leave a cluster, because a scope says so, and the key that Secrets are sealed with.

`api.executor.<site>.export`: Export → Exported; `…key`: StatusQuery → KeyAnswer. Only the site's own resolver asks.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field

from schemas.envelope import IN_KEY_ORDER, Message, StrictMessage
from schemas.identity import ResourceId, SiteName

EXPORT_MAX: Final = 1_000  # resources of one question


class Export(StrictMessage):
    """export/v1: give these to another site. `versions`: to read them at; `key`: of its executor, for Secrets.

    declared   as they were declared, whatever they are now; what is shared from here, as it is
    """

    schema_: Literal["export/v1"] = Field("export/v1", alias="schema")
    site: SiteName
    resources: Annotated[tuple[ResourceId, ...], Field(max_length=EXPORT_MAX)]
    versions: Annotated[dict[ResourceId, str], IN_KEY_ORDER] = Field(default_factory=dict)
    key: str = ""
    declared: bool = False


class Exported(Message):
    """exported/v1: those that are there. Values of a Secret are sealed; without a key no Secret leaves."""

    schema_: Literal["exported/v1"] = Field("exported/v1", alias="schema")
    site: SiteName
    manifests: dict[ResourceId, dict[str, Any]] = Field(default_factory=dict)


class KeyAnswer(Message):
    """key/v1: what Secrets that go to this site are sealed with (X25519, hexadecimal). `at`: its executor's clock."""

    schema_: Literal["key/v1"] = Field("key/v1", alias="schema")
    site: SiteName
    key: str
    at: AwareDatetime | None = None
