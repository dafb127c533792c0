"""The kubeconfigs of several sites as one: a context per site, named after it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from schemas.identity import SiteName


def written(file: Path, sites: Mapping[SiteName, Path]) -> None:
    """The file, for its owner only; the first site's context is the current one."""
    whole: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    for site, kubeconfig in sites.items():
        one = yaml.safe_load(kubeconfig.read_text())
        for part in ("clusters", "users", "contexts"):
            whole[part] += [_renamed(entry, part, site) for entry in one[part]]
    whole["current-context"] = next(iter(sites))
    file.write_text(yaml.safe_dump(whole, sort_keys=False))
    file.chmod(0o600)


def _renamed(entry: dict[str, Any], part: str, site: SiteName) -> dict[str, Any]:
    """Users and clusters of several files may have the same name."""
    if part == "contexts":
        return {"name": site, "context": {**entry["context"], "cluster": site, "user": site}}
    return {**entry, "name": site}
