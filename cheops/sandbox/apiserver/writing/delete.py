"""Delete: preconditions → what stays to be done → a draft that marks the object or removes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.options import is_dry_run
from cheops.sandbox.apiserver.realm import Realm, now_text
from cheops.sandbox.apiserver.statuses import Cause, forbidden, invalid_options, precondition_failed
from cheops.sandbox.apiserver.store import Object, Stored
from cheops.sandbox.apiserver.targets import Target
from cheops.sandbox.apiserver.writing.draft import Draft

FINALIZER_OF = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}
POLICIES = ("", "Background", *FINALIZER_OF)
ORPHANING = (("batch", "Job"), ("", "ReplicationController"))  # their dependents stay unless the client says otherwise
IMMORTAL_NAMESPACES = ("default", "kube-system", "kube-public")
CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """`grace_s` None leaves it to the kind."""

    dry_run: bool = False
    uid: str = ""
    version: str = ""
    policy: str = ""
    grace_s: int | None = None


def delete_options(query: Mapping[str, str], body: Mapping[str, Any]) -> DeleteOptions:
    """From the body where there is one, else from the query. Raises StatusError 422."""
    preconditions = body.get("preconditions") or {}
    policy = body.get("propagationPolicy") or query.get("propagationPolicy", "")
    orphans = body.get("orphanDependents")
    if causes := [*_said_twice(policy, orphans), *_unknown_policy(policy)]:
        raise invalid_options("DeleteOptions", *causes)
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    dry_run = body.get("dryRun") or [query.get("dryRun", "")]
    if not policy and orphans is not None:
        policy = "Orphan" if orphans else "Background"
    return DeleteOptions(
        dry_run=is_dry_run(dry_run[0], "DeleteOptions"),
        uid=preconditions.get("uid", ""),
        version=preconditions.get("resourceVersion", ""),
        policy=policy,
        grace_s=int(grace) if grace is not None else None,
    )


def _said_twice(policy: str, orphans: bool | None) -> list[Cause]:
    if not policy or orphans is None:
        return []
    why = "orphanDependents and deletionPropagation cannot be both set"
    return [Cause("propagationPolicy", "FieldValueInvalid", f'Invalid value: "{policy}": {why}')]


def _unknown_policy(policy: str) -> list[Cause]:
    if policy in POLICIES:
        return []
    supported = '"Foreground", "Background", "Orphan", "nil"'
    message = f'Unsupported value: "{policy}": supported values: {supported}'
    return [Cause("propagationPolicy", "FieldValueNotSupported", message)]


def prepare_delete(realm: Realm, target: Target, before: Stored, options: DeleteOptions) -> Draft:
    """Raises StatusError 409 when the object is not the one that was meant, 403 for what must stay."""
    kind = target.kind
    _check_preconditions(target, before, options)
    if kind.group == "" and kind.kind == "Namespace":
        return Draft(kind, "DELETE", before, _ended_namespace(target, before), options.dry_run)
    finalizers = _finalizers(kind, before, options.policy)
    grace_s = _grace_s(kind, before.object, options.grace_s)
    if not finalizers and not grace_s:
        return Draft(kind, "DELETE", before, None, options.dry_run)
    marked = _marked(before.object, finalizers, grace_s)
    if marked is not before.object and kind.kind == "Pod" and "deletionTimestamp" not in before.metadata:
        marked["metadata"]["generation"] += 1
    return Draft(kind, "DELETE", before, marked, options.dry_run)


def _ended_namespace(target: Target, before: Stored) -> Object | None:
    """None when it can go at once."""
    if target.name in IMMORTAL_NAMESPACES:
        raise forbidden(target.kind, target.name, "this namespace may not be deleted")
    content = before.object
    if not content["spec"].get("finalizers") and not before.metadata.get("finalizers"):
        return None
    if "deletionTimestamp" in before.metadata:
        return content
    metadata = {**before.metadata, "deletionTimestamp": now_text()}
    return {**content, "metadata": metadata, "status": {**content.get("status", {}), "phase": "Terminating"}}


def _marked(content: Object, finalizers: list[str], grace_s: int) -> Object:
    """The object with the mark of deletion; the same object when it has it already."""
    known = content["metadata"]
    marked_s = known.get("deletionGracePeriodSeconds", 0) if "deletionTimestamp" in known else None
    if marked_s is not None and marked_s <= grace_s and (known.get("finalizers") or []) == finalizers:
        return content
    metadata = {**known, "finalizers": finalizers}
    if not finalizers:
        del metadata["finalizers"]
    if marked_s is None or grace_s < marked_s:
        metadata |= {"deletionTimestamp": now_text(grace_s), "deletionGracePeriodSeconds": grace_s}
    return {**content, "metadata": metadata}


def _finalizers(kind: Kind, before: Stored, policy: str) -> list[str]:
    found = list(before.metadata.get("finalizers") or ())
    if not policy and (kind.group, kind.kind) in ORPHANING:
        policy = "Orphan"
    if policy:
        found = [name for name in found if name not in FINALIZER_OF.values()]
        if policy in FINALIZER_OF:
            found.append(FINALIZER_OF[policy])
    if kind.kind == "CustomResourceDefinition" and "deletionTimestamp" not in before.metadata:
        found.append(CLEANUP_FINALIZER)
    return found


def _grace_s(kind: Kind, content: Object, asked_s: int | None) -> int:
    """Only a pod that runs somewhere needs time to end."""
    if kind.group or kind.kind != "Pod":
        return 0
    spec, phase = content.get("spec") or {}, (content.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    return asked_s if asked_s is not None else int(spec.get("terminationGracePeriodSeconds", 30))


def _check_preconditions(target: Target, before: Stored, options: DeleteOptions) -> None:
    uid, version = before.metadata["uid"], before.metadata["resourceVersion"]
    if options.uid and options.uid != uid:
        raise precondition_failed(
            target.kind,
            target.name,
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated",
        )
    if options.version and options.version != version:
        raise precondition_failed(
            target.kind,
            target.name,
            f"the ResourceVersion in the precondition ({options.version}) does not match the ResourceVersion in "
            f"record ({version}). The object might have been modified",
        )
