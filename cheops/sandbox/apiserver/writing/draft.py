"""A write that is decided but not done: prepare makes it, admission may refuse it, commit does it.

Preparing and committing do not wait, so nothing happens in between except admission; whoever came first then wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.statuses import already_exists, modified
from cheops.sandbox.apiserver.store import Object, Stored, object_key_of

Operation = Literal["CREATE", "UPDATE", "DELETE"]


@dataclass(slots=True)
class Draft:
    """`before` is None for a create; `after` is None when the object is to vanish. Both in the stored version."""

    kind: Kind
    operation: Operation
    before: Stored | None
    after: Object | None
    dry_run: bool = False
    subresource: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def is_noop(self) -> bool:
        return self.before is not None and self.after is self.before.object

    @property
    def about(self) -> Object:
        """The object as it will be, or was."""
        if self.after is not None:
            return self.after
        assert self.before is not None, "a draft without an object"
        return self.before.object

    def is_stale(self, realm: Realm) -> bool:
        """Whether somebody else wrote the object since."""
        return realm.get(self.kind, *object_key_of(self.about)) is not self.before


def commit(realm: Realm, draft: Draft) -> Stored:
    """Do it, or only say what would be there (dry run). Raises StatusError 409 when somebody else was first."""
    about = draft.about
    namespace, name = object_key_of(about)
    if draft.is_stale(realm):
        raise already_exists(draft.kind, name) if draft.before is None else modified(draft.kind, name)
    if draft.dry_run or draft.is_noop:
        return draft.before if draft.before and draft.is_noop else Stored(about, realm.store.version)
    if draft.after is None:
        return realm.store.remove(draft.kind.collection, namespace, name)
    if draft.operation != "CREATE" and is_finished(draft.after):
        realm.store.remove(draft.kind.collection, namespace, name)
        return Stored(draft.after, realm.store.version)
    return realm.store.put(draft.kind.collection, draft.after)


def is_finished(content: Object) -> bool:
    """Marked as deleted, and nobody has anything left to do."""
    metadata = content["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("deletionGracePeriodSeconds", 0):
        return False
    if content["kind"] == "Namespace" and content["apiVersion"] == "v1" and content["spec"].get("finalizers"):
        return False
    return not metadata.get("finalizers")
