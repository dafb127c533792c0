"""The verbs on one target: read the request, prepare, let admission look, commit, answer.

    get · create · update · patch · delete · deletecollection      (list and watch: listing.py, watching.py)

Only admission waits. When the object changed meanwhile, a patch is worked out again on the new one; others get 409.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cheops.sandbox.apiserver.bodies import parse_json, read_body
from cheops.sandbox.apiserver.conversion import from_stored
from cheops.sandbox.apiserver.listing import Page, selected
from cheops.sandbox.apiserver.options import Query, WriteOptions, read_options, write_options
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.statuses import StatusError, bad_request, not_found, success, unsupported_media_type
from cheops.sandbox.apiserver.store import Object, Stored, copy_of
from cheops.sandbox.apiserver.subresources import post, takes
from cheops.sandbox.apiserver.targets import Target
from cheops.sandbox.apiserver.writing.apply import check_apply_options, prepare_apply
from cheops.sandbox.apiserver.writing.create import prepare_create
from cheops.sandbox.apiserver.writing.delete import DeleteOptions, delete_options, prepare_delete
from cheops.sandbox.apiserver.writing.draft import Draft, commit
from cheops.sandbox.apiserver.writing.patches import json_patch, merge_patch
from cheops.sandbox.apiserver.writing.scale import scale_of, scaled
from cheops.sandbox.apiserver.writing.strategic import strategic_merge
from cheops.sandbox.apiserver.writing.update import prepare_update

APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
STRATEGIC, JSON_PATCH = "application/strategic-merge-patch+json", "application/json-patch+json"
PATCH_ATTEMPTS_MAX = 5


@dataclass(frozen=True, slots=True)
class Request:
    """What came over HTTP, without HTTP."""

    target: Target
    query: Query
    body: bytes = b""
    content_type: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An object of the target's kind, a page of them, or a body of its own."""

    content: Stored | Page | Object
    code: int = 200
    warnings: tuple[str, ...] = ()


def get(realm: Realm, request: Request) -> Answer:
    return _shown(request.target, _existing(realm, request.target))


async def create(realm: Realm, request: Request) -> Answer:
    options = write_options(request.query, request.user_agent, "CreateOptions")
    if takes(request.target.kind, request.target.subresource):
        return Answer(post(realm, request.target, request.body, request.content_type, options), 201)
    body = read_body(request.body, request.content_type, request.target.kind)
    draft = prepare_create(realm, request.target, body.content, options, body.duplicates)
    return Answer(await _admitted(realm, draft), 201, draft.warnings)


async def update(realm: Realm, request: Request) -> Answer:
    options = write_options(request.query, request.user_agent, "UpdateOptions")
    target = request.target
    body = read_body(request.body, request.content_type, target.kind)
    before = _existing(realm, target)
    content = body.content
    if target.subresource == "scale":
        content = scaled(copy_of(from_stored(target.kind, before.object)), content)
    draft = prepare_update(realm, target, before, content, options, duplicates=body.duplicates)
    return _shown(target, await _admitted(realm, draft), draft.warnings)


async def patch(realm: Realm, request: Request) -> Answer:
    applies = _media_type(request) == APPLY
    options = write_options(request.query, request.user_agent, "PatchOptions", applies=applies)
    prepare = _patcher(realm, request, options)
    for attempt in range(PATCH_ATTEMPTS_MAX):
        before = realm.get(request.target.kind, request.target.namespace, request.target.name)
        draft = prepare(before)
        try:
            done = await _admitted(realm, draft)
        except StatusError as error:
            if error.code == 409 and draft.is_stale(realm) and attempt < PATCH_ATTEMPTS_MAX - 1:
                continue
            raise
        return _shown(request.target, done, draft.warnings, 201 if before is None else 200)
    raise AssertionError("unreachable: the last attempt answers or raises")


def _patcher(realm: Realm, request: Request, options: WriteOptions) -> Callable[[Stored | None], Draft]:
    target, media_type = request.target, _media_type(request)
    if media_type == APPLY:
        check_apply_options(request.query.get("fieldManager", ""))
        return lambda before: prepare_apply(realm, target, before, request.body, options)
    if media_type not in (MERGE, STRATEGIC, JSON_PATCH):
        raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    if media_type == STRATEGIC and target.kind.custom:
        accepted = ", ".join((JSON_PATCH, MERGE, APPLY))
        raise unsupported_media_type(
            f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        )
    change = parse_json(request.body)

    def prepare(before: Stored | None) -> Draft:
        if before is None:
            raise not_found(target.kind, target.name)
        content = _patched(realm, target, before, media_type, change)
        return prepare_update(realm, target, before, content, options, patched=True)

    return prepare


def _media_type(request: Request) -> str:
    return request.content_type.partition(";")[0].strip()


def _patched(realm: Realm, target: Target, before: Stored, media_type: str, change: Any) -> Object:
    whole = from_stored(target.kind, before.object)
    is_scale = target.subresource == "scale"
    content = scale_of(whole) if is_scale else whole
    if media_type == JSON_PATCH:
        result = json_patch(content, change)
    elif not isinstance(change, dict):
        raise bad_request("error decoding patch: a patch is an object")
    elif media_type == MERGE or is_scale:
        result = merge_patch(content, change)
    else:
        result = strategic_merge(realm.shape(target.kind), content, change)
    if not isinstance(result, dict) or not isinstance(result.get("metadata"), dict):
        raise bad_request("the patch leaves no object")
    result = copy_of(result)  # the parts that were not patched are still those of the stored object
    return scaled(copy_of(whole), result) if is_scale else result


async def delete(realm: Realm, request: Request) -> Answer:
    options = delete_options(request.query, _delete_body(request))
    return await _delete(realm, request.target, _existing(realm, request.target), options)


async def delete_collection(realm: Realm, request: Request) -> Answer:
    options = delete_options(request.query, _delete_body(request))
    target = request.target
    found = selected(realm.store, target, read_options(target, request.query))
    for before in found:
        one = Target(target.kind, before.metadata.get("namespace", ""), before.metadata["name"])
        if realm.get(one.kind, one.namespace, one.name) is before:  # else it went, or is another by now
            await _delete(realm, one, before, options)
    return Answer(Page(realm.store.version, found))


async def _delete(realm: Realm, target: Target, before: Stored, options: DeleteOptions) -> Answer:
    draft = prepare_delete(realm, target, before, options)
    done = await _admitted(realm, draft)
    if draft.after is None and not target.kind.returns_deleted:
        return Answer(success(target.kind, target.name, before.metadata["uid"]))
    return Answer(done, warnings=draft.warnings)


async def _admitted(realm: Realm, draft: Draft) -> Stored:
    if not draft.is_noop:
        await realm.admit(draft)
    return commit(realm, draft)


def _delete_body(request: Request) -> dict[str, Any]:
    if not request.body.strip():
        return {}
    return read_body(request.body, request.content_type, request.target.kind).content


def _shown(target: Target, stored: Stored, warnings: tuple[str, ...] = (), code: int = 200) -> Answer:
    if target.subresource == "scale":
        return Answer(scale_of(from_stored(target.kind, stored.object)), code, warnings)
    return Answer(stored, code, warnings)


def _existing(realm: Realm, target: Target) -> Stored:
    found = realm.get(target.kind, target.namespace, target.name)
    if found is None:
        raise not_found(target.kind, target.name)
    return found
