"""How the mesh is: every site in its own word, and the links between them as those see them that answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from cheops.asking import Questions
from schemas.identity import SiteName
from schemas.queries import SiteLinks, SiteStatus
from services.chassis.errors import TransientError


@dataclass(frozen=True, slots=True)
class Overview:
    """`links`: of the sites that answer here and have peers; `silent`: expected, and nothing is heard of them."""

    sites: tuple[SiteStatus, ...]
    links: tuple[SiteLinks, ...]
    silent: tuple[SiteName, ...]


async def overview(mesh: Questions) -> Overview:
    """Also of sites that only others reach: each site tells what its peers say of themselves."""
    here = await mesh.sites()
    links = [one for one in await asyncio.gather(*(_links(mesh, status.site) for status in here)) if one is not None]
    found = {peer.status.site: peer.status for one in links for peer in one.peers if peer.status is not None}
    found |= {status.site: status for status in here}
    peers = [peer for one in links for peer in one.peers]
    expected = {*map(SiteName, mesh.expected_sites), *(peer.site for peer in peers)}
    expected -= {peer.site for peer in peers if peer.state == "gone"}
    return Overview(
        sites=tuple(found[name] for name in sorted(found)),
        links=tuple(one for one in links if one.peers),
        silent=tuple(sorted(expected - found.keys())),
    )


async def _links(mesh: Questions, site: SiteName) -> SiteLinks | None:
    """None from a resolver of before there were links, and from one that went away meanwhile."""
    try:
        return await mesh.links(site)
    except TransientError:
        return None
