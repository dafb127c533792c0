"""The cells of tables: what is read from an object, as a path or as words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Content = Mapping[str, Any]


def at_path(content: Any, path: str) -> Any:
    """A plain JSON path: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`, `.spec.hosts[0]`."""
    value = content
    for name, index, key, wanted in _STEP.findall(path):
        if name:
            value = value.get(name.replace("\\.", ".")) if isinstance(value, Mapping) else None
        elif not isinstance(value, list):
            return None
        elif key:
            value = next((one for one in value if isinstance(one, Mapping) and one.get(key) == wanted), None)
        elif index != "*":
            value = value[int(index)] if len(value) > int(index) else None
    return value


_STEP = re.compile(r"""\.?((?:\\.|[^.\[\]])+)|\[(\d+|\*)]|\[\?\(@\.(\w+)\s*==\s*["']([^"']*)["']\)]""")
# findall gives tuples of (name, index, key, wanted)


def pod_ready(pod: Content) -> str:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    total = len((pod.get("spec") or {}).get("containers") or ())
    return f"{sum(bool(one.get('ready')) for one in statuses)}/{total}"


def pod_status(pod: Content) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        state = container.get("state") or {}
        for kind in ("waiting", "terminated"):
            if reason := (state.get(kind) or {}).get("reason"):
                return str(reason)
    return str(status.get("phase", "Unknown"))


def restarts(pod: Content) -> str:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return str(sum(one.get("restartCount", 0) for one in statuses))


def ready_of(wanted: str) -> Callable[[Content], str]:
    def ready(content: Content) -> str:
        return f"{at_path(content, '.status.readyReplicas') or 0}/{at_path(content, wanted) or 0}"

    return ready


def number(path: str) -> Callable[[Content], Any]:
    return lambda content: at_path(content, path) or 0


def or_none(path: str) -> Callable[[Content], Any]:
    return lambda content: at_path(content, path) or "<none>"


def ports(service: Content) -> str:
    ports = (service.get("spec") or {}).get("ports") or ()
    said = [
        f"{port['port']}{':' + str(port['nodePort']) if port.get('nodePort') else ''}/{port.get('protocol', 'TCP')}"
        for port in ports
    ]
    return ",".join(said) or "<none>"


def selector(path: str) -> Callable[[Content], str]:
    def text(content: Content) -> str:
        labels = at_path(content, path) or {}
        return ",".join(f"{name}={value}" for name, value in sorted(labels.items())) or "<none>"

    return text


def node_status(node: Content) -> str:
    ready = at_path(node, '.status.conditions[?(@.type=="Ready")].status') == "True"
    cordoned = ",SchedulingDisabled" if at_path(node, ".spec.unschedulable") else ""
    return ("Ready" if ready else "NotReady") + cordoned


def completions(job: Content) -> str:
    return f"{at_path(job, '.status.succeeded') or 0}/{at_path(job, '.spec.completions') or 1}"


def job_status(job: Content) -> str:
    return "Complete" if at_path(job, '.status.conditions[?(@.type=="Complete")].status') == "True" else "Running"


def hosts(ingress: Content) -> str:
    rules = at_path(ingress, ".spec.rules") or ()
    return ",".join(rule.get("host", "*") for rule in rules) or "*"


def slice_ports(found: Content) -> str:
    return ",".join(str(port.get("port", "")) for port in found.get("ports") or ()) or "<unset>"


def slice_addresses(found: Content) -> str:
    return ",".join(address for one in found.get("endpoints") or () for address in one["addresses"]) or "<unset>"


def size(field: str) -> Callable[[Content], int]:
    return lambda content: len(content.get(field) or ())


def claim(volume: Content) -> str:
    reference = at_path(volume, ".spec.claimRef") or {}
    return f"{reference['namespace']}/{reference['name']}" if reference else ""


def modes(content: Content) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    return ",".join(short.get(mode, mode) for mode in at_path(content, ".spec.accessModes") or ())


def role(binding: Content) -> str:
    return f"{at_path(binding, '.roleRef.kind')}/{at_path(binding, '.roleRef.name')}"


def roles(node: Content) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    return ",".join(sorted(name.removeprefix(prefix) for name in labels if name.startswith(prefix))) or "<none>"


def address(kind: str) -> Callable[[Content], str]:
    return lambda node: str(at_path(node, f'.status.addresses[?(@.type=="{kind}")].address') or "<none>")


def or_unknown(path: str) -> Callable[[Content], str]:
    return lambda content: str(at_path(content, path) or "<unknown>")


def or_unset(path: str) -> Callable[[Content], str]:
    return lambda content: str(at_path(content, path) or "<unset>")
