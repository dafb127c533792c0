"""What `cheops mesh manifests` prints, on a real API server: it is accepted, and its rights are enough and no more.

No container runs here. What kubelet would do with a pod is done by hand: its files are laid out as it mounts them, its
command runs with its environment, and it speaks to the API server with a token of its account.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from cheops.sandbox.controlplane import ControlPlane
from cheops.sandbox.process import ChildProcess
from cheops.sandbox.python import PythonProcess
from services.chassis.kubernetes import connection
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.errors import ApiError
from tests.kit.command import MANIFESTS, Shell
from tests.kit.controlplane import kubectl
from tests.kit.ports import free_ports
from tests.kit.waiting import eventually

SERVICES = ("watcher", "resolver", "executor")
FOR_PODS_ONLY = ("CHEOPS_METRICS_PORT", "CHEOPS_METRICS_HOST", "CHEOPS_GATE_PORT", "CHEOPS_GATE_HOST")
THROUGH = (  # a kubelet runs commands in any pod
    "/api/v1/nodes/lyon-node-1/proxy/pods",
    "/api/v1/namespaces/default/services/kubernetes/proxy/",
    "/api/v1/namespaces/kube-system/pods/any/proxy/",
)
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reads-secrets, namespace: shop}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get, deletecollection]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reads-secrets, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reads-secrets}
subjects: [{kind: ServiceAccount, name: default, namespace: shop}]
"""
pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(300)]


class Cluster:
    """A real one, and what its kubelet would do."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane, self.folder = plane, folder

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(kubectl(self.plane, "get", kind, name, "-n", "cheops", "-o", "json"))
        return found

    def pod(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(kind, name)["spec"]["template"]["spec"]
        return found

    def mount(self, pod: dict[str, Any]) -> dict[str, Path]:
        """The folder of each path that a container sees."""
        (container,) = pod["containers"]
        secrets = {one["name"]: one["secret"] for one in pod["volumes"] if "secret" in one}
        configs = {one["name"]: one["configMap"]["name"] for one in pod["volumes"] if "configMap" in one}
        found = {}
        for mount in container["volumeMounts"]:
            folder = found[mount["mountPath"]] = self.folder / container["name"] / mount["mountPath"].strip("/")
            folder.mkdir(parents=True)
            if mount["name"] in configs:
                for key, text in self.get("configmap", configs[mount["name"]])["data"].items():
                    (folder / key).write_text(text)
            secret = secrets.get(mount["name"])
            if secret is None:
                continue
            data = self.get("secret", secret["secretName"])["data"]
            for item in secret.get("items") or [{"key": key, "path": key} for key in data]:
                file = folder / item["path"]
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(base64.b64decode(data[item["key"]]))
        return found

    def server(self, port: int) -> ChildProcess:
        pod = self.pod("statefulset", "nats")
        (container,) = pod["containers"]
        configuration = self.mount(pod)["/nats/conf"] / "server.conf"
        text = configuration.read_text()
        assert '"listen": "0.0.0.0:4222"' in text, "in a pod it is reached from outside of it"
        configuration.write_text(text.replace("0.0.0.0:4222", f"127.0.0.1:{port}"))
        program, *arguments = container["command"]
        command = [Path(sys.executable).parent / program, *arguments]
        home = self.folder / "server" / container["workingDir"].strip("/")
        return ChildProcess("nats", command, self.folder / "nats.log", directory=home)

    def service(self, name: str, port: int) -> PythonProcess:
        pod = self.pod("deployment", f"cheops-{name}")
        (container,) = pod["containers"]
        assert container["command"] == ["cheops", "serve", name]
        mounted = self.mount(pod)
        env = {one["name"]: one["value"] for one in container["env"] if "value" in one}

        def laid_out(value: str) -> str:
            folder, _, file = value.removeprefix("/").partition("/")
            return str(mounted[f"/{folder}"] / file) if f"/{folder}" in mounted else value

        env = {key: laid_out(value) for key, value in env.items() if key not in FOR_PODS_ONLY}
        assert env["CHEOPS_NATS_URL"] == "nats://nats.cheops.svc:4222"
        env |= {"CHEOPS_NATS_URL": f"nats://127.0.0.1:{port}", "CHEOPS_KUBECONFIG": str(self.folder / "none")}
        if pod["automountServiceAccountToken"]:
            env["CHEOPS_KUBECONFIG"] = str(self._kubeconfig(pod["serviceAccountName"]))
        return PythonProcess(name, "cheops", ["serve", name], self.folder / f"{name}.log", environment=env)

    def _kubeconfig(self, account: str) -> Path:
        made = yaml.safe_load(self.plane.kubeconfig.read_text())
        token = kubectl(self.plane, "create", "token", account, "-n", "cheops").strip()
        for user in made["users"]:
            user["user"] = {"token": token}
        file = self.folder / f"{account}.kubeconfig"
        file.write_text(yaml.safe_dump(made))
        return file

    async def asked(self, account: str, path: str) -> str:
        """What the API server answers it, with its token alone."""
        client = KubernetesClient(await connection.connect(self._kubeconfig(account)))
        try:
            await client.get(path)
        except ApiError as error:
            return f"{error.status} {error}"
        finally:
            await client.close()
        return ""

    def may(self, account: str, verb: str, resource: str) -> bool:
        """What the API server says."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:cheops:{account}",
                "resourceAttributes": {"verb": verb, "resource": resource, "namespace": "shop"},
            },
        }
        made = kubectl(self.plane, "create", "-f", "-", "-o", "json", manifest=json.dumps(review))
        return bool(json.loads(made)["status"]["allowed"])


