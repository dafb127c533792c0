"""Where objects with every field filled come from: the test data of the Kubernetes API, read in place.

The corpora beside the project hold it, and so does the Go module k8s.io/api in the module cache.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from schemas.documents import read_documents

ROOT: Final = Path(__file__).resolve().parents[3]
MODULES: Final = "k8s.io/api@v0.36*/testdata/HEAD"
GO_TIMEOUT_S: Final = 20
_SERVED: Final = re.compile(r"^v\d+(beta\d+)?$")  # alpha versions are served by nobody who did not ask for them
# Kinds that the API server answers or takes without keeping them, and those that it has not served for years.
_NOT_KEPT: Final = frozenset(
    [
        "APIGroup",
        "APIGroupDiscovery",
        "APIVersions",
        "AdmissionReview",
        "Binding",
        "ComponentStatus",
        "DeploymentRollback",
        "Eviction",
        "ImageReview",
        "LocalSubjectAccessReview",
        "PodStatusResult",
        "RangeAllocation",
        "Scale",
        "SelfSubjectAccessReview",
        "SelfSubjectReview",
        "SelfSubjectRulesReview",
        "SerializedReference",
        "Status",
        "SubjectAccessReview",
        "TokenRequest",
        "TokenReview",
        "WatchEvent",
    ]
)


def corpora() -> Path | None:
    """The manifests of public projects, beside the project; None where they are absent."""
    return next((one for one in (ROOT.parent / "shared" / "corpora",) if one.is_dir()), None)


def golden_folder() -> Path | None:
    """The folder of one YAML file per kind; None when neither place has it."""
    beside = corpora()
    if beside is not None and (beside / "kubernetes-api").is_dir():
        return beside / "kubernetes-api"
    go = shutil.which("go")
    if go is None:
        return None
    asked = subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, timeout=GO_TIMEOUT_S, check=False)
    found = sorted(Path(asked.stdout.strip()).glob(MODULES)) if asked.returncode == 0 and asked.stdout.strip() else []
    return found[-1] if found else None


def golden_objects(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, object) of every kind that is kept, in its stable and beta versions."""
    for file in sorted(folder.glob("*.yaml")):
        (document,) = read_documents(file)
        version = str(document.body.get("apiVersion")).rpartition("/")[2]
        kind = str(document.body.get("kind"))
        if _SERVED.match(version) and is_kept(kind):
            yield file.stem, meaningful(document.body)


def is_kept(kind: str) -> bool:
    """Whether objects of a kind are stored."""
    return kind not in _NOT_KEPT and not kind.endswith("Options")


def meaningful(body: dict[str, Any]) -> dict[str, Any]:
    """The object, with words that mean something where the same one stands for all.

    A group without a dot would be one of Kubernetes; a claim template that is called as a volume takes its place.
    """
    return {name: _grouped(name, value) for name, value in body.items()}


def _grouped(name: str, value: Any) -> Any:
    if name == "apiGroups":
        return ["values.example.com"]
    if name == "paramKind":
        return {**value, "apiVersion": "values.example.com/v1"}
    if name == "volumeClaimTemplates":
        return [{**one, "metadata": {**one["metadata"], "name": "claim"}} for one in value]
    if isinstance(value, dict):
        return meaningful(value)
    return [_grouped("", one) for one in value] if isinstance(value, list) else value
