"""What `cheops mesh init --sites lyon,oslo --routers 2` writes, to be read: `python -m deploy.nats.examples`.

The keys are words instead of nkeys; a server that is given these files refuses them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cheops.topology.permissions import ROLES
from cheops.topology.plan import Plan
from cheops.topology.rendering import as_text, router_configuration, site_configuration

HERE: Final = Path(__file__).parent
ADDRESSES: Final = {
    "lyon": ("10.1.0.5", 4222),
    "oslo": ("10.2.0.5", 4222),
    "router-1": ("relay-1.example", 7422),
    "router-2": ("relay-2.example", 7422),
}


def examples() -> dict[str, str]:
    """File name → text."""
    plan = Plan(schema="mesh/v1", sites=()).with_routers(2, ADDRESSES).with_sites(["lyon", "oslo"], ADDRESSES)
    for name in plan.names:
        plan = plan.with_keys(name, {role: f"<public key of {name}'s {role}>" for role in ROLES})
    return {
        "site.conf": as_text(site_configuration(plan, plan.site("lyon")), "The server of site lyon."),
        "router.conf": as_text(router_configuration(plan, plan.routers[0]), "Router router-1."),
    }


if __name__ == "__main__":
    for name, text in examples().items():
        (HERE / name).write_text(text)
