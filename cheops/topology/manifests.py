"""Plan and files of a mesh → the Kubernetes objects that run a site, or a router, in a cluster. Pure.

    site     its server (StatefulSet, Service), watcher, resolver, executor (Deployments): each with a Secret of its own
             keys, and the rights that it needs
    router   a Deployment, and a Service that the sites reach it by

The watcher may read everything and write nothing, the executor may write what an intent can name, the resolver may not
speak to the API server at all; none of them reaches anybody through it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from cheops.topology import webhook
from cheops.topology.confinement import confinement
from cheops.topology.objects import Naming, Object, Volume, claim, pod_of
from cheops.topology.permissions import AUDITOR
from cheops.topology.plan import FOLDER_OF_ROUTERS, Plan, Router, Site
from cheops.topology.rendering import as_text, router_configuration, site_configuration
from schemas.identity import SITE_NAME_PATTERN
from services.chassis.errors import SettingsError
from services.executor.sealing import FILE as SEALING_FILE

Files = Mapping[str, str]  # a path below the folder of the mesh → what the file holds
Texts = Mapping[str, str]  # a key of a Secret → its value

_LABEL: Final = re.compile(SITE_NAME_PATTERN)
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SIZE: Final = re.compile(r"[1-9][0-9]*(\.[0-9]+)?([KMGTPE]i|[kMGTPE])?")
_IMAGE: Final = re.compile(r"\S+")
WITHIN_THE_POD: Final = "0.0.0.0"  # who may come is the Services' matter
HOME: Final = "/nats"  # where a server is started: its configuration names its files from there
KEYS: Final = "/keys"
POLICY: Final = "policy.yaml"
POLICY_FILES: Final = "/policy"
GRAPH: Final = "/graph"
METRICS_PORT: Final = 9464
GATE: Final = "cheops-gate"
GATE_PORT: Final = 9443
HTTPS: Final = 443
GATE_FILES: Final = "/gate"
SERVER: Final = "nats"
CONFIGURATION: Final = "server.conf"
LINK: Final = "link.conf"
CERTIFICATES: Final = ("cert.pem", "key.pem", "ca.pem")
KEYS_OF: Final[dict[str, tuple[str, ...]]] = {
    "watcher": ("watcher.nk",),
    "resolver": ("resolver.nk", f"{AUDITOR}.nk"),
    "executor": ("executor.nk", SEALING_FILE),
}
RIGHTS: Final[dict[str, tuple[Object, ...]]] = {
    "watcher": ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},),
    "resolver": (),
    "executor": (
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "create", "update", "patch", "delete"]},
        {  # a Role is written for those who ask, whether we hold its rights or not
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["roles", "clusterroles"],
            "verbs": ["bind", "escalate"],
        },
    ),
}


class Choices(Struct, frozen=True):
    """What a mesh does not say. `storage_class` "": the cluster's default; `policy`: what such a file says."""

    namespace: str = "cheops"
    image: str = "cheops"
    storage: str = "10Gi"
    storage_class: str = ""
    rules_namespace: str = ""
    gate: bool = False
    policy: str = ""

    def __post_init__(self) -> None:
        """Raises SettingsError: what an API server would refuse after half of it is there."""
        for option, value, form, expected in (
            ("--namespace", self.namespace, _LABEL, "a DNS label: a-z, 0-9 and '-', at most 63"),
            ("--rules-namespace", self.rules_namespace or "none", _LABEL, "a DNS label: a-z, 0-9 and '-', at most 63"),
            ("--storage-class", self.storage_class or "none", _SUBDOMAIN, "a name: a-z, 0-9, '-' and '.'"),
            ("--storage", self.storage, _SIZE, "a size, as 10Gi"),
            ("--image", self.image, _IMAGE, "an image's name, without spaces"),
        ):
            if not form.fullmatch(value):
                raise SettingsError(f"{option} {value}: expected {expected}")

    @property
    def gate_host(self) -> str:
        """Where the API server finds the gate; its certificate is for this name."""
        return f"{GATE}.{self.namespace}.svc"

    @property
    def gate_folder(self) -> str:
        """Where in the folder of a site that certificate lies."""
        return f"gate-{self.namespace}"


