"""What a table says about built-in kinds beyond name and age: a path, or a function of the object."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """`priority` above 0 is shown by `-o wide` only."""

    name: str
    source: str | Callable[[Content], Any]
    type: str = "string"
    priority: int = 0


def at_path(content: Any, path: str) -> Any:
    """A plain JSON path: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`, `.spec.hosts[0]`."""
    value = content
    for name, index, key, wanted in _STEP.findall(path):
        if name:
            value = value.get(name.replace("\\.", ".")) if isinstance(value, Mapping) else None
        elif not isinstance(value, list):
            return None
        elif key:
            value = next((one for one in value if isinstance(one, Mapping) and one.get(key) == wanted), None)
        elif index != "*":
            value = value[int(index)] if len(value) > int(index) else None
    return value


_STEP = re.compile(r"""\.?((?:\\.|[^.\[\]])+)|\[(\d+|\*)]|\[\?\(@\.(\w+)\s*==\s*["']([^"']*)["']\)]""")
# findall gives tuples of (name, index, key, wanted)


def _pod_ready(pod: Content) -> str:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    total = len((pod.get("spec") or {}).get("containers") or ())
    return f"{sum(bool(one.get('ready')) for one in statuses)}/{total}"


def _pod_status(pod: Content) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        state = container.get("state") or {}
        for kind in ("waiting", "terminated"):
            if reason := (state.get(kind) or {}).get("reason"):
                return str(reason)
    return str(status.get("phase", "Unknown"))


def _restarts(pod: Content) -> str:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return str(sum(one.get("restartCount", 0) for one in statuses))


def _ready_of(wanted: str) -> Callable[[Content], str]:
    def ready(content: Content) -> str:
        return f"{at_path(content, '.status.readyReplicas') or 0}/{at_path(content, wanted) or 0}"

    return ready


def _number(path: str) -> Callable[[Content], Any]:
    return lambda content: at_path(content, path) or 0


def _or_none(path: str) -> Callable[[Content], Any]:
    return lambda content: at_path(content, path) or "<none>"


def _ports(service: Content) -> str:
    ports = (service.get("spec") or {}).get("ports") or ()
    said = [
        f"{port['port']}{':' + str(port['nodePort']) if port.get('nodePort') else ''}/{port.get('protocol', 'TCP')}"
        for port in ports
    ]
    return ",".join(said) or "<none>"


def _selector(path: str) -> Callable[[Content], str]:
    def text(content: Content) -> str:
        labels = at_path(content, path) or {}
        return ",".join(f"{name}={value}" for name, value in sorted(labels.items())) or "<none>"

    return text


def _node_status(node: Content) -> str:
    ready = at_path(node, '.status.conditions[?(@.type=="Ready")].status') == "True"
    cordoned = ",SchedulingDisabled" if at_path(node, ".spec.unschedulable") else ""
    return ("Ready" if ready else "NotReady") + cordoned


def _completions(job: Content) -> str:
    return f"{at_path(job, '.status.succeeded') or 0}/{at_path(job, '.spec.completions') or 1}"


def _job_status(job: Content) -> str:
    return "Complete" if at_path(job, '.status.conditions[?(@.type=="Complete")].status') == "True" else "Running"


def _hosts(ingress: Content) -> str:
    rules = at_path(ingress, ".spec.rules") or ()
    return ",".join(rule.get("host", "*") for rule in rules) or "*"


def _size(field: str) -> Callable[[Content], int]:
    return lambda content: len(content.get(field) or ())


def _claim(volume: Content) -> str:
    reference = at_path(volume, ".spec.claimRef") or {}
    return f"{reference['namespace']}/{reference['name']}" if reference else ""


def _modes(content: Content) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    return ",".join(short.get(mode, mode) for mode in at_path(content, ".spec.accessModes") or ())


def _role(binding: Content) -> str:
    return f"{at_path(binding, '.roleRef.kind')}/{at_path(binding, '.roleRef.name')}"


_REPLICAS = (
    Column("Desired", _number(".spec.replicas"), "integer"),
    Column("Current", _number(".status.replicas"), "integer"),
    Column("Ready", _number(".status.readyReplicas"), "integer"),
)

COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "pods"): (
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("IP", _or_none(".status.podIP"), priority=1),
        Column("Node", _or_none(".spec.nodeName"), priority=1),
    ),
    ("", "services"): (
        Column("Type", ".spec.type"),
        Column("Cluster-IP", _or_none(".spec.clusterIP")),
        Column("External-IP", _or_none(".status.loadBalancer.ingress[0].ip")),
        Column("Port(s)", _ports),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("Selector", _selector(".spec.selector"), priority=1),
    ),
    ("", "nodes"): (Column("Status", _node_status), Column("Version", ".status.nodeInfo.kubeletVersion")),
    ("", "namespaces"): (Column("Status", ".status.phase"),),
    ("", "configmaps"): (Column("Data", _size("data"), "integer"),),
    ("", "secrets"): (Column("Type", ".type"), Column("Data", _size("data"), "integer")),
    ("", "serviceaccounts"): (Column("Secrets", _size("secrets"), "integer"),),
    ("", "persistentvolumeclaims"): (
        Column("Status", ".status.phase"),
        Column("Volume", ".spec.volumeName"),
        Column("Capacity", ".status.capacity.storage"),
        Column("Access Modes", _modes),
        Column("StorageClass", ".spec.storageClassName"),
    ),
    ("", "persistentvolumes"): (
        Column("Capacity", ".spec.capacity.storage"),
        Column("Access Modes", _modes),
        Column("Reclaim Policy", ".spec.persistentVolumeReclaimPolicy"),
        Column("Status", ".status.phase"),
        Column("Claim", _claim),
        Column("StorageClass", ".spec.storageClassName"),
    ),
    ("", "replicationcontrollers"): _REPLICAS,
    ("apps", "replicasets"): _REPLICAS,
    ("apps", "deployments"): (
        Column("Ready", _ready_of(".spec.replicas")),
        Column("Up-to-date", _number(".status.updatedReplicas"), "integer"),
        Column("Available", _number(".status.availableReplicas"), "integer"),
    ),
    ("apps", "statefulsets"): (Column("Ready", _ready_of(".spec.replicas")),),
    ("apps", "daemonsets"): (
        Column("Desired", _number(".status.desiredNumberScheduled"), "integer"),
        Column("Ready", _number(".status.numberReady"), "integer"),
    ),
    ("batch", "jobs"): (Column("Status", _job_status), Column("Completions", _completions)),
    ("batch", "cronjobs"): (Column("Schedule", ".spec.schedule"), Column("Suspend", ".spec.suspend", "boolean")),
    ("networking.k8s.io", "ingresses"): (Column("Class", _or_none(".spec.ingressClassName")), Column("Hosts", _hosts)),
    ("networking.k8s.io", "networkpolicies"): (Column("Pod-Selector", _selector(".spec.podSelector.matchLabels")),),
    ("policy", "poddisruptionbudgets"): (
        Column("Min Available", _or_none(".spec.minAvailable")),
        Column("Max Unavailable", _or_none(".spec.maxUnavailable")),
    ),
    ("rbac.authorization.k8s.io", "rolebindings"): (Column("Role", _role),),
    ("rbac.authorization.k8s.io", "clusterrolebindings"): (Column("Role", _role),),
    ("storage.k8s.io", "storageclasses"): (
        Column("Provisioner", ".provisioner"),
        Column("ReclaimPolicy", ".reclaimPolicy"),
    ),
    ("scheduling.k8s.io", "priorityclasses"): (Column("Value", ".value", "integer"),),
    ("autoscaling", "horizontalpodautoscalers"): (
        Column(
            "Reference",
            lambda hpa: f"{at_path(hpa, '.spec.scaleTargetRef.kind')}/{at_path(hpa, '.spec.scaleTargetRef.name')}",
        ),
        Column("MinPods", _number(".spec.minReplicas"), "integer"),
        Column("MaxPods", _number(".spec.maxReplicas"), "integer"),
    ),
}
