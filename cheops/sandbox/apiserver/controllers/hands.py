"""How controllers write: through the same preparations as clients, without admission and without waiting."""

from __future__ import annotations

from dataclasses import dataclass

from cheops.sandbox.apiserver.kinds import CollectionKey, Kind
from cheops.sandbox.apiserver.options import WriteOptions
from cheops.sandbox.apiserver.ownership.entries import Owner, track_update
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.store import Object, Stored, copy_of, object_key_of
from cheops.sandbox.apiserver.targets import Target
from cheops.sandbox.apiserver.writing.create import prepare_create
from cheops.sandbox.apiserver.writing.delete import DeleteOptions, prepare_delete
from cheops.sandbox.apiserver.writing.draft import Draft, commit
from cheops.sandbox.apiserver.writing.update import prepare_update


@dataclass(frozen=True, slots=True)
class Hands:
    """Of one manager, whose name stands in managedFields."""

    realm: Realm
    manager: str = "kube-controller-manager"

    def create(self, kind: Kind, content: Object) -> Stored:
        target = Target(kind, content["metadata"].get("namespace", ""))
        return commit(self.realm, prepare_create(self.realm, target, content, self._options()))

    def update(self, kind: Kind, before: Stored, content: Object, subresource: str = "") -> Stored:
        """`content` shares nothing with the stored object, or is a changed copy of its outermost levels."""
        namespace, name = object_key_of(before.object)
        target = Target(kind, namespace, name, subresource)
        draft = prepare_update(self.realm, target, before, copy_of(content), self._options(), patched=True)
        return commit(self.realm, draft)

    def set_status(self, kind: Kind, before: Stored, status: Object) -> Stored:
        """Not taken in as from a client: controllers write it often and know what they write."""
        if before.object.get("status") == status:
            return before
        after = {**before.object, "metadata": dict(before.metadata), "status": status}
        owner = Owner(self.manager, "Update", kind.api_version, "status")
        track_update(self.realm.shape(kind), before.object, after, owner)
        return commit(self.realm, Draft(kind, "UPDATE", before, after, subresource="status"))

    def set_metadata(self, kind: Kind, before: Stored, **fields: object) -> Stored:
        """An empty field is taken away."""
        metadata = {**before.metadata, **fields}
        metadata = {name: value for name, value in metadata.items() if value not in ([], {}, None)}
        return self.update(kind, before, {**before.object, "metadata": metadata})

    def delete(self, kind: Kind, before: Stored, policy: str = "Background", grace_s: int | None = None) -> None:
        namespace, name = object_key_of(before.object)
        options = DeleteOptions(uid=before.metadata["uid"], policy=policy, grace_s=grace_s)
        draft = prepare_delete(self.realm, Target(kind, namespace, name), before, options)
        commit(self.realm, draft)

    def stored_kind(self, collection: CollectionKey) -> Kind | None:
        return self.realm.registry.stored(collection)

    def _options(self) -> WriteOptions:
        return WriteOptions(manager=self.manager, validation="Ignore")