def of_site(plan: Plan, site: Site, files: Files, choices: Choices) -> list[Object]:
    """Everything of a site; last how its API server is told of the gate, where one is wanted.

    Raises SettingsError for a file that is missing, and for a host that TLS cannot be for.
    """
    names = Naming(choices.namespace, site.name)
    host = _host(plan, site, choices)
    text = as_text(site_configuration(plan, site.listening(WITHIN_THE_POD)), f"The server of site {site.name}.")
    texts = {CONFIGURATION: text, LINK: _file(files, f"{site.name}/keys/{LINK}")}
    certificates = _certificates(plan, files, site.name)
    store = Volume("store", f"{HOME}/store")
    ports = {"client": site.port}
    if plan.accepted_by(site.name):
        ports["links"] = site.links_port
    pod = _server_pod(SERVER, ports, texts, certificates, (store,), choices)
    disk = {"metadata": {"name": store.name}, "spec": claim(choices.storage, choices.storage_class)}
    made = [
        names.namespace_itself(),
        *_server_secrets(names, SERVER, texts, certificates),
        names.service(SERVER, {"client": site.port}),
        *([names.service(f"{SERVER}-links", {"links": site.links_port}, "LoadBalancer")] if "links" in ports else []),
        names.stateful(SERVER, "server", pod, {**texts, **certificates}, [disk]),
    ]
    peers = ",".join(one for one in plan.names if one != site.name)
    for service in KEYS_OF:
        settings = {"CHEOPS_SITE": site.name, "CHEOPS_NATS_URL": f"nats://{host}:{site.port}"}
        if service == "resolver":
            settings |= {"CHEOPS_PEERS": peers, "CHEOPS_SNAPSHOTS": GRAPH}
            settings |= {"CHEOPS_GONE": ",".join(plan.gone)} if plan.gone else {}
        read = _gate_certificate(site, files, choices) if service == "resolver" and choices.gate else {}
        made += _service(names, service, settings, _keys(plan, files, site, service), read, choices)
    made += confinement(_user(choices, service) for service, rules in RIGHTS.items() if rules)
    return [*made, *_gate(names, site, files, choices)] if choices.gate else made


def of_router(plan: Plan, router: Router, files: Files, choices: Choices) -> list[Object]:
    """Everything of a router; it holds nothing. Raises SettingsError for a file that is missing."""
    names = Naming(choices.namespace, router.name)
    text = as_text(router_configuration(plan, router.listening(WITHIN_THE_POD)), f"Router {router.name}.")
    texts = {CONFIGURATION: text}
    certificates = _certificates(plan, files, f"{FOLDER_OF_ROUTERS}/{router.name}")
    ports = {"links": router.links_port}
    pod = _server_pod(router.name, ports, texts, certificates, (), choices)
    return [
        names.namespace_itself(),
        *_server_secrets(names, router.name, texts, certificates),
        names.service(router.name, ports, "LoadBalancer"),
        names.deployment(router.name, "server", pod, {**texts, **certificates}),
    ]


