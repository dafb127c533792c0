"""Mistakes in a pod, or in the template of a workload, that show only when two fields are read together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.pods import TEMPLATES, pod_spec_of
from services.resolver.judge.demand import mapping_of, rows_of, thousandths

Body = Mapping[str, Any]
CONTAINERS: Final = ("initContainers", "containers")
BLOCK_SOURCES: Final = ("persistentVolumeClaim", "ephemeral")
ONLY_LOCALHOST: Final = ("seccompProfile", "appArmorProfile")


def pod_rules(body: Body) -> Iterator[str]:
    """Of a pod, or of the template of a workload."""
    spec, path = pod_spec_of(body) or {}, ".".join(TEMPLATES[str(body.get("kind"))])
    claims: dict[Any, Body] = {
        mapping_of(one.get("metadata")).get("name"): {"persistentVolumeClaim": {}}
        for one in rows_of(mapping_of(body.get("spec")).get("volumeClaimTemplates"))
    }
    volumes = {**{one.get("name"): one for one in rows_of(spec.get("volumes"))}, **claims}
    names = []
    for field in CONTAINERS:
        for place, container in enumerate(rows_of(spec.get(field))):
            here = f"{path}.{field}[{place}]"
            names.append(container.get("name"))
            yield from _mounts(here, container, volumes)
            yield from _amounts(here, container)
            yield from _probes(here, container)
            yield from _confinement(f"{here}.securityContext", mapping_of(container.get("securityContext")))
            yield from _ports(here, container, spec.get("hostNetwork") is True)
    twice = next((one for one in names if one and names.count(one) > 1), None)
    if twice is not None:
        yield f"{path}.containers: name {twice!r} stands twice"
    yield from _host_ports(path, spec, fills_in=body.get("kind") == "Pod")
    yield from _confinement(f"{path}.securityContext", mapping_of(spec.get("securityContext")))
    yield from _volumes(path, spec)
    yield from _placement(path, spec)


def _mounts(path: str, container: Body, volumes: Mapping[Any, Any]) -> Iterator[str]:
    for place, mount in enumerate(rows_of(container.get("volumeMounts"))):
        if mount.get("name") and mount["name"] not in volumes:
            yield f"{path}.volumeMounts[{place}].name: there is no volume {mount['name']!r}"
    for place, device in enumerate(rows_of(container.get("volumeDevices"))):
        volume = volumes.get(device.get("name"))
        if device.get("name") and volume is None:
            yield f"{path}.volumeDevices[{place}].name: there is no volume {device['name']!r}"
        elif volume is not None and not any(one in volume for one in BLOCK_SOURCES):
            yield f"{path}.volumeDevices[{place}].name: {device['name']!r} is no claim"


def _amounts(path: str, container: Body) -> Iterator[str]:
    resources = mapping_of(container.get("resources"))
    requests, limits = mapping_of(resources.get("requests")), mapping_of(resources.get("limits"))
    for name, value in requests.items():
        wanted, most = thousandths(value), thousandths(limits.get(name))
        if wanted is None:
            continue
        if most is not None and wanted > most:
            yield f"{path}.resources.requests.{name}: {value} is more than its limit {limits[name]}"
        elif "/" in str(name) and wanted != most:
            yield f"{path}.resources.requests.{name}: is not its limit"
    for part, amounts in (("requests", requests), ("limits", limits)):
        for name, value in amounts.items():
            if "/" in str(name) and (thousandths(value) or 0) % 1000:
                yield f"{path}.resources.{part}.{name}: {value} is no whole number"


def _probes(path: str, container: Body) -> Iterator[str]:
    if mapping_of(container.get("readinessProbe")).get("terminationGracePeriodSeconds") is not None:
        yield f"{path}.readinessProbe.terminationGracePeriodSeconds: cannot be set here"


def _confinement(path: str, context: Body) -> Iterator[str]:
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


def _ports(path: str, container: Body, shares_network: bool) -> Iterator[str]:
    for place, port in enumerate(rows_of(container.get("ports"))):
        host = port.get("hostPort")
        if shares_network and host and port.get("containerPort") and host != port["containerPort"]:
            yield f"{path}.ports[{place}].hostPort: {host} is not the containerPort (hostNetwork is true)"


def _host_ports(path: str, spec: Body, *, fills_in: bool) -> Iterator[str]:
    """A port of the node is taken once, by what runs at one time; on the node's network a Pod's are (`fills_in`)."""
    fills_in = fills_in and spec.get("hostNetwork") is True
    for beside in (rows_of(spec.get("containers")), *([one] for one in rows_of(spec.get("initContainers")))):
        taken = [
            (number, port.get("protocol") or "TCP", port.get("hostIP") or "")
            for container in beside
            for port in rows_of(container.get("ports"))
            if (number := port.get("hostPort") or (port.get("containerPort") if fills_in else None))
        ]
        twice = next((one for one in taken if taken.count(one) > 1), None)
        if twice is not None:
            yield f"{path}: hostPort {twice[0]} {twice[1]} stands twice"


def _volumes(path: str, spec: Body) -> Iterator[str]:
    for place, volume in enumerate(rows_of(spec.get("volumes"))):
        said = [name for name, value in volume.items() if name != "name" and value is not None]
        if len(said) > 1:
            yield f"{path}.volumes[{place}]: {' and '.join(said)} exclude each other"


def _placement(path: str, spec: Body) -> Iterator[str]:
    for place, one in enumerate(rows_of(spec.get("tolerations"))):
        yield from toleration(f"{path}.tolerations[{place}]", one)
    spread = [
        (one.get("topologyKey"), one.get("whenUnsatisfiable")) for one in rows_of(spec.get("topologySpreadConstraints"))
    ]
    twice = next((one for one in spread if spread.count(one) > 1), None)
    if twice is not None:
        yield f"{path}.topologySpreadConstraints: {' '.join(map(str, twice))} stands twice"
    if spec.get("hostUsers") is False and any(spec.get(one) is True for one in ("hostNetwork", "hostPID", "hostIPC")):
        yield f"{path}.hostUsers: cannot be false beside hostNetwork, hostPID or hostIPC"


def toleration(path: str, one: Body) -> Iterator[str]:
    """Of a pod or a RuntimeClass."""
    operator = one.get("operator") or "Equal"
    if not one.get("key") and operator != "Exists":
        yield f"{path}.operator: must be Exists without a key"
    if operator == "Exists" and one.get("value"):
        yield f"{path}.value: must be empty with operator Exists"
    if one.get("tolerationSeconds") is not None and one.get("effect") != "NoExecute":
        yield f"{path}.effect: must be NoExecute with tolerationSeconds"
