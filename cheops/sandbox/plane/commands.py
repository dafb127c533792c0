"""The command line of each program of a control plane. Pure: paths and ports in, arguments out.

All listen on 127.0.0.1 and share their port with the reservation that holds it (see ports.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cheops.sandbox.plane.credentials import Credentials
from cheops.sandbox.ports import LOOPBACK

# In-cluster clients would find the API server there. It has to be no loopback address, or the endpoints of the
# Service `kubernetes` are refused; an address reserved for documentation needs no network and no default route.
ADVERTISED_ADDRESS = "192.0.2.1"
NODE_ADDRESS = "192.0.2.2"
SERVICE_CIDR, POD_CIDR = "10.96.0.0/16", "10.244.0.0/16"  # as kubeadm has them; nothing is routed here
STAGES_FILE = Path(__file__).with_name("stages.yaml")
NODE_LEASE_S = 40  # what a kubelet uses; without leases the node is taken for dead after a minute


@dataclass(frozen=True, slots=True)
class Ports:
    """One number each; all on 127.0.0.1."""

    etcd: int
    etcd_peer: int
    apiserver: int
    controller_manager: int
    scheduler: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are: programs, data, and which ports."""

    assets: Path
    directory: Path
    ports: Ports

    @property
    def certificates(self) -> Path:
        return self.directory / "certificates"

    @property
    def ca_file(self) -> Path:
        """kube-apiserver signs its own certificate and puts the authority behind it in the same file."""
        return self.certificates / "apiserver.crt"

    @property
    def etcd_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.etcd}"

    @property
    def server_url(self) -> str:
        return f"https://{LOOPBACK}:{self.ports.apiserver}"

    @property
    def scheduler_url(self) -> str:
        return f"https://{LOOPBACK}:{self.ports.scheduler}"

    def kubeconfig(self, user: str) -> Path:
        """The admin's is called `kubeconfig`, others carry their user's name."""
        return self.directory / ("kubeconfig" if user == "admin" else f"{user.replace(':', '-')}.kubeconfig")


def etcd(layout: Layout) -> list[str | Path]:
    peer_url = f"http://{LOOPBACK}:{layout.ports.etcd_peer}"
    return [
        layout.assets / "etcd",
        f"--data-dir={layout.directory / 'etcd'}",
        f"--listen-client-urls={layout.etcd_url}",
        f"--advertise-client-urls={layout.etcd_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=default={peer_url}",
        "--watch-progress-notify-interval=5s",  # as kubeadm has it: without it idle kinds get no bookmarks
        "--socket-reuse-port",
        "--unsafe-no-fsync",  # survives the end of the program, not of the machine: enough here and much faster
        "--log-level=warn",
    ]


def apiserver(layout: Layout, credentials: Credentials) -> list[str | Path]:
    return [
        layout.assets / "kube-apiserver",
        f"--etcd-servers={layout.etcd_url}",
        *_listen(layout.ports.apiserver),
        f"--advertise-address={ADVERTISED_ADDRESS}",
        f"--cert-dir={layout.certificates}",
        f"--service-account-key-file={credentials.key_file}",
        f"--service-account-signing-key-file={credentials.key_file}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--token-auth-file={credentials.tokens_file}",
        "--authorization-mode=RBAC",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--allow-privileged=true",  # as every common installer sets it; manifests of agents need it
        "--profiling=false",
    ]


def controller_manager(layout: Layout, credentials: Credentials, user: str) -> list[str | Path]:
    return [
        layout.assets / "kube-controller-manager",
        f"--kubeconfig={layout.kubeconfig(user)}",
        f"--service-account-private-key-file={credentials.key_file}",
        f"--root-ca-file={layout.ca_file}",  # ConfigMap kube-root-ca.crt in every namespace, as in any cluster
        "--use-service-account-credentials=true",  # garbage collector and co. come as themselves: gates exempt them
        "--kube-api-qps=200",  # the default of 20 makes the first service accounts wait for seconds
        "--kube-api-burst=400",
        "--leader-elect=false",
        *_listen(layout.ports.controller_manager),
        "--profiling=false",
    ]


def scheduler(layout: Layout, user: str) -> list[str | Path]:
    return [
        layout.assets / "kube-scheduler",
        f"--kubeconfig={layout.kubeconfig(user)}",
        "--leader-elect=false",
        *_listen(layout.ports.scheduler),
        "--profiling=false",
    ]


def kwok(layout: Layout, user: str) -> list[str | Path]:
    return [
        layout.assets / "kwok",
        f"--kubeconfig={layout.kubeconfig(user)}",
        "--manage-all-nodes=true",
        f"--node-ip={NODE_ADDRESS}",
        f"--cidr={POD_CIDR}",
        f"--node-lease-duration-seconds={NODE_LEASE_S}",
        f"--config={STAGES_FILE}",
    ]


def _listen(port: int) -> list[str]:
    return [f"--bind-address={LOOPBACK}", f"--secure-port={port}", "--permit-port-sharing=true"]
