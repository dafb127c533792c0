"""What a pod does beyond the Pod Security Standards: at each level, in each version of theirs. Pure.

manifest ─▶ its pod ─▶ breaches, and the versions in which each is one ─▶ level, level:minor → the first of them

They are the rules of the admission plug-in of Kubernetes (k8s.io/pod-security-admission v0.36, policy/check_*.go). A
version is the minor one of Kubernetes 1 in which a rule was begun or loosened; a namespace may ask for an old one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from schemas.pods import pod_spec_of, template_of
from schemas.untyped import mapping_of, rows_of, texts_of

Fields = Mapping[str, Any]
BASELINE, RESTRICTED = "baseline", "restricted"
CHANGED_IN: Final = (0, 8, 19, 22, 23, 25, 27, 29, 31, 32, 34, 35)
NEWEST: Final = CHANGED_IN[-1]
AFTER_ALL: Final = NEWEST + 1
PINNED: Final = "v1."
CAPABILITIES: Final = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
        *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
VOLUMES: Final = frozenset(
    (
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected"),
        "secret",
    )
)
SYSCTLS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies"), 0),
    **dict.fromkeys(("net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"), 0),
    "net.ipv4.ip_local_reserved_ports": 27,
    **dict.fromkeys(("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout"), 29),
    **dict.fromkeys(("net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"), 29),
    **dict.fromkeys(("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"), 32),
}
SELINUX_TYPES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("", "container_t", "container_init_t", "container_kvm_t"), 0),
    "container_engine_t": 31,
}
CONFINED: Final = ("RuntimeDefault", "Localhost")
APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP: Final = "container.seccomp.security.alpha.kubernetes.io/"
PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")


class Breach(Struct, frozen=True):
    """What a pod does, and from which minor version on (and until which one) it is forbidden."""

    why: str
    since: int = 0
    until: int = AFTER_ALL


def beyond(body: Fields) -> dict[str, str]:
    """Level → the first thing that a pod, or the pods of a workload, do beyond it.

    `level:minor` is there where the standards of that version say something else than those after it; "" is nothing.
    """
    spec = pod_spec_of(body)
    if spec is None:
        return {}
    template = body if body.get("kind") == "Pod" else mapping_of(template_of(body))
    notes = mapping_of(mapping_of(template.get("metadata")).get("annotations"))
    containers = [one for field in CONTAINERS for one in rows_of(spec.get(field))]
    breaches = [*_beyond_baseline(spec, containers), *(_annotated(containers, notes) if notes else ())]
    found = dict(_by_version(BASELINE, breaches))
    found.update(_by_version(RESTRICTED, [*breaches, *_beyond_restricted(spec, containers)]))
    return found


def _by_version(level: str, breaches: list[Breach]) -> Iterator[tuple[str, str]]:
    after = ""
    for minor in reversed(CHANGED_IN) if breaches else ():
        why = next((one.why for one in breaches if one.since <= minor < one.until), "")
        if why != after:
            yield (level if minor == NEWEST else f"{level}:{minor}"), why
        after = why


def beyond_at(found: Mapping[str, str], level: str, version: str) -> str:
    """What of it counts at a level; `version` is `v1.30`, or anything else for the newest."""
    digits = version.removeprefix(PINNED)
    if version.startswith(PINNED) and digits.isdecimal():
        begun = max(one for one in CHANGED_IN if one <= int(digits))
        for minor in CHANGED_IN:
            key = f"{level}:{minor}"
            if minor >= begun and key in found:
                return found[key]
    return found.get(level, "")


def _beyond_baseline(spec: Fields, containers: Sequence[Fields]) -> Iterator[Breach]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field) is True:
            yield Breach(f"{field} is true")
    if any(one.get("hostPath") is not None for one in rows_of(spec.get("volumes"))):
        yield Breach("a volume is a hostPath")
    for one in rows_of(mapping_of(spec.get("securityContext")).get("sysctls")):
        sysctl = str(one.get("name"))
        if known_since := SYSCTLS.get(sysctl, AFTER_ALL):
            yield Breach(f"it sets the sysctl {sysctl}", until=known_since)
    for context in filter(None, (mapping_of(one.get("securityContext")) for one in (spec, *containers))):
        yield from _unconfined(context)
    for one in containers:
        name, context = one.get("name"), mapping_of(one.get("securityContext"))
        if context.get("privileged") is True:
            yield Breach(f"container {name} is privileged")
        more = sorted(set(_added(context)) - CAPABILITIES)
        if more:
            yield Breach(f"container {name} adds {', '.join(more)}")
        if any(port.get("hostPort") for port in rows_of(one.get("ports"))):
            yield Breach(f"container {name} has a hostPort")
        if context.get("procMount") not in (None, "Default"):
            until = 35 if _has_own_users(spec) else AFTER_ALL
            yield Breach(f"container {name} has procMount {context['procMount']}", until=until)
        if any(_probed(one)):
            yield Breach(f"container {name} has a probe or a hook that says a host", since=34)


def _unconfined(context: Fields) -> Iterator[Breach]:
    """Of a pod, or of one of its containers."""
    for field, since in (("seccompProfile", 19), ("appArmorProfile", 0)):
        profile = context.get(field)
        if isinstance(profile, Mapping) and profile.get("type") not in CONFINED:
            yield Breach(f"{field} is {profile.get('type')}", since)
    if mapping_of(context.get("windowsOptions")).get("hostProcess") is True:
        yield Breach("hostProcess is true")
    label = mapping_of(context.get("seLinuxOptions"))
    known_since = SELINUX_TYPES.get(str(label.get("type") or ""), AFTER_ALL)
    if label.get("user") or label.get("role"):
        known_since = AFTER_ALL
    if known_since:
        yield Breach("it chooses its SELinux label", until=known_since)


def _annotated(containers: Sequence[Fields], notes: Fields) -> Iterator[Breach]:
    """What was said by annotations before there were fields; those for AppArmor still count."""
    for key, value in notes.items():
        if key.startswith(APPARMOR) and value and not _is_confined(value, "runtime/default"):
            yield Breach(f"its annotation {key} is {value}")
    for key in (SECCOMP_POD, *(f"{SECCOMP}{one.get('name')}" for one in containers)):
        if key in notes and not _is_confined(notes[key], "runtime/default", "docker/default"):
            yield Breach(f"its annotation {key} is {notes[key]}", until=19)


def _is_confined(value: Any, *usual: str) -> bool:
    return value in usual or str(value).startswith("localhost/")


def _beyond_restricted(spec: Fields, containers: Sequence[Fields]) -> Iterator[Breach]:
    """Beyond baseline it asks that much is said."""
    for one in rows_of(spec.get("volumes")):
        sources = {name for name, source in one.items() if name != "name" and source is not None}
        if sources and not sources & VOLUMES:  # one that says nothing is an emptyDir
            yield Breach(f"a volume is a {min(sources)}")
    whole = mapping_of(spec.get("securityContext"))
    rooted = 35 if _has_own_users(spec) else AFTER_ALL
    if whole.get("runAsUser") == 0:
        yield Breach("runAsUser is 0", 23, rooted)
    if whole.get("runAsNonRoot") is False:
        yield Breach("runAsNonRoot is false", until=rooted)
    unless_windows = 25 if mapping_of(spec.get("os")).get("name") == "windows" else AFTER_ALL
    for one in containers:
        name, context = one.get("name"), mapping_of(one.get("securityContext"))
        if _own_or_whole("runAsNonRoot", context, whole) is not True:
            yield Breach(f"container {name} does not say runAsNonRoot", until=rooted)
        if context.get("runAsUser") == 0:
            yield Breach(f"container {name} has runAsUser 0", 23, rooted)
        if context.get("procMount") not in (None, "Default"):
            yield Breach(f"container {name} has procMount {context['procMount']}", since=35)
        if context.get("allowPrivilegeEscalation") is not False:
            yield Breach(f"container {name} does not forbid allowPrivilegeEscalation", 8, unless_windows)
        if mapping_of(_own_or_whole("seccompProfile", context, whole)).get("type") not in CONFINED:
            yield Breach(f"container {name} has no seccompProfile", 19, unless_windows)
        if "ALL" not in texts_of(mapping_of(context.get("capabilities")).get("drop")):
            yield Breach(f"container {name} does not drop ALL capabilities", 22, unless_windows)
        if set(_added(context)) - {"NET_BIND_SERVICE"}:
            yield Breach(f"container {name} adds capabilities", 22, unless_windows)


def _own_or_whole(field: str, context: Fields, whole: Fields) -> Any:
    own = context.get(field)
    return whole.get(field) if own is None else own


def _has_own_users(spec: Fields) -> bool:
    """Root in it is nobody outside."""
    return spec.get("hostUsers") is False


def _probed(container: Fields) -> Iterator[str]:
    """The hosts that the kubelet would ask for it, where they are said."""
    hooks = mapping_of(container.get("lifecycle"))
    asked = (*(container.get(name) for name in PROBES), hooks.get("postStart"), hooks.get("preStop"))
    for one in filter(None, map(mapping_of, asked)):
        for way in ("httpGet", "tcpSocket"):
            yield str(mapping_of(one.get(way)).get("host") or "")


def _added(context: Fields) -> list[str]:
    return texts_of(mapping_of(context.get("capabilities")).get("add"))
