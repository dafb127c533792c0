"""Which servers a mesh has and where, as `mesh.json` keeps it. Pure.

Sites are joined by routers, each site dialling every router; without routers the later of two sites dials the earlier.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.identity import SiteName, site_name
from services.chassis.errors import SettingsError

LOOPBACK: Final = "127.0.0.1"
CLIENTS_PORT: Final = 4222  # nats-server's own habit
LINKS_PORT: Final = 7422  # the same
SERVERS_MAX: Final = 1_000
FOLDER_OF_ROUTERS: Final = "routers"
FOLDER_OF_AUTHORITY: Final = "ca"
TAKEN: Final = {
    FOLDER_OF_ROUTERS: "the folder of the routers",
    FOLDER_OF_AUTHORITY: "the folder of the certificates' authority",
}
ROUTER: Final = re.compile(r"router-[1-9][0-9]*")
_BRACKETED: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::(.*))?")  # an address of IPv6, and its port

Port = int  # -1: the kernel chooses


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Server(_Frozen):
    """`host`: where others reach it. `listen_host`, `listen_port`: where it listens; "" and 0: there as well."""

    name: str
    host: str = LOOPBACK
    links_port: Port = LINKS_PORT
    listen_host: str = ""
    listen_port: Port = 0

    @property
    def own_host(self) -> str:
        """The address that it listens at."""
        return self.listen_host or self.host

    def listening(self, host: str, port: Port = 0) -> Self:
        """The same, listening there."""
        return self.model_copy(update={"listen_host": host, "listen_port": port})


class Site(_Server):
    """A site's own server. `listen_port`: for `port`. `keys`: role → public nkey."""

    name: SiteName
    port: Port = CLIENTS_PORT
    keys: Mapping[str, str] = Field(default_factory=dict)


class Router(_Server):
    """A server that holds nothing and passes on. `listen_port`: for `links_port`."""


