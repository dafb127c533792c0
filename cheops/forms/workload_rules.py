"""Mistakes in workloads, beside their pods, that show only when two fields are read together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cheops.forms.words import is_label
from schemas.relations.selector import from_object, labels_of, matches
from schemas.untyped import mapping_of, rows_of

Body = Mapping[str, Any]
COMPLETIONS: Final = "spec.completions"
NODE_SELECTOR: Final = "spec.nodeSelector"
NODE_AFFINITY: Final = "spec.affinity.nodeAffinity"
MADE_LABELS: Final = ("controller-uid", "batch.kubernetes.io/controller-uid")
SIDE_BY_SIDE_MAX: Final = 100_000  # pods of an Indexed Job
DEADLINE_S: Final = 600  # of a Deployment that does not say its own


def selects_its_pods(body: Body) -> Iterator[str]:
    """A workload that does not select its own pods would make them for ever."""
    spec = mapping_of(body.get("spec"))
    selector, labels = spec.get("selector"), _template_labels(spec)
    if not isinstance(selector, Mapping):
        return
    wanted = from_object(selector)
    if wanted is None or not (wanted.match_labels or wanted.match_expressions):
        yield "spec.selector: empty"
    elif not matches(wanted, labels_of(labels)):
        yield "spec.selector: does not match the labels of spec.template"


def selects_its_pods_plainly(body: Body) -> Iterator[str]:
    """A ReplicationController, whose selector is of the first days."""
    spec = mapping_of(body.get("spec"))
    selector, labels = mapping_of(spec.get("selector")), _template_labels(spec)
    if any(labels.get(name) != value for name, value in selector.items()):
        yield "spec.selector: does not match the labels of spec.template"


def rollout(body: Body) -> Iterator[str]:
    """How a Deployment changes its pods."""
    spec = mapping_of(body.get("spec"))
    strategy = mapping_of(spec.get("strategy"))
    rolling = mapping_of(strategy.get("rollingUpdate"))
    if strategy.get("type") == "Recreate" and rolling:
        yield "spec.strategy.rollingUpdate: not with type Recreate"
    if [rolling.get("maxSurge"), rolling.get("maxUnavailable")] in ([0, 0], ["0%", "0%"], [0, "0%"], ["0%", 0]):
        yield "spec.strategy.rollingUpdate.maxUnavailable: cannot be 0 when maxSurge is 0"
    ready, deadline = spec.get("minReadySeconds") or 0, spec.get("progressDeadlineSeconds")
    deadline = DEADLINE_S if deadline is None else deadline
    if deadline <= ready:
        yield f"spec.progressDeadlineSeconds: {deadline} is not more than minReadySeconds {ready}"


def rolling_set(body: Body) -> Iterator[str]:
    """How a DaemonSet changes its pods: more, or fewer, on a node; one of both."""
    rolling = mapping_of(mapping_of(mapping_of(body.get("spec")).get("updateStrategy")).get("rollingUpdate"))
    more, fewer = (rolling.get(one) for one in ("maxSurge", "maxUnavailable"))
    if more not in (None, 0, "0%") and fewer not in (0, "0%"):  # who says nothing of fewer means one
        yield "spec.updateStrategy.rollingUpdate: maxSurge and maxUnavailable exclude each other"
    if fewer in (0, "0%") and more in (None, 0, "0%"):
        yield "spec.updateStrategy.rollingUpdate.maxUnavailable: cannot be 0 when maxSurge is 0"


def numbered_set(body: Body) -> Iterator[str]:
    """How a StatefulSet changes its pods."""
    strategy = mapping_of(mapping_of(body.get("spec")).get("updateStrategy"))
    if strategy.get("type") == "OnDelete" and strategy.get("rollingUpdate") is not None:
        yield "spec.updateStrategy.rollingUpdate: not with type OnDelete"


def kept_rolling(live: Body, manifest: Body) -> Body:
    """A StatefulSet as an API server keeps it, when its pods are to be replaced in turn no more.

    From which on they are replaced it has filled in, and that stays unless the manifest takes it away.
    """
    had, says = (mapping_of(mapping_of(one.get("spec")).get("updateStrategy")) for one in (live, manifest))
    if says.get("type") != "OnDelete" or had.get("type") == "OnDelete" or had.get("rollingUpdate"):
        return live
    strategy = {**had, "rollingUpdate": {"partition": 0}}
    return {**live, "spec": {**mapping_of(live.get("spec")), "updateStrategy": strategy}}


def job(body: Body) -> Iterator[str]:
    """A Job's own words, or those of a CronJob about its Jobs."""
    spec, path = _of_a_job(body)
    pod = mapping_of(mapping_of(spec.get("template")).get("spec"))
    if spec.get("completionMode") != "Indexed":
        for field in ("backoffLimitPerIndex", "successPolicy"):
            if spec.get(field) is not None:
                yield f"{path}.{field}: only with completionMode Indexed"
    elif isinstance(spec.get("parallelism"), int) and spec["parallelism"] > SIDE_BY_SIDE_MAX:
        yield f"{path}.parallelism: more than {SIDE_BY_SIDE_MAX} with completionMode Indexed"
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield f"{path}.backoffLimitPerIndex: missing (maxFailedIndexes is set)"
    yield from _selector(body, spec, path)
    yield from _counting(body, spec, path)
    yield from _failures(spec, pod, path)


