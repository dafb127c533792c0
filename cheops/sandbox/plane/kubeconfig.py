"""A kubeconfig with one context, named after the site; everything is inside, so the file can be copied and merged."""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from cheops.private_files import write_private


def write_kubeconfig(path: Path, *, context: str, user: str, server_url: str, ca_file: Path, token: str) -> None:
    """Names of users carry the site: two sites merged into one file must not share them."""
    authority = base64.b64encode(ca_file.read_bytes()).decode()
    login = f"{context}-{user}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": context, "cluster": {"server": server_url, "certificate-authority-data": authority}}],
        "users": [{"name": login, "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": login}}],
    }
    write_private(path, yaml.safe_dump(config, sort_keys=False))
