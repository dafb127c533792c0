"""Services with a selector: an EndpointSlice with the pods that it selects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cheops.sandbox.apiserver.controllers.hands import Hands
from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.controllers.ownership import PODS, child_of, is_ready, template_hash
from cheops.sandbox.apiserver.kinds import CollectionKey
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.store import Change, Object, Stored

SERVICES = CollectionKey("", "services")


class EndpointController:
    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._hands = Hands(realm, "endpointslice-controller")
        self._service, self._slice = realm.kind("v1", "Service"), realm.kind("discovery.k8s.io/v1", "EndpointSlice")

    def concerns(self, collection: CollectionKey, change: Change) -> Iterable[Key]:
        if collection == SERVICES and change.type != "DELETED":
            yield collection, change.key
        elif collection == PODS:
            labels = change.now.metadata.get("labels") or {}
            for key, service in self._realm.store.collection(SERVICES).objects.items():
                selector = service.object["spec"].get("selector")
                if selector and key[0] == change.key[0] and selector.items() <= labels.items():
                    yield SERVICES, key

    def reconcile(self, key: Key) -> None:
        service = self._realm.store.get(SERVICES, *key[1])
        if service is None or "deletionTimestamp" in service.metadata or not service.object["spec"].get("selector"):
            return
        content = self._content(service)
        found = self._realm.get(self._slice, content["metadata"]["namespace"], content["metadata"]["name"])
        if found is None:
            self._hands.create(self._slice, content)
        elif (found.object.get("endpoints"), found.object.get("ports")) != (content["endpoints"], content["ports"]):
            self._hands.update(self._slice, found, {**found.object, **content, "metadata": found.metadata})

    def _content(self, service: Stored) -> Object:
        spec, name = service.object["spec"], service.metadata["name"]
        pods = [pod for pod in self._selected(service) if (pod.object.get("status") or {}).get("podIP")]
        labels = {"kubernetes.io/service-name": name}
        labels["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io"
        mark = template_hash({"uid": service.metadata["uid"]})[:5]
        metadata = {"name": f"{name}-{mark}", "generateName": f"{name}-", "labels": labels}
        content = child_of(self._service, service, {}, metadata)
        ports = [_port(port, pods[0]) for port in spec.get("ports") or ()] if pods else []
        return {**content, "addressType": "IPv4", "endpoints": [_endpoint(pod) for pod in pods], "ports": ports}

    def _selected(self, service: Stored) -> list[Stored]:
        selector, namespace = service.object["spec"]["selector"], service.metadata["namespace"]
        pods = sorted(self._realm.store.collection(PODS).objects.items())
        return [
            pod
            for key, pod in pods
            if key[0] == namespace
            and selector.items() <= (pod.metadata.get("labels") or {}).items()
            and "deletionTimestamp" not in pod.metadata
        ]


def _endpoint(pod: Stored) -> Object:
    ready = is_ready(pod)
    metadata = pod.metadata
    target = {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "addresses": [pod.object["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "nodeName": pod.object["spec"].get("nodeName", ""),
        "targetRef": target,
    }


def _port(port: Object, pod: Stored) -> dict[str, Any]:
    """A named target is looked up in a pod, as each may number it differently; here they do not."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, str):
        named = (
            one["containerPort"]
            for container in pod.object["spec"]["containers"]
            for one in container.get("ports") or ()
            if one.get("name") == target
        )
        target = next(named, port["port"])
    return {"name": port.get("name", ""), "port": target, "protocol": port.get("protocol", "TCP")}