@pytest.fixture
async def site(lyon: ControlPlane, tmp_path: Path) -> AsyncIterator[tuple[Cluster, Shell]]:
    """A site that was set up by its manifests."""
    shell, cluster = Shell(tmp_path, "lyon"), Cluster(lyon, tmp_path / "nodes")
    assert shell("mesh", "init", "--sites", "lyon", "--routers", "0").code == 0
    (tmp_path / "policy.yaml").write_text('schema: policy/v1\noverriders: ["*"]\n')
    rendered = shell("mesh", "manifests", "lyon", "--rules-namespace", "cheops", "--gate", "--policy", "policy.yaml")
    assert rendered.code == 0, rendered.err
    kubectl(lyon, "apply", "--server-side", "--validate=strict", "-f", "-", manifest=rendered.out)
    # Nothing leads to a Service here, so nobody would answer: what a gate says is seen in tests/flow/test_gate.py.
    kubectl(lyon, "delete", "validatingwebhookconfiguration", "cheops-gate")
    (port,) = free_ports(1)
    keys = str(tmp_path / "mesh" / "lyon" / "keys")
    context = {"sites": ["lyon"], "servers": {"lyon": {"nats_url": f"nats://127.0.0.1:{port}", "keys": keys}}}
    (tmp_path / ".cheops").mkdir()
    (tmp_path / ".cheops" / "context.json").write_text(json.dumps(context))
    async with AsyncExitStack() as stack:
        stack.callback(kubectl, lyon, "delete", "namespace", "cheops", "--wait=false")
        for child in (cluster.server(port), *(cluster.service(one, port) for one in SERVICES)):
            await child.start()
            stack.push_async_callback(child.stop, 10.0)
        yield cluster, shell
        for name in SERVICES:
            print(f"── {name}\n{(cluster.folder / f'{name}.log').read_text()[-3000:]}")
    for name in SERVICES:
        for line in (cluster.folder / f"{name}.log").read_text().splitlines():
            assert json.loads(line)["level"] == "info", "all that it says, to its end, is of one form and no complaint"


async def test_a_site_runs_in_a_cluster_by_its_manifests_with_their_rights_alone(site: tuple[Cluster, Shell]) -> None:
    cluster, shell = site

    def pods() -> set[str]:
        found = kubectl(cluster.plane, "get", "pods", "-n", "cheops", "-o", "json")
        return {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in json.loads(found)["items"]}

    await eventually(lambda: pods() == {"server", *SERVICES}, "the restricted level of Pod Security refuses some")
    await eventually(
        lambda: shell("sites", "-o", "json").code == 0 and shell("doctor").code == 0, lambda: shell("doctor").out
    )
    applied = shell("apply", "-f", MANIFESTS / "shop.yaml")
    assert applied.code == 0, applied.out + applied.err
    refused = shell("delete", "secret/edge-ca", "-n", "shop")
    assert (refused.code, "D310" in refused.out) == (3, True), refused.out
    reason = ("--override", "D310", "--override", "D311", "--reason", "it is rotated", "--preview")
    overridden = shell("delete", "secret/edge-ca", "-n", "shop", *reason)
    assert overridden.code == 0, "the policy is in force: " + overridden.out
    granted = shell("apply", "-f", "-", stdin=ROLE)
    assert granted.code == 0, granted.out + granted.err
    gone = shell("delete", "namespace/shop", "--cascade", "dependents")
    assert gone.code == 0, gone.out + gone.err
    for account in ("cheops-watcher", "cheops-executor"):
        for path in THROUGH:
            said = await cluster.asked(account, path)
            assert (said[:3], "connects to no pod" in said) == ("403", True), f"{account} {path}: {said}"
    assert not cluster.may("cheops-watcher", "delete", "secrets")
    assert not cluster.may("cheops-watcher", "create", "pods")
    assert not cluster.may("cheops-resolver", "get", "pods")
    assert not cluster.may("cheops-executor", "impersonate", "users")
