"""Intent → changes that can be judged: names become identities, manifests become states. Pure.

Everything that is wrong with the intent itself is collected as problems (D001, D010, D012, D600, D601); the judge
turns them into one verdict. Values of Secrets and ConfigMaps end here: a state has key names only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from schemas.events import ResourceState, ServedKind
from schemas.identity import IdentityError, KindId, ResourceId, ResourceKey, SiteName, kind_id, resource_id
from schemas.intents import Intent
from schemas.kinds import Surface, UnknownKindError, not_served_at
from schemas.rehearsals import RehearsalAnswer, RehearsedChange, RehearsedResult
from schemas.relations.extract import Extractor
from schemas.ties import is_declared
from schemas.untyped import rows_of
from services.resolver.judge.case import Change, Problem
from services.resolver.judge.demand import demand_of
from services.resolver.judge.findings import named
from services.resolver.judge.standards import beyond

Manifest = Mapping[str, Any]
NEVER_KEPT: Final = frozenset(
    map(
        KindId,
        (
            "Binding",
            "authentication.k8s.io/SelfSubjectReview",
            "authentication.k8s.io/TokenRequest",
            "authentication.k8s.io/TokenReview",
            "authorization.k8s.io/LocalSubjectAccessReview",
            "authorization.k8s.io/SelfSubjectAccessReview",
            "authorization.k8s.io/SelfSubjectRulesReview",
            "authorization.k8s.io/SubjectAccessReview",
            "autoscaling/Scale",
            "policy/Eviction",
        ),
    )
)  # nobody lists or watches them


class Intake(Struct, frozen=True):
    """An intent made concrete. `manifests`: by resource, with the namespace filled in."""

    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    manifests: Mapping[ResourceId, dict[str, Any]]

    @property
    def rehearsable(self) -> tuple[RehearsedChange, ...]:
        """What the API server can be asked to try first; nothing when the intent is already known to be wrong."""
        if self.problems:
            return ()
        return tuple(
            RehearsedChange(
                action=change.action,
                resource=change.resource,
                version=change.version,
                manifest=self.manifests[change.resource],
                forced=change.forced,
            )
            for change in self.changes
            if change.resource in self.manifests and change.action != "annotate"
        )

    def without(self, settled: Set[ResourceId]) -> Intake:
        """What is still to be done."""
        if not settled:
            return self
        return structs.replace(self, changes=tuple(change for change in self.changes if change.resource not in settled))

    def but(self, problems: Sequence[Problem]) -> Intake:
        """The same, to be denied or put off for these."""
        return structs.replace(self, problems=(*self.problems, *problems))

    def rehearsed(self, answer: RehearsalAnswer) -> Intake:
        """The same with the API server's word taken in."""
        results = {result.resource: result for result in answer.results}
        changes = tuple(_with_result(change, results.get(change.resource)) for change in self.changes)
        return Intake(changes, self.problems, self.manifests)


def overtaken(resource: ResourceId, by: str, *, is_gone: bool = False) -> Problem:
    """What a deferred intent is about, and another one that was entered later has declared or deleted since."""
    what = "deleted later" if is_gone else "declared later"
    stays = "it stays away" if is_gone else "that stays"
    return Problem("D512", f"{named(resource)} was {what}, by intent {by}: {stays}", resource)


def overtaking(resource: ResourceId, by: str) -> Problem:
    """The same while that one is under way: how it ends decides."""
    return Problem("F510", f"intent {by}, which was entered later, changes {named(resource)}", resource, by)


def given_up(requester: str) -> Problem:
    """Somebody cancels a deferred intent."""
    return Problem("D012", f"given up by {requester or 'somebody'}")


def take_in(intent: Intent, site: SiteName, surface: Surface, extractor: Extractor, now: datetime) -> Intake:
    """Resolve and shape everything that the intent names."""
    problems = _of_the_intent(intent, site, now)
    marks = tuple(Change(ResourceId(one.resource), "annotate") for one in intent.marks)
    changes, manifests, more = _shaped(intent, surface, extractor)
    if intent.verb in ("delete", "read") or (intent.heal and intent.entry is None):
        named, unnamed = _named(intent, surface)
        changes, more = (*named, *changes), [*unnamed, *more]
    return Intake((*changes, *marks), (*problems, *more), manifests)


def _of_the_intent(intent: Intent, site: SiteName, now: datetime) -> list[Problem]:
    problems = []
    if intent.expires_at <= now:
        over, here = (one.isoformat(timespec="seconds") for one in (intent.expires_at, now))
        problems.append(Problem("D012", f"expired at {over}; by the clock of {site} it is {here}"))
    if intent.site != site:
        problems.append(Problem("D601", f"this is {site}, the intent was entered for {intent.site}"))
    return problems


def _named(intent: Intent, surface: Surface) -> tuple[tuple[Change, ...], list[Problem]]:
    changes: dict[ResourceId, Change] = {}
    problems = []
    for text in intent.resources:
        try:
            resource = surface.resolve(text, intent.namespace)
        except UnknownKindError as error:
            problems.append(Problem("D001", str(error)))
            continue
        except IdentityError as error:
            problems.append(Problem("D010", str(error)))
            continue
        served = surface.find(ResourceKey.parse(resource).kind_id)
        if served is None:
            problems.append(_not_served(ResourceKey.parse(resource), "", surface))
        version = served.versions[0] if served and served.versions else ""
        changes[resource] = Change(resource, intent.verb, version)
    return tuple(changes.values()), problems