def _service(
    names: Naming, service: str, settings: Mapping[str, str], keys: Texts, gate: Texts, choices: Choices
) -> list[Object]:
    """`gate`: the certificate of the gate that it opens, if it does."""
    name = f"cheops-{service}"
    volumes = [Volume("keys", KEYS, secret=f"{name}-keys")]
    made = [names.account(name, service), *(names.rights(name, service, RIGHTS[service]) if RIGHTS[service] else [])]
    made.append(names.secret(f"{name}-keys", service, keys))
    if service == "resolver":
        volumes.append(Volume("graph", GRAPH, claim=f"{name}-graph"))
        spec = claim("2Gi", choices.storage_class)
        made.append(names.within("v1", "PersistentVolumeClaim", f"{name}-graph", service, spec=spec))
    texts = {**keys, **gate}
    if service == "resolver" and choices.policy:
        texts |= (said := {POLICY: choices.policy})
        volumes.append(Volume("policy", POLICY_FILES, config="cheops-policy"))
        made.append(names.within("v1", "ConfigMap", "cheops-policy", service, data=said))
        settings = {**settings, "CHEOPS_POLICY": f"{POLICY_FILES}/{POLICY}"}
    ports, addresses = [("metrics", METRICS_PORT)], ["CHEOPS_METRICS_HOST"]
    if gate:
        volumes.append(Volume("gate", GATE_FILES, secret=f"{GATE}-tls"))
        settings = {**settings, "CHEOPS_GATE_PORT": str(GATE_PORT), "CHEOPS_GATE_CERTIFICATES": GATE_FILES}
        ports, addresses = [*ports, ("gate", GATE_PORT)], [*addresses, "CHEOPS_GATE_HOST"]
    wanted = {
        **settings,
        "CHEOPS_NATS_KEYS": KEYS,
        "CHEOPS_LOG_FORMAT": "json",
        "CHEOPS_METRICS_PORT": str(METRICS_PORT),
        **({"CHEOPS_RULES_NAMESPACE": choices.rules_namespace} if choices.rules_namespace else {}),
    }
    own_address = {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    container: Object = {
        "image": choices.image,
        "command": ["cheops", "serve", service],
        "env": [
            *({"name": key, "value": value} for key, value in wanted.items()),
            *({"name": key, **own_address} for key in addresses),
        ],
        "ports": [{"name": key, "containerPort": number} for key, number in ports],
    }
    if gate:
        answers = {"path": "/healthz", "port": "gate", "scheme": "HTTPS"}
        container["readinessProbe"] = {"httpGet": answers, "periodSeconds": 5}
    pod = pod_of(service, container, volumes, name, token=bool(RIGHTS[service]))
    return [*made, names.deployment(name, service, pod, texts)]


def _gate(names: Naming, site: Site, files: Files, choices: Choices) -> list[Object]:
    """Its certificate, where it is reached, and that it is to be asked."""
    texts = _gate_certificate(site, files, choices)
    bundle = b64encode(_file(files, f"{site.name}/{choices.gate_folder}/tls/ca.pem").encode()).decode()
    where = {"service": {"name": GATE, "namespace": choices.namespace, "port": HTTPS}, "caBundle": bundle}
    return [
        names.secret(f"{GATE}-tls", "resolver", texts),
        names.service(GATE, {"gate": HTTPS}, component="resolver"),
        webhook.configuration(where, (choices.namespace,), (_user(choices, "executor"),)),
    ]


def _user(choices: Choices, service: str) -> str:
    """As which it comes to the API server."""
    return f"system:serviceaccount:{choices.namespace}:cheops-{service}"


def _gate_certificate(site: Site, files: Files, choices: Choices) -> dict[str, str]:
    lies = f"{site.name}/{choices.gate_folder}/tls"
    return {name: _file(files, f"{lies}/{name}") for name in ("cert.pem", "key.pem")}


def _server_pod(
    name: str, ports: Mapping[str, int], texts: Texts, certificates: Texts, disks: tuple[Volume, ...], choices: Choices
) -> Object:
    """`ports`: the first of them says whether it is ready."""
    files = tuple((key, f"keys/{key}" if key == LINK else key) for key in texts)
    volumes = [Volume("configuration", f"{HOME}/conf", secret=f"{name}-server", files=files)]
    if certificates:
        volumes.append(Volume("certificates", f"{HOME}/tls", secret=f"{name}-tls"))
    container = {
        "image": choices.image,
        "command": ["nats-server", "-c", f"conf/{CONFIGURATION}"],
        "workingDir": HOME,
        "ports": [{"name": key, "containerPort": number} for key, number in ports.items()],
        "readinessProbe": {"tcpSocket": {"port": next(iter(ports))}, "periodSeconds": 5},
    }
    return pod_of("server", container, [*volumes, *disks])


def _server_secrets(names: Naming, name: str, texts: Texts, certificates: Texts) -> list[Object]:
    made = [names.secret(f"{name}-server", "server", texts)]
    return [*made, names.secret(f"{name}-tls", "server", certificates)] if certificates else made


def _keys(plan: Plan, files: Files, site: Site, service: str) -> dict[str, str]:
    wanted = (*KEYS_OF[service], *(("ca.pem",) if plan.tls else ()))
    return {name: _file(files, f"{site.name}/keys/{name}") for name in wanted}


def _certificates(plan: Plan, files: Files, folder: str) -> dict[str, str]:
    return {name: _file(files, f"{folder}/tls/{name}") for name in CERTIFICATES} if plan.tls else {}


def _file(files: Files, path: str) -> str:
    found = files.get(path)
    if found is None:
        raise SettingsError(f"{path}: not in the folder of the mesh (cheops mesh init makes it)")
    return found


def _host(plan: Plan, site: Site, choices: Choices) -> str:
    """Where the services find their server. A certificate is for the host that the mesh was made with."""
    own = f"{SERVER}.{choices.namespace}.svc"
    if plan.tls and site.host not in (own, f"{own}.cluster.local"):
        raise SettingsError(
            f"site {site.name}: its certificate is for {site.host}, not for {own}"
            f" (make the mesh with --at {site.name}={own})"
        )
    return site.host if plan.tls else own
