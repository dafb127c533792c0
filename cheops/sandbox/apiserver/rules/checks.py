"""What is refused because of its content (422), beyond what schemas say: selectors that select nothing of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from cheops.forms.fields import wrong_with
from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.rules.definitions import check_definition
from cheops.sandbox.apiserver.rules.names import check_metadata, config_key
from cheops.sandbox.apiserver.rules.services import check_service
from cheops.sandbox.apiserver.statuses import Cause
from cheops.sandbox.apiserver.store import Object

WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")


def check_content(kind: Kind, content: Object, known: Sequence[Cause] = ()) -> list[Cause]:
    """`known`: what is said of it already; then nothing is said twice in words of ours."""
    causes = list(check_metadata(kind, content["metadata"]))
    if kind.group == "apps" and kind.kind in WORKLOADS:
        causes += _check_workload(content)
    elif kind.kind == "CustomResourceDefinition":
        causes += check_definition(content)
    elif kind.kind == "Service" and not kind.group:
        causes += check_service(content)
    elif kind.kind in ("ConfigMap", "Secret") and not kind.group:
        causes += _check_keys(content)
    elif kind.kind == "Pod" and not kind.group and "spec" not in content:
        causes.append(Cause("spec.containers", "FieldValueRequired", "Required value"))
    elif kind.kind == "Job" and kind.group == "batch":
        causes += _check_containers(content)
    return causes or ([] if kind.custom or known else list(_check_form(content)))


def _check_form(content: Object) -> Iterator[Cause]:
    """What is said of fields in general, in words of ours."""
    for wrong in wrong_with(content, whole=True):
        path, _, why = wrong.partition(": ")
        yield Cause(path, "FieldValueInvalid", f"Invalid value: {why}")


def _check_workload(content: Object) -> Iterator[Cause]:
    spec = content.get("spec") or {}
    if (replicas := spec.get("replicas", 0)) < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        yield Cause("spec.replicas", "FieldValueInvalid", message)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    selector = spec.get("selector")
    if selector is None and "spec" not in content:
        yield Cause("spec.selector", "FieldValueRequired", "Required value")
    wanted = (selector or {}).get("matchLabels") or {}
    if selector is None or not wanted.items() <= (labels or {}).items():
        message = f"Invalid value: {_shown(labels)}: `selector` does not match template `labels`"
        yield Cause("spec.template.metadata.labels", "FieldValueInvalid", message)
    yield from _check_containers(content)


def _check_containers(content: Object) -> Iterator[Cause]:
    template = (content.get("spec") or {}).get("template") or {}
    if "spec" not in template:
        yield Cause("spec.template.spec.containers", "FieldValueRequired", "Required value")


def _check_keys(content: Object) -> Iterator[Cause]:
    binary = content.get("binaryData") or {}
    for part, names in (("data", content.get("data") or {}), ("binaryData", binary)):
        for name in names:
            if wrong := config_key(name):
                yield Cause(f"{part}[{name}]", "FieldValueInvalid", f'Invalid value: "{name}": {wrong}')
            elif part == "data" and name in binary:
                message = f'Invalid value: "{name}": duplicate of key present in binaryData'
                yield Cause(f"data[{name}]", "FieldValueInvalid", message)


def _shown(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
