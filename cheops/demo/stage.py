"""Where the story is played: a testbed in a temporary folder, the command line as a person types it, plain HTTP."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

from cheops.sandbox.testbed import Testbed
from schemas.documents import read_documents
from schemas.identity import SiteName
from services.chassis.errors import PermanentError

MANIFESTS: Final = Path(__file__).parent / "manifests"
COMMAND_TIMEOUT_S: Final = 40.0
REFUSED: Final = 400  # and above
DONE: Final = {"create": "created", "annotate": "annotated"}
PATHS: Final = {
    "Namespace": "/api/v1/namespaces",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses",
}


class StoryError(PermanentError):
    """Something did not go as told."""


class Stage:
    """Prints what happens, and insists on how it ends."""

    def __init__(self, bed: Testbed) -> None:
        self._bed = bed
        self._started_s = time.monotonic()
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._width = min(120, shutil.get_terminal_size((100, 24)).columns)
        self._acts: list[tuple[str, str]] = []

    def say(self, text: str = "") -> None:
        """A line of the narrator."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def scene(self, title: str) -> None:
        """A heading."""
        mark = f"\x1b[1m{title}\x1b[0m" if self._colour else title
        self.say(f"\n── {mark} {'─' * max(3, self._width - 4 - len(title))}")

    def remember(self, act: str, ended: str) -> None:
        """For the summary."""
        self._acts.append((act, ended))

    def summary(self) -> None:
        """What was asked, and how it ended."""
        self.scene("In short")
        width = max(len(act) for act, _ in self._acts)
        for act, ended in self._acts:
            self.say(f"  {act:<{width}}  {ended}")

    async def cheops(self, *words: str, expect: int) -> str:
        """Type a command; its output is shown, its exit code must be the expected one."""
        self.say(f"\n$ cheops {shlex.join(words)}")
        code, output = await self._run(words)
        self.say(output.rstrip("\n"))
        if code != expect:
            raise StoryError(f"cheops {' '.join(words)}: exit code {code}, the story expects {expect}")
        return output

    async def _run(self, words: Sequence[str]) -> tuple[int, str]:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CHEOPS_")},
            "CHEOPS_CONTEXT": str(self._bed.context_file),
            "COLUMNS": str(self._width),
            **({"FORCE_COLOR": "1"} if self._colour else {}),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cheops",
            *words,
            env=environment,
            cwd=MANIFESTS,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                output, _ = await process.communicate()
        except BaseException:
            if process.returncode is None:
                process.kill()
                await process.wait()
            raise
        return process.returncode or 0, output.decode()

    async def seed(self) -> None:
        """What people did with kubectl before: the shop at every site, and what checkout needs at lyon alone."""
        for site in self._bed.sites:
            for document in read_documents(MANIFESTS / "shop.yaml"):
                await self._create(site, document.body)
        for document in read_documents(MANIFESTS / "checkout-settings.yaml"):
            await self._create("lyon", document.body)

    async def _create(self, site: str, body: dict[str, Any]) -> None:
        path = _collection(body)
        status, answer = await self._request(site, "POST", path, body)
        if status >= REFUSED:
            raise StoryError(f"POST {path} at {site}: {status} {answer.get('message')}")

    async def cut(self, site: str) -> None:
        """End the links of a site, as a lost cable does; its processes go on."""
        self.say(f"\n$ cheops sandbox cut {site}")
        await self._bed.cut(SiteName(site))

    async def heal(self, site: str) -> None:
        """The cable is back."""
        self.say(f"\n$ cheops sandbox heal {site}")
        await self._bed.heal(SiteName(site))

    async def kubectl(self, site: str, verb: str, body: dict[str, Any], *words: str, refused: bool = False) -> str:
        """What kubectl asks of the cluster, past Cheops, and the answer as it prints it; it must end as expected."""
        kind, name, namespace = body["kind"], body["metadata"]["name"], body["metadata"]["namespace"]
        what = "-f …" if verb == "create" else shlex.join([kind.lower(), name, *words])
        self.say(f"\n$ kubectl --context {site} -n {namespace} {verb} {what}")
        collection = _collection(body)
        if verb == "create":
            status, answer = await self._request(site, "POST", collection, body)
        elif verb == "annotate":
            annotations = dict(word.split("=", 1) for word in words)
            patch = {"metadata": {"annotations": annotations}}
            status, answer = await self._request(site, "PATCH", f"{collection}/{name}", patch)
        else:
            status, answer = await self._request(site, "DELETE", f"{collection}/{name}", None)
        message = str(answer.get("message", ""))
        self.say(f"Error from server ({answer.get('reason')}): {message}" if status >= REFUSED else _done(verb, body))
        if (status >= REFUSED) != refused:
            raise StoryError(f"kubectl {verb} {name} at {site}: {status}, the story expects another end: {message}")
        return message

    async def _request(
        self, site: str, method: str, path: str, body: dict[str, Any] | None
    ) -> tuple[int, dict[str, Any]]:
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, f"{self.server(site)}{path}", json=body, headers={"Content-Type": content}
            ) as response,
        ):
            return response.status, await response.json()

    def server(self, site: str) -> str:
        """The API server's URL of a site."""
        kubeconfig = yaml.safe_load(self._bed.kubeconfig.read_text())
        return next(one["cluster"]["server"] for one in kubeconfig["clusters"] if one["name"] == site)  # type: ignore[no-any-return]  # our own file

    @property
    def elapsed_s(self) -> float:
        """Since the curtain rose."""
        return time.monotonic() - self._started_s


def _collection(body: dict[str, Any]) -> str:
    return PATHS[body["kind"]].format(namespace=body["metadata"].get("namespace", ""))


def _done(verb: str, body: dict[str, Any]) -> str:
    kind, name = body["kind"].lower(), body["metadata"]["name"]
    return f'{kind} "{name}" deleted' if verb == "delete" else f"{kind}/{name} {DONE[verb]}"
