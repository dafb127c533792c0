"""What `apply` makes of an object that is there, when no API server can be asked. Pure.

The three-way merge of client-side apply: what the manifest says is set; what was applied before and the manifest does
not say any more goes; what others set stays. What was applied before is kubectl's annotation where there is one, else
the object itself: in a directory of manifests the file *is* what was applied. Lists with a merge key merge by item,
in built-in kinds: kubectl replaces those of a custom resource whole.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from cheops.forms.service_rules import of_its_type
from cheops.forms.workload_rules import kept_rolling
from schemas.untyped import mapping_of, rows_of
from services.resolver.judge.demand import thousandths

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
SERVER_METADATA: Final = frozenset(
    ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
)
AMOUNTS: Final = frozenset(("requests", "limits", "capacity", "hard", "overhead"))  # maps of quantities
LIMITED: Final = ("containers", "initContainers")
UNCOMPARED: Final = frozenset(("deletionTimestamp", "namespace"))
# Field → merge key. From the API's own `patchMergeKey`; the fields have the same name in every kind that has them.
MERGE_KEYS: Final[dict[str, str]] = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "ownerReferences": "uid",
    "resourceClaims": "name",
    "conditions": "type",
    "secrets": "name",
    "webhooks": "name",
    "matchConditions": "name",
    "variables": "name",
    "schedulingGates": "name",
}
# What says one thing or another, with fields for each: who says it anew says all of it (`retainKeys`).
SAID_WHOLE: Final = ("strategy", "volumes")
# Kind → fields without which the API server refuses it.
_WORKLOAD: Final = ("spec.selector", "spec.template")
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": ("spec.containers",),
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"), _WORKLOAD),
    "Job": ("spec.template",),
    "CronJob": ("spec.jobTemplate", "spec.schedule"),
    "Service": ("spec",),
    "Ingress": ("spec",),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.resources"),
    "PersistentVolume": ("spec.accessModes", "spec.capacity"),
    "StorageClass": ("provisioner",),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "HorizontalPodAutoscaler": ("spec.scaleTargetRef",),
    "CustomResourceDefinition": ("spec.versions", "spec.group"),
    "Gateway": ("spec.gatewayClassName", "spec.listeners"),
}
PORT_KEYS: Final = ("containerPort", "port")  # of a container's ports, and of a Service's
# Merge key → what tells two items of one key apart, and what its absence means: DNS is one number by two protocols.
BESIDES: Final[Mapping[str, tuple[str, str]]] = {
    **dict.fromkeys(PORT_KEYS, ("protocol", "TCP")),
    "topologyKey": ("whenUnsatisfiable", ""),
}


def merged(live: Mapping[str, Any], manifest: Mapping[str, Any], *, by_item: bool = True) -> dict[str, Any]:
    """The object after an apply of `manifest`; neither is changed. `by_item`: lists with a merge key are merged so."""
    live, manifest, said = kept(live), stored(manifest), stored(_last_applied(live))
    before = {} if is_patch(live, manifest) else said
    live = kept_rolling(live, manifest) if live.get("kind") == "StatefulSet" else live
    made: dict[str, Any] = _merge(_content(before), _content(manifest), _content(live), by_item)
    made["metadata"] = {**_kept_metadata(live), **made.get("metadata", {})}
    if "status" in live:
        made["status"] = live["status"]
    if live.get("kind") == "Service" and isinstance(made.get("spec"), Mapping):
        made["spec"] = of_its_type(mapping_of(live.get("spec")), made["spec"])
    return {name: _one_account(value) for name, value in made.items()}


def kept(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """As an API server keeps it (`stored`, and the account by both of its names)."""
    return {name: _one_account(value) for name, value in stored(body).items()}


def _one_account(value: Any) -> Any:
    """A pod's `serviceAccount` is the old name of `serviceAccountName`: the API server keeps both the same.

    So an account stays when a manifest leaves it out that had named it before: of the old name it never said anything.
    """
    if isinstance(value, list):
        return [_one_account(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    made = {name: _one_account(below) for name, below in value.items()}
    account = made.get("serviceAccountName") or made.get("serviceAccount")
    if "containers" in made and account:
        made["serviceAccountName"] = made["serviceAccount"] = account
    return made


def stored(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """As an API server keeps it: what a Secret says as text (`stringData`) is part of its data."""
    texts = body.get("stringData")
    if body.get("kind") != "Secret" or not isinstance(texts, Mapping):
        return body
    coded = {name: b64encode(str(text or "").encode()).decode() for name, text in texts.items()}
    made = {name: value for name, value in body.items() if name != "stringData"}
    return {**made, "data": {**mapping_of(body.get("data")), **coded}}


def evened(value: Any) -> Any:
    """With every quantity written in one way: `1Gi` is `1024Mi`, and `1` is `1000m`."""
    if isinstance(value, list):
        return [evened(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {name: _amounts(below) if name in AMOUNTS else evened(below) for name, below in value.items()}


def with_requests(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A pod asks for as much as it is limited to, where it does not say what it asks for; a template does not."""
    spec = mapping_of(body.get("spec"))
    if body.get("kind") != "Pod":
        return body
    rows = {field: [_asking(one) for one in rows_of(spec[field])] for field in LIMITED if field in spec}
    return {**body, "spec": {**spec, **rows}}


def _asking(container: Mapping[str, Any]) -> Mapping[str, Any]:
    resources = mapping_of(container.get("resources"))
    limits = mapping_of(resources.get("limits"))
    if not limits:
        return container
    return {**container, "resources": {**resources, "requests": {**limits, **mapping_of(resources.get("requests"))}}}


