"""The gates of a testbed's sites: each has a port and a certificate before its resolver starts, and a webhook after."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from cheops.sandbox.ports import LOOPBACK, PortReservation
from cheops.topology import webhook
from cheops.topology.certificates import Authority
from schemas.identity import SiteName
from services.chassis.kubernetes.connection import connect
from services.executor.kubernetes.client import KubernetesClient

PATH = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


class Gates:
    """Those of one testbed; nothing where none are wanted."""

    def __init__(self, directory: Path, *, wanted: bool) -> None:
        self._directory, self._wanted = directory, wanted
        self._authority = Authority(directory)
        self._ports: dict[SiteName, PortReservation] = {}

    def environment(self, site: SiteName) -> dict[str, str]:
        """The settings of a site's resolver."""
        if not self._wanted:
            return {}
        if site not in self._ports:
            self._ports[site] = PortReservation()
            self._authority.certify(self._folder(site), LOOPBACK)
        return {
            "CHEOPS_GATE_PORT": str(self._ports[site].port),
            "CHEOPS_GATE_CERTIFICATES": str(self._folder(site) / "tls"),
        }

    async def register(self, site: SiteName, kubeconfig: Path, tell: Callable[[str], None]) -> None:
        """From now on the cluster asks."""
        if not self._wanted:
            return
        bundle = base64.b64encode(self._authority.trusted()).decode()
        client = {"url": f"https://{LOOPBACK}:{self._ports[site].port}/", "caBundle": bundle}
        api = KubernetesClient(await connect(kubeconfig))
        try:
            wanted = webhook.configuration(client)
            await api.apply(f"{PATH}/{webhook.NAME}", {"fieldManager": "cheops-sandbox", "force": "true"}, wanted)
        finally:
            await api.close()
        tell(f"gate of {site}: kubectl is told what would break")

    def close(self) -> None:
        """The ports are anybody's."""
        for port in self._ports.values():
            port.release()

    def _folder(self, site: SiteName) -> Path:
        return self._directory / site / "gate"
