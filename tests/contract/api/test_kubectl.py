"""kubectl of the same version on both servers: what people type, and what they read."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cheops.sandbox.apiserver import EmbeddedCluster
from cheops.sandbox.controlplane import ControlPlane
from cheops.sandbox.plane.assets import FOR_PEOPLE, ControlPlaneMissingError, require
from tests.kit.controlplane import KUBECTL_TIMEOUT_S, give_up

MANIFEST = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: red}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "example/web:1", envFrom: [{configMapRef: {name: settings}}]}]
"""


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err


Kubectl = Callable[..., Awaitable[Said]]


@pytest.fixture
async def kubeconfig(plane: ControlPlane | None, tmp_path: Path) -> AsyncIterator[Path]:
    if plane is not None:
        yield plane.kubeconfig
        return
    async with EmbeddedCluster("lyon") as cluster:
        cluster.write_kubeconfig(tmp_path / "kubeconfig")
        yield tmp_path / "kubeconfig"


@pytest.fixture
async def kubectl(kubeconfig: Path, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kubectl]:
    """In a namespace of its own, which kubectl makes itself."""
    try:
        program = require(FOR_PEOPLE) / "kubectl"
    except ControlPlaneMissingError as error:
        give_up(error)
    namespace = re.sub("[^a-z0-9]+", "-", request.node.originalname.removeprefix("test_").lower())[:50].strip("-")
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}  # no cache of another run
    home |= {name: os.environ[name] for name in ("GOGC", "GOMEMLIMIT")}  # as all programs in Go here: see conftest.py

    async def run(*arguments: str, stdin: str = "") -> Said:
        command = [f"--kubeconfig={kubeconfig}", f"--namespace={namespace}", *arguments]
        process = await asyncio.create_subprocess_exec(program, *command, stdin=-1, stdout=-1, stderr=-1, env=home)
        async with asyncio.timeout(KUBECTL_TIMEOUT_S):
            out, err = await process.communicate(stdin.encode())
        said = Said(process.returncode or 0, out.decode(), err.decode())
        assert "panic" not in said.all
        return said

    made = await run("create", "namespace", namespace)
    assert (made.code, made.out) == (0, f"namespace/{namespace} created\n"), made.err
    waited = await run("wait", "--for=create", "serviceaccount/default", "--timeout=30s")
    assert waited.code == 0, waited.err
    yield run
    await run("delete", "namespace", namespace, "--wait=false")


async def rolled_out(kubectl: Kubectl) -> None:
    applied = await kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert (applied.out, applied.err) == ("configmap/settings created\ndeployment.apps/web created\n", "")
    done = await kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert done.out.endswith('deployment "web" successfully rolled out\n')


