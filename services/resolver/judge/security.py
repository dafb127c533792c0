"""Pod Security: the level that a pod's specification keeps to, and whether its namespace asks for more. Pure.

A namespace says it with a label; admission refuses the pods that do not keep to it, also those that a workload makes.
The rules are the Pod Security Standards as the admission plug-in of Kubernetes has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.identity import KindId, ResourceId, ResourceKey, kind_of
from schemas.pods import pod_spec_of
from schemas.untyped import mapping_of, rows_of, texts_of
from services.resolver.graph.label_index import namespace_of
from services.resolver.graph.view import View
from services.resolver.judge.case import Change
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.making import is_made, pods_of

Spec = Mapping[str, Any]
ENFORCE: Final = "pod-security.kubernetes.io/enforce"
BASELINE, RESTRICTED = "baseline", "restricted"
LEVELS: Final[Mapping[str, int]] = {BASELINE: 1, RESTRICTED: 2}
NAMESPACE: Final = KindId("Namespace")
HAVE_PODS: Final = tuple(
    KindId(one)
    for one in (
        *("apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet", "batch/CronJob", "batch/Job"),
        *("ReplicationController", "Pod"),
    )
)
CAPABILITIES: Final = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
        *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
VOLUMES: Final = frozenset(
    ("name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret")
)
SYSCTLS: Final = frozenset(
    (
        *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"),
        *("net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports"),
        *("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl"),
        *("net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
    )
)
SELINUX_TYPES: Final = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
OWN_HOSTS: Final = ("", "127.0.0.1", "::1")
CONFINED: Final = ("RuntimeDefault", "Localhost")
CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")


def beyond(body: Mapping[str, Any]) -> dict[str, str]:
    """Level → the first thing that a pod, or the pods of a workload, do beyond it."""
    spec = pod_spec_of(body)
    if spec is None:
        return {}
    beyond_baseline = next(_beyond_baseline(spec), "")
    found = {BASELINE: beyond_baseline, RESTRICTED: beyond_baseline or next(_beyond_restricted(spec), "")}
    return {level: why for level, why in found.items() if why}


def judge_security(view: View, after: View, change: Change) -> Iterator[Finding]:
    """D150 where the namespace's level refuses the pods that the change makes."""
    before, state = view.find(change.resource), change.after
    if state is None or not change.beyond:
        return
    if before is not None and not (change.anew or pods_of(before) < pods_of(state)):
        return  # those that run go on
    if state.facts.get("recurs") is False and kind_of(change.resource) != "Pod":
        return  # it makes none
    space = after.find(ResourceId(f"Namespace/{namespace_of(change.resource)}"))
    level = space.labels.get(ENFORCE, "") if space is not None else ""
    why = change.beyond.get(level)
    if space is not None and why:
        whose = "it" if kind_of(change.resource) == "Pod" else "its pods"
        message = f"the API server refuses {whose}: {named(space.resource)} enforces {level}, and {why}"
        yield Finding("D150", message, "presence", change.resource)


def judge_enforcing(view: View, change: Change) -> Iterator[Finding]:
    """W150 for a namespace that begins to ask for more: what runs goes on, and is made again only if it keeps to it.

    The API server only warns of it, and the graph keeps no specifications of pods: which of them do is not known.
    """
    before, now = view.find(change.resource), change.after
    if kind_of(change.resource) != NAMESPACE or before is None or now is None:
        return
    level = now.labels.get(ENFORCE, "")
    if LEVELS.get(level, 0) <= LEVELS.get(before.labels.get(ENFORCE, ""), 0):
        return
    namespace = ResourceKey.parse(change.resource).name
    first = next(_running(view, namespace), None)
    if first is not None:
        message = f"it begins to enforce {level}: {named(first)}, and whatever runs there, has to keep to it"
        yield Finding("W150", f"{message}, or gets no pods at its next start", "presence", change.resource)


