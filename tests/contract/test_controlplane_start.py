"""Real control planes start, work, survive and stop."""

from __future__ import annotations

import json
import socket
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cheops.sandbox.controlplane import ControlPlane
from cheops.sandbox.plane.probes import ApiQuestions
from cheops.sandbox.process import ChildExitedError
from services.chassis.errors import SettingsError
from tests.kit.controlplane import kubectl, prepare

pytestmark = pytest.mark.controlplane

WAIT = "--timeout=60s"

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: example.org/web}]
"""

BATCH = """
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: once, image: example.org/once}]
"""


@pytest.fixture
def namespace(lyon: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"start-{zlib.crc32(request.node.name.encode())}"
    kubectl(lyon, "create", "namespace", name)
    yield name
    kubectl(lyon, "delete", "namespace", name, "--wait=false")


async def test_a_started_control_plane_is_ready_and_its_controllers_work(lyon: ControlPlane) -> None:
    questions = ApiQuestions(lyon.server_url, lyon.ca_file, lyon.token)
    assert await questions.is_ready()
    assert await questions.exists("/api/v1/namespaces/default/serviceaccounts/default")


def test_its_kubeconfig_has_one_context_named_after_the_site(lyon: ControlPlane) -> None:
    assert kubectl(lyon, "config", "get-contexts", "--output=name").split() == ["lyon"]
    assert kubectl(lyon, "auth", "whoami", "--output=jsonpath={.status.userInfo.username}") == "admin"


def test_server_and_kubectl_say_the_same_version(lyon: ControlPlane) -> None:
    versions = json.loads(kubectl(lyon, "version", "--output=json"))
    assert versions["serverVersion"]["gitVersion"] == versions["clientVersion"]["gitVersion"]
    assert versions["serverVersion"]["minor"] in versions["serverVersion"]["gitVersion"]


def test_secrets_of_the_control_plane_are_readable_by_their_owner_only(lyon: ControlPlane) -> None:
    files = [lyon.kubeconfig, lyon.kubeconfig_of("visitor"), lyon.directory / "tokens.csv"]
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}


def test_pods_of_a_deployment_run(lyon: ControlPlane, namespace: str) -> None:
    kubectl(lyon, "apply", f"--namespace={namespace}", "--filename=-", manifest=WEB)
    kubectl(lyon, "rollout", "status", f"--namespace={namespace}", "deployment/web", WAIT)
    phases = kubectl(lyon, "get", "pods", f"--namespace={namespace}", "--output=jsonpath={.items[*].status.phase}")
    assert phases.split() == ["Running", "Running"]


def test_a_job_completes_and_a_deleted_pod_goes(lyon: ControlPlane, namespace: str) -> None:
    kubectl(lyon, "apply", f"--namespace={namespace}", "--filename=-", manifest=BATCH)
    kubectl(lyon, "wait", f"--namespace={namespace}", "--for=condition=Complete", "job/once", WAIT)
    kubectl(lyon, "delete", f"--namespace={namespace}", "job/once", "--cascade=foreground", "--wait", WAIT)
    assert not kubectl(lyon, "get", "pods", f"--namespace={namespace}", "--output=name")


def test_deleting_a_namespace_takes_along_what_is_in_it(lyon: ControlPlane) -> None:
    kubectl(lyon, "create", "namespace", "short-lived")
    kubectl(lyon, "create", "configmap", "--namespace=short-lived", "inside")
    kubectl(lyon, "delete", "namespace", "short-lived", "--wait", WAIT)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        kubectl(lyon, "get", "configmap", "--namespace=short-lived", "inside")
    assert "NotFound" in refused.value.stderr


def test_controllers_come_as_themselves(lyon: ControlPlane) -> None:
    assert "generic-garbage-collector" in kubectl(lyon, "get", "serviceaccounts", "--namespace=kube-system")


def test_a_user_beside_the_admin_may_do_only_what_is_granted(lyon: ControlPlane, namespace: str) -> None:
    where = f"--namespace={namespace}"
    with pytest.raises(subprocess.CalledProcessError) as refused:
        kubectl(lyon, "get", "pods", where, user="visitor")
    assert "Forbidden" in refused.value.stderr
    kubectl(lyon, "create", "rolebinding", "look", where, "--clusterrole=view", "--user=visitor")
    kubectl(lyon, "get", "pods", where, user="visitor")


async def test_a_killed_api_server_comes_back_on_its_port_with_its_data_and_pods_run(
    lyon: ControlPlane, namespace: str
) -> None:
    kubectl(lyon, "create", "configmap", f"--namespace={namespace}", "kept")
    questions = ApiQuestions(lyon.server_url, lyon.ca_file, lyon.token)
    url_before = lyon.server_url
    lyon.kill_apiserver()
    with pytest.raises(ConnectionError):
        await questions.is_ready()
    await lyon.start_apiserver()
    assert lyon.server_url == url_before
    assert await questions.exists(f"/api/v1/namespaces/{namespace}/configmaps/kept")
    kubectl(lyon, "apply", f"--namespace={namespace}", "--filename=-", manifest=WEB)
    kubectl(lyon, "rollout", "status", f"--namespace={namespace}", "deployment/web", WAIT)


def test_two_sites_side_by_side_share_nothing(lyon: ControlPlane, oslo: ControlPlane, namespace: str) -> None:
    assert lyon.server_url != oslo.server_url
    with pytest.raises(subprocess.CalledProcessError) as refused:
        kubectl(oslo, "get", "namespace", namespace)
    assert "NotFound" in refused.value.stderr


def test_a_site_stopped_and_started_on_the_same_directory_has_the_same_objects(tmp_path: Path) -> None:
    plane = prepare("bern", tmp_path, run_pods=False)
    plane.start_sync()
    try:
        token = plane.token
        kubectl(plane, "create", "configmap", "kept")
    finally:
        plane.stop_sync()
    plane.start_sync()
    try:
        assert plane.token == token
        assert kubectl(plane, "get", "configmap", "kept", "--output=name").strip() == "configmap/kept"
    finally:
        plane.stop_sync()


async def test_a_port_that_is_taken_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        plane = prepare("nice", tmp_path, port=port)
        with pytest.raises(SettingsError, match=rf"port {port} on 127\.0\.0\.1 is taken"):
            await plane.start()
    assert not (tmp_path / "logs").exists()


async def test_a_program_that_cannot_start_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "etcd").write_text("a file where etcd wants its folder")
    plane = prepare("nice", tmp_path)
    with pytest.raises(ChildExitedError, match=r"(?s)nice etcd exited with 1.*logs/etcd\.log.*not a directory"):
        await plane.start()
