"""References that are no plain field: text → pointers. A closed list; a rule names its reader (`reads:`). Pure.

Everything here reads safely: what does not follow its grammar points at nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from schemas.identity import IdentityError, KindId, ResourceKey, kind_id
from schemas.relations.copies import read_copies, read_copies_everywhere
from schemas.relations.gitops import argo_tracked, flux_applied
from schemas.relations.hosts import read_hosts, read_named_hosts
from schemas.relations.issuing import read_issued
from schemas.relations.kept_hosts import read_kept_hosts
from schemas.relations.meshes import mesh_destination, mesh_host, mesh_subset, spiffe
from schemas.relations.pointers import OBJECT_PATH_LENS, Pointer, Source
from schemas.relations.typed_refs import read_typed_refs
from schemas.relations.zalando import read_credentials

ORDINALS_MAX: Final = 100  # claims of one template of a StatefulSet that are spelled out
NAMES_MAX: Final = 1_000
CLAIM: Final = KindId("PersistentVolumeClaim")
ACCOUNT: Final = KindId("ServiceAccount")
DEFAULT_ACCOUNT: Final = "default"
DEFINITION: Final = KindId("apiextensions.k8s.io/CustomResourceDefinition")
CLAIM_SCHEME: Final = "pvc://"
SECRET_FLAG: Final = "--secret-name="
TRAEFIK_OBJECTS: Final = "kubernetescrd"
USER_PREFIX: Final = "system:serviceaccount:"


Reader = Callable[[Any, KindId, Source], Iterator[Pointer]]


def _namespaced_name(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`name` or `namespace/name`."""
    if isinstance(value, str):
        namespace, _, name = value.strip().rpartition("/")
        yield Pointer(kind, name, namespace or None)


