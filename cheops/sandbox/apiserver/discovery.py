"""Discovery: which groups, versions and resources are served, plain and aggregated.

/api /apis                  groups; with the aggregated Accept header everything at once
/api/v1 /apis/apps/v1       the resources of one group version
/apis/apps                  one group
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cheops.sandbox.apiserver.kinds import Kind, Registry

AGGREGATED = "g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
AGGREGATED_TYPE = f"application/json;{AGGREGATED}"

SUBRESOURCE_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "binding": ("", "v1", "Binding"),
}
SUBRESOURCE_VERBS = {
    "eviction": ("create",),
    "token": ("create",),
    "binding": ("create",),
    "finalize": ("update",),
    "log": ("get",),
}
READ_AND_WRITE = ("get", "patch", "update")

Body = dict[str, Any]


def wants_aggregated(accept: str) -> bool:
    """Whether the first type that we know in the header is the aggregated one."""
    for media_type in accept.split(","):
        parts = {part.strip() for part in media_type.split(";")}
        if set(AGGREGATED.split(";")) <= parts:
            return True
        if "application/json" in parts and not any(part.startswith("as=") for part in parts):
            return False
    return False


def core_versions(registry: Registry) -> Body:
    return {"kind": "APIVersions", "versions": list(registry.groups()[""]), "serverAddressByClientCIDRs": []}


def group_list(registry: Registry) -> Body:
    groups = [_group(name, list(versions)) for name, versions in registry.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def one_group(registry: Registry, name: str) -> Body | None:
    versions = registry.groups().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, list(versions))} if versions else None


def resource_list(registry: Registry, group: str, version: str) -> Body | None:
    kinds = registry.groups().get(group, {}).get(version)
    if kinds is None:
        return None
    group_version = f"{group}/{version}" if group else version
    resources = [row for kind in kinds for row in _rows(kind)]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def aggregated(registry: Registry, *, core: bool) -> Body:
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [
                {"version": version, "resources": [_aggregated(kind) for kind in kinds], "freshness": "Current"}
                for version, kinds in versions.items()
            ],
        }
        for name, versions in registry.groups().items()
        if (name == "") is core
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _group(name: str, versions: list[str]) -> Body:
    rows = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": rows, "preferredVersion": rows[0]}


def _rows(kind: Kind) -> Iterator[Body]:
    yield {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
        **({"shortNames": list(kind.short_names)} if kind.short_names else {}),
        **({"categories": list(kind.categories)} if kind.categories else {}),
    }
    for name in kind.subresources:
        group, version, kind_name = _subresource_kind(kind, name)
        yield {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            **({"group": group, "version": version} if name in SUBRESOURCE_KINDS else {}),
            "kind": kind_name,
            "verbs": list(SUBRESOURCE_VERBS.get(name, READ_AND_WRITE)),
        }


def _aggregated(kind: Kind) -> Body:
    subresources = [
        {
            "subresource": name,
            "responseKind": dict(zip(("group", "version", "kind"), _subresource_kind(kind, name), strict=True)),
            "verbs": list(SUBRESOURCE_VERBS.get(name, READ_AND_WRITE)),
        }
        for name in kind.subresources
    ]
    return {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
        **({"shortNames": list(kind.short_names)} if kind.short_names else {}),
        **({"categories": list(kind.categories)} if kind.categories else {}),
        **({"subresources": subresources} if subresources else {}),
    }


def _subresource_kind(kind: Kind, name: str) -> tuple[str, str, str]:
    return SUBRESOURCE_KINDS.get(name, (kind.group, kind.version, kind.kind))
