"""Mistakes in the containers of a pod that show only when two fields are read together. Pure; see pod_rules.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.untyped import mapping_of, rows_of
from services.resolver.judge.demand import thousandths

Body = Mapping[str, Any]
BLOCK_SOURCES: Final = ("persistentVolumeClaim", "ephemeral")
ONLY_LOCALHOST: Final = ("seccompProfile", "appArmorProfile")
HUGE: Final = "hugepages-"
GRACE_S: Final = 30  # of a pod that does not say its own
ONLY_BESIDE: Final = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")  # of what goes on running


def mounts(path: str, container: Body, volumes: Mapping[Any, Any]) -> Iterator[str]:
    """Each is of a volume of the pod, once: as files or as a device, at a path of its own."""
    devices = rows_of(container.get("volumeDevices"))
    is_privileged = mapping_of(container.get("securityContext")).get("privileged") is True
    for place, mount in enumerate(rows_of(container.get("volumeMounts"))):
        here = f"{path}.volumeMounts[{place}]"
        if mount.get("name") and mount["name"] not in volumes:
            yield f"{here}.name: there is no volume {mount['name']!r}"
        elif mount.get("name") and any(one.get("name") == mount["name"] for one in devices):
            yield f"{here}.name: {mount['name']!r} is a device, too"
        elif mount.get("mountPath") and any(one.get("devicePath") == mount["mountPath"] for one in devices):
            yield f"{here}.mountPath: a device is at {mount['mountPath']!r}, too"
        if mount.get("mountPropagation") == "Bidirectional" and not is_privileged:
            yield f"{here}.mountPropagation: Bidirectional only of a privileged container"
        if mount.get("recursiveReadOnly") in ("Enabled", "IfPossible") and mount.get("readOnly") is not True:
            yield f"{here}.recursiveReadOnly: only with readOnly"
    for place, device in enumerate(devices):
        volume = volumes.get(device.get("name"))
        if device.get("name") and volume is None:
            yield f"{path}.volumeDevices[{place}].name: there is no volume {device['name']!r}"
        elif volume is not None and not any(one in volume for one in BLOCK_SOURCES):
            yield f"{path}.volumeDevices[{place}].name: {device['name']!r} is no claim"


def amounts(path: str, container: Body, claims: frozenset[Any]) -> Iterator[str]:
    """A request keeps to its limit; of what is no node's own it is the same. `claims`: of devices, by the pod."""
    resources = mapping_of(container.get("resources"))
    requests, limits = mapping_of(resources.get("requests")), mapping_of(resources.get("limits"))
    for name, value in requests.items():
        wanted, most = thousandths(value), thousandths(limits.get(name))
        if wanted is None:
            continue
        if most is not None and wanted > most:
            yield f"{path}.resources.requests.{name}: {value} is more than its limit {limits[name]}"
        elif _is_for_one(name) and wanted != most:
            yield f"{path}.resources.requests.{name}: is not its limit"
    for part, said in (("requests", requests), ("limits", limits)):
        for name, value in said.items():
            if "/" in str(name) and (thousandths(value) or 0) % 1000:
                yield f"{path}.resources.{part}.{name}: {value} is no whole number"
            elif str(name).startswith(HUGE) and not _is_of_pages(str(name), value):
                yield f"{path}.resources.{part}.{name}: {value} is not a whole number of such pages"
    said_at_all = {*map(str, requests), *map(str, limits)}
    if any(one.startswith(HUGE) for one in said_at_all) and not said_at_all & {"cpu", "memory"}:
        yield f"{path}.resources: huge pages need cpu or memory beside them"
    for place, claim in enumerate(rows_of(resources.get("claims"))):
        if claim.get("name") and claim["name"] not in claims:
            yield f"{path}.resources.claims[{place}].name: there is no resourceClaim {claim['name']!r}"


def _is_of_pages(name: str, value: Any) -> bool:
    size, amount = thousandths(name.removeprefix(HUGE)), thousandths(value)
    return size is not None and size > 0 and (amount is None or amount % size == 0)


def _is_for_one(name: object) -> bool:
    """What is given whole, and to one container alone."""
    return "/" in str(name) or str(name).startswith(HUGE)


def whole(path: str, spec: Body) -> Iterator[str]:
    """What a pod asks for as a whole is enough for its containers."""
    resources = mapping_of(spec.get("resources"))
    rows = [mapping_of(one.get("resources")) for one in rows_of(spec.get("containers"))]
    for name, value in mapping_of(resources.get("requests")).items():
        have, asked = thousandths(value), Counter[str]()
        for row in rows:
            asked[name] += thousandths(mapping_of(row.get("requests") or row.get("limits")).get(name)) or 0
        if have is not None and asked[name] > have:
            yield f"{path}.resources.requests.{name}: {value} is less than its containers ask for"
    for name, value in mapping_of(resources.get("limits")).items():
        most = thousandths(value)
        for row in rows:
            mine = thousandths(mapping_of(row.get("limits")).get(name))
            if most is not None and mine is not None and mine > most:
                yield f"{path}.resources.limits.{name}: {value} is less than the limit of a container"


def probes(path: str, container: Body, field: str) -> Iterator[str]:
    """Nobody asks whether an init container is well, unless it is a side-car."""
    if mapping_of(container.get("readinessProbe")).get("terminationGracePeriodSeconds") is not None:
        yield f"{path}.readinessProbe.terminationGracePeriodSeconds: cannot be set here"
    if field == "initContainers" and container.get("restartPolicy") != "Always":
        for name in ONLY_BESIDE:
            if container.get(name) is not None:
                yield f"{path}.{name}: only with restartPolicy Always"


def hooks(path: str, container: Body, grace_s: object) -> Iterator[str]:
    """Nobody sleeps longer than the pod has to end."""
    for name in ("postStart", "preStop"):
        seconds = mapping_of(mapping_of(mapping_of(container.get("lifecycle")).get(name)).get("sleep")).get("seconds")
        most = grace_s if isinstance(grace_s, int) else GRACE_S
        if isinstance(seconds, int) and seconds > most:
            yield f"{path}.lifecycle.{name}.sleep.seconds: {seconds} is more than the grace period ({most})"


def confinement(path: str, context: Body) -> Iterator[str]:
    """Of a container or a pod."""
    for field in ONLY_LOCALHOST:
        profile = mapping_of(context.get(field))
        if profile.get("type") and (profile["type"] == "Localhost") is not (
            profile.get("localhostProfile") is not None
        ):
            yield f"{path}.{field}.localhostProfile: belongs to type Localhost, and to no other"
    added = mapping_of(context.get("capabilities")).get("add")
    is_mighty = context.get("privileged") is True or (isinstance(added, list) and "CAP_SYS_ADMIN" in added)
    if context.get("allowPrivilegeEscalation") is False and is_mighty:
        yield f"{path}.allowPrivilegeEscalation: cannot be false when privileged or with CAP_SYS_ADMIN"


def ports(path: str, container: Body, shares_network: bool) -> Iterator[str]:
    """On the network of its node a port is the node's."""
    for place, port in enumerate(rows_of(container.get("ports"))):
        host = port.get("hostPort")
        if shares_network and host and port.get("containerPort") and host != port["containerPort"]:
            yield f"{path}.ports[{place}].hostPort: {host} is not the containerPort (hostNetwork is true)"
