"""DIR of a mesh: mesh.json, a folder per site and per router; what changed, and what its server must do about it.

    DIR/mesh.json                          names, addresses, public keys
    DIR/lyon/server.conf                   started in its folder: nats-server -c server.conf
    DIR/lyon/keys/{watcher,…,link}.nk      seeds: CHEOPS_NATS_KEYS of the services, --keys of people
    DIR/lyon/keys/sealing.key              what the site's executor opens Secrets of other sites with
    DIR/routers/router-1/server.conf
    DIR/ca, DIR/*/tls                      with TLS (certificates.py)

Running servers take most changes by a reload (SIGHUP). A link that is taken away needs a restart of who accepted it:
nats-server 2.15 drops clients whose user is gone, not links (measured); so does another address to listen at. A router
holds nothing, so that costs a second, and nobody is cut while another router runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from cheops.private_files import write_whole
from cheops.topology import keys
from cheops.topology.manifests import Choices, of_router, of_site
from cheops.topology.objects import Object
from cheops.topology.permissions import LINK, ROLES
from cheops.topology.plan import FOLDER_OF_ROUTERS, Address, Plan, Router, Site
from cheops.topology.rendering import STORE_BOUND, Configuration, as_text, router_configuration, site_configuration
from schemas.envelope import describe
from services.chassis.errors import SettingsError
from services.executor import sealing

PLAN_FILE: Final = "mesh.json"
BEGUN: Final = ".begun"  # beside no mesh.json yet: who was interrupted, or had no room, can call it again
SERVER_FILE: Final = "server.conf"
KEYS_FOLDER: Final = "keys"
SECRETS: Final = """\
# Whoever has one of these is who it is for: they go to their machines, not into a repository.
keys/
tls/
ca/
"""
SEALING: Final = "sealing"  # not a user: what Secrets from other sites are sealed with
DEFAULT_ROUTERS: Final = 2

NOWHERE_ELSE: Final[Mapping[str, Address]] = {}  # than where others reach it

Action = Literal["start", "reload", "restart", "stop"]


@dataclass(frozen=True, slots=True)
class Step:
    """What one server must do. `folder` is relative to the mesh's."""

    server: str
    folder: str
    action: Action


@contextmanager
def _files_told() -> Iterator[None]:
    """What the system says of a file → SettingsError."""
    try:
        yield
    except OSError as error:
        which = error.filename or "a file of the mesh"  # of a write, the system does not say
        raise SettingsError(f"{which}: cannot be used ({error.strerror})") from error


