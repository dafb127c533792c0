"""Object → its state: identity, references, parts, facts. One pass, used live by the watcher and offline. Pure.

Rules are compiled once per kind to closures. Values of ConfigMaps and Secrets end here: their keys become parts, and
the digest of a confidential object is taken over key names only. Whatever is malformed is read as absent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from schemas.events import LabelSelector, Reference, ResourceState, Selector
from schemas.identity import KindId, ResourceId, ResourceKey, kind_id, resource_id, split_kind
from schemas.kinds import Surface
from schemas.relations.facts import Facts
from schemas.relations.loader import ANY_KIND, Catalogue, MountedRule
from schemas.relations.path import Walk, compile_path, first, values
from schemas.relations.selector import from_object, labels_of

_SERVER_SET: Final = frozenset(
    ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp")
)
_NOTHING: Final[dict[str, str]] = {}
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class _Compiled:
    mounted: MountedRule
    walks: tuple[Walk, ...]
    parts: tuple[tuple[str, Walk], ...]
    optional: Walk | None
    soft: Walk | None
    name: Walk | None
    namespace: Walk | None
    kind: Walk | None
    group: Walk | None
    uid: Walk | None
    selector: Walk | None
    namespaces: Walk | None
    namespace_selector: Walk | None
    when: tuple[tuple[Walk, tuple[str, ...]], ...]


class Extractor:
    """The rules of a catalogue, ready for the kinds of one site."""

    def __init__(self, catalogue: Catalogue, surface: Surface) -> None:
        self._catalogue = catalogue
        self._surface = surface
        self._compiled: dict[KindId, tuple[_Compiled, ...]] = {}
        self._facts: dict[KindId, Facts] = {}

    def key(self, body: Mapping[str, Any]) -> ResourceKey:
        """The identity; a cluster-scoped object loses its namespace, as at the API server."""
        metadata = body.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        group = str(body.get("apiVersion") or "").rpartition("/")[0]
        kind = str(body.get("kind") or "")
        namespace = str(metadata.get("namespace") or "")
        served = self._surface.find(kind_id(group, kind))
        if served is not None:
            namespace = (namespace or "default") if served.namespaced else ""
        return ResourceKey(group, kind, namespace, str(metadata.get("name") or metadata.get("generateName") or ""))

    def state(self, body: Mapping[str, Any]) -> ResourceState:
        """The whole state, without values."""
        key = self.key(body)
        metadata = body.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        facts = self._facts_of(key.kind_id)
        values_ = facts.read(body)
        return ResourceState(
            resource=key.id,
            version=str(body.get("apiVersion") or "v1").rpartition("/")[2],
            uid=str(metadata.get("uid") or ""),
            resource_version=str(metadata.get("resourceVersion") or ""),
            digest=_digest(body, facts.confidential),
            deleting=metadata.get("deletionTimestamp") is not None,
            labels=labels_of(metadata.get("labels")),
            template_labels=facts.template_labels(body),
            references=tuple(self._references(body, key)),
            parts=facts.parts(body),
            facts=values_,
            finalizers=tuple(map(str, _list(metadata.get("finalizers")))),
        )

    def _facts_of(self, kind: KindId) -> Facts:
        found = self._facts.get(kind)
        if found is None:
            found = self._facts[kind] = Facts(self._catalogue.kinds.get(kind))
        return found

    # ── references ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _rules(self, kind: KindId) -> tuple[_Compiled, ...]:
        found = self._compiled.get(kind)
        if found is None:
            rules = (*self._catalogue.rules.get(kind, ()), *self._catalogue.rules.get(KindId(ANY_KIND), ()))
            found = self._compiled[kind] = tuple(map(_compile, rules))
        return found

    def _references(self, body: Mapping[str, Any], source: ResourceKey) -> Iterator[Reference]:
        for rule in self._rules(source.kind_id):
            for walk in rule.walks:
                for path, value in walk(body, ""):
                    yield from self._of_rule(rule, path, value, source, body)
        yield from self._containers(source, str(body.get("apiVersion") or "").rpartition("/")[2])

    def _containers(self, source: ResourceKey, version: str) -> Iterator[Reference]:
        """Row 42: the namespace; row 41: the definition of a custom kind, with the version."""
        if source.namespace:
            target = resource_id("", "Namespace", "", source.namespace)
            yield Reference("object.namespace", "metadata.namespace", "containment", "AL", target)
        served = self._surface.find(source.kind_id)
        if served is not None and "." in source.group and not source.group.endswith(".k8s.io"):
            target = resource_id(
                "apiextensions.k8s.io", "CustomResourceDefinition", "", f"{served.plural}.{source.group}"
            )
            yield Reference(
                "object.definition", "apiVersion", "containment", "AL", target, granule=f"version:{version}"
            )

    def _of_rule(
        self, rule: _Compiled, path: str, value: Any, source: ResourceKey, body: Mapping[str, Any]
    ) -> Iterator[Reference]:
        if not all(str(first(walk, value)) in allowed for walk, allowed in rule.when):
            return
        made = self._target(rule, value, source, body)
        if made is None:
            return
        target, selector, where = made
        spec = rule.mounted.rule
        optional = first(rule.optional, value) is True if rule.optional else spec.optional is True
        granules = [f"{part}:{one}" for part, walk in rule.parts for one in values(walk, value)]
        for granule in granules or [""]:
            yield Reference(
                rule=spec.rule,
                path=f"{path}.{where}" if where and isinstance(value, dict) else path,
                relation=spec.kind_of_relation,
                phases=spec.phase_letters,
                target=target,
                selector=selector,
                uid=str(first(rule.uid, value) or "") if rule.uid else "",
                granule=granule,
                optional=optional,
                soft=self._soft(rule, value),
                confidence=spec.confidence,
                needs_permission=spec.needs_permission,
            )

    def _soft(self, rule: _Compiled, value: Any) -> bool:
        spec = rule.mounted.rule
        return str(first(rule.soft, value)) in spec.soft_when if rule.soft else spec.soft is True

    def _target(
        self, rule: _Compiled, value: Any, source: ResourceKey, body: Mapping[str, Any]
    ) -> tuple[ResourceId, Selector | None, str] | None:
        to = rule.mounted.rule.to
        kind = self._kind(rule, value)
        if kind is None:
            return None
        if rule.selector is not None:
            selector = self._selector(rule, kind, value, source)
            return None if selector is None else (ResourceId(""), selector, to.selector or "")
        name = first(rule.name, value) if rule.name else None
        if name is None or name == "":
            name = to.default
        skip = rule.mounted.rule.skip
        if not isinstance(name, str) or not name or "/" in name or (skip and name.startswith(skip)):
            return None
        namespace = self._namespace(rule, kind, value, source)
        group, bare = split_kind(kind)
        return resource_id(group, bare, namespace, to.prefix + name), None, to.name

    def _kind(self, rule: _Compiled, value: Any) -> KindId | None:
        to = rule.mounted.rule.to
        if rule.kind is None:
            return KindId(to.kind)
        kind = first(rule.kind, value)
        if not isinstance(kind, str) or not kind:
            return KindId(to.kind) if to.kind else None
        group = first(rule.group, value) if rule.group else ""
        group = group if isinstance(group, str) else ""
        if "/" in group or to.group_from.endswith("apiVersion"):
            group = group.rpartition("/")[0]
        found = kind_id(group, kind)
        return found if not to.kinds or found in to.kinds else None

    def _namespace(self, rule: _Compiled, kind: KindId, value: Any, source: ResourceKey) -> str:
        to = rule.mounted.rule.to
        served = self._surface.find(kind)
        if to.namespace == "cluster" or (served is not None and not served.namespaced):
            return ""
        if rule.namespace is not None:
            named = first(rule.namespace, value)
            return named if isinstance(named, str) and named else source.namespace
        return source.namespace

    def _selector(self, rule: _Compiled, kind: KindId, value: Any, source: ResourceKey) -> Selector | None:
        assert rule.selector is not None, "asked only for rules with a selector"
        to = rule.mounted.rule.to
        raw = first(rule.selector, value)
        if raw is None:
            if to.absent == "nothing":
                return None
            labels: LabelSelector | None = LabelSelector()
        elif not raw:
            labels = None if to.empty == "nothing" else LabelSelector()
        else:
            labels = LabelSelector(labels_of(raw)) if to.form == "labels" else from_object(raw)
        if labels is None:
            return None
        namespaces, of_labels = self._where(rule, kind, value, source)
        return Selector(kind, namespaces, labels, of_labels)

    def _where(
        self, rule: _Compiled, kind: KindId, value: Any, source: ResourceKey
    ) -> tuple[tuple[str, ...], LabelSelector | None]:
        served = self._surface.find(kind)
        if served is not None and not served.namespaced:
            return (), None
        named = tuple(map(str, _list(first(rule.namespaces, value)))) if rule.namespaces else ()
        chosen = first(rule.namespace_selector, value) if rule.namespace_selector else None
        if chosen is not None:
            of_labels = from_object(chosen)
            if of_labels == LabelSelector():
                return (), None
            return named, of_labels
        return named or (source.namespace,), None


def _compile(mounted: MountedRule) -> _Compiled:
    rule, to = mounted.rule, mounted.rule.to

    def walk(path: str | bool | None) -> Walk | None:
        return compile_path(path) if isinstance(path, str) and path else None

    return _Compiled(
        mounted=mounted,
        walks=tuple(map(compile_path, mounted.at)),
        parts=tuple((part, compile_path(path)) for part, paths in rule.parts.items() for path in paths),
        optional=walk(rule.optional),
        soft=walk(rule.soft),
        name=compile_path("" if to.name == "." else to.name) if to.name else None,
        namespace=walk(to.namespace) if to.namespace not in ("same", "cluster", "self") else None,
        kind=walk(to.kind_from),
        group=walk(to.group_from),
        uid=walk(to.uid),
        selector=None if to.selector is None else compile_path("" if to.selector == "." else to.selector),
        namespaces=walk(to.namespaces),
        namespace_selector=walk(to.namespace_selector),
        when=tuple((compile_path(path), allowed) for path, allowed in rule.when.items()),
    )


def _digest(body: Mapping[str, Any], confidential: bool) -> str:
    metadata = body.get("metadata")
    kept = (
        {name: one for name, one in metadata.items() if name not in _SERVER_SET} if isinstance(metadata, dict) else {}
    )
    rest: dict[str, Any] = {name: one for name, one in body.items() if name not in ("metadata", "status")}
    if confidential:
        rest = {name: sorted(one) if isinstance(one, dict) else one for name, one in rest.items()}
        kept.pop("annotations", None)  # kubectl's last-applied annotation repeats the values
    return hashlib.blake2b(_encode({"metadata": kept, **rest}), digest_size=12).hexdigest()


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
