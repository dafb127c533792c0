"""What a table says about built-in kinds beyond name and age: a path, or a function of the object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cheops.sandbox.apiserver.cells import (
    Content,
    address,
    at_path,
    claim,
    completions,
    hosts,
    job_status,
    modes,
    node_status,
    number,
    or_none,
    or_unknown,
    or_unset,
    pod_ready,
    pod_status,
    ports,
    ready_of,
    restarts,
    role,
    roles,
    selector,
    size,
    slice_addresses,
    slice_ports,
)


@dataclass(frozen=True, slots=True)
class Column:
    """`priority` above 0 is shown by `-o wide` only."""

    name: str
    source: str | Callable[[Content], Any]
    type: str = "string"
    priority: int = 0


def _templated(path: str) -> tuple[Column, ...]:
    """What `-o wide` says about the containers of a pod template."""

    def joined(name: str) -> Callable[[Content], str]:
        return lambda content: ",".join(str(one.get(name, "")) for one in at_path(content, f"{path}.containers") or ())

    return Column("Containers", joined("name"), priority=1), Column("Images", joined("image"), priority=1)


def _labels(path: str) -> Column:
    return Column("Selector", selector(path), priority=1)


AGE = Column("Age", ".metadata.creationTimestamp", "date")
_TEMPLATE = _templated(".spec.template.spec")
_REPLICAS = (
    Column("Desired", number(".spec.replicas"), "integer"),
    Column("Current", number(".status.replicas"), "integer"),
    Column("Ready", number(".status.readyReplicas"), "integer"),
    AGE,
    *_TEMPLATE,
)

COLUMNS: dict[tuple[str, str], tuple[Column, ...]] = {
    ("", "pods"): (
        Column("Ready", pod_ready),
        Column("Status", pod_status),
        Column("Restarts", restarts),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("IP", or_none(".status.podIP"), priority=1),
        Column("Node", or_none(".spec.nodeName"), priority=1),
        Column("Nominated Node", or_none(".status.nominatedNodeName"), priority=1),
        Column("Readiness Gates", lambda _: "<none>", priority=1),
    ),
    ("", "services"): (
        Column("Type", ".spec.type"),
        Column("Cluster-IP", or_none(".spec.clusterIP")),
        Column("External-IP", or_none(".status.loadBalancer.ingress[0].ip")),
        Column("Port(s)", ports),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("Selector", selector(".spec.selector"), priority=1),
    ),
    ("", "nodes"): (
        Column("Status", node_status),
        Column("Roles", roles),
        AGE,
        Column("Version", ".status.nodeInfo.kubeletVersion"),
        Column("Internal-IP", address("InternalIP"), priority=1),
        Column("External-IP", address("ExternalIP"), priority=1),
        Column("OS-Image", or_unknown(".status.nodeInfo.osImage"), priority=1),
        Column("Kernel-Version", or_unknown(".status.nodeInfo.kernelVersion"), priority=1),
        Column("Container-Runtime", or_unknown(".status.nodeInfo.containerRuntimeVersion"), priority=1),
    ),
    ("", "namespaces"): (Column("Status", ".status.phase"),),
    ("", "configmaps"): (Column("Data", size("data"), "integer"),),
    ("", "secrets"): (Column("Type", ".type"), Column("Data", size("data"), "integer")),
    ("", "persistentvolumeclaims"): (
        Column("Status", ".status.phase"),
        Column("Volume", ".spec.volumeName"),
        Column("Capacity", ".status.capacity.storage"),
        Column("Access Modes", modes),
        Column("StorageClass", ".spec.storageClassName"),
        Column("VolumeAttributesClass", or_unset(".spec.volumeAttributesClassName")),
        AGE,
        Column("VolumeMode", or_unset(".spec.volumeMode"), priority=1),
    ),
    ("", "persistentvolumes"): (
        Column("Capacity", ".spec.capacity.storage"),
        Column("Access Modes", modes),
        Column("Reclaim Policy", ".spec.persistentVolumeReclaimPolicy"),
        Column("Status", ".status.phase"),
        Column("Claim", claim),
        Column("StorageClass", ".spec.storageClassName"),
    ),
    ("", "replicationcontrollers"): (*_REPLICAS, _labels(".spec.selector")),
    ("apps", "replicasets"): (*_REPLICAS, _labels(".spec.selector.matchLabels")),
    ("apps", "deployments"): (
        Column("Ready", ready_of(".spec.replicas")),
        Column("Up-to-date", number(".status.updatedReplicas"), "integer"),
        Column("Available", number(".status.availableReplicas"), "integer"),
        AGE,
        *_TEMPLATE,
        _labels(".spec.selector.matchLabels"),
    ),
    ("apps", "statefulsets"): (Column("Ready", ready_of(".spec.replicas")), AGE, *_TEMPLATE),
    ("apps", "daemonsets"): (
        Column("Desired", number(".status.desiredNumberScheduled"), "integer"),
        Column("Current", number(".status.currentNumberScheduled"), "integer"),
        Column("Ready", number(".status.numberReady"), "integer"),
        Column("Up-to-date", number(".status.updatedNumberScheduled"), "integer"),
        Column("Available", number(".status.numberAvailable"), "integer"),
        Column("Node Selector", selector(".spec.template.spec.nodeSelector")),
        AGE,
        *_TEMPLATE,
        _labels(".spec.selector.matchLabels"),
    ),
    ("batch", "jobs"): (
        Column("Status", job_status),
        Column("Completions", completions),
        AGE,
        *_TEMPLATE,
        _labels(".spec.selector.matchLabels"),
    ),
    ("batch", "cronjobs"): (
        Column("Schedule", ".spec.schedule"),
        Column("Timezone", or_none(".spec.timeZone")),
        Column("Suspend", ".spec.suspend", "boolean"),
        Column("Active", lambda cron: len(at_path(cron, ".status.active") or ()), "integer"),
        Column("Last Schedule", or_none(".status.lastScheduleTime")),
        AGE,
        *_templated(".spec.jobTemplate.spec.template.spec"),
    ),
    ("networking.k8s.io", "ingresses"): (
        Column("Class", or_none(".spec.ingressClassName")),
        Column("Hosts", hosts),
        Column("Address", ".status.loadBalancer.ingress[0].ip"),
        Column("Ports", lambda ingress: "80, 443" if at_path(ingress, ".spec.tls") else "80"),
    ),
    ("discovery.k8s.io", "endpointslices"): (
        Column("AddressType", ".addressType"),
        Column("Ports", slice_ports),
        Column("Endpoints", slice_addresses),
    ),
    ("coordination.k8s.io", "leases"): (Column("Holder", ".spec.holderIdentity"),),
    ("node.k8s.io", "runtimeclasses"): (Column("Handler", ".handler"),),
    ("networking.k8s.io", "networkpolicies"): (Column("Pod-Selector", selector(".spec.podSelector.matchLabels")),),
    ("policy", "poddisruptionbudgets"): (
        Column("Min Available", or_none(".spec.minAvailable")),
        Column("Max Unavailable", or_none(".spec.maxUnavailable")),
        Column("Allowed Disruptions", number(".status.disruptionsAllowed"), "integer"),
    ),
    ("rbac.authorization.k8s.io", "rolebindings"): (Column("Role", role),),
    ("rbac.authorization.k8s.io", "clusterrolebindings"): (Column("Role", role),),
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
        Column("MinPods", number(".spec.minReplicas"), "integer"),
        Column("MaxPods", number(".spec.maxReplicas"), "integer"),
    ),
}