def _dotted_name(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`name` or `name.namespace`."""
    if isinstance(value, str):
        name, _, rest = value.partition(".")
        yield Pointer(kind, name, rest.partition(".")[0] or None)


def _claim_uri(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`pvc://claim/path`; what stands at other places (`s3://…`) is no object."""
    if isinstance(value, str) and value.startswith(CLAIM_SCHEME):
        yield Pointer(kind, value.removeprefix(CLAIM_SCHEME).partition("/")[0])


def _secret_flag(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`create … --secret-name=NAME`, as arguments; for other words (`patch`) the same program only reads it."""
    words = value if isinstance(value, list) and "create" in value else ()
    for place, word in enumerate(words):
        if isinstance(word, str) and word.startswith(SECRET_FLAG):
            yield Pointer(kind, word.removeprefix(SECRET_FLAG), suffix=f"[{place}]")


def _outside(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Somebody outside the API: a scheduler, a signer, a controller. Written as in names of ClusterTrustBundles."""
    if isinstance(value, str):
        yield Pointer(kind, value.replace("/", ":"), "")


def _names(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`a, b,c`."""
    if isinstance(value, str):
        for name in value.split(",")[:NAMES_MAX]:
            yield Pointer(kind, name.strip())


def _traefik_names(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`shop-auth@kubernetescrd, auth@file`: namespace and name in one, by commas; other providers have no objects.

    Where the namespace ends nobody can say, so only the own one counts, and `shop-eu-auth` may be meant otherwise.
    """
    for text in value.split(",")[:NAMES_MAX] if isinstance(value, str) else ():
        whole, _, provider = text.strip().partition("@")
        own = f"{source.namespace}-"
        if provider == TRAEFIK_OBJECTS and whole.startswith(own):
            name = whole.removeprefix(own)
            yield Pointer(kind, name, doubtful="-" in name)


def _listed(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Each of `{values: […]}`."""
    for place, name in enumerate(_texts(value, "values")[:NAMES_MAX]):
        yield Pointer(kind, name, suffix=f".values[{place}]")


def _depends_on(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`config.kubernetes.io/depends-on`: `group/namespaces/ns/Kind/name` or `group/Kind/name`, by commas."""
    for text in value.split(",")[:NAMES_MAX] if isinstance(value, str) else ():
        parts = text.strip().split("/")
        if len(parts) not in OBJECT_PATH_LENS or (len(parts) == max(OBJECT_PATH_LENS) and parts[1] != "namespaces"):
            continue
        namespace = parts[2] if len(parts) == max(OBJECT_PATH_LENS) else ""
        yield Pointer(kind_id(parts[0], parts[-2]), parts[-1], namespace)


def _identities(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`cheops.io/depends-on`: identities as Cheops prints them, by commas; without a namespace: the source's own.

    With `/namespaces/` in it, it is written as for the annotation above.
    """
    for text in value.split(",")[:NAMES_MAX] if isinstance(value, str) else ():
        if "/namespaces/" in f"/{text.strip()}":
            yield from _depends_on(text, kind, source)
            continue
        try:
            key = ResourceKey.parse(text.strip())
        except IdentityError:
            continue
        yield Pointer(key.kind_id, key.name, key.namespace or None)


def _account_user(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Row 35: the user `system:serviceaccount:namespace:name`."""
    if isinstance(value, str) and value.startswith(USER_PREFIX):
        namespace, _, name = value.removeprefix(USER_PREFIX).partition(":")
        yield Pointer(ACCOUNT, name, namespace)


def _account_group(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Row 35: the groups `system:serviceaccounts` and `system:serviceaccounts:namespace`."""
    if value == "system:serviceaccounts":
        yield Pointer(ACCOUNT, "", "")
    elif isinstance(value, str) and value.startswith("system:serviceaccounts:"):
        yield Pointer(ACCOUNT, "", value.rpartition(":")[2])


def _pod_claim(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Row 7: the claim `<pod>-<volume>` of an ephemeral volume; only a pod has its name already."""
    if not isinstance(value, dict) or not value.get("ephemeral"):
        return
    name = value.get("name")
    if source.kind == "Pod" and isinstance(name, str):
        yield Pointer(CLAIM, f"{source.name}-{name}", suffix=".ephemeral.volumeClaimTemplate")


def _pod_tokens(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Row 5: the tokens that a pod's specification projects are those of its service account."""
    volumes = value.get("volumes") if isinstance(value, dict) else None
    for place, volume in enumerate(volumes) if isinstance(volumes, list) else ():
        projected = volume.get("projected") if isinstance(volume, dict) else None
        sources = projected.get("sources") if isinstance(projected, dict) else None
        for inner, one in enumerate(sources) if isinstance(sources, list) else ():
            if isinstance(one, dict) and "serviceAccountToken" in one:
                name = value.get("serviceAccountName") or value.get("serviceAccount") or DEFAULT_ACCOUNT
                where = f".volumes[{place}].projected.sources[{inner}].serviceAccountToken"
                if isinstance(name, str):
                    yield Pointer(kind, name, suffix=where)


def _set_claims(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Row 19: the claims `<template>-<set>-<ordinal>` of a StatefulSet."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    spec = source.body.get("spec")
    if not isinstance(name, str) or not isinstance(spec, dict):
        return
    ordinals = spec.get("ordinals")
    start = ordinals.get("start", 0) if isinstance(ordinals, dict) else 0
    count = spec.get("replicas", 1)
    if isinstance(start, int) and isinstance(count, int):
        for ordinal in range(start, start + min(count, ORDINALS_MAX)):
            yield Pointer(CLAIM, f"{name}-{source.name}-{ordinal}", suffix=".metadata.name")


def _role_rule(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Row 36: the objects that a rule of a role names. What it means in every namespace is not said one by one.

    What a built-in group does not serve (`signers`) is a word of RBAC only; of another group, its definition may come.
    """
    if not isinstance(value, dict) or not value.get("resourceNames"):
        return
    names = _texts(value, "resourceNames")
    for group in _texts(value, "apiGroups"):
        for resource in _texts(value, "resources"):
            plural = resource.partition("/")[0]
            served = source.surface.by_plural(group, plural)
            comes_later = served is None and plural != "*" and not source.surface.is_built_in(group)
            for place, name in enumerate(names[:NAMES_MAX]):
                suffix = f".resourceNames[{place}]"
                if comes_later:
                    yield Pointer(DEFINITION, f"{plural}.{group}", "", suffix=suffix)
                elif served is not None and (source.namespace or not served.namespaced):
                    yield Pointer(served.kind, name, suffix=suffix)


def _resource_ref(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`{group, resource, namespace, name}`, where `resource` is a plural (an IPAddress's parent)."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return
    group, plural, namespace = (str(value.get(one) or "") for one in ("group", "resource", "namespace"))
    served = source.surface.by_plural(group, plural)
    guess = plural[:1].upper() + plural[1:].removesuffix("s")
    if served is not None or guess:
        yield Pointer(
            served.kind if served else kind_id(group, guess), value["name"], namespace or None, suffix=".name"
        )


def _own_namespace(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Row 42."""
    if source.namespace:
        yield Pointer(kind, source.namespace, "", suffix=".namespace")


def _own_definition(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Row 41: the definition of a custom resource, and the version that it is written in.

    Nobody said the plural of an unknown kind: then it is guessed, and the edge is inferred.
    """
    group = source.group
    if source.surface.is_built_in(group):
        return
    served = source.surface.find(kind_id(source.group, source.kind))
    plural = served.plural if served is not None else _plural(source.kind)
    version = str(source.body.get("apiVersion")).rpartition("/")[2]
    yield Pointer(kind, f"{plural}.{group}", "", f"version:{version}", inferred=served is None)


def _definition_of_plural(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`{group, resource}` → the definition, unless the API server has that group built in."""
    if isinstance(value, dict) and isinstance(value.get("resource"), str):
        group = str(value.get("group") or "")
        if group and source.surface.by_plural(group, value["resource"]) is None:
            yield Pointer(kind, f"{value['resource']}.{group}", "", suffix=".resource")


def _definition_of(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`{apiVersion, kind}` → the definition of that kind, unless the API server has it built in."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        return
    group, _, version = str(value.get("apiVersion") or "").rpartition("/")
    if not source.surface.is_built_in(group):
        served = source.surface.find(kind_id(group, value["kind"]))
        plural = served.plural if served is not None else _plural(value["kind"])
        # A kind that a known surface lacks is missing for certain, whatever its plural will be.
        inferred = served is None and not source.surface.served
        yield Pointer(DEFINITION, f"{plural}.{group}", "", f"version:{version}", ".kind", inferred=inferred)


def _plural(kind: str) -> str:
    name = kind.lower()
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "z", "ch", "sh")) else f"{name}s"


def _texts(value: Any, name: str) -> list[str]:
    rows = value.get(name) if isinstance(value, dict) else None
    return [one for one in rows if isinstance(one, str)] if isinstance(rows, list) else []


READERS: Final[Mapping[str, Reader]] = {
    "hosts": read_hosts,
    "named-hosts": read_named_hosts,
    "kept-hosts": read_kept_hosts,
    "copies": read_copies,
    "copies-everywhere": read_copies_everywhere,
    "namespaced-name": _namespaced_name,
    "dotted-name": _dotted_name,
    "claim-uri": _claim_uri,
    "secret-flag": _secret_flag,
    "mesh-host": mesh_host,
    "mesh-destination": mesh_destination,
    "mesh-subset": mesh_subset,
    "spiffe": spiffe,
    "flux-applied": flux_applied,
    "argo-tracked": argo_tracked,
    "names": _names,
    "traefik-names": _traefik_names,
    "values": _listed,
    "typed-refs": read_typed_refs,
    "outside": _outside,
    "depends-on": _depends_on,
    "identities": _identities,
    "account-user": _account_user,
    "account-group": _account_group,
    "pod-claim": _pod_claim,
    "pod-tokens": _pod_tokens,
    "set-claims": _set_claims,
    "resource-ref": _resource_ref,
    "role-rule": _role_rule,
    "own-namespace": _own_namespace,
    "zalando-credentials": read_credentials,
    "issued": read_issued,
    "definition-of": _definition_of,
    "definition-of-plural": _definition_of_plural,
    "own-definition": _own_definition,
}
