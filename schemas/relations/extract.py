"""Object → its state: identity, references, parts, facts. One pass, used live by the watcher and offline. Pure.

What can be known of a kind is worked out once (plan.py), so an object costs one way through its fields. Values of
ConfigMaps and Secrets end here: their keys become parts, and the digest of a confidential object is taken over key
names only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from schemas.events import ResourceState, ServedKind
from schemas.identity import KindId, ResourceKey
from schemas.kinds import Surface
from schemas.relations.fixed import FixedFields
from schemas.relations.loader import Catalogue
from schemas.relations.plan import Plan
from schemas.relations.quick import Written
from schemas.relations.reading import KINDS_MAX
from schemas.relations.resting import Resting, kept_of, mark_of
from schemas.relations.run import Rested, Run

_MAPPINGS: Final = (dict, Mapping)  # nearly all are dicts, and that is asked for in no time
_NOTHING: Final[dict[str, Any]] = {}
_encode: Final = msgspec.json.Encoder(order="sorted").encode
_new_hash: Final = hashlib.blake2b(digest_size=12).copy  # a copy costs less than a new one


class Extractor:
    """The rules of a catalogue, ready for the kinds of one site."""

    def __init__(self, catalogue: Catalogue, surface: Surface, resting: Resting | None = None) -> None:
        """`resting`: for who reads the same objects again and again, and nobody else, since it belongs to this site."""
        self._resting = resting
        self._catalogue = catalogue
        self._surface = with_packs(surface, catalogue)
        self._plans: dict[tuple[str, str], Plan] = {}
        self._fixed: dict[KindId, FixedFields] = {}

    def key(self, body: Mapping[str, Any]) -> ResourceKey:
        """The identity; a cluster-scoped object loses its namespace, as at the API server."""
        plan = self._plan(body)
        run = _begun(plan, body)
        return ResourceKey(plan.group, plan.kind, run.namespace, run.name)

    def state(self, body: Mapping[str, Any]) -> ResourceState:
        """The whole state, without values."""
        plan = self._plan(body)
        return self._read(plan, _begun(plan, body), 0)

    def seen(
        self, body: dict[str, Any], fields: Mapping[str, Raw], decode: Callable[[Raw], Any]
    ) -> tuple[ResourceState, bool]:
        """The same of an object as it came, and whether any reference was read: what rests is decoded up to its status.

        body    its apiVersion, its kind and its metadata; what else is looked at is put there
        """
        plan = self._plan(body)
        run, mark = _begun(plan, body), 0
        if self._resting is not None and plan.rests_in_bytes:
            mark = mark_of(body, fields, run.kept)
            rested = self._resting.find_marked(run.resource, mark)
            if rested is not None:
                if "status" in fields:
                    body["status"] = decode(fields["status"])
                state = _again(plan, run, rested)
                return state, bool(run.found)
        for name, raw in fields.items():
            if name not in body:
                body[name] = decode(raw)
        return self._read(plan, run, mark), True

    def written(self, version: str, kind: str, one: Written) -> tuple[ResourceState, bool] | None:
        """The same of an object that stands in its bytes yet; None: it is to be decoded, and read as any other."""
        plan = self._plan_of((version, kind))
        run, mark = plan.quick.begin(version, kind, one), 0
        if run is None:
            return None
        if self._resting is not None and plan.rests_in_bytes:
            mark = one.mark(version, kind)
            rested = self._resting.find_marked(run.resource, mark)
            if rested is not None:
                return _again(plan, run, rested), bool(run.found)
        digest = plan.quick.digest(version, kind, one)
        if digest is None:
            return None
        state = self._recall(plan, run, digest, mark)
        if state is None:
            run.values = [None] * plan.facts.slots_count
            if not plan.quick.walk(one, run):
                return None
            plan.finish(run)
            state = self._keep(plan, run, digest, mark)
        return state, True

    def _read(self, plan: Plan, run: Run, mark: int) -> ResourceState:
        """All of it, but for what its digest says is kept. `mark`: of its bytes (0: unknown)."""
        digest = _digest(run, plan.confidential)
        state = self._recall(plan, run, digest, mark)
        if state is not None:
            return state
        run.values = [None] * plan.facts.slots_count
        plan.read(run)
        return self._keep(plan, run, digest, mark)

    def _recall(self, plan: Plan, run: Run, digest: str, mark: int) -> ResourceState | None:
        """The state of an object whose digest says that all of it is kept."""
        resting = self._resting if plan.rests else None
        rested = None if resting is None else resting.find(run.resource, digest)
        if resting is None or rested is None:
            return None
        if mark:
            resting.keep(run.resource, msgspec.structs.replace(rested, mark=mark))
        return _again(plan, run, rested)

    def _keep(self, plan: Plan, run: Run, digest: str, mark: int) -> ResourceState:
        """The state of an object that was read up to what changes by itself."""
        resting = self._resting if plan.rests else None
        values = plan.stating.said(run) if resting is not None else ()
        found, run.found = run.found, []
        plan.read_moving(run)
        rested = plan.stating.rested(run, digest, found, values, plan.grants(run), mark)
        if resting is not None:
            resting.keep(run.resource, rested)
        return plan.stating.told(run, rested)

    def fixed(self, old: Mapping[str, Any], new: Mapping[str, Any], *, whole: bool = False) -> tuple[str, ...]:
        """Paths of immutable fields that `new` would change; `whole`: it is all that the object would say."""
        return self._fixed_fields(new).changed(old, new, whole=whole)

    def bare(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object without fields that say what their absence means."""
        return self._fixed_fields(body).bare(body)

    def _fixed_fields(self, body: Mapping[str, Any]) -> FixedFields:
        kind = self.key(body).kind_id
        found = self._fixed.get(kind)
        if found is None:
            found = self._fixed[kind] = FixedFields(self._catalogue.kinds.get(kind))
        return found

    def _plan(self, body: Mapping[str, Any]) -> Plan:
        version, kind = body.get("apiVersion"), body.get("kind")
        if not (isinstance(version, str) and isinstance(kind, str)):
            version, kind = str(version or ""), str(kind or "")
        return self._plan_of((version, kind))

    def _plan_of(self, key: tuple[str, str]) -> Plan:
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) >= KINDS_MAX:
                self._plans.clear()
            found = self._plans[key] = Plan(*key, self._catalogue, self._surface)
        return found


