"""Manifests of one site → what its resolver would know: surface, live graph, evidence.

The rules are those of verdicts.md, "Offline": evidence is complete and fresh unless a flaw says otherwise, a manifest
without a namespace is in `default`, a namespace is there when it or anything in it is, a kind is served when it is
built in, defined by a CRD, or when the directory holds an object of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from msgspec import structs

from cheops.forms import cel
from cheops.forms.validations import has_rules
from cheops.offline.kustomize import all_manifests
from cheops.offline.unnamed import FORMER, with_names
from cheops.offline.usage import counted_quotas
from schemas.documents import Document, DocumentError
from schemas.events import ResourceEvent, ResourceState, ServedKind
from schemas.identity import IdentityError, KindId, ResourceId, ResourceKey, SiteName, kind_id, resource_id, split_kind
from schemas.kinds import Surface
from schemas.relations.ambient import ambient_resources
from schemas.relations.extract import Extractor
from schemas.relations.loader import Catalogue
from schemas.relations.selector import NAME_LABEL
from schemas.relations.surface import BUILTIN_VERSION, builtin_surface, surface_with_crds
from schemas.verdicts import Evidence
from services.resolver.graph.store import Graph

NAMESPACE: Final = KindId("Namespace")
POLICY: Final = "ValidatingAdmissionPolicy"
STALE_FACTOR: Final = 360.0  # a stale site was last heard this many bounds ago: an hour for the default of 10 s


@dataclass(frozen=True, slots=True)
class Flaws:
    """What is wrong with the knowledge of a site. `blind`: kinds by resource name, as `secrets`, `gateways.x.io`."""

    stale: bool = False
    unreachable: bool = False
    blind: tuple[str, ...] = ()


@dataclass(slots=True)
class OfflineSite:
    """One site as its manifests show it. `bodies`: the objects, for merging; `documents`: where they stand."""

    name: SiteName
    surface: Surface
    extractor: Extractor
    graph: Graph
    flaws: Flaws
    blind: tuple[KindId, ...] = ()
    bodies: dict[ResourceId, dict[str, Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    documents: Sequence[Document] = ()

    def evidence(self, bound_s: float) -> Evidence:
        """What a verdict may rest on here."""
        age_s = None if self.flaws.unreachable else bound_s * STALE_FACTOR if self.flaws.stale else 0.0
        return Evidence(
            site=self.name,
            epoch=0,
            seq=self.graph.resource_count,
            age_s=age_s,
            bound_s=bound_s,
            observed=len(self.surface.served) - len(self.blind),
            blind=self.blind,
            fresh=age_s is not None and age_s <= bound_s,
        )


def load_site(
    name: SiteName,
    paths: Sequence[Path],
    catalogue: Catalogue,
    flaws: Flaws = Flaws(),
    kubernetes: str = BUILTIN_VERSION,
) -> OfflineSite:
    """Read a site's manifests. Raises DocumentError (file, line), IdentityError for an unknown blind kind."""
    return site_of(name, all_manifests(paths), catalogue, flaws, kubernetes)


def site_of(
    name: SiteName,
    documents: Sequence[Document],
    catalogue: Catalogue,
    flaws: Flaws = Flaws(),
    kubernetes: str = BUILTIN_VERSION,
) -> OfflineSite:
    """The same for manifests that were read already."""
    for one in documents:
        one.check_object()
    documents = with_names(documents, FORMER)
    surface = _surface(documents, kubernetes, catalogue)
    extractor = _extractor(catalogue, tuple(surface.served.values()))
    site = OfflineSite(name, surface, extractor, Graph(name), flaws, _blind(name, flaws, surface), documents=documents)
    site.graph.apply(ResourceEvent(op="surface", surface=tuple(surface.served.values())))
    namespaces = {"default", "kube-system", "kube-public", "kube-node-lease"}
    for one in documents:
        state = _state(one, extractor)
        if state.resource in site.bodies:
            site.warnings.append(f"{one.file}:{one.line}: {state.resource} stands twice at {name}; the last one counts")
        site.bodies[state.resource] = one.body
        _put(site.graph, state)
        key = ResourceKey.parse(state.resource)
        namespaces.add(key.name if key.kind_id == NAMESPACE else key.namespace)
    if not cel.is_installed() and any(map(_asks_in_cel, site.bodies.values())):
        site.warnings.append(f"rules in CEL are not read at {name} ({cel.REMEDY})")
    _fill_in(site.graph, namespaces - {""})
    for quota in list(counted_quotas(site.graph, site.bodies)):
        _put(site.graph, quota)
    return site


