"""Delete: preconditions → what stays to be done → a draft that marks the object or removes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cheops.sandbox.apiserver.options import is_dry_run
from cheops.sandbox.apiserver.realm import now_text
from cheops.sandbox.apiserver.statuses import Cause, invalid_options, precondition_failed
from cheops.sandbox.apiserver.store import Object, Stored
from cheops.sandbox.apiserver.targets import Target
from cheops.sandbox.apiserver.writing.draft import Draft

FINALIZER_OF = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}
POLICIES = ("", "Background", *FINALIZER_OF)


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
    if policy not in POLICIES:
        supported = '"Foreground", "Background", "Orphan", "nil"'
        message = f'Unsupported value: "{policy}": supported values: {supported}'
        raise invalid_options("DeleteOptions", Cause("propagationPolicy", "FieldValueNotSupported", message))
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    dry_run = body.get("dryRun") or [query.get("dryRun", "")]
    if not policy and (orphans := body.get("orphanDependents")) is not None:
        policy = "Orphan" if orphans else "Background"
    return DeleteOptions(
        dry_run=is_dry_run(dry_run[0], "DeleteOptions"),
        uid=preconditions.get("uid", ""),
        version=preconditions.get("resourceVersion", ""),
        policy=policy,
        grace_s=int(grace) if grace is not None else None,
    )


def prepare_delete(target: Target, before: Stored, options: DeleteOptions) -> Draft:
    """Raises StatusError 409 when the object is not the one that was meant."""
    _check_preconditions(target, before, options)
    finalizers = _finalizers(before, options.policy)
    if not finalizers:
        return Draft(target.kind, "DELETE", before, None, options.dry_run)
    return Draft(target.kind, "DELETE", before, _marked(before.object, finalizers, 0), options.dry_run)


def _marked(content: Object, finalizers: list[str], grace_s: int) -> Object:
    if "deletionTimestamp" in content["metadata"] and content["metadata"].get("finalizers") == finalizers:
        return content
    metadata = {**content["metadata"], "finalizers": finalizers}
    metadata.setdefault("deletionTimestamp", now_text())
    metadata.setdefault("deletionGracePeriodSeconds", grace_s)
    return {**content, "metadata": metadata}


def _finalizers(before: Stored, policy: str) -> list[str]:
    found = list(before.metadata.get("finalizers") or ())
    if policy:
        found = [name for name in found if name not in FINALIZER_OF.values()]
        if policy in FINALIZER_OF:
            found.append(FINALIZER_OF[policy])
    return found


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
