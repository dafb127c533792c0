"""Something broke outside an intent, or healed again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from schemas.envelope import IN_KEY_ORDER, Message
from schemas.identity import KindId, ResourceId, SiteName
from schemas.verdicts import EdgeRef

AlertState = Literal["raised", "healed"]


class Alert(Message):
    """alert/v1. `id` is the same for `raised` and the `healed` that ends it; repeated events make no new one.

    code       `A310` a dependency in use vanished · `A210` a part in use vanished · `A503` a kind is not observed, or
               none is (`*`)
               `A504` a replica is behind · `A505` rules of a ConfigMap are not in force
               `A506` an update was overtaken · `A507` it is not what was declared
               `A508` a copy is older than its original · `A509` a site with a share is lost
               `A510` a key is refused · `A511` a site that is gone for good is heard
    resource   what vanished or changed; `broken`: the first edges that point to it; `dependents`: exact count
    sites      the other sites to which the resource belongs, as a replica, a part or a copy; the one that is heard
    at         when it broke, or healed; `again_at`: when it was said again, because it stands for more than a day
    cause      the event that did it: `delete 7:1234567 rv=98765`; of an update, an intent; the key that is refused
    """

    schema_: Literal["alert/v1"] = Field("alert/v1", alias="schema")
    id: str
    code: str
    state: AlertState
    site: SiteName
    message: str
    resource: ResourceId | None = None
    kind: KindId | None = None
    broken: tuple[EdgeRef, ...] = ()
    dependents: int = 0
    by_kind: Annotated[dict[KindId, int], IN_KEY_ORDER] = Field(default_factory=dict)
    sites: tuple[SiteName, ...] = ()
    cause: str = ""
    at: AwareDatetime
    again_at: AwareDatetime | None = None

    def last_said(self) -> datetime:
        """When it was, or was said again."""
        return self.again_at or self.at
