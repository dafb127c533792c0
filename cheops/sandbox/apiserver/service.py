"""The verbs on one target: read the request, do it, give back what is to be answered.

get · create · update · patch · delete · deletecollection      (list and watch: listing.py, watching.py)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cheops.sandbox.apiserver.bodies import parse_json, read_body
from cheops.sandbox.apiserver.conversion import from_stored
from cheops.sandbox.apiserver.listing import Page, selected
from cheops.sandbox.apiserver.options import Query, read_options, write_options
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.statuses import StatusError, not_found, success
from cheops.sandbox.apiserver.store import Object, Stored
from cheops.sandbox.apiserver.targets import Target
from cheops.sandbox.apiserver.writing.create import prepare_create
from cheops.sandbox.apiserver.writing.delete import DeleteOptions, delete_options, prepare_delete
from cheops.sandbox.apiserver.writing.draft import commit
from cheops.sandbox.apiserver.writing.patches import json_patch, merge_patch
from cheops.sandbox.apiserver.writing.update import prepare_update


@dataclass(frozen=True, slots=True)
class Request:
    """What came over HTTP, without HTTP."""

    target: Target
    query: Query
    body: bytes
    content_type: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An object of the target's kind, a page of them, or a body of its own."""

    content: Stored | Page | Object
    code: int = 200
    warnings: tuple[str, ...] = ()


def get(realm: Realm, request: Request) -> Answer:
    return Answer(_existing(realm, request.target))


def create(realm: Realm, request: Request) -> Answer:
    options = write_options(request.query, request.user_agent, "CreateOptions")
    body = read_body(request.body, request.content_type, request.target.kind)
    draft = prepare_create(realm, request.target, body.content, options)
    return Answer(commit(realm, draft), 201)


def update(realm: Realm, request: Request) -> Answer:
    options = write_options(request.query, request.user_agent, "UpdateOptions")
    body = read_body(request.body, request.content_type, request.target.kind)
    draft = prepare_update(request.target, _existing(realm, request.target), body.content, options)
    return Answer(commit(realm, draft))


def patch(realm: Realm, request: Request) -> Answer:
    options = write_options(request.query, request.user_agent, "PatchOptions")
    before = _existing(realm, request.target)
    content = from_stored(request.target.kind, before.object)
    match request.content_type.partition(";")[0]:
        case "application/merge-patch+json":
            patched = merge_patch(content, parse_json(request.body))
        case "application/json-patch+json":
            patched = json_patch(content, parse_json(request.body))
        case _:
            raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    patched["metadata"] = dict(patched["metadata"])
    draft = prepare_update(request.target, before, patched, options)
    return Answer(commit(realm, draft))


def delete(realm: Realm, request: Request) -> Answer:
    options = delete_options(request.query, _delete_body(request))
    before = _existing(realm, request.target)
    return _deleted(realm, request.target, before, options)


def delete_collection(realm: Realm, request: Request) -> Answer:
    options = delete_options(request.query, _delete_body(request))
    target = request.target
    found = selected(realm.store, target, read_options(target, request.query))
    for before in found:
        one = Target(target.kind, before.metadata.get("namespace", ""), before.metadata["name"])
        _deleted(realm, one, before, options)
    return Answer(Page(realm.store.version, found))


def _deleted(realm: Realm, target: Target, before: Stored, options: DeleteOptions) -> Answer:
    draft = prepare_delete(target, before, options)
    done = commit(realm, draft)
    if draft.after is None and not target.kind.returns_deleted:
        return Answer(success(target.kind, target.name, before.metadata["uid"]))
    return Answer(done)


def _delete_body(request: Request) -> dict[str, Any]:
    if not request.body.strip():
        return {}
    return read_body(request.body, request.content_type, request.target.kind).content


def _existing(realm: Realm, target: Target) -> Stored:
    found = realm.get(target.kind, target.namespace, target.name)
    if found is None:
        raise not_found(target.kind, target.name)
    return found
