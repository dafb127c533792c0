"""Does an object say the same fields at two versions of its kind? Only the API server can convert it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cheops.forms.custom import Definitions, kind_named
from schemas.kinds import Surface
from schemas.untyped import mapping_of

Body = Mapping[str, Any]
CONVERTED: Final = "Webhook"  # strategy of a definition; any other one changes nothing but `apiVersion`
HEAD: Final = ("apiVersion", "kind", "metadata", "status")
# Built-in kinds whose fields stand elsewhere at an older version.
RESHAPED: Final = frozenset(
    (
        *("HorizontalPodAutoscaler", "Ingress", "CustomResourceDefinition", "EndpointSlice", "RuntimeClass"),
        *("PriorityLevelConfiguration", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"),
    )
)


def is_comparable(live: Body, manifest: Body, surface: Surface, definitions: Definitions) -> bool:
    """Whether fields of what is there and of what is written mean the same where they have the same path."""
    if live.get("apiVersion") == manifest.get("apiVersion"):
        return True
    group, kind = kind_named(manifest)
    if surface.is_built_in(group):
        return kind not in RESHAPED
    definition = definitions.get((group, kind))
    conversion = mapping_of(mapping_of(mapping_of(definition).get("spec")).get("conversion"))
    return definition is not None and conversion.get("strategy") != CONVERTED


def head_of(live: Body) -> Body:
    """What every version says in the same way."""
    return {name: live[name] for name in HEAD if name in live}
