"""What has ended of a testbed is started again: servers, then clusters, then services, then every site is fresh.

A server keeps its port and what it has stored, a real control plane its objects. An embedded API server keeps its
port only: it held its objects in memory.
"""

from __future__ import annotations

from cheops.sandbox.testbed import Testbed


async def start_again(bed: Testbed) -> list[str]:
    """Harmless when nothing has ended. The names of what had; raises as `Testbed.start` does."""
    names = await bed.buses.start_again()
    for site in bed.sites.values():
        cluster = await site.cluster.start_again()
        if cluster:
            await bed.put_gate(site)  # it may have been forgotten
        names += cluster
        names += [child.name for child in site.services.values() if not child.running]
        await bed.start_services(site.name)
    await bed.wait_fresh()
    await bed.wait_linked()
    return names
