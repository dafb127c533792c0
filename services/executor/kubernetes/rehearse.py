"""What would these changes do? Server-side dry runs, side by side, answered in their order; nothing is written.

The answer carries the shaped state (references, key names, never values). A refusal that rests on something which the
same bundle brings is `blocked`: the plan makes that first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from schemas.events import ResourceState
from schemas.identity import ResourceId, ResourceKey
from schemas.pods import template_of
from schemas.rehearsals import RehearsedChange, RehearsedResult
from services.chassis.errors import TransientError
from services.executor.kubernetes import manifests
from services.executor.kubernetes.apply import NO_DRY_RUN, OVERLOADS
from services.executor.kubernetes.cluster import Cluster
from services.executor.kubernetes.errors import ApiError, standing
from services.executor.kubernetes.manifests import Object
from services.executor.kubernetes.sharing import as_it_is, as_wanted, says_another_word
from services.executor.target import NotServedError

ASKED_AT_ONCE_MAX: Final = 16
WRITING: Final = ("create", "update", "apply")
_DEFINITION: Final = "apiextensions.k8s.io/CustomResourceDefinition"
INVALID: Final = 422
# How it says that a field cannot be changed; "immutable" is in most of its sentences.
_FIXED: Final = (
    "immutable",
    "may not change",
    "may not be changed",  # the value of a PriorityClass
    "may not add or remove",
    "cannot change",
    "are forbidden",
    "not be modified",
)
_LIMITED: Final = " usage per "  # `maximum cpu usage per Container is 1, but limit is 2`
_MISSING: Final = ("not found", "was found", "not served")  # `no PriorityClass with name night was found`


class Shapes(Protocol):
    """What is needed of schemas.relations.extract.Extractor."""

    def state(self, manifest: Object, /) -> ResourceState:
        """Object → the state that may travel, without values."""

    def fixed(self, old: Object, new: Object, /) -> tuple[str, ...]:
        """Paths of immutable fields that `new` would change."""


async def rehearse(cluster: Cluster, changes: Sequence[RehearsedChange], shapes: Shapes) -> tuple[RehearsedResult, ...]:
    """Raises TransientError when the API server cannot say: silence must not be taken for consent."""
    turns = asyncio.Semaphore(ASKED_AT_ONCE_MAX)
    brought = _Brought(changes)

    async def one(change: RehearsedChange) -> RehearsedResult | TransientError:
        async with turns:
            try:
                return await _rehearse_one(cluster, change, shapes, brought)
            except TransientError as error:
                return error

    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(one(change)) for change in changes]
    results = [task.result() for task in asked]
    for result in results:
        if isinstance(result, TransientError):
            raise result
    return tuple(result for result in results if isinstance(result, RehearsedResult))


async def _rehearse_one(
    cluster: Cluster, change: RehearsedChange, shapes: Shapes, brought: _Brought
) -> RehearsedResult:
    resource = change.resource
    if change.action not in WRITING:
        return RehearsedResult(resource=resource)
    live: Object | None = None
    try:
        key = ResourceKey.parse(resource)
        place = await cluster.locate(key, change.version)
        live = await cluster.look(place)
        cleaned = manifests.clean(change.manifest, key, change.version)
        made = await cluster.apply(place, as_it_is(cleaned, live), dry=True, forced=change.forced)
        after = as_wanted(made, cleaned)
    except NotServedError as error:
        blocked = brought.explains(resource, str(error))
        return RehearsedResult(resource=resource, status=404, message=str(error), blocked=blocked)
    except ApiError as error:
        fixed = (shapes.fixed(live, change.manifest) or fixed_by(error)) if live is not None else ()
        return _refused(resource, error, brought).model_copy(update={"fixed": fixed})
    if live is not None and not says_another_word(cleaned, live):
        cluster.seen.remember(resource, cleaned, live, after)
    unchanged = live is not None and manifests.same(after, live)
    anew = live is not None and template_of(live) != template_of(after)
    state = msgspec.to_builtins(shapes.state(after))
    return RehearsedResult(resource=resource, after=state, unchanged=unchanged, anew=anew)


def _refused(resource: ResourceId, error: ApiError, brought: _Brought) -> RehearsedResult:
    if NO_DRY_RUN in error.words:
        return RehearsedResult(resource=resource)  # a webhook cannot say without doing it: no word is no refusal
    unasked = error.status in OVERLOADS or error.is_unasked_webhook
    if not error.is_denial and (unasked or standing(error) == "unknown"):
        raise error
    blocked = error.status in (403, 404) and brought.explains(resource, error.words)
    return RehearsedResult(
        resource=resource, status=error.status, message=error.words, causes=error.causes, blocked=blocked
    )


def fixed_by(error: ApiError) -> tuple[str, ...]:
    """Fields that the API server says cannot be changed: it alone knows what a manifest leaves out, and takes away."""
    if error.status != INVALID:
        return ()
    said = (row for row in error.rows if any(sign in str(row.get("message")) for sign in _FIXED))
    return tuple(dict.fromkeys(str(row.get("field")) for row in said))


class _Brought:
    """What a bundle makes, as far as others can be refused for want of it."""

    def __init__(self, changes: Sequence[RehearsedChange]) -> None:
        made = [change for change in changes if change.action in WRITING]
        self._named = {(key.kind.lower(), key.name) for key in (ResourceKey.parse(one.resource) for one in made)}
        self._quotas = {f"exceeded quota: {name}," for kind, name in self._named if kind == "resourcequota"}
        self._has_limits = any(kind == "limitrange" for kind, _ in self._named)
        self._kinds = {_defined(one.manifest) for one in made if one.resource.startswith(_DEFINITION)}

    def explains(self, resource: str, words: str) -> bool:
        """The refusal of this resource says that something is missing which the bundle brings."""
        key = ResourceKey.parse(resource)
        if (key.group, key.kind) in self._kinds or self._rations(words):
            return True
        said = words.lower().replace(" ", "")  # `service account` is one word in a kind's name
        if not any(sign in words for sign in _MISSING):
            return False
        return any(kind in said and name in words for kind, name in self._named - {(key.kind.lower(), key.name)})

    def _rations(self, words: str) -> bool:
        """It says what there is room for as things are; the bundle says it anew, and the judge adds up."""
        return any(sign in words for sign in self._quotas) or (self._has_limits and _LIMITED in words)


def _defined(manifest: dict[str, Any]) -> tuple[str, str]:
    spec = manifest.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(names, dict):
        return ("", "")
    return (str(spec.get("group", "")), str(names.get("kind", "")))
