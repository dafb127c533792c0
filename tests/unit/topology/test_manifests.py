"""What runs a site in a cluster: who holds which key, what is reached from where, when it is started again."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from cheops.topology.folder import MeshFolder
from cheops.topology.manifests import KEYS_OF, Choices
from cheops.topology.objects import Object
from schemas.ties import PROTECTED
from services.chassis.errors import SettingsError
from tests.kit.command import Shell

WITHIN = ("nats.cheops.svc", 0)


@pytest.fixture
def folder(tmp_path: Path) -> MeshFolder:
    made = MeshFolder(tmp_path / "mesh")
    made.init(["lyon", "oslo", "nice"], 1, {"router-1": ("relay.example", 0), "lyon": ("10.1.0.5", 4300)})
    return made


def by_name(objects: list[Object]) -> dict[tuple[str, str], Any]:
    found = {(one["kind"], one["metadata"]["name"]): one for one in objects}
    assert len(found) == len(objects), "two of one name"
    return found


def pod(objects: dict[tuple[str, str], Any], kind: str, name: str) -> Any:
    return objects[kind, name]["spec"]["template"]["spec"]


def checksums(objects: dict[tuple[str, str], Any]) -> dict[str, str]:
    made = {name: one["spec"] for (kind, name), one in objects.items() if kind in ("Deployment", "StatefulSet")}
    return {name: spec["template"]["metadata"]["annotations"]["checksum/files"] for name, spec in made.items()}


def test_each_service_has_its_own_keys_and_nobody_those_of_people_or_of_the_server(folder: MeshFolder) -> None:
    objects = by_name(folder.manifests("lyon", Choices()))
    held = {name: {*one["stringData"]} for (kind, name), one in objects.items() if kind == "Secret"}
    assert held == {
        "nats-server": {"server.conf", "link.conf"},
        "cheops-watcher-keys": {"watcher.nk"},
        "cheops-resolver-keys": {"resolver.nk", "auditor.nk"},
        "cheops-executor-keys": {"executor.nk", "sealing.key"},
    }
    everything = json.dumps([*objects.values()])
    for role in ("admin", "client"):
        assert (folder.keys_of("lyon") / f"{role}.nk").read_text().strip() not in everything
    for service in KEYS_OF:
        made = pod(objects, "Deployment", f"cheops-{service}")
        mounted = [one["secret"]["secretName"] for one in made["volumes"] if "secret" in one]
        assert mounted == [f"cheops-{service}-keys"]


def test_only_who_speaks_to_the_api_server_has_a_token_and_a_role(folder: MeshFolder) -> None:
    objects = by_name(folder.manifests("lyon", Choices()))
    assert pod(objects, "StatefulSet", "nats")["automountServiceAccountToken"] is False
    pods = [
        one["spec"]["template"]["spec"] for (kind, _), one in objects.items() if kind in ("Deployment", "StatefulSet")
    ]
    assert [one["enableServiceLinks"] for one in pods] == [False] * 4, "no Service sets what they are started with"
    for service, speaks in (("watcher", True), ("resolver", False), ("executor", True)):
        assert pod(objects, "Deployment", f"cheops-{service}")["automountServiceAccountToken"] is speaks
        assert (("ClusterRoleBinding", f"cheops-{service}") in objects) is speaks
    (rule,) = objects["ClusterRole", "cheops-watcher"]["rules"]
    assert {*rule["verbs"]} == {"get", "list", "watch"}


def test_who_has_a_token_reaches_nobody_through_the_api_server(folder: MeshFolder) -> None:
    objects = by_name(folder.manifests("lyon", Choices(namespace="platform")))
    policy = objects["ValidatingAdmissionPolicy", "cheops-connects-to-nobody"]["spec"]
    assert policy["matchConstraints"]["resourceRules"][0]["operations"] == ["CONNECT"]
    (condition,) = policy["matchConditions"]
    for service in ("watcher", "executor"):
        assert f'"system:serviceaccount:platform:cheops-{service}"' in condition["expression"]
    binding = objects["ValidatingAdmissionPolicyBinding", "cheops-connects-to-nobody"]["spec"]
    assert binding == {"policyName": "cheops-connects-to-nobody", "validationActions": ["Deny"]}


def test_a_server_listens_in_its_pod_wherever_others_reach_it_and_services_find_it_by_its_service(
    folder: MeshFolder,
) -> None:
    objects = by_name(folder.manifests("lyon", Choices(namespace="platform")))
    assert '"listen": "0.0.0.0:4300"' in objects["Secret", "nats-server"]["stringData"]["server.conf"]
    assert [one["port"] for one in objects["Service", "nats"]["spec"]["ports"]] == [4300]
    assert ("Service", "nats-links") not in objects, "it dials the router, nobody dials it"
    (container,) = pod(objects, "Deployment", "cheops-resolver")["containers"]
    env = {one["name"]: one.get("value") for one in container["env"]}
    assert env["CHEOPS_NATS_URL"] == "nats://nats.platform.svc:4300"
    assert env["CHEOPS_PEERS"] == "oslo,nice"
    assert all(one["metadata"].get("namespace", "platform") == "platform" for one in objects.values())


def test_resolvers_are_told_who_was_removed(folder: MeshFolder) -> None:
    folder.remove("nice")
    (container,) = pod(by_name(folder.manifests("lyon", Choices())), "Deployment", "cheops-resolver")["containers"]
    env = {one["name"]: one.get("value") for one in container["env"]}
    assert (env["CHEOPS_PEERS"], env["CHEOPS_GONE"]) == ("oslo", "nice")
    (container,) = pod(by_name(folder.manifests("lyon", Choices())), "Deployment", "cheops-executor")["containers"]
    assert "CHEOPS_GONE" not in {one["name"] for one in container["env"]}


def test_without_routers_who_is_dialled_can_be_reached_from_elsewhere(tmp_path: Path) -> None:
    folder = MeshFolder(tmp_path / "mesh")
    folder.init(["lyon", "oslo"], 0, {})
    links = by_name(folder.manifests("lyon", Choices()))["Service", "nats-links"]
    assert links["spec"]["type"] == "LoadBalancer"
    assert ("Service", "nats-links") not in by_name(folder.manifests("oslo", Choices()))


def test_a_router_has_its_configuration_and_no_secret_of_a_site(folder: MeshFolder) -> None:
    objects = by_name(folder.manifests("router-1", Choices()))
    assert {*objects["Secret", "router-1-server"]["stringData"]} == {"server.conf"}
    assert objects["Service", "router-1"]["spec"]["type"] == "LoadBalancer"
    assert objects["Deployment", "router-1"]["spec"]["replicas"] == 1


def test_where_a_server_listens_outside_of_a_cluster_says_nothing_of_one_in_it(folder: MeshFolder) -> None:
    before = {name: folder.manifests(name, Choices()) for name in ("lyon", "router-1")}
    folder.init(["lyon"], None, {}, listening={"lyon": ("10.0.0.5", 4301), "router-1": ("10.0.0.6", 7500)})
    assert {name: folder.manifests(name, Choices()) for name in before} == before


def test_whose_files_change_is_started_again_and_nobody_else(folder: MeshFolder) -> None:
    before = checksums(by_name(folder.manifests("lyon", Choices())))
    folder.revoke("lyon", "watcher")
    after = checksums(by_name(folder.manifests("lyon", Choices())))
    assert {name for name in before if before[name] != after[name]} == {"cheops-watcher", "nats"}
    folder.add("rome", {})
    assert checksums(by_name(folder.manifests("lyon", Choices()))) == after, "only routers know rome's link"


def test_with_tls_a_site_needs_a_certificate_for_its_service(tmp_path: Path) -> None:
    folder = MeshFolder(tmp_path / "mesh")
    folder.init(["lyon", "oslo"], 1, {"lyon": WITHIN}, tls=True)
    objects = by_name(folder.manifests("lyon", Choices()))
    assert {*objects["Secret", "nats-tls"]["stringData"]} == {"cert.pem", "key.pem", "ca.pem"}
    assert "ca.pem" in objects["Secret", "cheops-watcher-keys"]["stringData"]
    assert {*by_name(folder.manifests("router-1", Choices()))["Secret", "router-1-tls"]["stringData"]} > {"key.pem"}
    with pytest.raises(SettingsError, match=r"site oslo: .* is for 127\.0\.0\.1, .*--at oslo=nats\.cheops\.svc"):
        folder.manifests("oslo", Choices())
    with pytest.raises(SettingsError, match=r"--at lyon=nats\.else\.svc"):
        folder.manifests("lyon", Choices(namespace="else"))


def test_a_gate_has_a_certificate_for_its_service_and_its_api_server_is_told_of_it(folder: MeshFolder) -> None:
    objects = by_name(folder.manifests("lyon", Choices(gate=True)))
    certificate = x509.load_pem_x509_certificate(
        objects["Secret", "cheops-gate-tls"]["stringData"]["cert.pem"].encode()
    )
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "cheops-gate.cheops.svc" in names.get_values_for_type(x509.DNSName)
    open_, closed = objects["ValidatingWebhookConfiguration", "cheops-gate"]["webhooks"]
    assert (open_["failurePolicy"], closed["failurePolicy"]) == ("Ignore", "Fail")
    assert closed["objectSelector"] == {"matchLabels": {PROTECTED: "true"}}
    for one in (open_, closed):
        assert one["clientConfig"]["service"] == {"name": "cheops-gate", "namespace": "cheops", "port": 443}
        authority = x509.load_pem_x509_certificate(b64decode(one["clientConfig"]["caBundle"]))
        certificate.verify_directly_issued_by(authority)
        assert "cheops" in one["namespaceSelector"]["matchExpressions"][0]["values"], "it never asks about itself"
        assert '"system:serviceaccount:cheops:cheops-executor"' in one["matchConditions"][0]["expression"]
    (container,) = pod(objects, "Deployment", "cheops-resolver")["containers"]
    assert {"name": "gate", "containerPort": 9443} in container["ports"]
    assert by_name(folder.manifests("lyon", Choices(gate=True))) == objects, "the certificate is kept"
    (folder.path / "lyon" / "gate-cheops" / "tls" / "cert.pem").unlink()
    renewed = checksums(by_name(folder.manifests("lyon", Choices(gate=True))))
    assert {name for name, one in checksums(objects).items() if renewed[name] != one} == {"cheops-resolver"}
    folder.remove("lyon")
    assert not (folder.path / "lyon").exists()


def test_a_resolver_reads_the_policy_that_was_given_and_is_started_again_when_it_changes(folder: MeshFolder) -> None:
    without = by_name(folder.manifests("lyon", Choices()))
    said = "schema: policy/v1\noverriders: [alice]\n"
    objects = by_name(folder.manifests("lyon", Choices(policy=said)))
    assert objects["ConfigMap", "cheops-policy"]["data"] == {"policy.yaml": said}
    (container,) = pod(objects, "Deployment", "cheops-resolver")["containers"]
    assert {"name": "CHEOPS_POLICY", "value": "/policy/policy.yaml"} in container["env"]
    assert {"name": "policy", "mountPath": "/policy", "readOnly": True} in container["volumeMounts"]
    changed = by_name(folder.manifests("lyon", Choices(policy=said + "# or bob\n")))
    for other in (without, changed):
        differs = {name for name, one in checksums(objects).items() if checksums(other)[name] != one}
        assert differs == {"cheops-resolver"}


def test_a_site_of_which_a_key_is_gone_is_named_with_the_file(folder: MeshFolder) -> None:
    (folder.keys_of("oslo") / "executor.nk").unlink()
    with pytest.raises(SettingsError, match=r"oslo/keys/executor\.nk: not in the folder of the mesh"):
        folder.manifests("oslo", Choices())


def test_the_command_prints_what_kubectl_reads_and_cheops_itself_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    assert shell("mesh", "init", "--sites", "lyon,oslo").code == 0
    unknown = shell("mesh", "manifests", "paris")
    assert (unknown.code, unknown.out) == (2, "")
    assert "no site or router is called 'paris' (there are lyon, oslo, router-1, router-2)" in unknown.err
    (tmp_path / "policy.yaml").write_text("schema: policy/v1\nrules:\n  - {code: D999, set: warn}\n")
    strange = shell("mesh", "manifests", "lyon", "--policy", "policy.yaml")
    assert (strange.code, strange.out, "policy.yaml" in strange.err) == (2, "", True), strange.err
    listed = shell("mesh", "manifests", "lyon", "-o", "json").body
    assert (listed["kind"], len(listed["items"])) == ("List", 20)
    printed = shell("mesh", "manifests", "lyon", "--storage-class", "fast")
    assert "  server.conf: |\n    # The server of site lyon.\n" in printed.out
    (tmp_path / "there").mkdir()
    fast = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "fast"},
        "provisioner": "a.b/c",
    }
    (tmp_path / "there" / "class.json").write_text(json.dumps(fast))
    (tmp_path / "lyon.yaml").write_text(printed.out)
    verdict = shell("check", "--site", "lyon=there", "-f", "lyon.yaml", "-o", "json")
    assert verdict.code == 0, verdict.out
