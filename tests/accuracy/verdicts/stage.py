"""One labelled case at a time on a live site: its objects are there as if we had applied them, then they are gone."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final

from cheops.asking import RefusedError
from cheops.drafts import Intent
from cheops.mesh import Mesh
from schemas.identity import ResourceId, SiteName, split_kind
from schemas.relations.surface import builtin_surface, surface_with_crds
from schemas.verdicts import Verdict
from tests.accuracy.verdicts.cases import Case
from tests.contract.api.client import Api
from tests.kit.extractors import extractor_for
from tests.kit.waiting import eventually

WAIT_S: Final = 40.0
DEFINITION: Final = "CustomResourceDefinition"
EARLY: Final = ("Namespace", DEFINITION)  # others live in what they make
Body = dict[str, Any]


class Stage:
    """What a site has in a case."""

    def __init__(self, api: Api, mesh: Mesh, site: SiteName, given: Sequence[Body]) -> None:
        self.given = list(given)
        self.api, self.mesh, self.site = api, mesh, site
        bodies = self.given
        definitions = [one for one in bodies if one["kind"] == DEFINITION]
        self._surface = surface_with_crds(builtin_surface(), definitions)
        extractor = extractor_for(self._surface)
        self._rows = {extractor.key(one).id: one for one in bodies}
        spaces = {extractor.key(one).namespace for one in bodies} - {"", "default"}
        for name in sorted(spaces):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self._rows.setdefault(ResourceId(f"Namespace/{name}"), body)

    async def set_up(self, kept: Collection[ResourceId] = ()) -> None:
        """All of it is there; what is `kept` was there before."""
        for early in (True, False):
            for resource, body in self._rows.items():
                if (body["kind"] in EARLY) is early and resource not in kept:
                    await self._create(resource, body)
        await self._until_known(set(self._rows))

    async def tear_down(self, kept: Collection[ResourceId] = ()) -> None:
        """Everything else goes, those that hold others last; finalizers of ours are let go of."""
        leaving = {resource: body for resource, body in self._rows.items() if resource not in kept}
        for early in (False, True):
            for resource, body in leaving.items():
                if (body["kind"] in EARLY) is early:
                    path = f"{self._collection(resource)}/{body['metadata']['name']}"
                    if body["metadata"].get("finalizers"):
                        await self.api.patch(path, {"metadata": {"finalizers": None}})
                    await self.api.delete(path)
        await self._until_gone(leaving)

    def in_common(self, other: Stage) -> set[ResourceId]:
        """The definitions that are the same on another stage; a namespace keeps what controllers made in it."""
        rows = self._rows.items()
        return {one for one, body in rows if body["kind"] == DEFINITION and other._rows.get(one) == body}

    async def _create(self, resource: ResourceId, body: Body) -> None:
        path = f"{self._collection(resource)}/{body['metadata']['name']}"

        async def made() -> bool:
            reply = await self.api.apply(path, body, manager="cheops", force=True)
            # a kind that is served in a moment, a namespace whose account is made in a moment
            assert reply.status in (200, 201, 403, 404), f"{resource}: {reply.text}"
            return reply.status in (200, 201)

        await eventually(made, f"{resource} cannot be made", WAIT_S)

    def _collection(self, resource: ResourceId) -> str:
        kind = next(kind for kind in self._surface.served if resource.startswith(f"{kind}/"))
        served = self._surface.served[kind]
        group, _ = split_kind(kind)
        version = self._rows[resource]["apiVersion"].rpartition("/")[2]
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        rest = resource.removeprefix(f"{kind}/").split("/")
        return f"{root}/namespaces/{rest[0]}/{served.plural}" if len(rest) == 2 else f"{root}/{served.plural}"

    async def _until_known(self, wanted: set[ResourceId]) -> None:
        for kind in _defined(self._rows):
            await eventually(partial(self._is_served, kind), f"{kind} is not served", WAIT_S)

        async def known() -> bool:
            return wanted <= {one.resource async for one in self.mesh.states(site=self.site)}

        await eventually(known, "the site does not know what is there", WAIT_S)
        await self._until_quiet()

    async def _is_served(self, kind: str) -> bool:
        try:
            await self.mesh.names(kind, site=self.site)
        except RefusedError:
            return False
        return True

    async def _until_gone(self, leaving: Mapping[ResourceId, Body]) -> None:

        async def gone() -> bool:
            return not {one.resource async for one in self.mesh.states(site=self.site)} & set(leaving)

        async def is_forgotten(kind: str) -> bool:
            return not await self._is_served(kind)

        await eventually(gone, "the site knows what is not there", WAIT_S)
        # Else the next one that defines it finds it served, and a moment later not any more.
        for kind in _defined(leaving):
            await eventually(partial(is_forgotten, kind), f"{kind} is served still", WAIT_S)

    async def _until_quiet(self) -> None:
        """Controllers have done what they do: nothing has changed between two looks, and the site sees all, fresh.

        A definition that has just come has others read again: until they are, answers about them are deferred.
        """
        before: object = None

        async def quiet() -> bool:
            nonlocal before
            status = await self.mesh.status(self.site)
            former, before = before, (status.evidence.seq, status.state, status.lag)
            return before == former and status.state == "fresh" and status.lag == 0 and not status.evidence.blind

        await eventually(quiet, lambda: f"the site does not come to rest: {before}", WAIT_S, pause_s=0.1)


def _defined(rows: Mapping[ResourceId, Body]) -> list[str]:
    return [one["spec"]["names"]["kind"] for one in rows.values() if "names" in one.get("spec", {})]


class Standing:
    """What stands on a site from one case to the next, as long as that is the same."""

    def __init__(self) -> None:
        self._given: list[Body] | None = None

    async def make(self, stage: Stage) -> None:
        """What the stage is given is there, and nothing of another one."""
        if self._given == stage.given:
            return
        kept: set[ResourceId] = set()
        if self._given is not None:
            former = Stage(stage.api, stage.mesh, stage.site, self._given)
            self._given, kept = None, former.in_common(stage)
            await former.tear_down(kept)
        try:
            await stage.set_up(kept)
        except BaseException:
            await stage.tear_down()
            raise
        self._given = stage.given


def in_order(given: Sequence[Body]) -> tuple[str, str]:
    """A key to sort cases by: next to each other are those of the same objects, or at least of the same definitions."""
    definitions = [one for one in given if one["kind"] == DEFINITION]
    return json.dumps(definitions, sort_keys=True), json.dumps(given, sort_keys=True)


async def judged(mesh: Mesh, case: Case) -> Verdict:
    """The verdict on a case, entered at its first site; nothing is done."""
    act = case.act
    verb = "delete" if "delete" in act else "read" if "read" in act else act.get("verb", "apply")
    draft = Intent(
        verb=verb,
        resources=tuple(act.get("delete", act.get("read", ()))),
        manifests=tuple(act.get("manifests", ())),
        namespace=act.get("namespace", ""),
        cascade=act.get("cascade", "none"),
        preview=True,
        scope=case.scope,
    )
    return await mesh.submit(draft, site=next(iter(case.sites)))