class Plan(_Frozen):
    """A mesh. `gone`: sites that were removed: resolvers are told that they are gone for good (CHEOPS_GONE)."""

    schema_: Literal["mesh/v1"] = Field("mesh/v1", alias="schema")
    sites: tuple[Site, ...]
    routers: tuple[Router, ...] = ()
    gone: tuple[SiteName, ...] = ()
    tls: bool = False

    @model_validator(mode="after")
    def _checked(self) -> Self:
        for what, servers in (("site", self.sites), ("router", self.routers)):
            names = [str(one.name) for one in servers]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"a {what} stands twice: {', '.join(twice)}")
            for name in names:
                site_name(name)
        return self

    def site(self, name: str) -> Site:
        """Raises SettingsError when there is none."""
        found = next((one for one in self.sites if one.name == name), None)
        if found is None:
            raise SettingsError(f"no site is called {name!r} (there are {', '.join(one.name for one in self.sites)})")
        return found

    @property
    def names(self) -> tuple[SiteName, ...]:
        """Of the sites."""
        return tuple(one.name for one in self.sites)

    def accepted_by(self, name: SiteName) -> tuple[Site, ...]:
        """Who dials this site; nobody where there are routers."""
        return () if self.routers else self.sites[self.names.index(name) + 1 :]

    def dialled_by(self, name: SiteName) -> tuple[Site, ...]:
        """Which sites this one dials; none where there are routers."""
        return () if self.routers else self.sites[: self.names.index(name)]

    def with_sites(self, names: Iterable[str], addresses: Mapping[str, Address]) -> Plan:
        """Further sites, each on its own port where they share a host."""
        plan = self
        for text in names:
            name = site_name(text)
            if name in plan.names:
                raise SettingsError(f"a site is called {name!r} already (cheops mesh remove {name}, or another name)")
            if name in TAKEN or ROUTER.fullmatch(name):
                raise SettingsError(f"{name!r} is {TAKEN.get(name, 'the name of a router')}, take another name")
            host, port = addresses.get(name, (LOOPBACK, 0))
            made = Site(
                name=name,
                host=host,
                port=port or _free(CLIENTS_PORT, host, ((one.host, one.port) for one in plan.sites)),
                links_port=_free(LINKS_PORT, host, plan.links_taken()),
            )
            gone = tuple(one for one in plan.gone if one != name)
            plan = plan.model_copy(update={"sites": (*plan.sites, made), "gone": gone})
        if not 1 <= len(plan.sites) <= SERVERS_MAX:
            raise SettingsError(f"{len(plan.sites)} sites (expected 1 to {SERVERS_MAX})")
        return plan

    def with_routers(self, count: int, addresses: Mapping[str, Address]) -> Plan:
        """`router-1` to `router-<count>`; those that are there stay where they are."""
        if not 0 <= count <= SERVERS_MAX:
            raise SettingsError(f"{count} routers (expected 0 to {SERVERS_MAX})")
        plan = self.model_copy(update={"routers": self.routers[:count]})
        for number in range(len(plan.routers) + 1, count + 1):
            name = f"router-{number}"
            host, port = addresses.get(name, (LOOPBACK, 0))
            made = Router(name=name, host=host, links_port=port or _free(LINKS_PORT, host, plan.links_taken()))
            plan = plan.model_copy(update={"routers": (*plan.routers, made)})
        return plan

    def listening(self, addresses: Mapping[str, Address]) -> Plan:
        """These servers listen there; the others where they did."""
        sites = tuple(one.listening(*addresses[one.name]) if one.name in addresses else one for one in self.sites)
        routers = tuple(one.listening(*addresses[one.name]) if one.name in addresses else one for one in self.routers)
        return self.model_copy(update={"sites": sites, "routers": routers})

    def without(self, name: str) -> Plan:
        """One site less; raises SettingsError when it is not there, or the last."""
        gone = self.site(name)
        if len(self.sites) == 1:
            raise SettingsError(f"{name} is the last site (remove the folder instead)")
        left = tuple(one for one in self.sites if one is not gone)
        return self.model_copy(update={"sites": left, "gone": (*self.gone, gone.name)})

    def with_keys(self, name: str, keys: Mapping[str, str]) -> Plan:
        """Further or other public keys of a site."""
        changed = self.site(name)
        made = changed.model_copy(update={"keys": {**changed.keys, **keys}})
        return self.model_copy(update={"sites": tuple(made if one is changed else one for one in self.sites)})

    def links_taken(self) -> list[tuple[str, int]]:
        """Where links are accepted."""
        at_sites = [(one.host, one.links_port) for one in self.sites]
        return [*((one.host, one.links_port) for one in self.routers), *at_sites]


Address = tuple[str, int]  # host, port; port 0: choose


def parse_address(text: str, option: str = "--at") -> tuple[str, Address]:
    """`lyon=10.0.0.1:4222`, `lyon=[fd00::5]:4222`, `lyon=nats.lyon.example` → name, address. Raises SettingsError."""
    name, equals, rest = text.partition("=")
    bracketed = _BRACKETED.fullmatch(rest)
    if bracketed:
        host, port = bracketed.groups("")
    else:
        host, _, port = rest.partition(":") if rest.count(":") == 1 else (rest, "", "")
    is_host = host and "[" not in host and "]" not in host
    if not (name and equals and is_host) or (port and not (port.isdigit() and 0 < int(port) < 65536)):
        raise SettingsError(f"{option} {text!r}: expected NAME=HOST or NAME=HOST:PORT")
    return name, (host, int(port or 0))


def host_port(host: str, port: Port) -> str:
    """`10.0.0.1:4222`, `[fd00::5]:4222`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _free(first: int, host: str, taken: Iterable[tuple[str, int]]) -> int:
    used = {port for where, port in taken if where == host}
    return next(port for port in range(first, first + 2 * SERVERS_MAX) if port not in used)
