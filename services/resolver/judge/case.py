"""What the judge is given besides the view: an intent made concrete for one site. Pure values.

The machine makes it: names resolved to identities, manifests shaped to states (values are gone by then), the API
server's rehearsal included when it could be asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from schemas.events import ResourceState
from schemas.identity import ResourceId, SiteName
from schemas.intents import Override, Verb
from schemas.verdicts import Action, Evidence
from services.resolver.judge.demand import Demand


class Change(Struct, frozen=True):
    """One resource of the intent.

    after       what it would be (None for delete, read); as the API server rehearsed it, else from the manifest alone
    unchanged   the API server says that the write would change nothing; None when it was not asked
    refused     the API server's words when its dry run refused
    fixed       paths of immutable fields that it would change
    forced      it puts back what was declared, over whoever has changed it
    demand      what it asks of quotas; had: what it asked before, where that is known
    beyond      level of Pod Security → what its pods do beyond it
    anew        it is there, and what its pods are made from changes
    basis       what the manifest says that it changes: a uid, a resource version ("" where it says none)
    """

    resource: ResourceId
    action: Action
    version: str = ""
    after: ResourceState | None = None
    unchanged: bool | None = None
    refused: str = ""
    fixed: tuple[str, ...] = ()
    forced: bool = False
    demand: Demand | None = None
    had: Demand | None = None
    beyond: Mapping[str, str] = field(default_factory=dict)
    anew: bool = False
    basis: tuple[str, str] = ("", "")


class Problem(Struct, frozen=True):
    """Something that was wrong before the judge saw a state: `code` is the default-letter code (D001, D010 …).

    waits_for   of what is only put off: the intent that has to end first
    """

    code: str
    message: str
    resource: ResourceId | None = None
    waits_for: str = ""


class Case(Struct, frozen=True):
    """An intent at one site, ready to be decided.

    since       the stamp of the first decision on it; 0: this is the first
    elsewhere   resource → the other sites that are known to have it (asked for what is missing here)
    together    all sites that are asked about the whole
    going       what goes in the same change, after this: nobody asks what it will miss
    """

    intent: str
    verb: Verb
    site: SiteName
    changes: tuple[Change, ...]
    evidence: Evidence
    expires_at: datetime
    bound_s: float
    cascade: Literal["none", "dependents"] = "none"
    propagation: Literal["background", "foreground", "orphan"] = "background"
    overrides: tuple[Override, ...] = ()
    problems: tuple[Problem, ...] = ()
    preview: bool = False
    revision: int = 1
    since: int = 0
    decided_by: str = ""
    elsewhere: Mapping[ResourceId, tuple[SiteName, ...]] = field(default_factory=dict)
    together: tuple[SiteName, ...] = ()
    going: frozenset[ResourceId] = frozenset()