class MeshFolder:
    """Each change writes everything that it means, and says what servers that run must do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def plan(self) -> Plan:
        """Raises SettingsError when there is none, or none that can be read."""
        file = self.path / PLAN_FILE
        try:
            return Plan.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            raise SettingsError(
                f"{self.path} holds no mesh (cheops mesh init --sites NAMES --out {self.path})"
            ) from None
        except OSError as error:
            raise SettingsError(f"{file}: cannot be read ({error.strerror})") from error
        except ValidationError as error:
            raise SettingsError(f"{file}: {describe(error)}") from error

    @_files_told()
    def init(
        self,
        sites: list[str],
        routers: int | None,
        addresses: Mapping[str, Address],
        *,
        tls: bool = False,
        listening: Mapping[str, Address] = NOWHERE_ELSE,
    ) -> list[Step]:
        """A new mesh, or further sites and another number of routers for the one that is here; keys are kept.

        `tls` encrypts links and clients from then on. `listening`: where servers listen, those that are here, too.
        """
        twice = sorted({name for name in sites if sites.count(name) > 1})
        if twice:
            raise SettingsError(f"--sites: a name stands twice: {', '.join(twice)}")
        if self._holds_something_else():
            raise SettingsError(f"{self.path} holds something else (expected a new or an empty folder, or a mesh)")
        there = (self.path / PLAN_FILE).exists()
        before = self.plan() if there else Plan(schema="mesh/v1", sites=())
        count = routers if routers is not None else (len(before.routers) if there else DEFAULT_ROUTERS)
        known = {*before.names}
        plan = before.with_routers(count, addresses).with_sites([one for one in sites if one not in known], addresses)
        _refuse_unknown("--at", addresses, plan)
        _refuse_unknown("--listen", listening, plan)
        return self._write(before, plan.listening(listening).model_copy(update={"tls": before.tls or tls}))

    @_files_told()
    def add(
        self, name: str, addresses: Mapping[str, Address], listening: Mapping[str, Address] = NOWHERE_ELSE
    ) -> list[Step]:
        """One site more. `listening`: as for `init`."""
        before = self.plan()
        plan = before.with_sites([name], addresses)
        _refuse_unknown("--at", addresses, plan)
        _refuse_unknown("--listen", listening, plan)
        return self._write(before, plan.listening(listening))

    @_files_told()
    def remove(self, name: str) -> list[Step]:
        """One site less: its link is refused from then on, its keys are gone; what its server stored stays."""
        before = self.plan()
        gone = before.site(name)
        steps = self._write(before, before.without(name), dropped=(gone,))
        gates = [*(self.path / name).glob("gate-*")]
        folders = (self.path / name / KEYS_FOLDER, self.path / name / "tls", *(one / "tls" for one in gates), *gates)
        for file in (file for folder in folders for file in folder.glob("*") if file.is_file()):
            file.unlink()
        for folder in (*folders, self.path / name):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        return steps

    @_files_told()
    def revoke(self, name: str, role: str) -> list[Step]:
        """The key of a role, or of the link, is refused from then on; a new one lies in its place."""
        before = self.plan()
        site = before.site(name)
        if role == SEALING:  # no server knows it: what is under way is still opened with the old one
            sealing.renew(self.keys_of(name) / sealing.FILE)
            return []
        if role not in ROLES:
            raise SettingsError(f"no role is called {role!r} (there are {', '.join((*ROLES, SEALING))})")
        plan = before.with_keys(name, {role: keys.make(self.path / name / KEYS_FOLDER, role)})
        return self._write(before, plan, dropped=(site,) if role == LINK else ())

    def keys_of(self, name: str) -> Path:
        """The folder of a site's seeds."""
        return self.path / name / KEYS_FOLDER

    @_files_told()
    def manifests(self, name: str, choices: Choices) -> list[Object]:
        """What runs a site, or a router, in a cluster. Raises SettingsError."""
        plan = self.plan()
        router = next((one for one in plan.routers if one.name == name), None)
        if router is not None:
            return of_router(plan, router, self._files(f"{FOLDER_OF_ROUTERS}/{name}"), choices)
        if name not in plan.names:
            there = ", ".join((*plan.names, *(one.name for one in plan.routers)))
            raise SettingsError(f"no site or router is called {name!r} (there are {there})")
        if choices.gate:
            from cheops.topology.certificates import Authority  # needs a library of the sandbox's

            Authority(self.path).certify(self.path / name / choices.gate_folder, choices.gate_host)
        return of_site(plan, plan.site(name), self._files(name, f"{choices.gate_folder}/tls"), choices)

    def _files(self, folder: str, more: str = "tls") -> dict[str, str]:
        """What lies in the folder of a server and may be asked for."""
        try:
            found = [file for kind in (KEYS_FOLDER, "tls", more) for file in (self.path / folder / kind).glob("*")]
            return {str(one.relative_to(self.path)): one.read_text(encoding="utf-8") for one in found}
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{self.path / folder}: cannot be read ({error})") from error

    def _holds_something_else(self) -> bool:
        if not self.path.exists():
            return False
        is_ours = any((self.path / name).exists() for name in (PLAN_FILE, BEGUN))
        return not self.path.is_dir() or (not is_ours and any(self.path.iterdir()))

    def _write(self, before: Plan, plan: Plan, dropped: tuple[Site, ...] = ()) -> list[Step]:
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / PLAN_FILE).exists():
            (self.path / BEGUN).touch()
        for site in plan.sites:
            fresh: dict[str, str] = {
                role: keys.make(self.keys_of(site.name), role) for role in ROLES if role not in site.keys
            }
            plan = plan.with_keys(site.name, fresh) if fresh else plan
            if not (self.keys_of(site.name) / sealing.FILE).exists():
                sealing.renew(self.keys_of(site.name) / sealing.FILE)
        if plan.tls:
            self._certify(plan)
        steps = [*self._routers(before, plan, bool(dropped)), *self._sites(before, plan, {one.name for one in dropped})]
        unversioned = self.path / ".gitignore"
        if not unversioned.exists():
            unversioned.write_text(SECRETS)
        write_whole(self.path / PLAN_FILE, plan.model_dump_json(by_alias=True, indent=2) + "\n")
        (self.path / BEGUN).unlink(missing_ok=True)
        return steps

    def _certify(self, plan: Plan) -> None:
        from cheops.topology.certificates import Authority  # needs a library of the sandbox's

        authority = Authority(self.path)
        for router in plan.routers:
            authority.certify(self.path / FOLDER_OF_ROUTERS / router.name, router.host, router.own_host)
        for site in plan.sites:
            authority.certify(self.path / site.name, site.host, site.own_host)
            (self.keys_of(site.name) / "ca.pem").write_bytes(authority.trusted())

    def _routers(self, before: Plan, plan: Plan, dropping: bool) -> Iterable[Step]:
        for router in plan.routers:
            folder = f"{FOLDER_OF_ROUTERS}/{router.name}"
            was = self._server(folder, router_configuration(plan, router), f"Router {router.name}.")
            if was is not None or router.name not in {one.name for one in before.routers}:
                yield Step(router.name, folder, _action(before.routers, router, dropping))
        for gone in before.routers[len(plan.routers) :]:
            yield self._stopped(gone.name, f"{FOLDER_OF_ROUTERS}/{gone.name}")

    def _sites(self, before: Plan, plan: Plan, dropped: set[str]) -> Iterable[Step]:
        accepted = {one.name: {dialling.name for dialling in before.accepted_by(one.name)} for one in before.sites}
        for site in plan.sites:
            was = self._server(site.name, site_configuration(plan, site), f"The server of site {site.name}.")
            renewed = site.name in dropped  # its own link has a new seed
            if was is not None or renewed:
                dropping = renewed or bool(dropped & accepted.get(site.name, set()))
                unbound = STORE_BOUND not in (was or STORE_BOUND)  # a first bound is not taken by a reload
                yield Step(site.name, site.name, _action(before.sites, site, dropping or unbound))
        for gone in before.sites:
            if gone.name not in plan.names:
                yield self._stopped(gone.name, gone.name)

    def _server(self, folder: str, configuration: Configuration, title: str) -> str | None:
        """Write it; what was there before, None when nothing changed."""
        file = self.path / folder / SERVER_FILE
        was = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        text = as_text(configuration, title)
        if was == text:
            return None
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return was

    def _stopped(self, server: str, folder: str) -> Step:
        (self.path / folder / SERVER_FILE).unlink(missing_ok=True)
        return Step(server, folder, "stop")


def _action(before: Iterable[Site | Router], server: Site | Router, beyond_reload: bool) -> Action:
    was = next((one for one in before if one.name == server.name), None)
    if was is None:
        return "start"
    is_moved = (was.own_host, was.listen_port) != (server.own_host, server.listen_port)
    return "restart" if beyond_reload or is_moved else "reload"


def _refuse_unknown(option: str, addresses: Mapping[str, Address], plan: Plan) -> None:
    known = {*plan.names, *(one.name for one in plan.routers)}
    unknown = sorted(set(addresses) - known)
    if unknown:
        there = ", ".join(sorted(known))
        raise SettingsError(f"{option}: no server is called {', '.join(unknown)} (there are {there})")