async def test_get_prints_tables_as_people_know_them(kubectl: Kubectl) -> None:
    await rolled_out(kubectl)
    table = (await kubectl("get", "deployment", "web")).out.splitlines()
    assert table[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert table[1].split()[:4] == ["web", "2/2", "2", "2"]
    wide = (await kubectl("get", "deployment", "web", "-o", "wide")).out.splitlines()
    assert wide[0].split()[5:] == ["CONTAINERS", "IMAGES", "SELECTOR"]
    assert wide[1].split()[5:] == ["main", "example/web:1", "app=web"]
    pods = (await kubectl("get", "pods", "-l", "app=web")).out.splitlines()
    assert pods[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [line.split()[1:4] for line in pods[1:]] == [["1/1", "Running", "0"]] * 2
    everywhere = (await kubectl("get", "pods", "-A", "-l", "app=web", "--no-headers")).out.splitlines()
    assert len(everywhere) >= 2
    sets = (await kubectl("get", "rs")).out.splitlines()
    assert sets[0].split() == ["NAME", "DESIRED", "CURRENT", "READY", "AGE"]
    names = await kubectl("get", "all", "-o", "name")
    assert {line.partition("/")[0] for line in names.out.splitlines()} == {"pod", "deployment.apps", "replicaset.apps"}
    path = await kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}/{.status.readyReplicas}")
    assert path.out == "2/2"


async def test_what_is_not_there_is_said_plainly(kubectl: Kubectl) -> None:
    assert (await kubectl("get", "pods")).err.startswith("No resources found in ")
    missing = await kubectl("get", "pod", "none")
    assert (missing.code, missing.err) == (1, 'Error from server (NotFound): pods "none" not found\n')
    kind = await kubectl("get", "gizmos")
    assert (kind.code, kind.err) == (1, 'error: the server doesn\'t have a resource type "gizmos"\n')
    unknown = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\n"
    applied = await kubectl("apply", "-f", "-", stdin=unknown)
    assert applied.code == 1
    assert 'no matches for kind "Widget" in version "example.com/v1"' in applied.err


async def test_apply_again_changes_what_changed_and_diff_shows_it_before(kubectl: Kubectl) -> None:
    await rolled_out(kubectl)
    again = await kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert (again.out, again.err) == ("configmap/settings unchanged\ndeployment.apps/web unchanged\n", "")
    same = await kubectl("diff", "-f", "-", stdin=MANIFEST)
    assert (same.code, same.all) == (0, "")
    changed = MANIFEST.replace("colour: red", "colour: blue")
    difference = await kubectl("diff", "-f", "-", stdin=changed)
    assert difference.code == 1
    assert "-  colour: red\n+  colour: blue" in difference.out
    dry = await kubectl("apply", "--dry-run=server", "-f", "-", stdin=changed)
    assert dry.out.startswith("configmap/settings configured (server dry run)\n")
    assert (await kubectl("get", "cm", "settings", "-o", "jsonpath={.data.colour}")).out == "red"
    assert (await kubectl("apply", "-f", "-", stdin=changed)).out.startswith("configmap/settings configured\n")


async def test_apply_on_the_server_names_conflicts(kubectl: Kubectl) -> None:
    config = MANIFEST.partition("---")[0]
    applied = await kubectl("apply", "--server-side", "-f", "-", stdin=config)
    assert (applied.out, applied.err) == ("configmap/settings serverside-applied\n", "")
    other = ("apply", "--server-side", "--field-manager=other", "-f", "-")
    refused = await kubectl(*other, stdin=config.replace("red", "blue"))
    assert refused.code == 1
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .data.colour' in refused.err
    forced = await kubectl(*other, "--force-conflicts", stdin=config.replace("red", "blue"))
    assert forced.out == "configmap/settings serverside-applied\n"


async def test_unknown_fields_are_refused_with_their_path(kubectl: Kubectl) -> None:
    wrong = MANIFEST.partition("---")[0].replace("\ndata:", "\ndada:")
    refused = await kubectl("apply", "-f", "-", stdin=wrong)
    assert refused.code == 1
    assert 'strict decoding error: unknown field "dada"' in refused.err


async def test_objects_are_made_without_a_file(kubectl: Kubectl) -> None:
    """Here kubectl writes protobuf."""
    commands = {
        "configmap a --from-literal=k=v": "configmap/a created",
        "secret generic a --from-literal=k=v": "secret/a created",
        "deployment a --image=example/web:1 --replicas=0": "deployment.apps/a created",
        "service clusterip a --tcp=80:8080": "service/a created",
        "serviceaccount a": "serviceaccount/a created",
        "role a --verb=get --resource=pods": "role.rbac.authorization.k8s.io/a created",
        "rolebinding a --role=a --serviceaccount=x:y": "rolebinding.rbac.authorization.k8s.io/a created",
        "job a --image=example/job:1": "job.batch/a created",
        "ingress a --rule=example.com/p=a:80": "ingress.networking.k8s.io/a created",
        "poddisruptionbudget a --selector=app=a --min-available=50%": "poddisruptionbudget.policy/a created",
        "quota a --hard=pods=100,requests.cpu=1500m": "resourcequota/a created",
    }
    for command, expected in commands.items():
        made = await kubectl("create", *command.split())
        assert (made.out, made.err) == (f"{expected}\n", "")
    path = "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}"
    assert (await kubectl("get", "deployment", "a", "-o", path)).out == "0 example/web:1"
    budget = await kubectl("get", "pdb", "a", "-o", "jsonpath={.spec.minAvailable}")
    assert budget.out == "50%"
    quota = await kubectl("get", "quota", "a", "-o", "jsonpath={.spec.hard}")
    assert quota.out == '{"pods":"100","requests.cpu":"1500m"}'
    service = await kubectl("get", "service", "a", "-o", "jsonpath={.spec.ports[0].targetPort} {.spec.selector}")
    assert service.out == '8080 {"app":"a"}'


async def test_edits_in_place(kubectl: Kubectl) -> None:
    await rolled_out(kubectl)
    for command, expected in {
        "scale deployment/web --replicas=3": "deployment.apps/web scaled",
        "label deployment/web tier=front": "deployment.apps/web labeled",
        "label deployment/web tier-": "deployment.apps/web unlabeled",
        "annotate deployment/web note=hello": "deployment.apps/web annotated",
        "set image deployment/web main=example/web:2": "deployment.apps/web image updated",
        "rollout restart deployment/web": "deployment.apps/web restarted",
        "expose deployment/web --port=80": "service/web exposed",
    }.items():
        done = await kubectl(*command.split())
        assert (done.out, done.err) == (f"{expected}\n", "")
    patched = await kubectl("patch", "cm", "settings", "--type=merge", "-p", '{"data":{"colour":"blue"}}')
    assert patched.out == "configmap/settings patched\n"
    done = await kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert done.out.endswith("successfully rolled out\n")
    history = await kubectl("rollout", "history", "deployment/web")
    assert [line.split()[0] for line in history.out.splitlines()[2:] if line] == ["1", "2", "3"]


async def test_delete_waits_and_obeys_its_options(kubectl: Kubectl) -> None:
    await rolled_out(kubectl)
    dry = await kubectl("delete", "deployment", "web", "--dry-run=server")
    assert dry.out.startswith('deployment.apps "web" deleted')
    assert dry.out.endswith("(server dry run)\n")
    assert (await kubectl("get", "deployment", "web")).code == 0
    assert (await kubectl("delete", "deployment", "web", "--cascade=orphan", "--timeout=30s")).code == 0
    orphan = (await kubectl("get", "rs", "-o", "name")).out.strip()
    assert orphan.startswith("replicaset.apps/web-")
    assert (await kubectl("delete", orphan, "--cascade=foreground", "--timeout=30s")).code == 0
    assert (await kubectl("delete", "cm", "settings")).out.startswith('configmap "settings" deleted')
    missing = await kubectl("delete", "cm", "settings")
    assert missing.err == 'Error from server (NotFound): configmaps "settings" not found\n'
    assert (await kubectl("delete", "cm", "settings", "--ignore-not-found")).code == 0


async def test_describe_says_what_it_is(kubectl: Kubectl) -> None:
    await rolled_out(kubectl)
    text = (await kubectl("describe", "deployment", "web")).out
    assert re.search(r"^Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable$", text, re.M)
    assert re.search(r"^Selector: +app=web$", text, re.M)
    for kind in ("configmap/settings", "pods", "rs", "node", "serviceaccount/default"):
        described = await kubectl("describe", kind)
        assert described.code == 0, described.err
        assert re.search(r"^Name: ", described.out, re.M)


async def test_discovery_and_explanations(kubectl: Kubectl) -> None:
    resources = (await kubectl("api-resources", "--no-headers")).out
    assert re.search(r"^deployments +deploy +apps/v1 +true +Deployment$", resources, re.M)
    versions = (await kubectl("api-versions")).out.split()
    assert {"v1", "apps/v1", "batch/v1", "apiextensions.k8s.io/v1"} <= set(versions)
    explained = (await kubectl("explain", "deployment.spec.replicas")).out
    assert "FIELD: replicas <integer>" in explained
    assert "Number of desired pods." in explained
    assert "VERSION:    v1" in (await kubectl("explain", "pod")).out
    assert (await kubectl("auth", "can-i", "create", "deployments")).out == "yes\n"


async def test_what_needs_a_kubelet_fails_with_a_plain_error(kubectl: Kubectl) -> None:
    await rolled_out(kubectl)
    for command in (("logs", "deployment/web"), ("exec", "deployment/web", "--", "ls")):
        refused = await kubectl(*command)
        assert refused.code != 0
        assert "rror" in refused.err
