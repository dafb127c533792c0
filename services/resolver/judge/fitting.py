"""What is there, and does not do: a volume for another claim, an autoscaler's target that cannot be scaled. Pure.

Names of parts are looked for elsewhere (use.py); here is what two objects say of amounts and of each other.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from schemas.among import is_among
from schemas.events import Reference, ResourceState
from schemas.identity import KindId, ResourceId, ResourceKey, kind_of, split_kind
from services.resolver.graph.view import View
from services.resolver.judge.demand import shown, thousandths
from services.resolver.judge.findings import named
from services.resolver.judge.use import CLAIM

VOLUME: Final = KindId("PersistentVolume")
VOLUME_RULE: Final = "claim.volume"
SCALE_RULE: Final = "autoscaler.target"
MODE_PART, SCALE_PART = "volumeMode", "subresource"  # of what they are for good
FILES: Final = "Filesystem"
DEFINITION: Final = "apiextensions.k8s.io/CustomResourceDefinition/"
SCALED: Final = frozenset(
    KindId(one) for one in ("apps/Deployment", "apps/StatefulSet", "apps/ReplicaSet", "ReplicationController")
)


class Misfit(NamedTuple):
    """The part that is missing, as a granule, and how a sentence says it of the target."""

    part: str
    why: str


def misfit_of(
    view: View, after: View, state: ResourceState, reference: Reference, found: ResourceState
) -> Misfit | None:
    """Why what `reference` of `state` names does not do, if it does not."""
    if reference.rule == SCALE_RULE:
        return None if _scales(after, found) else Misfit(f"{SCALE_PART}:scale", "cannot be scaled")
    now = view.find(state.resource)
    if reference.rule != VOLUME_RULE or (now is not None and is_among(reference, now.references)):
        return None  # a claim that has its volume
    keeper = _keeper(state, found, now)
    if keeper:
        mine = ResourceKey.parse(state.resource)
        return Misfit(f"claim:{mine.namespace}/{mine.name}", f"is kept for {keeper}")
    return _unfit(state, found)


def is_laid_out(view: View, after: View, claim: ResourceState, storage_class: ResourceId) -> bool:
    """A volume of this class waits for such a claim: then nobody has to make one, and the class may be but a name."""
    now = view.find(claim.resource)
    users = (
        one.source for one in after.dependents(storage_class, which="users").edges if kind_of(one.source) == VOLUME
    )
    volumes = (found for one in users if (found := after.find(one)) is not None and not found.deleting)
    return any(not _keeper(claim, one, now) and _unfit(claim, one) is None for one in volumes)


def _keeper(state: ResourceState, found: ResourceState, now: ResourceState | None) -> str:
    """Whom a volume that a claim asks for anew is kept for, if not for this one; it remembers who is gone, too."""
    facts = found.facts
    if not facts.get("claim.name"):
        return ""
    keeper = ResourceKey("", CLAIM, str(facts.get("claim.namespace") or ""), str(facts["claim.name"])).id
    if keeper != state.resource:
        return named(keeper)
    uid, mine = facts.get("claim.uid"), state.uid or (now.uid if now is not None else "")
    is_earlier = bool(uid) and (uid != mine if mine else now is None)
    return f"an earlier {named(keeper)}" if is_earlier else ""


def _unfit(state: ResourceState, volume: ResourceState) -> Misfit | None:
    """A claim is bound to no volume that is smaller, nor to a device when it wants files."""
    wanted, size = thousandths(state.facts.get("size")), thousandths(volume.facts.get("size"))
    if wanted is not None and size is not None and size < wanted:
        return Misfit(f"size:{state.facts['size']}", f"has only {shown(size, 'storage')}")
    mine, its = (str(one.facts.get("mode") or FILES) for one in (state, volume))
    return None if mine == its else Misfit(f"{MODE_PART}:{mine}", f"is of volumeMode {its}")


def _scales(after: View, target: ResourceState) -> bool:
    """Whether its API has the subresource by which an autoscaler works; where nobody says, it may."""
    kind = kind_of(target.resource)
    group, _ = split_kind(kind)
    if kind in SCALED:
        return True
    if after.surface.is_built_in(group):
        return False
    served = after.surface.find(kind)
    definition = after.find(ResourceId(f"{DEFINITION}{served.plural}.{group}")) if served is not None else None
    return definition is None or bool(definition.parts.get("scale", ("?",)))
