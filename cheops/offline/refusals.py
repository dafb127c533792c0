"""What an API server refuses of a change because of its own rules, which no field of the catalogue tells. Pure.

Online its dry run says it in its own words; here only what people run into.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cheops.forms.pod_rules import held_back
from schemas.identity import ResourceId
from schemas.untyped import mapping_of, rows_of
from services.resolver.judge.demand import demand_of

Body = Mapping[str, Any]
STORAGE: Final = "spec.resources.requests.storage"
BALANCER: Final = "LoadBalancer"
SOURCES: Final = ("dataSource", "dataSourceRef")
LEGACY_CLASS: Final = "volume.beta.kubernetes.io/storage-class"


class Refusal(NamedTuple):
    """`words` of the API server, or a field that is `fixed` as the object stands."""

    words: str = ""
    fixed: tuple[str, ...] = ()


def refusal_of_update(live: Body, after: Body, bodies: Mapping[ResourceId, Body]) -> Refusal:
    """Of a change of what is there; `bodies`: what is at the site, or comes with the same bundle."""
    kind = after.get("kind")
    if words := _of_a_terminating(mapping_of(live.get("metadata")), mapping_of(after.get("metadata"))):
        return Refusal(words)
    if kind == "CustomResourceDefinition":
        return _of_a_definition(live, after)
    if kind == "Service":
        return _of_a_service(mapping_of(live.get("spec")), mapping_of(after.get("spec")))
    if kind == "Pod":
        return Refusal("; ".join(held_back(mapping_of(live.get("spec")), mapping_of(after.get("spec")))))
    return _of_a_claim(live, after, bodies) if kind == "PersistentVolumeClaim" else Refusal()


def _of_a_terminating(had: Body, says: Body) -> str:
    """What is being deleted is held by nobody else any more."""
    before, now = (one.get("finalizers") for one in (had, says))
    if not had.get("deletionTimestamp") or not isinstance(now, list):
        return ""
    new = [str(one) for one in now if one not in (before if isinstance(before, list) else ())]
    return f"metadata.finalizers: {new[0]!r} cannot be added to what is being deleted" if new else ""


def _of_a_service(had: Body, says: Body) -> Refusal:
    """A balancer stays with its class, and what asks for its health with its port."""
    if had.get("type") != BALANCER or says.get("type") != BALANCER:
        return Refusal()
    if (had.get("loadBalancerClass") or None) != (says.get("loadBalancerClass") or None):
        return Refusal(fixed=("spec.loadBalancerClass",))
    before, now = had.get("healthCheckNodePort"), says.get("healthCheckNodePort")
    return Refusal(fixed=("spec.healthCheckNodePort",)) if before and now and before != now else Refusal()


def _of_a_definition(live: Body, after: Body) -> Refusal:
    """A version at which objects were ever stored stays, until they were migrated and it is no longer told."""
    names = [one.get("name") for one in rows_of(mapping_of(after.get("spec")).get("versions"))]
    told = mapping_of(live.get("status")).get("storedVersions")
    if told is None:
        before = rows_of(mapping_of(live.get("spec")).get("versions"))
        told = [one.get("name") for one in before if one.get("storage") is True]
    lost = [one for one in told if one not in names] if isinstance(told, list) else []
    return (
        Refusal(f"status.storedVersions: {lost[0]} was stored, and must stay in spec.versions") if lost else Refusal()
    )


def _of_a_claim(live: Body, after: Body, bodies: Mapping[ResourceId, Body]) -> Refusal:
    """A claim grows when it is bound and its class allows it; it never shrinks.

    It gets a class when it left that open, and no other source (of two words for one the server fills in the other).
    """
    had, now_says = mapping_of(live.get("spec")), mapping_of(after.get("spec"))
    if had.get("storageClassName") == "" and now_says.get("storageClassName"):
        return Refusal(fixed=("spec.storageClassName",))
    if not any(had.get(one) for one in SOURCES) and (added := next(filter(now_says.get, SOURCES), "")):
        return Refusal(fixed=(f"spec.{added}",))
    before, now = demand_of(live), demand_of(after)
    if before is None or now is None or before.storage is None or now.storage is None or before.storage == now.storage:
        return Refusal()
    spec = mapping_of(live.get("spec"))
    phase = mapping_of(live.get("status")).get("phase")
    if phase not in (None, "Bound"):
        return Refusal(fixed=(STORAGE,))  # until it is bound; who says nothing of it leaves that open
    if now.storage < before.storage:
        return Refusal(f"{STORAGE}: cannot be less than before")
    annotations = mapping_of(mapping_of(live.get("metadata")).get("annotations"))
    name = str(annotations.get(LEGACY_CLASS) or spec.get("storageClassName") or "")
    found = bodies.get(ResourceId(f"storage.k8s.io/StorageClass/{name}"))
    if found is None or found.get("allowVolumeExpansion") is not True:
        kind = f"StorageClass {name}" if name else "a claim without a class"
        return Refusal(f"{STORAGE}: cannot grow ({kind} does not allow it)")
    return Refusal()
