"""Does the resolver hold what the API server holds? Built afresh, kind by kind, and compared state by state (O2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from cheops.mesh import Mesh
from schemas.events import ResourceState, ServedKind
from schemas.identity import KindId, ResourceId, kind_id
from schemas.kinds import Surface
from tests.contract.api.client import Api, Content
from tests.kit.extractors import extractor_for
from tests.kit.waiting import eventually

CONVERGED_WITHIN_S: Final = 60.0
NOISE: Final = frozenset(map(KindId, ("Event", "events.k8s.io/Event", "coordination.k8s.io/Lease")))  # as documented
SHOWN_MAX: Final = 5


async def until_equal(mesh: Mesh, api: Api, site: str) -> None:
    """Wait until the graph of a site equals one built from the API server; AssertionError with what differs."""
    differ = ["nothing was compared"]

    async def equal() -> bool:
        differ[:] = await differences(mesh, api, site)
        return not differ

    def said() -> str:
        return f"{site} differs from its API server in {len(differ)} places: " + "; ".join(differ[:SHOWN_MAX])

    await eventually(equal, said, CONVERGED_WITHIN_S, pause_s=0.1)


async def differences(mesh: Mesh, api: Api, site: str) -> list[str]:
    """What one of the two has otherwise; both are read one after the other, so a busy cluster is asked again."""
    held = {state.resource: state async for state in mesh.states(site=site)}
    built = {state.resource: state async for state in fresh_states(api)}
    rows = [f"{name} is at the server only" for name in built.keys() - held.keys()]
    rows += [f"{name} is in the graph only" for name in held.keys() - built.keys()]
    rows += [_difference(held[name], built[name]) for name in built.keys() & held.keys() if held[name] != built[name]]
    return rows


async def fresh_states(api: Api) -> AsyncIterator[ResourceState]:
    """Every object that can be listed and watched, read from the API server and shaped anew."""
    kinds = [row async for row in _kinds(api)]
    extractor = extractor_for(Surface(served for served, _ in kinds))
    for served, path in kinds:
        if not path:
            continue
        listed = await api.get(path)
        if listed.status != 200:
            continue  # a definition that was deleted in between
        for item in listed.content["items"]:
            group, _, version = path.removeprefix("/apis/").removeprefix("/api/").rpartition("/")[0].rpartition("/")
            body = {**item, "apiVersion": f"{group}/{version}" if group else version, "kind": _bare(served.kind)}
            yield extractor.state(body)


async def _kinds(api: Api) -> AsyncIterator[tuple[ServedKind, str]]:
    """Plain discovery, a request per group version, the preferred one of each group; "" for what is not watched."""
    roots = ["/api/v1"]
    for group in (await api.get("/apis")).content["groups"]:
        roots.append(f"/apis/{group['preferredVersion']['groupVersion']}")
    for root in roots:
        found = await api.get(root)
        for row in found.content.get("resources", ()) if found.status == 200 else ():
            if "/" not in row["name"]:
                served = _served(root, row)
                seen = {"list", "watch"} <= set(row["verbs"]) and served.kind not in NOISE
                yield served, f"{root}/{row['name']}" if seen else ""


def _served(root: str, row: Content) -> ServedKind:
    parts = root.split("/")
    group, version = ("", parts[2]) if len(parts) == 3 else (parts[2], parts[3])
    return ServedKind(kind_id(group, row["kind"]), row["name"], (version,), row["namespaced"])


def _bare(kind: KindId) -> str:
    return kind.rpartition("/")[2]


def _difference(held: ResourceState, built: ResourceState) -> str:
    one, other = msgspec.to_builtins(held), msgspec.to_builtins(built)
    fields = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    told = ", ".join(f"{name} {str(one.get(name))[:120]} ≠ {str(other.get(name))[:120]}" for name in fields)
    return f"{ResourceId(held.resource)}: {told}"
