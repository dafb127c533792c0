"""Deletions judged by number and judged over states: the same verdict, to the byte, on whatever a site looks like.

A view with nothing laid over it hides the numbers, so the same judge walks over states there. Sites are made from a
seed, small and dense, so that owners, selectors and users of one thing meet in every way; a rule of going.py that is
changed a little is caught within some hundreds of them.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from schemas.events import Grant, LabelSelector, Reference, Relation, ResourceEvent, ResourceState, Scalar, Selector
from schemas.identity import KindId, ResourceId, SiteName
from schemas.policy import PolicyFile
from services.resolver.graph.overlay import OverlayView
from services.resolver.graph.remembered import RememberedView, numbers_of
from services.resolver.graph.store import Graph
from services.resolver.graph.view import WALK_MAX, Reach, reach_by_edges
from services.resolver.judge.case import Case, Change
from services.resolver.judge.decide import decide
from services.resolver.judge.delete import blocks_by_default, judge_delete, with_dependents
from services.resolver.judge.going import together
from services.resolver.judge.policy import Policy
from tests.kit.court import FRESH

LYON: Final = SiteName("lyon")
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
POD: Final = KindId("Pod")
SECRET: Final = ResourceId("Secret/shop/a")
NAMES: Final = [  # an owner stands before what it owns
    ResourceId(one)
    for one in (
        "Namespace/shop",
        *(f"apps/Deployment/shop/{name}" for name in "ab"),
        *(f"apps/ReplicaSet/shop/{name}" for name in "ab"),
        *(f"Pod/shop/{name}" for name in "abc"),
        "batch/CronJob/shop/a",
        "Service/shop/a",
        "Secret/shop/a",
        "Secret/shop/b",
        "PersistentVolumeClaim/shop/a",
        "PersistentVolume/a",
        "storage.k8s.io/StorageClass/a",
        "ServiceAccount/shop/a",
        "rbac.authorization.k8s.io/RoleBinding/shop/a",
    )
]
RULES: Final = ("podspec.env.secret", "podspec.volume.secret", "service.selector", "binding.role", "plain")
FLAGS: Final = ("optional", "soft", "once")
GRANT: Final = Grant(POD, ("shop",), target=KindId("Secret"))
STRICT: Final = [{"code": "311", "set": "warn"}, {"code": "302", "set": "deny"}]
POLICIES: Final = [Policy(), Policy(PolicyFile.model_validate({"schema": "policy/v1", "rules": STRICT}))]
SEEDS: Final = st.integers(0, 2**32)


class Sketch:
    """Draws a site from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def graph(self) -> Graph:
        graph = Graph(LYON)
        for name in NAMES:
            if not self._one_in(6):
                graph.apply(ResourceEvent("put", self._state(name)))
        return graph

    def targets(self) -> list[ResourceId]:
        if self._one_in(2):
            return [SECRET]
        return self._random.sample(NAMES, self._random.randrange(1, 3))

    def _one_in(self, number: int) -> bool:
        return self._random.randrange(number) == 0

    def _state(self, name: ResourceId) -> ResourceState:
        facts: dict[str, Scalar] = {"volume": "a", "reclaim": "Delete"} if self._one_in(3) else {}
        if self._one_in(3):
            facts["recurs"] = self._one_in(2)
        if self._one_in(5):
            facts["phase"] = self._random.choice(("Running", "Succeeded", "Terminating"))
        return ResourceState(
            name,
            uid="" if self._one_in(4) else "u1",
            resource_version="1",
            deleting=self._one_in(15),
            labels=self._labels(),
            template_labels=self._labels() if self._one_in(2) else None,
            references=tuple(self._reference(name) for _ in range(self._random.randrange(4))),
            facts=facts,
            finalizers=("hold",) if self._one_in(8) else (),
            grants=(GRANT,) if self._one_in(25) else (),
        )

    def _labels(self) -> dict[str, str]:
        return {key: self._random.choice("xy") for key in ("app", "tier") if self._one_in(2)}

    def _reference(self, name: ResourceId) -> Reference:
        rule, uid = self._random.choice(RULES), self._random.choice(("", "", "u1", "u1", "u2"))
        if self._one_in(4):
            labels = LabelSelector({"app": self._random.choice("xy")} if self._one_in(2) else self._labels())
            selector = Selector(POD, self._random.choice(((), ("shop",))), labels)
            return Reference(rule, "spec.selector", "reliance", self._phases(), selector=selector)
        if self._one_in(2):
            relation: Relation = "containment" if self._one_in(4) else "composition"
            up = NAMES if self._one_in(20) else NAMES[: max(1, NAMES.index(name))]
            return Reference("owner", "metadata.owner", relation, "D", self._random.choice(up), uid=uid)
        target = SECRET if self._one_in(2) else self._random.choice(NAMES)
        made = Reference(rule, f"spec.{rule}", "requirement", self._phases(), target, uid=uid)
        flag = self._random.choice(FLAGS) if self._one_in(6) else "needs_permission" if self._one_in(60) else ""
        return structs.replace(made, **{flag: True}) if flag else made

    def _phases(self) -> str:
        return self._random.choice(("S", "L", "SL", "A", "L", "S", "P", ""))


@settings(max_examples=1_500, deadline=None)
@given(SEEDS)
def test_a_deletion_gets_the_same_verdict_by_number_and_over_states(seed: int) -> None:
    sketch = Sketch(seed)
    graph, targets = sketch.graph(), sketch.targets()
    changes = tuple(Change(one, "delete") for one in targets)
    expires_at = NOW + timedelta(hours=1)
    for policy in POLICIES if seed % 4 == 0 else POLICIES[:1]:
        case = Case("i-1", "delete", LYON, changes, FRESH, expires_at, 10.0)
        over_states = decide(case, OverlayView(graph, {}), policy, NOW)
        assert decide(case, graph, policy, NOW).to_json() == over_states.to_json()


@settings(max_examples=1_500, deadline=None)
@given(SEEDS)
def test_what_goes_together_is_the_same_and_harmless_means_that_nothing_denies(seed: int) -> None:
    sketch = Sketch(seed)
    graph, targets = sketch.graph(), sketch.targets()
    found = together(RememberedView(graph), targets)
    if found is None:
        return  # left to the walk over states
    plain = RememberedView(OverlayView(graph, {}))
    assert found.resources == with_dependents(plain, targets)
    if found.harmless:
        assert not any(map(blocks_by_default, judge_delete(plain, found.resources)))


@settings(max_examples=500, deadline=None)
@given(SEEDS, st.integers(0, 12))
def test_as_many_are_reached_by_number_as_by_edges(seed: int, limit: int) -> None:
    sketch = Sketch(seed)
    graph, targets = sketch.graph(), sketch.targets()
    every = reach_by_edges(OverlayView(graph, {}), targets, WALK_MAX).count
    assert graph.reach(targets, limit) == Reach(min(every, limit), every > limit)


def test_numbers_decide_most_sites_in_every_way() -> None:
    answers: Counter[str] = Counter()
    for seed in range(300):
        sketch = Sketch(seed)
        found = together(RememberedView(sketch.graph()), sketch.targets())
        answers["left" if found is None else f"{found.harmless} {len(found.resources) > 1}"] += 1
    assert answers["left"] < 150, answers
    assert min(answers[one] for one in ("True True", "True False", "False True")) >= 10, answers


def test_numbers_are_not_to_be_had_while_something_is_laid_over_the_site() -> None:
    graph = Sketch(1).graph()
    assert numbers_of(RememberedView(graph)) is not None
    assert numbers_of(RememberedView(OverlayView(graph, {}))) is None
