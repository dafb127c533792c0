"""Which controllers work in a cluster."""

from __future__ import annotations

from cheops.sandbox.apiserver.controllers.definitions import DefinitionController
from cheops.sandbox.apiserver.controllers.deployments import DeploymentController
from cheops.sandbox.apiserver.controllers.endpoints import EndpointController
from cheops.sandbox.apiserver.controllers.garbage import GarbageCollector
from cheops.sandbox.apiserver.controllers.jobs import JobController
from cheops.sandbox.apiserver.controllers.kubelet import Kubelet
from cheops.sandbox.apiserver.controllers.loop import Controller
from cheops.sandbox.apiserver.controllers.namespaces import NamespaceController
from cheops.sandbox.apiserver.controllers.replicas import ReplicaController
from cheops.sandbox.apiserver.controllers.sets import DaemonSetController, StatefulSetController
from cheops.sandbox.apiserver.controllers.volumes import VolumeController
from cheops.sandbox.apiserver.realm import Realm


def make_controllers(realm: Realm, *, workloads: bool) -> list[Controller]:
    """Those without which the API itself would be another one always work; `workloads` adds the rest."""
    always: list[Controller] = [DefinitionController(realm), NamespaceController(realm), GarbageCollector(realm)]
    if not workloads:
        return always
    realm.protects_volumes = True
    return [
        *always,
        DeploymentController(realm),
        ReplicaController(realm, realm.kind("apps/v1", "ReplicaSet")),
        ReplicaController(realm, realm.kind("v1", "ReplicationController")),
        StatefulSetController(realm),
        DaemonSetController(realm),
        JobController(realm),
        Kubelet(realm),
        VolumeController(realm),
        EndpointController(realm),
    ]
