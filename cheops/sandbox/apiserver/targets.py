"""URL path → what it is about.

/api/v1/namespaces/shop/pods/web/status   core, v1, namespace shop, pods, web, status
/apis/apps/v1/deployments                 apps, v1, all namespaces, deployments
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from cheops.sandbox.apiserver.kinds import Kind, Registry
from cheops.sandbox.apiserver.statuses import no_such_resource

NAMESPACE_SUBRESOURCES = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class Target:
    """`name` is empty for a collection, `namespace` for all namespaces and for cluster-wide kinds."""

    kind: Kind
    namespace: str
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class ApiPath:
    """A path split into group and version and the rest, before anybody knows whether they are served."""

    group: str
    version: str
    rest: tuple[str, ...]


def split_path(path: str) -> ApiPath | None:
    """None when it is no path of the resource API. Shorter paths are discovery: `version` or `rest` is empty."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    match parts:
        case ["api", *rest]:
            return ApiPath("", rest[0] if rest else "", tuple(rest[1:]))
        case ["apis", group, version, *rest]:
            return ApiPath(group, version, tuple(rest))
    return None


def find_target(registry: Registry, path: ApiPath) -> Target:
    """Raises StatusError 404."""
    namespace, resource = "", path.rest
    if len(resource) > 2 and resource[0] == "namespaces" and not _is_namespace_subresource(resource):
        namespace, resource = resource[1], resource[2:]
    plural, name, subresource, *more = (*resource, "", "")
    kind = registry.find(path.group, path.version, plural)
    if kind is None or any(more) or (namespace and not kind.namespaced):
        raise no_such_resource()
    if subresource and subresource not in kind.subresources:
        raise no_such_resource()
    if name and kind.namespaced and not namespace:
        raise no_such_resource()
    return Target(kind, namespace, name, subresource)


def _is_namespace_subresource(resource: tuple[str, ...]) -> bool:
    return len(resource) == 3 and resource[2] in NAMESPACE_SUBRESOURCES
