"""Pod Security: whether the level that a pod's specification keeps to is as much as its namespace asks for. Pure.

A namespace says it with a label, with another the version of the standards that it means; admission refuses the pods
that do not keep to it, also those that a workload makes. What the standards forbid is said in standards.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from schemas.events import ResourceState
from schemas.identity import KindId, ResourceId, ResourceKey, kind_of
from services.resolver.graph.label_index import namespace_of
from services.resolver.graph.view import View
from services.resolver.judge.case import Change
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.making import is_made, pods_of
from services.resolver.judge.standards import BASELINE, PINNED, RESTRICTED, beyond_at

ENFORCE: Final = "pod-security.kubernetes.io/enforce"
VERSION: Final = "pod-security.kubernetes.io/enforce-version"
LEVELS: Final[Mapping[str, int]] = {"privileged": 0, BASELINE: 1, RESTRICTED: 2}
NAMESPACE: Final = KindId("Namespace")
HAVE_PODS: Final = tuple(
    KindId(one)
    for one in (
        *("apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet", "batch/CronJob", "batch/Job"),
        *("ReplicationController", "Pod"),
    )
)


def judge_security(view: View, after: View, change: Change) -> Iterator[Finding]:
    """D150 where the namespace's level refuses the pods that the change makes."""
    before, state = view.find(change.resource), change.after
    if state is None or not change.beyond:
        return
    if before is not None and not (change.anew or pods_of(before) < pods_of(state)):
        return  # those that run go on
    if state.facts.get("recurs") is False and kind_of(change.resource) != "Pod":
        return  # it makes none
    space = after.find(ResourceId(f"Namespace/{namespace_of(change.resource)}"))
    if space is None:
        return
    level, version = _level_of(space), space.labels.get(VERSION, "")
    why = beyond_at(change.beyond, level, version)
    if why:
        whose = "it" if kind_of(change.resource) == "Pod" else "its pods"
        asked = f"{level} as of {version}" if version.startswith(PINNED) else level
        message = f"the API server refuses {whose}: {named(space.resource)} enforces {asked}, and {why}"
        yield Finding("D150", message, "presence", change.resource)


def _level_of(space: ResourceState) -> str:
    """What it asks for; of a word that is none of the three the API server makes the last of them."""
    level = space.labels.get(ENFORCE, "")
    return level if level in LEVELS or not level else RESTRICTED


def judge_enforcing(view: View, change: Change) -> Iterator[Finding]:
    """W150 for a namespace that begins to ask for more: what runs goes on, and is made again only if it keeps to it.

    The API server only warns of it, and the graph keeps no specifications of pods: which of them do is not known.
    """
    before, now = view.find(change.resource), change.after
    if kind_of(change.resource) != NAMESPACE or before is None or now is None:
        return
    level = _level_of(now)
    if LEVELS.get(level, 0) <= LEVELS.get(_level_of(before), 0):
        return
    namespace = ResourceKey.parse(change.resource).name
    first = next(_running(view, namespace), None)
    if first is not None:
        message = f"it begins to enforce {level}: {named(first)}, and whatever runs there, has to keep to it"
        yield Finding("W150", f"{message}, or gets no pods at its next start", "presence", change.resource)


def _running(view: View, namespace: str) -> Iterator[ResourceId]:
    """What has pods, and is not made by something else that stands for it."""
    for kind in HAVE_PODS:
        for one in view.members(kind, namespace):
            state = view.find(one)
            if state is not None and not is_made(state) and pods_of(state) > 0:
                yield one
