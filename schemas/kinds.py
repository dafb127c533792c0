"""The surface of a site: which kinds it serves, and how people call them. Pure.

`secret/edge-ca`, `deploy/web`, `deployments.apps/web`, `deployments.v1.apps/web` and `apps/Deployment/shop/web` all
name a resource; a surface turns them into the one identity.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

from schemas.events import ServedKind
from schemas.identity import IdentityError, KindId, ResourceId, ResourceKey, resource_id, split_kind

NEAR_NAMES_MAX = 3
# Groups under k8s.io that the API server serves itself, or that an aggregated server does; all others there are CRDs.
_OWN_GROUPS: Final = frozenset(
    f"{name}.k8s.io"
    for name in (
        "admission",
        "admissionregistration",
        "apidiscovery",
        "apiextensions",
        "apiregistration",
        "authentication",
        "authorization",
        "certificates",
        "coordination",
        "custom.metrics",
        "discovery",
        "events",
        "external.metrics",
        "flowcontrol.apiserver",
        "imagepolicy",
        "internal.apiserver",
        "lifecycle",
        "metrics",
        "networking",
        "node",
        "policy",
        "rbac.authorization",
        "resource",
        "scheduling",
        "storage",
        "storagemigration",
    )
)
# One object served under several groups is one object: (old group, kind) → the group that it has now.
_MOVED: Final = {
    ("events.k8s.io", "Event"): "",
    ("extensions", "DaemonSet"): "apps",
    ("extensions", "Deployment"): "apps",
    ("extensions", "Ingress"): "networking.k8s.io",
    ("extensions", "NetworkPolicy"): "networking.k8s.io",
    ("extensions", "ReplicaSet"): "apps",
}


def one_group(group: str, kind: str) -> str:
    """The group under which an object is one object, whichever of its groups it was read from."""
    return _MOVED.get((group, kind), group)


def not_served_at(served: ServedKind, version: str) -> str:
    """That a kind is not served at a version, and at which it is."""
    if not served.versions:
        return f"{served.kind} is served at no version"
    group, _ = split_kind(served.kind)
    *offered, wanted = (f"{group}/{one}" if group else one for one in (*served.versions, version))
    return f"{served.kind} is served as {', '.join(offered)}, not as {wanted}"


class UnknownKindError(IdentityError):
    """A kind, or a version of one, that the surface does not serve; `near` are names that look like it."""

    def __init__(self, message: str, near: Sequence[str] = ()) -> None:
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        super().__init__(f"{message}{hint}")
        self.near = near


class Surface:
    """The kinds that one site serves."""

    def __init__(self, served: Iterable[ServedKind] = ()) -> None:
        self.served: dict[KindId, ServedKind] = {entry.kind: entry for entry in served}
        self._names: dict[str, KindId] = {}
        self._plurals = {(split_kind(entry.kind)[0], entry.plural): entry for entry in self.served.values()}
        # Core and apps names win over the same name in a later group, as in kubectl.
        for entry in sorted(self.served.values(), key=lambda one: ("." in split_kind(one.kind)[0], one.kind)):
            group, kind = split_kind(entry.kind)
            for name in {kind.lower(), entry.singular, entry.plural, *entry.short_names} - {""}:
                self._names.setdefault(name, entry.kind)
                self._names.setdefault(f"{name}.{group}" if group else name, entry.kind)

    def find(self, kind: KindId) -> ServedKind | None:
        """The served kind, or None."""
        return self.served.get(kind)

    def by_plural(self, group: str, plural: str) -> ServedKind | None:
        """The kind that RBAC and URLs call `plural`, or None."""
        return self._plurals.get((group, plural))

    def is_built_in(self, group: str) -> bool:
        """Whether no CustomResourceDefinition stands behind the kinds of a group."""
        return "." not in group or group in _OWN_GROUPS

    def find_named(self, name: str) -> KindId | None:
        """The same as `kind`, or None."""
        return KindId(name) if KindId(name) in self.served else self._names.get(name.lower())

    def kind(self, name: str) -> KindId:
        """What a person calls a kind (`deploy`, `Deployment`, `deployments.apps`, `apps/Deployment`) → its id.

        With a version as kubectl takes one, too (`deployments.v1.apps`, `pods.v1.`): it has to be served.
        """
        found = self.find_named(name) or self._at_version(name.lower())
        if found is None:
            near = difflib.get_close_matches(name.lower(), self._names, NEAR_NAMES_MAX)
            raise UnknownKindError(f"no kind is called {name[:80]!r} here", near)
        return found

    def _at_version(self, name: str) -> KindId | None:
        plural, _, rest = name.partition(".")
        version, dot, group = rest.partition(".")
        found = self._names.get(f"{plural}.{group}" if group else plural)
        if not dot or found is None or split_kind(found)[0] != group:
            return None
        served = self.served[found]
        if version not in served.versions:
            raise UnknownKindError(not_served_at(served, version[:80]))
        return found

    def resolve(self, text: str, namespace: str = "") -> ResourceId:
        """`secret/edge-ca` (+ namespace, else `default`) or a full identity → identity; raises IdentityError.

        A namespace on a cluster-scoped kind is dropped, as the API server does.
        """
        head, slash, name = text.partition("/")
        if slash and "/" not in name and name and not head[:1].isupper():
            return self._place(self.kind(head), namespace or "default", name)
        key = ResourceKey.parse(text)
        if "/" not in key.kind and key.kind_id not in self.served and not key.group:
            return self._place(self.kind(key.kind), key.namespace or namespace or "default", key.name)
        return self._place(key.kind_id, key.namespace or namespace or "default", key.name)

    def _place(self, kind: KindId, namespace: str, name: str) -> ResourceId:
        served = self.served.get(kind)
        group, bare = split_kind(kind)
        return ResourceKey.parse(
            resource_id(group, bare, namespace if served is None or served.namespaced else "", name)
        ).id