def _shaped(
    intent: Intent, surface: Surface, extractor: Extractor
) -> tuple[tuple[Change, ...], dict[ResourceId, dict[str, Any]], list[Problem]]:
    changes: dict[ResourceId, Change] = {}
    manifests: dict[ResourceId, dict[str, Any]] = {}
    problems = []
    every = (*intent.manifests, *intent.brings)
    of_bundle = _served_by_bundle(every)
    for place, manifest in enumerate(every):
        checked = _check_form(manifest, f"manifests[{place}]")
        if isinstance(checked, Problem):
            problems.append(checked)
            continue
        try:
            placed = _place(manifest, intent.namespace, surface, extractor)
            state = extractor.state(placed)
            ResourceKey.parse(state.resource)
        except IdentityError as error:
            problems.append(Problem("D010", f"manifests[{place}]: {error}"))
            continue
        if state.resource in changes:
            problems.append(Problem("D010", f"manifests[{place}]: {state.resource} stands twice", state.resource))
            continue
        unserved = _check_served(state, surface, of_bundle)
        if unserved is not None:
            problems.append(unserved)
        action = intent.verb if place < len(intent.manifests) else "apply"
        changes[state.resource] = Change(
            state.resource,
            action,
            state.version,
            state,
            forced=intent.heal,
            demand=demand_of(placed),
            beyond=beyond(placed),
            basis=_basis(state),
        )
        manifests[state.resource] = placed
    return tuple(changes.values()), manifests, problems


def _basis(state: ResourceState) -> tuple[str, str]:
    """The uid and the version that a manifest was read at; what several sites have was read at one of them only."""
    return ("", "") if is_declared(state) else (state.uid, state.resource_version)


def _check_form(manifest: Manifest, where: str) -> Problem | None:
    for name in ("apiVersion", "kind"):
        if not isinstance(manifest.get(name), str) or not manifest[name]:
            return Problem("D010", f"{where}.{name}: missing (expected text, as in every Kubernetes object)")
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        return Problem("D010", f"{where}.metadata.name: missing (expected text)")
    if not isinstance(metadata.get("namespace") or "", str):
        return Problem("D010", f"{where}.metadata.namespace: expected text")
    for words in ("labels", "annotations"):  # those who share and replicate it read and write there
        if not isinstance(metadata.get(words) or {}, Mapping):
            return Problem("D010", f"{where}.metadata.{words}: expected a mapping")
    if manifest["kind"] == "Secret" and (hidden := _without_value(manifest)):
        return Problem("D010", f"{where}.{hidden}: no value (expected text; a Secret is printed without its values)")
    try:
        ResourceKey.parse(
            resource_id(manifest["apiVersion"].rpartition("/")[0], manifest["kind"], "", metadata["name"])
        )
    except IdentityError as error:
        return Problem("D010", f"{where}: {error}")
    return None


def _without_value(secret: Manifest) -> str:
    """A key of a Secret without a value, as it is printed: to write that would be to lose what is there."""
    for field in ("data", "stringData"):
        values = secret.get(field)
        for key, value in values.items() if isinstance(values, Mapping) else ():
            if value is None:
                return f"{field}.{key}"
    return ""


def _place(manifest: dict[str, Any], namespace: str, surface: Surface, extractor: Extractor) -> dict[str, Any]:
    """Fill in the namespace of a namespaced object that names none."""
    key = extractor.key(manifest)
    served = surface.find(key.kind_id)
    metadata = manifest["metadata"]
    if metadata.get("namespace") or (served is not None and not served.namespaced):
        return manifest
    if served is None and not key.namespace:
        return manifest
    return {**manifest, "metadata": {**metadata, "namespace": namespace or "default"}}


def _check_served(
    state: ResourceState, surface: Surface, of_bundle: Mapping[KindId, tuple[str, ...]]
) -> Problem | None:
    key = ResourceKey.parse(state.resource)
    served = surface.find(key.kind_id)
    brought = of_bundle.get(key.kind_id)
    if brought is not None:
        served = structs.replace(served or ServedKind(key.kind_id, "", ()), versions=brought)
    if served is not None and state.version in served.versions:
        return None
    return _not_served(key, state.version, surface, served)


def _not_served(key: ResourceKey, version: str, surface: Surface, served: ServedKind | None = None) -> Problem:
    if served is not None:
        message = not_served_at(served, version)
    elif key.kind_id in NEVER_KEPT:
        message = f"{key.kind_id} is nothing that an API server keeps: answered at once, it cannot be judged here"
    else:
        try:
            near = surface.kind(key.kind)
            message = f"{key.kind_id} is not served; {near} is"
        except UnknownKindError as error:
            message = f"{key.kind_id} is not served" + (f"; near: {', '.join(error.near)}" if error.near else "")
    return Problem("D001", message, key.id)


def _served_by_bundle(manifests: Iterable[Mapping[str, Any]]) -> dict[KindId, tuple[str, ...]]:
    """The versions of each kind that a CustomResourceDefinition of the bundle serves; the first one says it."""
    found: dict[KindId, tuple[str, ...]] = {}
    for manifest in manifests:
        spec = manifest.get("spec")
        if manifest.get("kind") != "CustomResourceDefinition" or not isinstance(spec, Mapping):
            continue
        names, group = spec.get("names"), spec.get("group")
        kind = names.get("kind") if isinstance(names, Mapping) else None
        if isinstance(group, str) and isinstance(kind, str):
            versions = (str(one.get("name")) for one in rows_of(spec.get("versions")) if one.get("served") is True)
            found.setdefault(kind_id(group, kind), tuple(versions))
    return found


def _with_result(change: Change, result: RehearsedResult | None) -> Change:
    if result is None or result.blocked:
        return change
    if result.status:
        words = "; ".join((result.message, *result.causes)) if result.message else f"status {result.status}"
        return structs.replace(change, refused=words, fixed=result.fixed)
    after = msgspec.convert(result.after, ResourceState) if result.after else change.after
    return structs.replace(change, after=after, unchanged=result.unchanged, anew=result.anew)
