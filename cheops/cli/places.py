"""A namespace that spans sites: what is in it, by site. What has one name at two sites is named with both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from cheops.cli.render.signs import Signs
from cheops.cli.render.steps import named
from cheops.mesh import Mesh
from schemas.identity import ResourceId, SiteName
from schemas.queries import GatheredAnswer, GraphQuery
from schemas.relations.ambient import is_ambient

SHOWN_MAX: Final = 40


async def inside(mesh: Mesh, namespace: ResourceId, entry: SiteName) -> GatheredAnswer:
    """What every site that can be heard has in it."""
    query = GraphQuery(resource=namespace, direction="dependents", depth=2)  # the second hop says who made what
    return await mesh.gather(query, site=entry)


def contents(gathered: GatheredAnswer, sites: Iterable[SiteName]) -> dict[ResourceId, list[SiteName]]:
    """Each resource in it that somebody put there, and the sites that have it."""
    found: dict[ResourceId, list[SiteName]] = {}
    wanted = {*sites}
    for answer in (one for one in gathered.answers if one.site in wanted):
        made = {edge.source for edge in answer.edges if edge.kind == "composition"}
        for node in answer.nodes:
            is_mine = node.resource not in made and not is_ambient(node.resource)
            if node.depth == -1 and node.state == "present" and is_mine:
                found.setdefault(node.resource, []).append(answer.site)
    return dict(sorted(found.items()))


def lines_of(found: Mapping[ResourceId, Sequence[SiteName]], signs: Signs) -> list[str]:
    """By the sites that have it."""
    lines: list[str] = []
    by_sites = sorted(found, key=lambda one: (tuple(found[one]), one))
    for sites, resources in groupby(by_sites, key=lambda one: tuple(found[one])):
        mine = [*resources]
        lines.append(signs.paint(f"  in it at {' and '.join(sites)}: {len(mine)}", "bold"))
        lines += [f"    {named(one)}" for one in mine[:SHOWN_MAX]]
        lines += [f"    and {len(mine) - SHOWN_MAX} more (-o json)"] if len(mine) > SHOWN_MAX else []
    return lines


def rows_of(found: Mapping[ResourceId, Sequence[SiteName]]) -> list[dict[str, Any]]:
    """The same for a program."""
    return [{"resource": resource, "sites": [*sites]} for resource, sites in found.items()]
