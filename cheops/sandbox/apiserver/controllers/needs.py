"""What a pod needs before it can start: claims to be placed, content to be mounted, values for its environment.

Optional ones are not needed. That something is needed by name says nothing about whether it is there; see kubelet.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cheops.sandbox.apiserver.store import Object

Stage = Literal["placing", "mounting", "starting"]


@dataclass(frozen=True, slots=True)
class Need:
    """One object by kind and name, and the keys in it."""

    stage: Stage
    kind: Literal["Secret", "ConfigMap", "PersistentVolumeClaim"]
    name: str
    keys: tuple[str, ...] = ()


def needs(spec: Object) -> Iterator[Need]:
    for volume in spec.get("volumes") or ():
        yield from _of_volume(volume)
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        yield from _of_container(container)


def _of_volume(volume: Object) -> Iterator[Need]:
    if claim := volume.get("persistentVolumeClaim"):
        yield Need("placing", "PersistentVolumeClaim", claim["claimName"])
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    for source in sources:
        for field, kind, name in (("secret", "Secret", "secretName"), ("configMap", "ConfigMap", "name")):
            content = source.get(field)
            wanted = content and (content.get(name) or content.get("name"))
            if content and wanted and not content.get("optional"):
                keys = tuple(item["key"] for item in content.get("items") or ())
                yield Need("mounting", "Secret" if kind == "Secret" else "ConfigMap", wanted, keys)


def _of_container(container: Object) -> Iterator[Need]:
    for source in container.get("envFrom") or ():
        yield from _of_reference(source.get("secretRef"), source.get("configMapRef"))
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        yield from _of_reference(source.get("secretKeyRef"), source.get("configMapKeyRef"))


def _of_reference(secret: Object | None, config: Object | None) -> Iterator[Need]:
    if secret and secret.get("name") and not secret.get("optional"):
        yield Need("starting", "Secret", secret["name"], (secret["key"],) if "key" in secret else ())
    if config and config.get("name") and not config.get("optional"):
        yield Need("starting", "ConfigMap", config["name"], (config["key"],) if "key" in config else ())
