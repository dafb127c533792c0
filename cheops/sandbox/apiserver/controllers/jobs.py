"""Jobs: pods that end well, until there are enough of them."""

from __future__ import annotations

from collections.abc import Iterable

from cheops.sandbox.apiserver.controllers.hands import Hands
from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.controllers.ownership import PODS, Children, child_of, owner_key, phase
from cheops.sandbox.apiserver.kinds import CollectionKey
from cheops.sandbox.apiserver.realm import Realm, now_text
from cheops.sandbox.apiserver.store import Change, Object, Stored


class JobController:
    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._hands = Hands(realm)
        self._kind, self._pod = realm.kind("batch/v1", "Job"), realm.kind("v1", "Pod")
        self._pods = Children.of(realm, PODS)

    def concerns(self, collection: CollectionKey, change: Change) -> Iterable[Key]:
        if collection == self._kind.collection and change.type != "DELETED":
            yield collection, change.key
        yield from owner_key(self._kind, change, self._pods.note(collection, change))

    def reconcile(self, key: Key) -> None:
        job = self._realm.store.get(key[0], *key[1])
        if job is None or "deletionTimestamp" in job.metadata or _is_complete(job):
            return
        spec, pods = job.object["spec"], self._pods.living(job.metadata["uid"])
        succeeded = sum(phase(pod) == "Succeeded" for pod in pods)
        wanted = spec.get("completions", spec.get("parallelism", 1))
        active = [pod for pod in pods if phase(pod) in ("Pending", "Running")]
        if not spec.get("suspend"):
            for _ in range(min(spec.get("parallelism", 1), wanted - succeeded) - len(active)):
                content = child_of(self._kind, job, spec["template"], {"generateName": f"{job.metadata['name']}-"})
                active.append(self._hands.create(self._pod, content))
        self._report(job, len(active), succeeded, succeeded >= wanted)

    def _report(self, job: Stored, active: int, succeeded: int, complete: bool) -> None:
        known = job.object.get("status") or {}
        status: Object = {"ready": 0, "terminating": 0, "uncountedTerminatedPods": {}}
        status["startTime"] = known.get("startTime") or now_text()
        status |= {name: count for name, count in (("active", active), ("succeeded", succeeded)) if count}
        if complete:
            status["completionTime"] = now_text()
            status["conditions"] = [_condition("SuccessCriteriaMet"), _condition("Complete")]
        self._hands.set_status(self._kind, job, status)


def _is_complete(job: Stored) -> bool:
    conditions = (job.object.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Complete" and one["status"] == "True" for one in conditions)


def _condition(kind: str) -> Object:
    reason, message = "CompletionsReached", "Reached expected number of succeeded pods"
    now = now_text()
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastProbeTime": now,
        "lastTransitionTime": now,
    }
