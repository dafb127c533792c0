"""What somebody wants done, before it is done: create, update, apply, delete or read, on resources or manifests."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from schemas.envelope import MessageError, StrictMessage, field_path
from schemas.identity import SITE_NAME_PATTERN, SiteName

Verb = Literal["create", "update", "apply", "delete", "read"]
OnFailure = Literal["undo", "stop", "continue"]
SiteToken = Annotated[SiteName, StringConstraints(pattern=SITE_NAME_PATTERN)]
INTENT_ID: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")  # it becomes a subject token as it is
IntentId = Annotated[str, StringConstraints(pattern=INTENT_ID.pattern)]

RESOURCES_MAX: Final = 1_000  # of one intent: a bundle is judged whole, so it has to be bounded
BOUND_DEFAULT_S: Final = 10.0
INTENT_BYTES_MAX: Final = 6 * 1024 * 1024  # operations and rehearsals repeat its manifests, and must fit, too
EXPANSION_MAX: Final = 8
OVERRIDES_MAX: Final = 100
INTEGER_MAX: Final = 2**64 - 1  # what an API server can hold
LIFETIME_DEFAULT_S: Final = 24 * 3600.0
DEPTH_MAX: Final = 100  # of a manifest: Kubernetes' own are below 30, and every reader downstream recurses


class Override(StrictMessage):
    """Do it although this number says no; recorded with its reason."""

    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]?[0-9]{3}$")]
    reason: Annotated[str, StringConstraints(min_length=3, max_length=500)]


class Mark(StrictMessage):
    """Words on a resource, which else stays as it is.

    add, remove    sites to which it is shared from now on, or no more
    joins, leaves  sites that are of its set from now on, or no more
    seen           the version of it that was brought elsewhere; "" when that does not matter
    """

    resource: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    add: tuple[SiteToken, ...] = ()
    remove: tuple[SiteToken, ...] = ()
    joins: tuple[SiteToken, ...] = ()
    leaves: tuple[SiteToken, ...] = ()
    seen: Annotated[str, StringConstraints(max_length=64)] = ""


class Intent(StrictMessage):
    """An intent, entered at `site`.

    resources   for delete and read: `kind/name` as a person calls it, or full identities
    manifests   for create, update and apply: whole objects, in the application's own form
    namespace   for whatever does not name its own
    heal        apply what was declared of `resources` (verb apply, no manifests), whoever has changed it since
    bound_s     how old evidence may be
    on_failure  of a step: undo what was done, in reverse; stop; or continue with what does not need it
    entry       of one site's part of an intent that several sites decide: the site where the whole was entered
    brings      of a part: what it needs from elsewhere, applied whatever the verb
    marks       of a part: resources of the site that are shared, or shared no more
    together    of a part: all sites of the whole
    """

    bytes_max: ClassVar[int] = INTENT_BYTES_MAX
    schema_: Literal["intent/v1"] = Field("intent/v1", alias="schema")
    id: IntentId
    site: SiteToken
    verb: Verb
    resources: tuple[Annotated[str, StringConstraints(min_length=1, max_length=1024)], ...] = ()
    manifests: tuple[dict[str, Any], ...] = ()
    namespace: Annotated[str, StringConstraints(max_length=253)] = ""
    scope: Annotated[str, StringConstraints(max_length=4096)] = ""
    requester: Annotated[str, StringConstraints(max_length=253)] = ""
    created_at: AwareDatetime
    expires_at: AwareDatetime
    bound_s: Annotated[float, Field(gt=0, le=3600)] = BOUND_DEFAULT_S
    cascade: Literal["none", "dependents"] = "none"
    on_failure: OnFailure = "undo"
    preview: bool = False
    heal: bool = False
    overrides: Annotated[tuple[Override, ...], Field(max_length=OVERRIDES_MAX)] = ()
    traceparent: Annotated[str, StringConstraints(max_length=128)] = ""
    entry: SiteToken | None = None
    brings: tuple[dict[str, Any], ...] = ()
    marks: Annotated[tuple[Mark, ...], Field(max_length=RESOURCES_MAX)] = ()
    together: tuple[SiteToken, ...] = ()

    @model_validator(mode="after")
    def _has_what_its_verb_needs(self) -> Self:
        by_name = self.verb in ("delete", "read") or self.heal
        needs, other = ("resources", "manifests") if by_name else ("manifests", "resources")
        if self.heal and self.verb != "apply":
            raise ValueError(f"heal: verb {self.verb!r} (expected 'apply')")
        if self.heal and self.on_failure == "undo":
            raise ValueError("heal: what is healed stays healed (on_failure stop or continue)")
        if (self.brings or self.marks or self.together) and self.entry is None:
            raise ValueError("brings, marks, together: set by resolvers only")
        if not getattr(self, needs) and not self.brings and not self.marks:
            raise ValueError(f"verb {self.verb!r} needs {needs!r}")
        if getattr(self, other):
            raise ValueError(f"verb {self.verb!r} takes {needs!r}, not {other!r}")
        if len(self.resources) + len(self.manifests) + len(self.brings) > RESOURCES_MAX:
            raise ValueError(f"at most {RESOURCES_MAX} resources in one intent")
        for place, manifest in enumerate((*self.manifests, *self.brings)):
            found = _not_json(manifest, 0)
            if found:
                raise ValueError(f"{field_path(('manifests', place, *found[:-1]))}: {found[-1]}")
        return self

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        """See Message. Written out again it must be bounded, too: `1e15` becomes four times as long."""
        made = super().from_json(payload)
        if len(payload) > INTENT_BYTES_MAX // EXPANSION_MAX and len(made.to_json()) > INTENT_BYTES_MAX:
            raise MessageError(f"written out it is larger than {INTENT_BYTES_MAX} bytes")
        return made


def _not_json(value: Any, depth: int) -> list[str | int] | None:
    """What JSON cannot say (NaN would arrive as null) or no reader can follow: its path and, at the end, the reason."""
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{value} is not a JSON number"]
    if isinstance(value, int) and abs(value) > INTEGER_MAX:
        return ["an integer of more than 64 bits"]
    if not isinstance(value, (dict, list, tuple)):
        return None
    if depth > DEPTH_MAX:
        return [f"nested deeper than {DEPTH_MAX}"]
    for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
        found = _not_json(inner, depth + 1)
        if found:
            return [step, *found]
    return None
