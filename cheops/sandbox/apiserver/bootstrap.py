"""The objects that every cluster has before anybody does anything.

The file is applied in order through the ordinary way of creation; `SITE` in it becomes the name of the site.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cheops.sandbox.apiserver.options import WriteOptions
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.store import Object
from cheops.sandbox.apiserver.targets import Target
from cheops.sandbox.apiserver.writing.create import prepare_create
from cheops.sandbox.apiserver.writing.draft import commit
from schemas.documents import parse

BOOTSTRAP_FILE = Path(__file__).with_name("bootstrap.yaml")
MANAGER = "kube-apiserver"


def make_first_objects(realm: Realm) -> None:
    for one in parse(_text().replace("SITE", realm.name).encode(), BOOTSTRAP_FILE.name):
        _create(realm, one.body)


@cache
def _text() -> str:
    return BOOTSTRAP_FILE.read_text(encoding="utf-8")


def _create(realm: Realm, content: Object) -> None:
    kind = realm.kind(content["apiVersion"], content["kind"])
    status = content.get("status")
    target = Target(kind, content["metadata"].get("namespace", ""))
    draft = prepare_create(realm, target, content, WriteOptions(manager=MANAGER))
    if status is not None and draft.after is not None:
        draft.after["status"] = status
    commit(realm, draft)
