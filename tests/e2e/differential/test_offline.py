"""Every verdict of `cheops check`, which asks nobody, on namespaces with quotas, limits and levels of Pod Security.

What is allowed is then done at a real API server: it must take every write, and a rolling restart of everything must
come up. What is denied is not done. The folder of manifests that is judged is what was written so far.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache

import pytest
from hypothesis import given

from cheops.offline import check
from cheops.offline.sites import Flaws, site_of
from cheops.sandbox.controlplane import ControlPlane
from schemas.documents import Document
from schemas.identity import ResourceId, ResourceKey, site_name
from schemas.relations.extract import Extractor
from schemas.relations.loader import Catalogue, load_catalogue
from schemas.relations.surface import builtin_surface
from schemas.verdicts import Verdict
from services.resolver.judge.policy import Policy
from tests.contract.api.client import Api, Content
from tests.e2e.differential.cluster import collection, remove, restarted, write
from tests.e2e.differential.universe import (
    Act,
    Ground,
    Remove,
    acts,
    always_the_same,
    called,
    ground,
    grounds,
    manifests,
)
from tests.kit.controlplane import prepare
from tests.kit.kubelet import api_of, kubelet

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(1800)]

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SITE = site_name("lyon")
_numbers = itertools.count()


@cache
def _catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    made = prepare("lyon", tmp_path_factory.mktemp("plane"), run_pods=False)
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


class Folder:
    """The manifests of one namespace as they were written, and the verdicts on them."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.rows: dict[ResourceId, Content] = {}
        self._extractor = Extractor(_catalogue(), builtin_surface())

    def put(self, manifest: Content) -> None:
        self.rows[self.name_of(manifest)] = manifest

    def name_of(self, manifest: Content) -> ResourceId:
        return self._extractor.key(manifest).id

    def verdict(self, act: Act) -> Verdict:
        documents = [Document("site", place, body) for place, body in enumerate(self.rows.values())]
        site = site_of(SITE, documents, _catalogue(), Flaws())
        return check.check_parts(check.Court({SITE: site}, _catalogue(), Policy(), NOW), {SITE: self._asked(act)})

    def _asked(self, act: Act) -> check.Act:
        if not isinstance(act, Remove):
            return check.Act(manifests=tuple(manifests(act, self.namespace)), namespace=self.namespace)
        name = f"{act.kind.lower()}/{called(act.kind, act.name, self.namespace)}"
        cascade = "dependents" if act.with_dependents else "none"
        return check.Act("delete", resources=(name,), namespace=self.namespace, cascade=cascade)


async def _play(plane: ControlPlane, under: Ground, sequence: list[Act], tally: Counter[str]) -> None:
    namespace = f"written-{next(_numbers)}"
    folder = Folder(namespace)
    async with api_of(plane) as api, kubelet(api):
        await _prepare(api, under, folder)
        for act in sequence:
            verdict = folder.verdict(act)
            tally[verdict.decision] += 1
            if verdict.decision == "allow":
                refused = await _carried_out(api, verdict, act, folder) or await restarted(api, namespace)
                assert not refused, f"{act} on {under} and {[*folder.rows]} was allowed: {refused}"
                tally["steps"] += len(verdict.plan)
        await api.delete(f"/api/v1/namespaces/{namespace}")


async def _prepare(api: Api, under: Ground, folder: Folder) -> None:
    for manifest in ground(under, folder.namespace):
        assert not await write(api, manifest, folder.namespace)
        folder.put(manifest)
    await api.until(collection("ServiceAccount", folder.namespace), "default", lambda found: found is not None)
    if under.hard:  # it refuses nothing before its controller has counted
        await api.until(collection("ResourceQuota", folder.namespace), "bound", _has_counted)


def _has_counted(quota: Content | None) -> bool:
    return bool((quota or {}).get("status", {}).get("used"))


async def _carried_out(api: Api, verdict: Verdict, act: Act, folder: Folder) -> str:
    """The verdict's own plan, step by step; what the API server refuses."""
    written = [] if isinstance(act, Remove) else manifests(act, folder.namespace)
    by_name = {folder.name_of(one): one for one in written}
    for step in verdict.plan:
        key = ResourceKey.parse(step.resource)
        if step.action == "delete":
            await remove(api, key.kind, key.name, folder.namespace)
            del folder.rows[step.resource]
            if key.kind == "PersistentVolumeClaim":
                await _discard_volume(api, key, folder)
            continue
        refused = await write(api, by_name[step.resource], folder.namespace)
        if refused:
            return refused
        folder.put(by_name[step.resource])
    return ""


async def _discard_volume(api: Api, claim: ResourceKey, folder: Folder) -> None:
    """A volume remembers its claim, which no manifest says: nobody could use it again (known-defects.md)."""
    name = called("PersistentVolume", claim.name, folder.namespace)
    if folder.rows.pop(ResourceId(f"PersistentVolume/{name}"), None) is not None:
        await remove(api, "PersistentVolume", name, folder.namespace)


def _run(plane: ControlPlane, examples: int) -> Counter[str]:
    tally: Counter[str] = Counter()

    @always_the_same(examples)
    @given(grounds, acts)
    def play(under: Ground, sequence: list[Act]) -> None:
        asyncio.run(_play(plane, under, sequence, tally))

    play()
    return tally


def test_nothing_that_a_check_of_manifests_allows_breaks_what_runs(plane: ControlPlane) -> None:
    tally = _run(plane, examples=12)
    print(f"{dict(tally)}, 0 that broke")
    assert tally["steps"] > 20, "the check would show nothing"
    assert tally["deny"] > 2, "the check would show nothing"


@pytest.mark.soak
def test_nothing_that_a_check_of_manifests_allows_breaks_what_runs_at_length(plane: ControlPlane) -> None:
    tally = _run(plane, examples=150)
    print(f"{dict(tally)}, 0 that broke")
    assert tally["steps"] > 300, "the check would show nothing"
