"""What a person wants, before it is entered at a site.

    Intent.delete("secret/edge-ca", namespace="platform")     Intent.apply(manifests)

A draft has no id, site, requester or time; `Mesh.submit` enters it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict, Unpack

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from schemas.envelope import MessageError, describe, field_path
from schemas.identity import SiteName
from schemas.intents import BOUND_DEFAULT_S, INTENT_BYTES_MAX, LIFETIME_DEFAULT_S, OnFailure, Override, Verb
from schemas.intents import Intent as EnteredIntent

Manifest = Mapping[str, Any]
Steps = tuple[int | str, ...]
Cascade = Literal["none", "dependents"]


class Options(TypedDict, total=False):
    """What can be said of every intent; see Intent."""

    namespace: str
    scope: str
    cascade: Cascade
    on_failure: OnFailure
    preview: bool
    bound_s: float
    lifetime_s: float
    overrides: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An intent that is not entered yet. `bound_s`: how old evidence may be; `lifetime_s`: when it expires.

    `on_failure`: when a step fails, undo what was done in reverse, stop, or continue with what does not need it.
    """

    verb: Verb
    resources: tuple[str, ...] = ()
    manifests: tuple[Manifest, ...] = ()
    namespace: str = ""
    scope: str = ""
    cascade: Cascade = "none"
    on_failure: OnFailure = "undo"
    preview: bool = False
    heal: bool = False
    bound_s: float = BOUND_DEFAULT_S
    lifetime_s: float = LIFETIME_DEFAULT_S
    overrides: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def apply(cls, manifests: Iterable[Manifest], **options: Unpack[Options]) -> Intent:
        """Create what is not there, update what is."""
        return cls(verb="apply", manifests=tuple(manifests), **options)

    @classmethod
    def create(cls, manifests: Iterable[Manifest], **options: Unpack[Options]) -> Intent:
        """Make what must not be there yet."""
        return cls(verb="create", manifests=tuple(manifests), **options)

    @classmethod
    def update(cls, manifests: Iterable[Manifest], **options: Unpack[Options]) -> Intent:
        """Change what must be there already."""
        return cls(verb="update", manifests=tuple(manifests), **options)

    @classmethod
    def delete(cls, *resources: str, **options: Unpack[Options]) -> Intent:
        """Remove `kind/name` …"""
        return cls(verb="delete", resources=resources, **options)

    @classmethod
    def heal_drift(cls, *resources: str, **options: Unpack[Options]) -> Intent:
        """Apply what was declared of `kind/name` …; what is healed stays healed, whatever fails besides."""
        options.setdefault("on_failure", "continue")
        return cls(verb="apply", resources=resources, heal=True, **options)

    @classmethod
    def read(cls, *resources: str, **options: Unpack[Options]) -> Intent:
        """Look at `kind/name` …"""
        return cls(verb="read", resources=resources, **options)

    def entered(self, *, intent_id: str, site: SiteName, requester: str, now: datetime) -> EnteredIntent:
        """The message for the bus; raises MessageError that names the field, also when a message cannot hold it."""
        manifests = [one for one in self.manifests if one is not None]  # as YAML gives an empty document
        for place, one in enumerate(manifests):
            if not isinstance(one, Mapping):
                raise MessageError(
                    f"manifests.{place}: {one!r:.40} (expected a list of mappings, as yaml.safe_load_all gives)"
                )
        if not isinstance(self.overrides, Mapping):
            raise MessageError(f"overrides: {self.overrides!r:.40} (expected code → reason)")
        try:
            expires_at = now + timedelta(seconds=self.lifetime_s)
        except (OverflowError, ValueError, TypeError) as error:
            raise MessageError(f"lifetime_s: {self.lifetime_s!r:.40} (expected seconds, as 3600)") from error
        try:
            made = EnteredIntent(
                id=intent_id,
                site=site,
                verb=self.verb,
                resources=self.resources,
                manifests=tuple(dict(one) for one in manifests),
                namespace=self.namespace,
                scope=self.scope,
                requester=requester,
                created_at=now,
                expires_at=expires_at,
                bound_s=self.bound_s,
                cascade=self.cascade,
                on_failure=self.on_failure,
                preview=self.preview,
                heal=self.heal,
                overrides=tuple(Override(code=code, reason=why) for code, why in self.overrides.items()),
            )
            size = len(made.to_json())
        except ValidationError as error:
            raise MessageError(describe(error)) from error
        except PydanticSerializationError as error:
            where = field_path(_unsayable(manifests, ("manifests",)))
            raise MessageError(f"{where}: not what JSON can say (expected text, numbers, lists, mappings)") from error
        if size > INTENT_BYTES_MAX:
            raise MessageError(
                f"manifests: {size / 1e6:.1f} MB together (expected at most {INTENT_BYTES_MAX / 1e6:.1f} MB): "
                "split them into several intents"
            )
        return made


def _unsayable(value: Any, path: Steps) -> Steps:
    """Where the first value stands that cannot be written."""
    rows = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    for step, inner in rows:
        try:
            to_json({step: inner})
        except PydanticSerializationError:
            return _unsayable(inner, (*path, step))
    return path
