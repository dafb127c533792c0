"""Sites made from a seed: small and dense, so that owners, selectors and users of one thing meet in every way."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Final

from msgspec import structs

from schemas.events import Grant, LabelSelector, Reference, Relation, ResourceEvent, ResourceState, Scalar, Selector
from schemas.identity import KindId, ResourceId, SiteName
from services.resolver.graph.store import Graph

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
SCALER: Final = ResourceId("autoscaling/HorizontalPodAutoscaler/shop/a")
RULES: Final = ("podspec.env.secret", "podspec.volume.secret", "service.selector", "binding.role", "plain")
APPLYING: Final = ("takes", "restores")  # facts of what applies others
FLAGS: Final = ("optional", "soft", "once")
GRANT: Final = Grant(POD, ("shop",), target=KindId("Secret"))


class Sketch:
    """Draws a site from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        # Drawn apart, and of every other seed: those that are pinned somewhere mean what they meant.
        self._applied = Random(seed) if seed % 2 == 0 else None

    def graph(self) -> Graph:
        graph = Graph(LYON)
        for name in NAMES:
            if not self._one_in(6):
                graph.apply(ResourceEvent("put", self._state(name)))
        if self._applied is not None and self._applied.random() < 0.3:
            graph.apply(ResourceEvent("put", self._scaler(self._applied)))
        return graph

    def targets(self) -> list[ResourceId]:
        if self._one_in(2):
            return [SECRET]
        return self._random.sample(NAMES, self._random.randrange(1, 3))

    def written(self) -> list[ResourceState]:
        """What some of it, or what is not there yet, is to be."""
        return [self._state(name) for name in self._random.sample(NAMES, self._random.randrange(1, 4))]

    def _one_in(self, number: int) -> bool:
        return self._random.randrange(number) == 0

    def _state(self, name: ResourceId) -> ResourceState:
        facts: dict[str, Scalar] = {"volume": "a", "reclaim": "Delete"} if self._one_in(3) else {}
        if self._one_in(3):
            facts["recurs"] = self._one_in(2)
        if self._one_in(5):
            facts["phase"] = self._random.choice(("Running", "Succeeded", "Terminating"))
        if self._applied is not None:
            facts |= {one: self._applied.random() < 0.5 for one in APPLYING if self._applied.random() < 0.3}
        return ResourceState(
            name,
            uid="" if self._one_in(4) else "u1",
            resource_version="1",
            deleting=self._one_in(15),
            labels=self._labels(),
            template_labels=self._labels() if self._one_in(2) else None,
            references=tuple(self._reference(name) for _ in range(self._random.randrange(4))),
            facts=facts,
            finalizers=(self._random.choice(("kubernetes.io/hold", "example.org/hold")),) if self._one_in(8) else (),
            grants=(GRANT,) if self._one_in(25) else (),
        )

    def _scaler(self, random: Random) -> ResourceState:
        """May start a workload that is at zero."""
        target = random.choice([one for one in NAMES if "Deployment" in one])
        aims = Reference("autoscaler.target", "spec.scaleTargetRef", "reliance", "L", target)
        facts: dict[str, Scalar] = {"recurs": random.random() < 0.7}
        return ResourceState(SCALER, uid="u1", resource_version="1", references=(aims,), facts=facts)

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
            is_optional = self._applied is not None and relation == "containment" and self._applied.random() < 0.7
            target = self._random.choice(up)
            return Reference("owner", "metadata.owner", relation, "D", target, uid=uid, optional=is_optional)
        target = SECRET if self._one_in(2) else self._random.choice(NAMES)
        made = Reference(rule, f"spec.{rule}", "requirement", self._phases(), target, uid=uid)
        flag = self._random.choice(FLAGS) if self._one_in(6) else "needs_permission" if self._one_in(60) else ""
        return structs.replace(made, **{flag: True}) if flag else made

    def _phases(self) -> str:
        return self._random.choice(("S", "L", "SL", "A", "L", "S", "P", ""))