def _again(plan: Plan, run: Run, rested: Rested) -> ResourceState:
    """The state of an object of which this is known: what changes by itself is read now."""
    run.values = [*rested.values]
    plan.read_moving(run)
    return plan.stating.told(run, rested)


def _begun(plan: Plan, body: Mapping[str, Any]) -> Run:
    """An object of which only its identity was read."""
    metadata = body.get("metadata")
    if not isinstance(metadata, _MAPPINGS):
        metadata = _NOTHING
    namespace = str(metadata.get("namespace") or "")
    if plan.namespaced is not None:
        namespace = (namespace or "default") if plan.namespaced else ""
    name = str(metadata.get("name") or metadata.get("generateName") or "")
    resource: Any = f"{plan.head}/{namespace}/{name}" if namespace else f"{plan.head}/{name}"
    return Run(namespace, name, body, [], [], resource, metadata, kept_of(metadata))


def with_packs(surface: Surface, catalogue: Catalogue) -> Surface:
    """What the site serves, and what the catalogue knows of custom kinds that it does not serve (yet)."""
    known = [
        ServedKind(kind, facts.plural, (), facts.namespaced)
        for kind, facts in catalogue.kinds.items()
        if facts.plural and surface.find(kind) is None
    ]
    return Surface((*surface.served.values(), *known)) if known else surface


def _digest(run: Run, confidential: bool) -> str:
    rest: dict[str, Any] = {**run.body, "metadata": run.kept}
    rest.pop("status", None)
    if confidential:
        rest = {name: sorted(one) if isinstance(one, dict) else one for name, one in rest.items()}
        # kubectl's last-applied annotation repeats the values
        rest["metadata"] = {name: one for name, one in run.kept.items() if name != "annotations"}
    hashed = _new_hash()
    hashed.update(_encode(rest))
    return hashed.hexdigest()
