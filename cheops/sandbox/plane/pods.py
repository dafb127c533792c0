"""The node on which pods run that nobody runs: kwok plays its kubelet (stages.yaml), the scheduler fills it."""

from __future__ import annotations

from typing import Any

NODES_PATH = "/api/v1/nodes"
_CAPACITY = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "1000"}


def node_name(site: str) -> str:
    return f"{site}-node-1"


def node_manifest(site: str) -> dict[str, Any]:
    """Big enough for every example of ours; nothing is really used."""
    name = node_name(site)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
        },
        "status": {"capacity": _CAPACITY, "allocatable": _CAPACITY},
    }


def takes_pods(node: dict[str, Any]) -> bool:
    """Ready, and the taint that every new node carries is gone."""
    conditions = node.get("status", {}).get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and not node.get("spec", {}).get("taints")
