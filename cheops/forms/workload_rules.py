"""Mistakes in workloads, beside their pods, that show only when two fields are read together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.relations.selector import from_object, labels_of, matches
from services.resolver.judge.demand import mapping_of, rows_of

Body = Mapping[str, Any]
COMPLETIONS: Final = "spec.completions"
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
    if more not in (None, 0, "0%") and fewer not in (None, 0, "0%"):
        yield "spec.updateStrategy.rollingUpdate: maxSurge and maxUnavailable exclude each other"


def job(body: Body) -> Iterator[str]:
    """A Job's own words, or those of a CronJob about its Jobs."""
    spec, path = _of_a_job(body)
    pod = mapping_of(mapping_of(spec.get("template")).get("spec"))
    if spec.get("completionMode") != "Indexed":
        for field in ("backoffLimitPerIndex", "successPolicy"):
            if spec.get(field) is not None:
                yield f"{path}.{field}: only with completionMode Indexed"
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield f"{path}.backoffLimitPerIndex: missing (maxFailedIndexes is set)"
    if spec.get("selector") is not None and spec.get("manualSelector") is not True and path != "spec":
        yield f"{path}.selector: is made by the cluster"
    yield from _failures(spec, pod, path)


def indexed(body: Body) -> Iterator[str]:
    """Who counts its pods says how many there are; a Job (not a CronJob's) that says no number at all has one."""
    spec, path = _of_a_job(body)
    if spec.get("completionMode") != "Indexed" or spec.get("completions") is not None:
        return
    if body.get("kind") == "CronJob" or spec.get("parallelism") is not None:
        yield f"{path}.completions: missing (completionMode is Indexed)"


def is_elastic(path: str, after: Body) -> bool:
    """Whether a fixed field may change all the same: an Indexed Job grows when all of its pods run at once."""
    spec = mapping_of(after.get("spec"))
    grows = after.get("kind") == "Job" and spec.get("completionMode") == "Indexed" and path == COMPLETIONS
    return grows and spec.get("completions") is not None and spec["completions"] == spec.get("parallelism")


def _of_a_job(body: Body) -> tuple[Body, str]:
    spec = mapping_of(body.get("spec"))
    if body.get("kind") != "CronJob":
        return spec, "spec"
    return mapping_of(mapping_of(spec.get("jobTemplate")).get("spec")), "spec.jobTemplate.spec"


def _failures(spec: Body, pod: Body, path: str) -> Iterator[str]:
    policy = spec.get("podFailurePolicy")
    if policy is None:
        return
    if pod.get("restartPolicy") not in ("Never", None):
        yield f"{path}.podFailurePolicy: only with restartPolicy Never"
    names = {one.get("name") for field in ("containers", "initContainers") for one in rows_of(pod.get(field))}
    for place, rule in enumerate(rows_of(mapping_of(policy).get("rules"))):
        codes = mapping_of(rule.get("onExitCodes"))
        here = f"{path}.podFailurePolicy.rules[{place}].onExitCodes"
        if codes.get("containerName") is not None and codes["containerName"] not in names:
            yield f"{here}.containerName: there is no container {codes['containerName']!r}"
        values = codes.get("values")
        if codes.get("operator") == "In" and isinstance(values, list) and 0 in values:
            yield f"{here}.values: 0 is no failure"


def _template_labels(spec: Body) -> Body:
    return mapping_of(mapping_of(mapping_of(spec.get("template")).get("metadata")).get("labels"))
