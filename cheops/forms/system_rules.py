"""What a pod cannot say because of the system that its nodes run. Pure; see pod_rules.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.untyped import mapping_of, rows_of

Body = Mapping[str, Any]
OF_BOTH: Final = ("appArmorProfile", "seLinuxOptions", "seccompProfile", "runAsUser", "runAsGroup")
OF_PODS: Final = (
    *OF_BOTH,
    *("fsGroup", "fsGroupChangePolicy", "sysctls", "supplementalGroups", "supplementalGroupsPolicy"),
)
OF_CONTAINERS: Final = (
    *OF_BOTH,
    *("capabilities", "readOnlyRootFilesystem", "privileged", "allowPrivilegeEscalation", "procMount"),
)
SHARED: Final = ("hostPID", "hostIPC", "hostUsers", "shareProcessNamespace")
CONTAINERS: Final = ("initContainers", "containers")


def system(path: str, spec: Body) -> Iterator[str]:
    """Windows knows nothing of what Linux confines by, and the other way round."""
    name = mapping_of(spec.get("os")).get("name")
    for place, context, fields in _contexts(path, spec):
        if name == "windows":
            yield from (f"{place}.{one}: not on windows" for one in fields if context.get(one) is not None)
        elif name == "linux" and context.get("windowsOptions") is not None:
            yield f"{place}.windowsOptions: not on linux"
    if name == "windows":
        yield from (f"{path}.{one}: not on windows" for one in SHARED if spec.get(one) not in (None, False))


def _contexts(path: str, spec: Body) -> Iterator[tuple[str, Body, tuple[str, ...]]]:
    yield f"{path}.securityContext", mapping_of(spec.get("securityContext")), OF_PODS
    for field in CONTAINERS:
        for at, one in enumerate(rows_of(spec.get(field))):
            yield f"{path}.{field}[{at}].securityContext", mapping_of(one.get("securityContext")), OF_CONTAINERS
