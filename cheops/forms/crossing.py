"""Mistakes that show only when two fields of a manifest are read together. Pure; see fields.py.

Each rule: the object → `path: reason` for each mistake.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from cheops.forms.admission_rules import api_service, policy, policy_binding, webhooks
from cheops.forms.bound_rules import (
    budget,
    class_parameters,
    cluster_rules,
    limits,
    network,
    of_a_namespace,
    quota,
    subjects,
)
from cheops.forms.endpoint_rules import slices, subsets
from cheops.forms.pod_rules import pod_rules, toleration
from cheops.forms.schema_rules import definition, stored
from cheops.forms.service_rules import has_ports, service_rules
from cheops.forms.volume_rules import claim, volume
from cheops.forms.words import is_subdomain
from cheops.forms.workload_rules import (
    indexed,
    job,
    numbered_set,
    rolling_set,
    rollout,
    selects_its_pods,
    selects_its_pods_plainly,
)
from schemas.untyped import mapping_of, rows_of

Body = Mapping[str, Any]
Rule = Callable[[Body], Iterator[str]]
SECRET_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
BASIC: Final = "kubernetes.io/basic-auth"
BASIC_KEYS: Final = ("username", "password")
SSH: Final = "kubernetes.io/ssh-auth"
TOKEN: Final = "kubernetes.io/service-account-token"
ACCOUNT: Final = "kubernetes.io/service-account.name"
CONFIGS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
}
CONTROLLER: Final = "ReplicationController"
METRICS: Final = ("resource", "containerResource", "pods", "object", "external")
_AMBIGUOUS: Final = re.compile(r"//|/\.{1,2}(/|$)|%2[fF]")
DATA_BYTES_MAX: Final = 1024 * 1024
CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"
ANNOTATIONS_BYTES_MAX: Final = 256 * 1024
PRIORITY_MAX: Final = 1_000_000_000  # higher ones are the system's own
EVENTS: Final = (("v1", "Event"), ("events.k8s.io/v1", "Event"))
SYSTEM_PRIORITIES: Final = ("system-cluster-critical", "system-node-critical")


def _owners(body: Body) -> Iterator[str]:
    """One of them controls it, at most."""
    owners = rows_of(mapping_of(body.get("metadata")).get("ownerReferences"))
    if sum(one.get("controller") is True for one in owners) > 1:
        yield "metadata.ownerReferences: more than one is a controller"
    for one in owners:
        if (one.get("apiVersion"), one.get("kind")) in EVENTS:
            yield "metadata.ownerReferences: an Event owns nothing"


def _annotations(body: Body) -> Iterator[str]:
    annotations = mapping_of(mapping_of(body.get("metadata")).get("annotations"))
    if sum(len(str(name)) + len(str(value).encode()) for name, value in annotations.items()) > ANNOTATIONS_BYTES_MAX:
        yield f"metadata.annotations: more than {ANNOTATIONS_BYTES_MAX} bytes"


def _finalizers(body: Body) -> Iterator[str]:
    both = mapping_of(body.get("metadata")).get("finalizers")
    if isinstance(both, list) and "orphan" in both and "foregroundDeletion" in both:
        yield "metadata.finalizers: orphan and foregroundDeletion exclude each other"


def _generated_name(body: Body) -> Iterator[str]:
    prefix = mapping_of(body.get("metadata")).get("generateName")
    free = str(body.get("apiVersion")).startswith(("rbac.", "policy/")) or body.get("kind") == "ReplicationController"
    if isinstance(prefix, str) and prefix and not free and not is_subdomain(prefix.removesuffix("-")):
        yield f"metadata.generateName: {prefix!r:.80} cannot begin a name"


def _size(body: Body) -> Iterator[str]:
    """Of a ConfigMap or a Secret; what base64 adds does not count."""
    texts = (*mapping_of(body.get("stringData")).values(), *(_texts(body)))
    coded = (*mapping_of(body.get("binaryData")).values(), *(_texts(body, of_secret=True)))
    if sum(len(str(one).encode()) for one in texts) + sum(map(_decoded_length, coded)) > DATA_BYTES_MAX:
        yield f"data: more than {DATA_BYTES_MAX} bytes"


def _decoded_length(coded: Any) -> int:
    return len("".join(str(coded).split()).rstrip("=")) * 3 // 4


def _texts(body: Body, of_secret: bool = False) -> tuple[Any, ...]:
    return tuple(mapping_of(body.get("data")).values()) if (body.get("kind") == "Secret") is of_secret else ()


def _config_map(body: Body) -> Iterator[str]:
    both = sorted(set(mapping_of(body.get("data"))) & set(mapping_of(body.get("binaryData"))))
    if both:
        yield f"data: {both[0]!r} is in binaryData, too"


def _keys_of_type(body: Body) -> Iterator[str]:
    """What a type needs."""
    data = {**mapping_of(body.get("data")), **mapping_of(body.get("stringData"))}
    sort = str(body.get("type"))
    missing = [one for one in SECRET_KEYS.get(sort, ()) if one not in data]
    if missing:
        yield f"data: {missing[0]!r} is missing (type is {sort})"
    if sort == BASIC and not any(one in data for one in BASIC_KEYS):
        yield f"data: {' or '.join(BASIC_KEYS)} is missing (type is {sort})"


def _secret(body: Body) -> Iterator[str]:
    """What the data of a type are."""
    data = {**mapping_of(body.get("data")), **mapping_of(body.get("stringData"))}
    sort = str(body.get("type"))
    if sort == TOKEN and not mapping_of(mapping_of(body.get("metadata")).get("annotations")).get(ACCOUNT):
        yield f"metadata.annotations: {ACCOUNT!r} is missing (type is {sort})"
    if sort == SSH and data.get("ssh-privatekey") == "":
        yield "data: 'ssh-privatekey' is empty"
    for name in CONFIGS.get(sort, ()):
        if name in data and not _is_json_object(body, name):
            yield f"data['{name}']: is no JSON object"


def _is_json_object(body: Body, name: str) -> bool:
    text: Any = mapping_of(body.get("stringData")).get(name)
    if text is None:
        try:
            text = b64decode(str(mapping_of(body.get("data")).get(name) or ""))
        except ValueError:
            return False
    try:
        return isinstance(json.loads(text), dict | None)
    except ValueError:
        return False


def _autoscaler(body: Body) -> Iterator[str]:
    spec = mapping_of(body.get("spec"))
    least, most = spec.get("minReplicas"), spec.get("maxReplicas")
    if isinstance(least, int) and isinstance(most, int) and most < least:
        yield f"spec.maxReplicas: {most} is less than minReplicas {least}"
    for place, metric in enumerate(rows_of(spec.get("metrics"))):
        sort = str(metric.get("type") or "")
        said = [one for one in METRICS if metric.get(one) is not None]
        if sort and said and said != [sort[:1].lower() + sort[1:]]:
            yield f"spec.metrics[{place}]: {said[0]} is not what type {sort} says"


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
            if not path or one.get("pathType") not in ("Exact", "Prefix"):
                continue
            if not str(path).startswith("/"):
                yield f"spec.rules[{at}].http.paths[{place}].path: {path!r} is no absolute path"
            elif _AMBIGUOUS.search(str(path)):
                yield f"spec.rules[{at}].http.paths[{place}].path: {path!r} can be written otherwise"


def _tolerations(body: Body) -> Iterator[str]:
    for place, one in enumerate(rows_of(mapping_of(body.get("scheduling")).get("tolerations"))):
        yield from toleration(f"scheduling.tolerations[{place}]", one)


def _absolute(body: Body) -> Iterator[str]:
    """A path of an Ingress that is compared has one."""
    for at, rule in enumerate(rows_of(mapping_of(body.get("spec")).get("rules"))):
        for place, one in enumerate(rows_of(mapping_of(rule.get("http")).get("paths"))):
            if one.get("pathType") in ("Exact", "Prefix") and not one.get("path"):
                yield f"spec.rules[{at}].http.paths[{place}].path: missing (pathType is {one['pathType']})"


def _one_class(body: Body) -> Iterator[str]:
    """An annotation may say the class of an Ingress besides, and not another one."""
    said = mapping_of(mapping_of(body.get("metadata")).get("annotations")).get(CLASS_ANNOTATION)
    name = mapping_of(body.get("spec")).get("ingressClassName")
    if said is not None and name is not None and said != name:
        yield f"metadata.annotations['{CLASS_ANNOTATION}']: {said!r:.60} is not spec.ingressClassName"


def _taints(body: Body) -> Iterator[str]:
    """Of a node, each with its key and effect."""
    taints = rows_of(mapping_of(body.get("spec")).get("taints"))
    pairs = [(one.get("key"), one.get("effect")) for one in taints]
    twice = next((one for one in pairs if pairs.count(one) > 1), None)
    if twice is not None:
        yield f"spec.taints: {twice[0]}:{twice[1]} stands twice"


def _scales_a_group(body: Body) -> Iterator[str]:
    """Of what belongs to no group, only a ReplicationController scales."""
    target = mapping_of(mapping_of(body.get("spec")).get("scaleTargetRef"))
    if target.get("kind") not in (None, "", CONTROLLER) and "/" not in str(target.get("apiVersion") or ""):
        yield f"spec.scaleTargetRef.apiVersion: names no group of {target['kind']}"


EVERY_OBJECT: Final[tuple[Rule, ...]] = (_owners, _annotations, _finalizers, _generated_name)
CROSSING: Final[Mapping[str, tuple[Rule, ...]]] = {
    "Pod": (pod_rules,),
    "ReplicationController": (selects_its_pods_plainly, pod_rules),
    "apps/Deployment": (selects_its_pods, pod_rules, rollout),
    "apps/ReplicaSet": (selects_its_pods, pod_rules),
    "apps/StatefulSet": (selects_its_pods, pod_rules, numbered_set, claim),
    "apps/DaemonSet": (selects_its_pods, pod_rules, rolling_set),
    "batch/Job": (pod_rules, job),
    "batch/CronJob": (pod_rules, job),
    "PersistentVolume": (volume,),
    "PersistentVolumeClaim": (claim,),
    "Service": (service_rules,),
    "ConfigMap": (_config_map, _size),
    "Secret": (_secret, _size),
    "ResourceQuota": (quota,),
    "LimitRange": (limits,),
    "policy/PodDisruptionBudget": (budget,),
    "rbac.authorization.k8s.io/ClusterRole": (cluster_rules,),
    "rbac.authorization.k8s.io/RoleBinding": (subjects,),
    "rbac.authorization.k8s.io/ClusterRoleBinding": (subjects, of_a_namespace),
    "admissionregistration.k8s.io/ValidatingWebhookConfiguration": (webhooks,),
    "admissionregistration.k8s.io/MutatingWebhookConfiguration": (webhooks,),
    "admissionregistration.k8s.io/ValidatingAdmissionPolicy": (policy,),
    "admissionregistration.k8s.io/MutatingAdmissionPolicy": (policy,),
    "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding": (policy_binding,),
    "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding": (policy_binding,),
    "apiregistration.k8s.io/APIService": (api_service,),
    "apiextensions.k8s.io/CustomResourceDefinition": (definition,),
    "autoscaling/HorizontalPodAutoscaler": (_autoscaler,),
    "scheduling.k8s.io/PriorityClass": (_priority,),
    "node.k8s.io/RuntimeClass": (_tolerations,),
    "Node": (_taints,),
    "networking.k8s.io/Ingress": (_ingress,),
    "networking.k8s.io/IngressClass": (class_parameters,),
    "networking.k8s.io/NetworkPolicy": (network,),
    "discovery.k8s.io/EndpointSlice": (slices,),
    "Endpoints": (subsets,),
}
WHOLE: Final[Mapping[str, tuple[Rule, ...]]] = {  # of what is to be made, and cannot leave it open
    "Secret": (_keys_of_type,),
    "Service": (has_ports,),
    "networking.k8s.io/Ingress": (_absolute, _one_class),
    "autoscaling/HorizontalPodAutoscaler": (_scales_a_group,),
    "batch/Job": (indexed,),
    "batch/CronJob": (indexed,),
    "apiextensions.k8s.io/CustomResourceDefinition": (stored,),
}
