"""Sharing between three sites of servers and clusters of their own: offered, done, sealed on the way, undone."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit.command import TIMEOUT_S, Shell, sandbox

CANARY = "canary-5d1c07e2-of-a-secret"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "edge-ca", "namespace": "default"}}
WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [{"name": "web", "image": "nginx"}],
                "volumes": [{"name": "ca", "secret": {"secretName": "edge-ca"}}],
            },
        },
    },
}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with sandbox(tmp_path_factory.mktemp("sharing"), "lyon", "oslo", "nice") as made:
        (made.folder / "web.yaml").write_text(yaml.safe_dump(WEB))
        yield made


def live(shell: Shell, site: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Past Cheops: one request to a site's API server."""
    kubeconfig = yaml.safe_load((shell.folder / ".cheops" / "kubeconfig").read_text())
    server = next(one["cluster"]["server"] for one in kubeconfig["clusters"] if one["name"] == site)
    request = urllib.request.Request(f"{server}{path}", method=method, headers={"Content-Type": "application/json"})
    request.data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        found: dict[str, Any] = json.load(response)
        return found


def secret_at(shell: Shell, site: str) -> dict[str, Any]:
    return live(shell, site, "GET", "/api/v1/namespaces/default/secrets/edge-ca")


def names_at(shell: Shell, site: str) -> set[str]:
    listed = live(shell, site, "GET", "/api/v1/namespaces/default/secrets")
    return {one["metadata"]["name"] for one in listed["items"]}


def holding(folder: Path, text: str) -> set[str]:
    """Files that hold this, plain or as base64; by their path in the sandbox."""
    wanted = (text.encode(), base64.b64encode(text.encode()))
    found = set()
    for file in [one for one in folder.rglob("*") if one.is_file()]:
        with suppress(FileNotFoundError):  # a server replaces its own small files all the time
            content = file.read_bytes()
            if any(word in content for word in wanted):
                found.add(str(file.relative_to(folder)))
    return found


def test_what_is_missing_is_offered_shared_sealed_and_taken_back(shell: Shell) -> None:
    live(shell, "nice", "POST", "/api/v1/namespaces/default/secrets", {**SECRET, "stringData": {"tls.crt": CANARY}})
    denied = _until_denied_with_an_offer(shell)
    offer = next(one["command"] for one in denied["remedies"] if "--scope" in one["command"])
    assert offer == "cheops apply -f FILE --scope 'lyon & oslo, secret/edge-ca: nice'"
    done = shell("apply", "-f", "web.yaml", "--scope", offer.split("'")[1])
    assert done.code == 0, done.out + done.err
    original = secret_at(shell, "nice")
    assert original["metadata"]["annotations"]["cheops.io/shared-to"] == "lyon,oslo"
    for site in ("lyon", "oslo"):
        copy = secret_at(shell, site)
        assert copy["data"] == original["data"] == {"tls.crt": base64.b64encode(CANARY.encode()).decode()}
        assert copy["metadata"]["labels"]["cheops.io/shared-from"] == "nice"
    assert holding(shell.folder / ".cheops", CANARY) == set(), "no stream, log or dead letter has the value"

    used = shell("delete", "secret/edge-ca", "--site", "nice")
    assert used.code != 0
    assert "mounted by Deployment default/web @ lyon" in used.out
    gone = shell("delete", "deployment/web", "--scope", "lyon & oslo")
    assert gone.code == 0, gone.out + gone.err
    assert "edge-ca" not in names_at(shell, "lyon") | names_at(shell, "oslo")
    assert "annotations" not in secret_at(shell, "nice")["metadata"], "a word of ours is left behind"
    freed = shell("delete", "secret/edge-ca", "--site", "nice")
    assert freed.code == 0, freed.out + freed.err


def _until_denied_with_an_offer(shell: Shell) -> dict[str, Any]:
    """A resolver hears its peers a moment after it has begun; until then it knows of no other place."""
    for _ in range(10):
        denied = shell("apply", "-f", "web.yaml", "--scope", "lyon & oslo", "--preview", "-o", "json")
        verdict = denied.body if denied.out else {}
        if any("--scope" in one["command"] for one in verdict.get("remedies", ())):
            return dict(verdict)
    raise AssertionError(f"no offer: {denied.out}{denied.err}")


def test_a_secret_of_a_bundle_leaves_its_entry_site_sealed(shell: Shell) -> None:
    text = "second-canary-9e4b-of-a-bundle"
    bundle = [{**SECRET, "metadata": {"name": "other", "namespace": "default"}, "stringData": {"key": text}}]
    (shell.folder / "other.yaml").write_text(yaml.safe_dump_all(bundle))
    done = shell("apply", "-f", "other.yaml", "--scope", "lyon & oslo")
    assert done.code == 0, done.out + done.err
    for site in ("lyon", "oslo"):
        found = live(shell, site, "GET", "/api/v1/namespaces/default/secrets/other")
        assert found["data"] == {"key": base64.b64encode(text.encode()).decode()}
    left = holding(shell.folder / ".cheops", text)
    assert all(one.startswith("nats/lyon/") for one in left), "only at the site that was told it"
    assert {one.partition("/streams/")[2].partition("/")[0] for one in left} <= {"INTENTS", "OPERATIONS"}


def test_a_copy_follows_its_original_that_is_applied_again(shell: Shell) -> None:
    name, text = {"name": "own", "namespace": "default"}, "third-canary-of-a-copy"
    template = WEB["spec"]["template"]
    volumes = [{"name": "own", "secret": {"secretName": "own"}}]
    spec = {**WEB["spec"], "template": {**template, "spec": {**template["spec"], "volumes": volumes}}}
    user = {**WEB, "metadata": {"name": "user", "namespace": "default"}, "spec": spec}
    first = {**SECRET, "metadata": name, "stringData": {"key": "first"}}
    (shell.folder / "own.yaml").write_text(yaml.safe_dump_all([user, first]))
    done = shell("apply", "-f", "own.yaml", "--site", "lyon", "--scope", "deployment: lyon, secret: oslo")
    assert done.code == 0, done.out + done.err
    (shell.folder / "own.yaml").write_text(yaml.safe_dump({**first, "stringData": {"key": text}}))
    done = shell("apply", "-f", "own.yaml", "--site", "oslo")
    assert done.code == 0, done.out + done.err
    for site in ("lyon", "oslo"):
        found = live(shell, site, "GET", "/api/v1/namespaces/default/secrets/own")
        assert found["data"] == {"key": base64.b64encode(text.encode()).decode()}, site
    assert found["metadata"]["annotations"]["cheops.io/shared-to"] == "lyon"
    left = holding(shell.folder / ".cheops", text)
    assert all(one.startswith("nats/oslo/") for one in left), "only at the site that was told it"
