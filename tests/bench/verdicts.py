"""How long a decision takes: intent → verdict in the machine, without the bus, for ordinary resources and for a hub."""

from __future__ import annotations

import random
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from schemas.identity import ResourceId
from schemas.intents import Intent
from services.resolver.machine import Machine
from tests.bench import history
from tests.bench.fleet import HUB
from tests.bench.measuring import Row, cpu_s, spread

TYPICAL: Final = 1_000
HUBS: Final = 60
KINDS: Final = ("Secret", "ConfigMap", "Service", "Pod", "apps/Deployment", "ServiceAccount", "PersistentVolumeClaim")
TYPICAL_P99_MS: Final = 1.0
HUB_P99_MS: Final = 5.0
START_GOAL_S: Final = 10.0


def run(size: int, file: Path) -> list[Row]:
    """Deletions and applies of ordinary resources; deleting the hub, and taking a key away from it."""
    loaded: list[Machine] = []
    start_s = cpu_s(lambda: loaded.append(history.loaded(file)))
    machine = loaded[0]
    chance = random.Random(11)
    some = [one for kind in KINDS for one in _some(machine, kind, chance)]
    chance.shuffle(some)
    deletions = [intent("delete", resources=(one,)) for one in some[:TYPICAL]]
    applies = [intent("apply", manifests=(_deployment(place % (size // 200)),)) for place in range(TYPICAL)]
    hub_delete = [intent("delete", resources=(HUB,))] * HUBS
    hub_update = [intent("update", manifests=(_settings(),))] * HUBS
    start_s += cpu_s(lambda: machine.preview(deletions[0], history.MOMENT))
    return [
        Row("cold start: from the first event to the first verdict", start_s, "s", START_GOAL_S),
        *spread("delete, typical", _times(machine, deletions), TYPICAL_P99_MS),
        *spread("apply, typical", _times(machine, applies), TYPICAL_P99_MS),
        *spread("delete the hub", _times(machine, hub_delete), HUB_P99_MS),
        *spread("update the hub", _times(machine, hub_update), HUB_P99_MS),
        Row("dependents of the hub", machine.graph.dependents(HUB).count, ""),
    ]


def _times(machine: Machine, intents: list[Intent]) -> list[float]:
    return [cpu_s(partial(machine.preview, one, history.MOMENT)) for one in intents]


def _some(machine: Machine, kind: str, chance: random.Random) -> list[ResourceId]:
    every = [one for one in machine.graph.members(kind) if "/team-" in one]  # type: ignore[arg-type]  # plain text
    return chance.sample(every, min(len(every), TYPICAL // len(KINDS) + 1))


def intent(verb: Any, resources: tuple[str, ...] = (), manifests: tuple[dict[str, Any], ...] = ()) -> Intent:
    """A question that nothing is done about."""
    return Intent(
        id="i-bench",
        verb=verb,
        site=history.SITE,
        resources=resources,
        manifests=manifests,
        requester="bench",
        created_at=history.MOMENT.wall,
        expires_at=history.MOMENT.wall + timedelta(hours=1),
        preview=True,
    )


def _deployment(namespace: int) -> dict[str, Any]:
    container = {"name": "web", "image": "web:1", "envFrom": [{"configMapRef": {"name": "flags"}}]}
    pod = {"containers": [container], "imagePullSecrets": [{"name": "registry"}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    metadata = {"name": "web", "namespace": f"team-{namespace:05d}"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def _settings() -> dict[str, Any]:
    metadata = {"name": "settings", "namespace": "farm"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"settings.yaml": "-"}}