def _amounts(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return evened(value)
    rows = ((name, thousandths(one)) for name, one in value.items())
    return {name: evened(value[name]) if amount is None else f"{amount}m" for name, amount in rows}


def says_all(live: Mapping[str, Any]) -> bool:
    """Whether a field that a merge takes away was applied before: of what a server has filled in, nobody can tell."""
    metadata = mapping_of(live.get("metadata"))
    return "uid" not in metadata or LAST_APPLIED in mapping_of(metadata.get("annotations"))


def is_patch(live: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    """It leaves out what no object of its kind can do without: then it says what is to be changed, and nothing goes."""
    if LAST_APPLIED in mapping_of(mapping_of(live.get("metadata")).get("annotations")):
        return False
    fields = NEEDED.get(str(manifest.get("kind")), ())
    return any(_at(manifest, field) is None and _at(live, field) is not None for field in fields)


def _at(body: Mapping[str, Any], path: str) -> Any:
    value: Any = body
    for step in path.split("."):
        value = mapping_of(value).get(step)
    return value


def same_content(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two objects say the same: status and what servers set do not count."""
    return bool(_compared(evened(kept(one))) == _compared(evened(kept(other))))


def _last_applied(live: Mapping[str, Any]) -> Mapping[str, Any]:
    text = mapping_of(mapping_of(live.get("metadata")).get("annotations")).get(LAST_APPLIED)
    if isinstance(text, str):
        try:
            found = json.loads(text)
        except ValueError:
            return live
        if isinstance(found, dict):
            return found
    return live


def _content(body: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: value for name, value in body.items() if name != "status"}
    metadata = {name: value for name, value in mapping_of(body.get("metadata")).items() if name not in SERVER_METADATA}
    annotations = {
        name: value for name, value in mapping_of(metadata.get("annotations")).items() if name != LAST_APPLIED
    }
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    return {**made, "metadata": metadata}


def _kept_metadata(live: Mapping[str, Any]) -> dict[str, Any]:
    """What no manifest takes away: the server's own fields, owners and finalizers of a live object."""
    metadata = mapping_of(live.get("metadata"))
    keep = (*SERVER_METADATA, "deletionTimestamp", "ownerReferences", "finalizers", "namespace", "name")
    return {name: metadata[name] for name in keep if name in metadata}


def _compared(body: Mapping[str, Any]) -> Any:
    made = _content(body)
    # A namespace that is not said is that of the place: two of one identity are in the same.
    metadata = {name: value for name, value in made["metadata"].items() if name not in UNCOMPARED}
    return _without_empty({**made, "metadata": metadata})


def _without_empty(value: Any) -> Any:
    """Null and empty maps say nothing."""
    if isinstance(value, Mapping):
        made = {name: _without_empty(below) for name, below in value.items()}
        return {name: below for name, below in made.items() if below is not None and below != {}}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value


def _merge(before: Any, manifest: Any, live: Any, by_item: bool) -> Any:
    if not isinstance(manifest, Mapping) or not isinstance(live, Mapping):
        return manifest
    before = mapping_of(before)
    made = {name: value for name, value in live.items() if name in manifest or name not in before}
    for name, value in manifest.items():
        if value is None:
            made.pop(name, None)
        elif name not in live:
            made[name] = value
        elif isinstance(value, list) and value == before.get(name) and _says(live[name], value):
            made[name] = live[name]  # it was filled in since
        elif isinstance(value, list):
            made[name] = _merge_list(name, before.get(name), value, live[name]) if by_item else value
        else:
            below = _merge(before.get(name), value, live[name], by_item)
            made[name] = _retained(name, below, value) if by_item else below
    return made


def _says(live: Any, said: Any) -> bool:
    """Whether `live` says all of it, and perhaps more."""
    if isinstance(said, Mapping) and isinstance(live, Mapping):
        return all(name in live and _says(live[name], value) for name, value in said.items())
    if isinstance(said, list) and isinstance(live, list):
        return len(said) <= len(live) and all(map(_says, live, said))
    return bool(live == said)


def _retained(field: str, made: Any, said: Any) -> Any:
    if field not in SAID_WHOLE or not isinstance(made, Mapping):
        return made
    return {name: value for name, value in made.items() if name in said}


def _merge_list(field: str, before: Any, manifest: list[Any], live: Any) -> list[Any]:
    key = _merge_key(field, manifest)
    if key is None or not isinstance(live, list):
        return manifest
    old = _by_key(before if isinstance(before, list) else [], key)
    mine = _by_key(manifest, key)
    there = _by_key(live, key)
    rows = ((item, _merge(old.get(mark), item, there.get(mark, item), True)) for mark, item in mine.items())
    made = [_retained(field, row, item) for item, row in rows]
    return made + [item for mark, item in there.items() if mark not in mine and mark not in old]


def _merge_key(field: str, items: list[Any]) -> str | None:
    if not all(isinstance(item, Mapping) for item in items):
        return None
    keys = PORT_KEYS if field == "ports" else (MERGE_KEYS.get(field),)
    return next((key for key in keys if key and items and all(key in item for item in items)), None)


def _by_key(items: list[Any], key: str) -> dict[Any, Any]:
    besides, default = BESIDES.get(key, ("", ""))
    return {(str(item.get(key)), item.get(besides) or default): item for item in items if isinstance(item, Mapping)}