def _running(view: View, namespace: str) -> Iterator[ResourceId]:
    """What has pods, and is not made by something else that stands for it."""
    for kind in HAVE_PODS:
        for one in view.members(kind, namespace):
            state = view.find(one)
            if state is not None and not is_made(state) and pods_of(state) > 0:
                yield one


def _beyond_baseline(spec: Spec) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field) is True:
            yield f"{field} is true"
    if any("hostPath" in one for one in rows_of(spec.get("volumes"))):
        yield "a volume is a hostPath"
    for one in rows_of(mapping_of(spec.get("securityContext")).get("sysctls")):
        if (name := str(one.get("name"))) not in SYSCTLS:
            yield f"it sets the sysctl {name}"
    for context in (spec, *_containers(spec)):
        yield from _unconfined(mapping_of(context.get("securityContext")))
    for one in _containers(spec):
        context = mapping_of(one.get("securityContext"))
        if context.get("privileged") is True:
            yield f"container {one.get('name')} is privileged"
        more = sorted(set(_added(context)) - CAPABILITIES)
        if more:
            yield f"container {one.get('name')} adds {', '.join(more)}"
        if any(port.get("hostPort") for port in rows_of(one.get("ports"))):
            yield f"container {one.get('name')} has a hostPort"
        if context.get("procMount") not in (None, "Default"):
            yield f"container {one.get('name')} has procMount {context['procMount']}"
        if any(host not in OWN_HOSTS for host in _probed(one)):
            yield f"container {one.get('name')} has a probe or a hook that asks another host"


def _unconfined(context: Spec) -> Iterator[str]:
    """Of a pod, or of one of its containers."""
    if mapping_of(context.get("seccompProfile")).get("type") == "Unconfined":
        yield "seccompProfile is Unconfined"
    if mapping_of(context.get("appArmorProfile")).get("type") == "Unconfined":
        yield "appArmorProfile is Unconfined"
    if mapping_of(context.get("windowsOptions")).get("hostProcess") is True:
        yield "hostProcess is true"
    label = mapping_of(context.get("seLinuxOptions"))
    if label.get("type", "") not in SELINUX_TYPES or label.get("user") or label.get("role"):
        yield "it chooses its SELinux label"


def _beyond_restricted(spec: Spec) -> Iterator[str]:
    """Beyond baseline it asks that much is said."""
    other = sorted({name for one in rows_of(spec.get("volumes")) for name in one} - VOLUMES)
    if other:
        yield f"a volume is a {other[0]}"
    whole = mapping_of(spec.get("securityContext"))
    if whole.get("runAsUser") == 0:
        yield "runAsUser is 0"
    for one in _containers(spec):
        name, context = one.get("name"), mapping_of(one.get("securityContext"))
        both = {**whole, **context}
        if both.get("runAsNonRoot") is not True:
            yield f"container {name} does not say runAsNonRoot"
        if context.get("runAsUser") == 0:
            yield f"container {name} has runAsUser 0"
        if mapping_of(spec.get("os")).get("name") == "windows":
            continue
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"container {name} does not forbid allowPrivilegeEscalation"
        if mapping_of(both.get("seccompProfile")).get("type") not in CONFINED:
            yield f"container {name} has no seccompProfile"
        if "ALL" not in texts_of(mapping_of(context.get("capabilities")).get("drop")):
            yield f"container {name} does not drop ALL capabilities"
        if set(_added(context)) - {"NET_BIND_SERVICE"}:
            yield f"container {name} adds capabilities"


def _probed(container: Spec) -> Iterator[str]:
    """The hosts that the kubelet would ask for it."""
    hooks = mapping_of(container.get("lifecycle"))
    for one in (*(container.get(name) for name in PROBES), hooks.get("postStart"), hooks.get("preStop")):
        for way in ("httpGet", "tcpSocket"):
            yield str(mapping_of(mapping_of(one).get(way)).get("host") or "")


def _containers(spec: Spec) -> list[Spec]:
    return [one for field in CONTAINERS for one in rows_of(spec.get(field))]


def _added(context: Spec) -> list[str]:
    return texts_of(mapping_of(context.get("capabilities")).get("add"))
