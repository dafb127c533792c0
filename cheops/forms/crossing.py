"""Mistakes that show only when two fields of a manifest are read together. Pure; see fields.py.

Each rule: the object → `path: reason` for each mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from schemas.relations.selector import from_object, labels_of, matches
from services.resolver.judge.demand import TEMPLATES, mapping_of, rows_of, thousandths

Body = Mapping[str, Any]
Rule = Callable[[Body], Iterator[str]]
SECRET_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
PRIORITY_MAX: Final = 1_000_000_000  # higher ones are the system's own
SYSTEM_PRIORITIES: Final = ("system-cluster-critical", "system-node-critical")


def _selector_fits(body: Body) -> Iterator[str]:
    """A workload that does not select its own pods would make them for ever."""
    spec = mapping_of(body.get("spec"))
    selector, labels = (
        spec.get("selector"),
        mapping_of(mapping_of(mapping_of(spec.get("template")).get("metadata")).get("labels")),
    )
    if not isinstance(selector, Mapping):
        return
    wanted = from_object(selector)
    if wanted is None or not (wanted.match_labels or wanted.match_expressions):
        yield "spec.selector: empty"
    elif not matches(wanted, labels_of(labels)):
        yield "spec.selector: does not match the labels of spec.template"


def _mounts_are_volumes(body: Body) -> Iterator[str]:
    """Of a pod, or of the template of a workload."""
    steps = TEMPLATES[str(body.get("kind"))]
    spec: Any = body
    for step in steps:
        spec = mapping_of(spec).get(step)
    path = ".".join(steps)
    known = {one.get("name") for one in rows_of(mapping_of(spec).get("volumes"))}
    known |= {
        mapping_of(one.get("metadata")).get("name")
        for one in rows_of(mapping_of(body.get("spec")).get("volumeClaimTemplates"))
    }
    names: list[Any] = []
    for field in ("containers", "initContainers"):
        for place, container in enumerate(rows_of(mapping_of(spec).get(field))):
            here = f"{path}.{field}[{place}]"
            names.append(container.get("name"))
            yield from _not_mounted(here, container, known)
            yield from _beyond_limits(here, container)
    twice = next((one for one in names if one and names.count(one) > 1), None)
    if twice is not None:
        yield f"{path}.containers: name {twice!r} stands twice"
    for place, volume in enumerate(rows_of(mapping_of(spec).get("volumes"))):
        said = [name for name, value in volume.items() if name != "name" and value is not None]
        if len(said) > 1:
            yield f"{path}.volumes[{place}]: {' and '.join(said)} exclude each other"


def _not_mounted(path: str, container: Body, known: set[Any]) -> Iterator[str]:
    for place, mount in enumerate(rows_of(container.get("volumeMounts"))):
        if mount.get("name") and mount["name"] not in known:
            yield f"{path}.volumeMounts[{place}].name: there is no volume {mount['name']!r}"


def _beyond_limits(path: str, container: Body) -> Iterator[str]:
    resources = mapping_of(container.get("resources"))
    limits = mapping_of(resources.get("limits"))
    for name, value in mapping_of(resources.get("requests")).items():
        wanted, most = thousandths(value), thousandths(limits.get(name))
        if wanted is not None and most is not None and wanted > most:
            yield f"{path}.resources.requests.{name}: {value} is more than its limit {limits[name]}"


def _rollout(body: Body) -> Iterator[str]:
    strategy = mapping_of(mapping_of(body.get("spec")).get("strategy"))
    rolling = mapping_of(strategy.get("rollingUpdate"))
    if strategy.get("type") == "Recreate" and rolling:
        yield "spec.strategy.rollingUpdate: not with type Recreate"
    if [rolling.get("maxSurge"), rolling.get("maxUnavailable")] in ([0, 0], ["0%", "0%"], [0, "0%"], ["0%", 0]):
        yield "spec.strategy.rollingUpdate.maxUnavailable: cannot be 0 when maxSurge is 0"


def _service(body: Body) -> Iterator[str]:
    spec = mapping_of(body.get("spec"))
    ports = rows_of(spec.get("ports"))
    if len(ports) > 1 and not all(one.get("name") for one in ports):
        yield "spec.ports: each of several ports needs a name"
    if spec.get("type") == "ExternalName" and not spec.get("externalName"):
        yield "spec.externalName: missing (type is ExternalName)"
    if spec.get("clusterIP") == "None" and spec.get("type") in ("NodePort", "LoadBalancer"):
        yield f"spec.clusterIP: cannot be None with type {spec['type']}"


def _config_map(body: Body) -> Iterator[str]:
    both = sorted(set(mapping_of(body.get("data"))) & set(mapping_of(body.get("binaryData"))))
    if both:
        yield f"data: {both[0]!r} is in binaryData, too"


def _secret(body: Body) -> Iterator[str]:
    """What a type needs; a Secret that says no data at all is not finished."""
    data = {**mapping_of(body.get("data")), **mapping_of(body.get("stringData"))}
    missing = [one for one in SECRET_KEYS.get(str(body.get("type")), ()) if data and one not in data]
    if missing:
        yield f"data: {missing[0]!r} is missing (type is {body['type']})"


def _definition(body: Body) -> Iterator[str]:
    spec = mapping_of(body.get("spec"))
    plural, group = mapping_of(spec.get("names")).get("plural"), spec.get("group")
    name = mapping_of(body.get("metadata")).get("name")
    if plural and group and name != f"{plural}.{group}":
        yield f"metadata.name: {name!r} (expected {plural}.{group})"
    if sum(one.get("storage") is True for one in rows_of(spec.get("versions"))) > 1:
        yield "spec.versions: more than one is stored"


def _autoscaler(body: Body) -> Iterator[str]:
    spec = mapping_of(body.get("spec"))
    least, most = spec.get("minReplicas"), spec.get("maxReplicas")
    if isinstance(least, int) and isinstance(most, int) and most < least:
        yield f"spec.maxReplicas: {most} is less than minReplicas {least}"


def _priority(body: Body) -> Iterator[str]:
    name = str(mapping_of(body.get("metadata")).get("name"))
    if name in SYSTEM_PRIORITIES:
        return
    if name.startswith("system-"):
        yield "metadata.name: system- is for the system's own"
    value = body.get("value")
    if isinstance(value, int) and value > PRIORITY_MAX:
        yield f"value: {value} is more than {PRIORITY_MAX}"


def _ingress(body: Body) -> Iterator[str]:
    for at, rule in enumerate(rows_of(mapping_of(body.get("spec")).get("rules"))):
        for place, one in enumerate(rows_of(mapping_of(rule.get("http")).get("paths"))):
            path = one.get("path")
            if path and one.get("pathType") in ("Exact", "Prefix") and not str(path).startswith("/"):
                yield f"spec.rules[{at}].http.paths[{place}].path: {path!r} is no absolute path"


def _peers(body: Body) -> Iterator[str]:
    spec = mapping_of(body.get("spec"))
    for way, side in (("ingress", "from"), ("egress", "to")):
        for at, rule in enumerate(rows_of(spec.get(way))):
            for place, one in enumerate(rows_of(rule.get(side))):
                if one.get("ipBlock") is not None and one.get("namespaceSelector") is not None:
                    yield f"spec.{way}[{at}].{side}[{place}]: ipBlock and namespaceSelector exclude each other"


CROSSING: Final[Mapping[str, tuple[Rule, ...]]] = {
    "Pod": (_mounts_are_volumes,),
    "ReplicationController": (_mounts_are_volumes,),
    "apps/Deployment": (_selector_fits, _mounts_are_volumes, _rollout),
    "apps/ReplicaSet": (_selector_fits, _mounts_are_volumes),
    "apps/StatefulSet": (_selector_fits, _mounts_are_volumes),
    "apps/DaemonSet": (_selector_fits, _mounts_are_volumes),
    "batch/Job": (_mounts_are_volumes,),
    "batch/CronJob": (_mounts_are_volumes,),
    "Service": (_service,),
    "ConfigMap": (_config_map,),
    "Secret": (_secret,),
    "apiextensions.k8s.io/CustomResourceDefinition": (_definition,),
    "autoscaling/HorizontalPodAutoscaler": (_autoscaler,),
    "scheduling.k8s.io/PriorityClass": (_priority,),
    "networking.k8s.io/Ingress": (_ingress,),
    "networking.k8s.io/NetworkPolicy": (_peers,),
}
