"""POST to a subresource of an object: token, eviction, binding. And the review kinds, which are posted too."""

from __future__ import annotations

from cheops.sandbox.apiserver import reviews
from cheops.sandbox.apiserver.bodies import read_body
from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.options import WriteOptions
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.statuses import already_assigned, no_such_resource, not_found
from cheops.sandbox.apiserver.store import Object, Stored, copy_of
from cheops.sandbox.apiserver.targets import Target
from cheops.sandbox.apiserver.writing.delete import delete_options, prepare_delete
from cheops.sandbox.apiserver.writing.draft import commit
from cheops.sandbox.apiserver.writing.update import prepare_update

SUCCESS: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def post(realm: Realm, target: Target, raw: bytes, content_type: str, options: WriteOptions) -> Object:
    """Raises StatusError."""
    content = read_body(raw, content_type, target.kind).content
    if reviews.is_review(target.kind):
        return reviews.review(target.kind, content)
    stored = realm.get(target.kind, target.namespace, target.name)
    if stored is None:
        raise not_found(target.kind, target.name)
    match target.subresource:
        case "token":
            return reviews.token_request(target, content)
        case "eviction":
            return _evict(realm, target, stored, content)
        case "binding":
            return _bind(realm, target, stored, content, options)
    raise no_such_resource()


def takes(kind: Kind, subresource: str) -> bool:
    return reviews.is_review(kind) or subresource in ("token", "eviction", "binding")


def _evict(realm: Realm, target: Target, pod: Stored, eviction: Object) -> Object:
    options = delete_options({}, eviction.get("deleteOptions") or {})
    commit(realm, prepare_delete(realm, target, pod, options))
    return SUCCESS


def _bind(realm: Realm, target: Target, pod: Stored, binding: Object, options: WriteOptions) -> Object:
    node = (binding.get("target") or {}).get("name", "")
    if assigned := pod.object["spec"].get("nodeName"):
        raise already_assigned(target.kind, target.name, assigned)
    content = copy_of(pod.object)
    content["spec"]["nodeName"] = node
    commit(realm, prepare_update(realm, Target(target.kind, target.namespace, target.name), pod, content, options))
    return SUCCESS
