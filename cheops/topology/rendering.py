"""Plan → the configuration of one nats-server, as data and as text. Pure.

The text is JSON, which nats-server reads, with one word that is not: `$link_seed`, a variable from `keys/link.conf`
beside it, so that only that file holds a secret. Paths are relative: a server is started in its folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from cheops.topology.permissions import AUDITOR, LINK, ROLES, Permissions, Role, never_crossing, of_link, of_role
from cheops.topology.plan import LOOPBACK, Plan, Router, Site, host_port
from services.chassis.bus.sizes import SERVER_PAYLOAD_BYTES
from services.chassis.bus.streams import STORE_BYTES

SEED_VARIABLE: Final = "link_seed"
STORE_BOUND: Final = "max_file_store"  # else three quarters of what is free: less than the streams of a site promise
SITE_PING: Final = "2s"  # clients answer it, too: a service may be busy for 4 s before its server gives it up
ROUTER_PING: Final = "1s"  # its peers are servers, which are never that busy: a dead link is noticed within 3 s
PINGS_MISSED_MAX: Final = 2
REDIAL: Final = "500ms"
TLS_FILES: Final = {"cert_file": "tls/cert.pem", "key_file": "tls/key.pem", "ca_file": "tls/ca.pem"}
TLS_MANNER: Final = {"handshake_first": True, "min_version": "1.3"}  # no word is said before it is encrypted
SYSTEM_ACCOUNT: Final = "$SYS"  # where a server speaks of itself; it has one under this name whatever is said
ANSWER_WITHIN: Final = "2m"  # how long a question may be answered; the longest wait of ours is 60 s

Configuration = dict[str, Any]


def site_configuration(plan: Plan, site: Site, *, sync: str = "always") -> Configuration:
    """A site's own server. `sync`: when acknowledged messages reach the disk."""
    users = _users(site, [role for role in ROLES if role not in (LINK, AUDITOR)])
    dialling = [_user(one.keys[LINK], of_link(one.name, site.name), link=True) for one in plan.accepted_by(site.name)]
    links: Configuration = {"no_advertise": True, "reconnect": REDIAL}
    if not plan.routers:
        links["listen"] = host_port(site.own_host, site.links_port)
        links["isolate_leafnode_interest"] = True  # a site passes nothing on between two others
        links |= _tls(plan)
    links["remotes"] = [
        *(_remote(plan, site, one) for one in plan.routers),
        *(_remote(plan, site, one, one) for one in plan.dialled_by(site.name)),
    ]
    return {
        "server_name": site.name,
        "listen": host_port(site.own_host, site.listen_port or site.port),
        **_limits(SITE_PING),
        **_tls(plan),
        "jetstream": {"store_dir": "store", STORE_BOUND: STORE_BYTES, "domain": site.name, "sync_interval": sync},
        "authorization": {"users": [*users, *dialling]},
        "accounts": {SYSTEM_ACCOUNT: {"users": _users(site, [AUDITOR])}},
        "leafnodes": links,
    }


def router_configuration(plan: Plan, router: Router) -> Configuration:
    """A router: no JetStream, no users but the sites' links."""
    links = host_port(router.own_host, router.listen_port or router.links_port)
    return {
        "server_name": router.name,
        "listen": f"{LOOPBACK}:-1",  # nobody is a client of a router
        **_limits(ROUTER_PING),
        "authorization": {"users": [_user(one.keys[LINK], of_link(one.name), link=True) for one in plan.sites]},
        "leafnodes": {"listen": links, "no_advertise": True, **_tls(plan)},
    }


def as_text(configuration: Configuration, title: str) -> str:
    """What nats-server reads: characters as they are, since it knows no `\\u00e9`."""
    head = f"# {title}\n# Made by `cheops mesh`; changes are lost when it runs again.\n"
    body = json.dumps(configuration, indent=2, ensure_ascii=False).replace(f'"${SEED_VARIABLE}"', f"${SEED_VARIABLE}")
    included = "include keys/link.conf\n" if f"${SEED_VARIABLE}" in body else ""
    return f"{head}{included}{body[2:-2]}\n" if included else f"{head}{body}\n"


def seed_text(seed: str) -> str:
    """`keys/link.conf`."""
    return f"{SEED_VARIABLE}: {seed}\n"


def _tls(plan: Plan) -> Configuration:
    return {"tls": {**TLS_FILES, **TLS_MANNER}} if plan.tls else {}


def _limits(ping: str) -> Configuration:
    return {"max_payload": SERVER_PAYLOAD_BYTES, "ping_interval": ping, "ping_max": PINGS_MISSED_MAX}


def _remote(plan: Plan, site: Site, there: Router | Site, sender: Site | None = None) -> Configuration:
    """A link that this site dials. The other end refuses what is not ours; here, what should never come in or leave."""
    never = never_crossing(site.name, plan.names, sender.name if sender else None)
    trusting = {"tls": {"ca_file": TLS_FILES["ca_file"], "handshake_first": True}} if plan.tls else {}
    return {
        "url": f"{'tls' if plan.tls else 'nats-leaf'}://{host_port(there.host, there.links_port)}",
        **trusting,
        "nkey": f"${SEED_VARIABLE}",
        "deny_imports": list(never),
        "deny_exports": [one for one in never if ".peer." not in one],
    }


def _users(site: Site, roles: Iterable[Role]) -> list[Configuration]:
    return [_user(site.keys[role], of_role(site.name, role)) for role in roles if role in site.keys]


def _user(key: str, permissions: Permissions, *, link: bool = False) -> Configuration:
    allowed: Configuration = {
        "publish": {"allow": list(permissions.publish)} if permissions.publish else {"deny": [">"]},
        "subscribe": {"allow": list(permissions.subscribe)},
    }
    if permissions.answers:
        allowed["allow_responses"] = {"max": 1, "expires": ANSWER_WITHIN}
    return {
        "nkey": key,
        "permissions": allowed,
        "allowed_connection_types": ["LEAFNODE" if link else "STANDARD"],
    }
