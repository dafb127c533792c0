"""Paths → checked manifests, before anything is sent: an error names file, line, field and what was expected."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from cheops.cli.failures import BadInputError
from cheops.offline.kustomize import kustomization_in, read_manifests
from cheops.offline.unnamed import with_names
from schemas.documents import STDIN, Document, manifest_files
from schemas.folders import SUFFIXES
from schemas.identity import is_kind_name, resource_id

# Kubernetes: names of most kinds are DNS subdomains; these allow any path segment.
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SEGMENT_GROUPS: Final = frozenset({"rbac.authorization.k8s.io"})
_SEGMENT_KINDS: Final = frozenset({"ClusterTrustBundle", "IPAddress"})
DEFAULT_NAMESPACE: Final = "default"  # where what names none is, if it lives in one
NAME_LEN_MAX: Final = 253
LABEL_LEN_MAX: Final = 63


def sendable_documents(paths: list[Path], namespace: str) -> tuple[Document, ...]:
    """Read and check manifests; nothing is sent when one of them is wrong."""
    documents = checked_documents(paths, namespace)
    for one in documents:
        _check_names(one)
    return tuple(documents)


def judged_documents(paths: list[Path], namespace: str) -> tuple[Document, ...]:
    """The same where no API server will be asked about types, nor for a name."""
    documents = tuple(with_names(checked_documents(paths, namespace)))
    for one in documents:
        _check_names(one)
        _check_types(one)
    return documents


def named_by(paths: list[Path], namespace: str) -> tuple[str, ...]:
    """The identities of what manifests name, for commands that need no content."""
    return tuple(_identity(one, namespace) for one in checked_documents(paths, namespace))


def checked_documents(paths: list[Path], namespace: str, *, empty: bool = False) -> list[Document]:
    """The same, with their places in the files; `empty`: there need not be any."""
    if sum(path == STDIN for path in paths) > 1:
        raise BadInputError("-f -: standard input can be read once only")
    documents = [one for path in paths for one in (read_manifests(path) if empty else _read(path))]
    for one in documents:
        one.check_object()
        own = one.body["metadata"].get("namespace")
        if namespace and own and own != namespace:
            raise _bad(one, ("metadata", "namespace"), f"is {own!r}, but -n says {namespace!r}")
    _refuse_twins(documents, namespace)
    return documents


def _read(path: Path) -> list[Document]:
    found = read_manifests(path)
    if not found:
        if path != STDIN and path.is_dir() and kustomization_in(path) is None and not manifest_files(path):
            raise BadInputError(f"{path}: no manifest in this folder (expected files ending in {', '.join(SUFFIXES)})")
        name = "standard input" if path == STDIN else str(path)
        raise BadInputError(f"{name}: no object in it (expected Kubernetes manifests, YAML or JSON)")
    return found


def _check_names(one: Document) -> None:
    """What every API server refuses, told before anything is sent."""
    metadata, kind, group = one.body["metadata"], one.body["kind"], one.body["apiVersion"].rpartition("/")[0]
    if not is_kind_name(kind, group):
        raise _bad(one, ("kind",), f"{kind!r} cannot be a kind (expected one that begins with a capital letter)")
    name, own = metadata.get("name"), metadata.get("namespace")
    if not name:
        raise _bad(one, ("metadata", "name"), "missing (expected text: whether it may be made is said of one name)")
    free = group in _SEGMENT_GROUPS or kind in _SEGMENT_KINDS
    if not (_is_segment(name) if free else _is_subdomain(name)):
        expected = "no '/' and no '%'" if free else f"a-z, 0-9, '-' and '.', at most {NAME_LEN_MAX}"
        raise _bad(one, ("metadata", "name"), f"{name!r} cannot be a name (expected {expected})")
    if own and not (isinstance(own, str) and len(own) <= LABEL_LEN_MAX and _LABEL.fullmatch(own)):
        raise _bad(one, ("metadata", "namespace"), f"{own!r} cannot be a name (expected a-z, 0-9 and '-', at most 63)")


def _check_types(one: Document) -> None:
    """The mistakes of hand-written YAML: `yes` and `1.0` for text, a list for a mapping."""
    body, metadata = one.body, one.body["metadata"]
    rows: list[tuple[tuple[str, ...], Any]] = [
        (("metadata", part), metadata.get(part)) for part in ("labels", "annotations")
    ]
    if body["apiVersion"] == "v1" and body["kind"] in ("ConfigMap", "Secret"):
        rows += [((part,), body.get(part)) for part in ("data", "stringData", "binaryData")]
    for path, texts in rows:
        _check_mapping(one, path, texts)
        for key, value in (texts or {}).items():
            if not isinstance(key, str) or not isinstance(value, str | None):
                raise _bad(one, (*path, str(key)), f"{value!r} is not text (quote it)")
    if is_native_group(body["apiVersion"].rpartition("/")[0]):
        _check_mapping(one, ("spec",), body.get("spec"))
        for place in (("spec",), ("spec", "template", "spec")):
            _check_containers(one, place)


def _check_containers(one: Document, path: tuple[str, ...]) -> None:
    spec: Any = one.body
    for step in path:
        spec = spec.get(step) if isinstance(spec, dict) else None
    for field in ("containers", "initContainers", "volumes") if isinstance(spec, dict) else ():
        rows = spec.get(field)
        if rows is not None and not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
            raise _bad(one, (*path, field), "expected a list of mappings")


def _check_mapping(one: Document, path: tuple[str, ...], value: Any) -> None:
    if value is not None and not isinstance(value, dict):
        raise _bad(one, path, f"{value!r:.40} (expected a mapping)")


def is_native_group(group: str) -> bool:
    """Kubernetes' own groups: no dot, or `.k8s.io`; what others put into their `spec` is theirs to say."""
    return "." not in group or group.endswith(".k8s.io")


def _is_segment(name: Any) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and not re.search(r"[/%]", name)


def _is_subdomain(name: Any) -> bool:
    return isinstance(name, str) and len(name) <= NAME_LEN_MAX and _SUBDOMAIN.fullmatch(name) is not None


def _bad(one: Document, path: tuple[str, ...], reason: str) -> BadInputError:
    return BadInputError(f"{one.file}:{one.line_of(path)}: {'.'.join(path)}: {reason}")


def _refuse_twins(documents: list[Document], namespace: str) -> None:
    seen: dict[str, str] = {}
    for one in documents:
        if not one.body["metadata"].get("name"):
            continue  # generateName: each is another object
        identity, where = _identity(one, namespace or DEFAULT_NAMESPACE), f"{one.file}:{one.line}"
        if identity in seen:
            name = one.body["metadata"]["name"]
            raise BadInputError(f"{where}: {one.body['kind']} {name!r} stands twice (first at {seen[identity]})")
        seen[identity] = where


def _identity(one: Document, namespace: str) -> str:
    body, metadata = one.body, one.body["metadata"]
    if not metadata.get("name"):
        raise _bad(one, ("metadata", "name"), "missing (expected text)")
    group = body["apiVersion"].rpartition("/")[0]
    return resource_id(group, body["kind"], metadata.get("namespace") or namespace, metadata["name"])