def _asks_in_cel(body: Mapping[str, Any]) -> bool:
    kind = body.get("kind")
    return kind == POLICY or (kind == "CustomResourceDefinition" and has_rules(body))


@lru_cache(maxsize=8)
def _extractor(catalogue: Catalogue, served: tuple[ServedKind, ...]) -> Extractor:
    """One for sites that serve the same: to work out what can be known of their kinds takes longer than a verdict."""
    return Extractor(catalogue, Surface(served))


def _surface(documents: Iterable[Document], kubernetes: str, catalogue: Catalogue) -> Surface:
    definitions = [one.body for one in documents if one.body["kind"] == "CustomResourceDefinition"]
    surface = surface_with_crds(builtin_surface(kubernetes), definitions)
    held: dict[KindId, ServedKind] = {}
    for one in documents:
        group, _, version = one.body["apiVersion"].rpartition("/")
        kind = kind_id(group, one.body["kind"])
        if surface.find(kind) is not None or kind in held:
            continue
        held[kind] = held_kind(kind, version, catalogue)
    return Surface([*surface.served.values(), *held.values()]) if held else surface


def held_kind(kind: KindId, version: str, catalogue: Catalogue) -> ServedKind:
    """A kind of which objects are held and no definition: as the catalogue knows it, else by the usual plurals."""
    known = catalogue.kinds.get(kind)
    if known is not None and known.plural:
        return ServedKind(kind, known.plural, (version,), known.namespaced, kind.rpartition("/")[2].lower())
    bare = kind.rpartition("/")[2]
    singular = bare.lower()
    plural = f"{singular[:-1]}ies" if singular[-1:] == "y" and singular[-2:-1] not in "aeiou" else f"{singular}s"
    return ServedKind(kind, plural, (version,), not bare.startswith("Cluster"), singular)


def with_kin(site: OfflineSite, manifests: Iterable[Mapping[str, Any]], catalogue: Catalogue) -> Surface:
    """Its surface, and what the definitions that nobody keeps there may serve besides what is held.

    Of a kind that is held without one another version, and other known kinds of its group: they are installed together.
    """
    served = site.surface.served
    groups = {split_kind(kind)[0] for kind in served}
    defined = {split_kind(kind)[0] for kind, one in served.items() if _definition(kind, one.plural) in site.bodies}
    groups -= defined | {one for one in groups if site.surface.is_built_in(one)}
    more: dict[KindId, ServedKind] = {}
    for manifest in manifests:
        group, _, version = str(manifest.get("apiVersion")).rpartition("/")
        kind = kind_id(group, str(manifest.get("kind"))) if group in groups else None
        if kind is None or not (kind in served or kind in catalogue.kinds):
            continue
        known = more.get(kind) or served.get(kind) or held_kind(kind, version, catalogue)
        if kind not in served or version not in known.versions:
            more[kind] = structs.replace(known, versions=tuple(dict.fromkeys((*known.versions, version))))
    return Surface({**served, **more}.values()) if more else site.surface


def _definition(kind: KindId, plural: str) -> ResourceId:
    return ResourceId(f"apiextensions.k8s.io/CustomResourceDefinition/{plural}.{split_kind(kind)[0]}")


def _blind(name: SiteName, flaws: Flaws, surface: Surface) -> tuple[KindId, ...]:
    kinds = []
    for text in flaws.blind:
        try:
            kinds.append(surface.kind(text))
        except IdentityError as error:
            raise IdentityError(f"--blind {name}={text}: {error}") from error
    return tuple(sorted(set(kinds)))


def _state(document: Document, extractor: Extractor) -> ResourceState:
    state = extractor.state(document.body)
    try:
        ResourceKey.parse(state.resource)
    except IdentityError as error:
        line = document.line_of(("metadata", "name"))
        raise DocumentError(document.file, line, f"metadata.name: {error}") from error
    return state


def _fill_in(graph: Graph, namespaces: set[str]) -> None:
    """What every cluster has, and the namespaces that are there because something is in them."""
    implied = [
        ResourceState(resource_id("", "Namespace", "", one), labels={NAME_LABEL: one}) for one in sorted(namespaces)
    ]
    more: dict[ResourceId, ResourceState] = {}
    for state in (*implied, *ambient_resources(namespaces)):
        if graph.find(state.resource) is None:
            more.setdefault(state.resource, state)
    graph.put(more.values())


def _put(graph: Graph, state: ResourceState) -> None:
    graph.apply(ResourceEvent(op="put", state=state))


def placed(body: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """A manifest with the namespace that `-n` gives it, where it names none."""
    metadata = body["metadata"]
    if not namespace or metadata.get("namespace"):
        return dict(body)
    return {**body, "metadata": {**metadata, "namespace": namespace}}