def _selector(body: Body, spec: Body, path: str) -> Iterator[str]:
    """By the Job's own uid, unless somebody takes it upon himself: then it has to select the Job's pods."""
    labels = _template_labels(spec)
    if spec.get("manualSelector") is True:
        wanted = from_object(mapping_of(spec.get("selector")))
        if wanted is not None and not matches(wanted, labels_of(labels)):
            yield f"{path}.selector: does not match the labels of {path}.template"
        return
    mine = mapping_of(body.get("metadata")).get("uid") if path == "spec" else None
    said = mapping_of(spec.get("selector"))
    wanted_labels = mapping_of(said.get("matchLabels"))
    if said and (said.get("matchExpressions") or any(wanted_labels.get(one) != mine for one in wanted_labels)):
        yield f"{path}.selector: is made by the cluster"
    elif any(labels.get(one) not in (None, mine) for one in MADE_LABELS):
        yield f"{path}.template.metadata.labels: controller-uid is set by the cluster"


def indexed(body: Body) -> Iterator[str]:
    """Who counts its pods says how many there are; a Job (not a CronJob's) that says no number at all has one."""
    spec, path = _of_a_job(body)
    if spec.get("completionMode") != "Indexed" or spec.get("completions") is not None:
        return
    if body.get("kind") == "CronJob" or spec.get("parallelism") is not None:
        yield f"{path}.completions: missing (completionMode is Indexed)"


def is_elastic(path: str, live: Body, after: Body) -> bool:
    """Whether a fixed field may change all the same.

    An Indexed Job grows when all of its pods run at once; a pod that waits for leave is sent to fewer nodes.
    """
    before, spec = mapping_of(live.get("spec")), mapping_of(after.get("spec"))
    if after.get("kind") == "Pod":
        return bool(rows_of(before.get("schedulingGates"))) and _narrows(path, before)
    grows = after.get("kind") == "Job" and spec.get("completionMode") == "Indexed" and path == COMPLETIONS
    return grows and spec.get("completions") is not None and spec["completions"] == spec.get("parallelism")


def _narrows(path: str, before: Body) -> bool:
    label = path.removeprefix(NODE_SELECTOR)
    if path.startswith(NODE_SELECTOR):
        return label.removeprefix(".").strip("[']") not in mapping_of(before.get("nodeSelector"))
    affinity = mapping_of(mapping_of(before.get("affinity")).get("nodeAffinity"))
    is_new = "requiredDuringSchedulingIgnoredDuringExecution" not in affinity
    return path.startswith(NODE_AFFINITY) and (is_new or ".preferredDuring" in path)


def _of_a_job(body: Body) -> tuple[Body, str]:
    spec = mapping_of(body.get("spec"))
    if body.get("kind") != "CronJob":
        return spec, "spec"
    return mapping_of(mapping_of(spec.get("jobTemplate")).get("spec")), "spec.jobTemplate.spec"


def _counting(body: Body, spec: Body, path: str) -> Iterator[str]:
    """Each pod of an Indexed Job is called by its number, and succeeds by it."""
    count = spec.get("completions")
    if spec.get("completionMode") != "Indexed" or not isinstance(count, int):
        return
    last = f"{mapping_of(body.get('metadata')).get('name')}-{max(count - 1, 0)}"
    if path == "spec" and count > 0 and not is_label(last):
        yield f"metadata.name: no pod can be called {last}"
    for place, rule in enumerate(rows_of(mapping_of(spec.get("successPolicy")).get("rules"))):
        enough = rule.get("succeededCount")
        if isinstance(enough, int) and enough > count:
            yield f"{path}.successPolicy.rules[{place}].succeededCount: {enough} is more than completions {count}"


def _failures(spec: Body, pod: Body, path: str) -> Iterator[str]:
    policy = spec.get("podFailurePolicy")
    if policy is None:
        return
    if pod.get("restartPolicy") not in ("Never", None):
        yield f"{path}.podFailurePolicy: only with restartPolicy Never"
    if spec.get("podReplacementPolicy") not in (None, "", "Failed"):
        yield f"{path}.podReplacementPolicy: Failed alone goes with podFailurePolicy"
    names = [one.get("name") for field in ("containers", "initContainers") for one in rows_of(pod.get(field))]
    for place, rule in enumerate(rows_of(mapping_of(policy).get("rules"))):
        if rule.get("action") == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            yield f"{path}.podFailurePolicy.rules[{place}].action: FailIndex only with backoffLimitPerIndex"
        codes = mapping_of(rule.get("onExitCodes"))
        here = f"{path}.podFailurePolicy.rules[{place}].onExitCodes"
        if codes.get("containerName") is not None and codes["containerName"] not in names:
            yield f"{here}.containerName: there is no container {codes['containerName']!r}"
        values = codes.get("values")
        if codes.get("operator") == "In" and isinstance(values, list) and 0 in values:
            yield f"{here}.values: 0 is no failure"


def _template_labels(spec: Body) -> Body:
    return mapping_of(mapping_of(mapping_of(spec.get("template")).get("metadata")).get("labels"))
