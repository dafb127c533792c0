"""What an API server fills in of a built-in kind before it asks anybody: the fields that policies read. Pure.

Not all: of other fields that it may fill in only the names are known here, and whoever asks about one that an object
leaves out cannot be told.
"""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from schemas.pods import pod_spec_of
from schemas.relations.selector import NAME_LABEL
from schemas.untyped import mapping_of, rows_of
from services.resolver.judge.demand import UNITS, amount_of

Body = Mapping[str, Any]
CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
OF_A_POD: Final = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30,
    "securityContext": {},
}
OF_A_CONTAINER: Final = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_MANY: Final = {"replicas": 1}
OF_A_KIND: Final[Mapping[str, Body]] = {  # in `spec`
    "Deployment": {**_MANY, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600},
    "ReplicaSet": _MANY,
    "ReplicationController": _MANY,
    "StatefulSet": {**_MANY, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"},
    "DaemonSet": {"revisionHistoryLimit": 10},
    "Service": {"type": "ClusterIP", "sessionAffinity": "None"},
    "PersistentVolumeClaim": {"volumeMode": "Filesystem"},
    "PersistentVolume": {"volumeMode": "Filesystem"},
    "Namespace": {"finalizers": ["kubernetes"]},
}
GENERATION: Final = "deprecated.daemonset.template.generation"
DECIMAL: Final = ("m", "", "k", "M", "G", "T", "P", "E")
BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
OTHERS: Final = re.compile(
    r"\b(?:serviceAccountName|serviceAccount|tolerations|volumes|volumeMounts|priority|priorityClassName|"
    r"preemptionPolicy|enableServiceLinks|runtimeClassName|overhead|nodeName|nodeSelector|imagePullSecrets|"
    r"defaultMode|protocol|targetPort|clusterIP|clusterIPs|ipFamilies|ipFamilyPolicy|internalTrafficPolicy|"
    r"externalTrafficPolicy|nodePort|allocateLoadBalancerNodePorts|healthCheckNodePort|storageClassName|"
    r"volumeName|strategy|updateStrategy|rollingUpdate|maxSurge|maxUnavailable|"
    r"persistentVolumeClaimRetentionPolicy|backoffLimit|completionMode|completions|parallelism|suspend|"
    r"podReplacementPolicy|concurrencyPolicy|successfulJobsHistoryLimit|failedJobsHistoryLimit|minReplicas|"
    r"metrics|behavior|reclaimPolicy|volumeBindingMode|persistentVolumeReclaimPolicy|timeoutSeconds|"
    r"periodSeconds|successThreshold|failureThreshold|scheme|path|policyTypes|uid|creationTimestamp|"
    r"deletionTimestamp|generation|managedFields|resourceVersion|finalizers|ownerReferences|selfLink|"
    r"status|selector|ingressClassName|pathType|sizeLimit|medium|hostPort|apiGroup|expirationSeconds|"
    r"conditions|conversion|podSelector|listKind|singular|manualSelector|defaultRequest|divisor|emptyDir|type|apiVersion|"
    r"failurePolicy|matchPolicy|namespaceSelector|objectSelector)\b"
)


def filled_in(body: Body) -> dict[str, Any]:
    """A copy with what is known; what was said stays."""
    made: dict[str, Any] = _copied(body)
    kind = str(body.get("kind"))
    if isinstance(made.get("spec"), dict) or kind == "Namespace":
        made["spec"] = {**OF_A_KIND.get(kind, {}), **mapping_of(made.get("spec"))}
    if kind in _OF_ONE:
        _OF_ONE[kind](made)
    for template in _templates(made):
        template.setdefault("metadata", {})
    pod = pod_spec_of(made)
    if isinstance(pod, dict):
        for name, value in OF_A_POD.items():
            pod.setdefault(name, _copied(value))
        for container in (one for field in CONTAINERS for one in rows_of(pod.get(field))):
            _fill_container(container)
    return made


def _templates(made: dict[str, Any]) -> list[dict[str, Any]]:
    """Of jobs, and of pods."""
    jobs = mapping_of(made.get("spec")).get("jobTemplate")
    pods = mapping_of(mapping_of(jobs).get("spec") or made.get("spec")).get("template")
    return [one for one in (jobs, pods) if isinstance(one, dict)]


def _of_a_secret(made: dict[str, Any]) -> None:
    made.setdefault("type", "Opaque")
    plain = mapping_of(made.pop("stringData", None))
    if plain:
        coded = {name: b64encode(str(value).encode()).decode() for name, value in plain.items()}
        made["data"] = {**mapping_of(made.get("data")), **coded}


def _of_a_namespace(made: dict[str, Any]) -> None:
    metadata = mapping_of(made.get("metadata"))
    labels = {**mapping_of(metadata.get("labels")), NAME_LABEL: metadata.get("name")}
    made["metadata"] = {**metadata, "labels": labels}


def _of_a_job(made: dict[str, Any]) -> None:
    """It and its pods have labels, since the API server adds its own; who says none has those of its pods."""
    spec, metadata = mapping_of(made.get("spec")), mapping_of(made.get("metadata"))
    template = mapping_of(spec.get("template"))
    of_pods = mapping_of(template.get("metadata"))
    labels = of_pods.get("labels") or {}
    made["metadata"] = {**metadata, "labels": metadata.get("labels") or labels}
    made["spec"] = {**spec, "template": {**template, "metadata": {**of_pods, "labels": labels}}}


def _of_a_daemon_set(made: dict[str, Any]) -> None:
    """How often its template was changed stands in an annotation."""
    metadata = mapping_of(made.get("metadata"))
    made["metadata"] = {**metadata, "annotations": {GENERATION: "1", **mapping_of(metadata.get("annotations"))}}


def _fill_container(container: Any) -> None:
    for name, value in OF_A_CONTAINER.items():
        container.setdefault(name, _copied(value))
    image = str(container.get("image"))
    latest = image.endswith(":latest") or (":" not in image.rpartition("/")[2] and "@" not in image)
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    resources = mapping_of(container["resources"])
    asked = {field: _written(resources[field]) for field in ("limits", "requests") if resources.get(field)}
    if "limits" in asked:
        asked["requests"] = {**asked["limits"], **asked.get("requests", {})}
    container["resources"] = {**resources, **asked}


def _written(amounts: Any) -> dict[str, str]:
    """As the API server writes them: with the largest unit of which it is a whole number."""
    return {str(name): _shortest(str(value)) for name, value in mapping_of(amounts).items()}


def _shortest(text: str) -> str:
    found = amount_of(text)
    if found is None:
        return text
    amount = Decimal(math.ceil(found * 1000)) / 1000  # nothing is kept finer than that
    is_binary = text.endswith("i") and abs(amount) >= 1024
    for one in reversed(BINARY if is_binary else DECIMAL):
        if amount % UNITS[one] == 0:
            return f"{int(amount / UNITS[one])}{one}" if amount else "0"
    return text


def is_open(expression: str, body: Body) -> bool:
    """Whether an expression reads a field that the API server may fill in, and that the object leaves out somewhere."""
    return any(not _says(body, word) for word in set(OTHERS.findall(expression)))


def _says(value: Any, name: str) -> bool:
    """A mapping itself or somewhere below; of a list every item."""
    if isinstance(value, Mapping):
        return name in value or any(_says(one, name) for one in value.values())
    return isinstance(value, list) and bool(value) and all(_says(one, name) for one in value)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(one) for name, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value


_OF_ONE: Final = {
    "Secret": _of_a_secret,
    "Namespace": _of_a_namespace,
    "Job": _of_a_job,
    "DaemonSet": _of_a_daemon_set,
}
