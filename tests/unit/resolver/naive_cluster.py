"""Objects as an API server has them, and what is broken among them, said without the project's own judge."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import msgspec

from schemas.events import ResourceState
from schemas.identity import ResourceId
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from schemas.ties import DECLARATION, DRIFT_FACT, WORDS_IN, is_tied_body, with_words
from services.chassis.kubernetes.declaration import MANAGER, drift_of, with_declaration, with_other_words
from tests.kit.extractors import extractor_for
from tests.kit.manifests import Manifest, without_uid

CATALOGUE = load_catalogue()
EXTRACTOR = extractor_for(builtin_surface())


@dataclass
class Cluster:
    """Objects as an API server has them, and what the changes broke."""

    objects: dict[ResourceId, Manifest] = field(default_factory=dict)
    version: int = 0
    broken: list[str] = field(default_factory=list)

    def put(self, manifest: Manifest, uid: str = "") -> ResourceState:
        """Write an object; a new one gets a uid."""
        self.version += 1
        key = EXTRACTOR.key(manifest)
        old = self.objects.get(key.id)
        kept = uid or (old["metadata"]["uid"] if old else f"uid-{self.version}")
        metadata = {**manifest["metadata"], "uid": kept, "resourceVersion": str(self.version)}
        self.objects[key.id] = {**manifest, "metadata": metadata}
        return self.state(key.id)

    def declare(self, manifest: Manifest) -> ResourceState:
        """Write an object as our executor does: it says what was declared, and whose its fields are."""
        rows = [{"manager": MANAGER, "operation": "Apply", "fieldsV1": _fields(without_uid(manifest))}]
        metadata = {name: one for name, one in manifest["metadata"].items() if name != "managedFields"}
        answer = {**manifest, "metadata": {**metadata, "managedFields": rows}}
        return self.put(with_declaration(answer, answer, lambda body: body))

    def edit(self, resource: ResourceId, *path: str, value: Any) -> ResourceState:
        """Somebody writes one field past us: it is theirs from then on. None: it goes."""
        made = copy.deepcopy(self.objects[resource])
        for root, steps in ((made, path), (_ours(made), [f"f:{step}" for step in path])):
            parent = reduce(lambda inner, step: inner.setdefault(step, {}), steps[:-1], root)
            parent.pop(steps[-1], None)
            if root is made and value is not None:
                parent[steps[-1]] = value
        return self.put(made)

    def annotate(self, manifest: Manifest) -> ResourceState:
        """Write words on an object, which stays as it is."""
        live, words = self.objects[EXTRACTOR.key(manifest).id], manifest["metadata"]
        made = with_words(live, words.get("labels"), words.get("annotations"))
        for where in ("labels", "annotations"):
            kept = {name: text for name, text in (made["metadata"].pop(where, None) or {}).items() if text}
            made["metadata"] |= {where: kept} if kept else {}
        known = with_other_words(made, live)
        if known is None and not is_tied_body(made):  # of no set any more: nothing was declared that could drift
            (made["metadata"].get("annotations") or {}).pop(DECLARATION, None)
        return self.put(known or made)

    def remove(self, resource: ResourceId) -> None:
        self.version += 1
        del self.objects[resource]

    def state(self, resource: ResourceId) -> ResourceState:
        """As the watcher says it."""
        found, drift = EXTRACTOR.state(self.objects[resource]), drift_of(self.objects[resource])
        return msgspec.structs.replace(found, facts={**found.facts, DRIFT_FACT: drift}) if drift else found

    def unmet(self, resource: ResourceId) -> list[str]:
        """What a present object needs and does not have, said without the project's own judge."""
        body = self.objects.get(resource)
        if body is None:
            return []
        spec = body.get("spec", {})
        if body["kind"] == "Deployment" and spec.get("replicas", 1):
            secrets = [one["secret"]["secretName"] for one in spec["template"]["spec"].get("volumes", ())]
            return [name for name in secrets if ResourceId(f"Secret/shop/{name}") not in self.objects]
        return []

    def served(self, service: ResourceId) -> bool:
        """A Service has a Deployment of its label with replicas."""
        wanted = self.objects[service]["spec"]["selector"]["app"]
        return any(
            one["kind"] == "Deployment"
            and one["spec"]["replicas"]
            and one["spec"]["template"]["metadata"]["labels"]["app"] == wanted
            for one in self.objects.values()
        )

    def complaints(self) -> set[str]:
        """Everything that is broken now."""
        found = {f"{one} misses {name}" for one in self.objects for name in self.unmet(one)}
        services = [one for one in self.objects if one.startswith("Service/")]
        return found | {f"{one} selects nothing" for one in services if not self.served(one)}


def _fields(value: Any) -> dict[str, Any]:
    """What whoever applies this owns (FieldsV1); a list as a whole."""
    named = ("apiVersion", "kind", "name", "namespace")
    if not isinstance(value, dict):
        return {}
    return {f"f:{name}": _fields(one) for name, one in value.items() if name not in named or isinstance(one, dict)}


def _ours(body: Manifest) -> dict[str, Any]:
    rows = body["metadata"].get("managedFields") or [{"fieldsV1": {}}]
    found: dict[str, Any] = rows[0]["fieldsV1"]
    return found


def words_before(manifest: Manifest) -> Manifest:
    """An object's words of ours, and "" for those that it did not carry: to be written again."""
    metadata = {**manifest["metadata"]}
    for where, names in WORDS_IN.items():
        metadata[where] = {name: (manifest["metadata"].get(where) or {}).get(name, "") for name in names}
    return {**manifest, "metadata": metadata}
