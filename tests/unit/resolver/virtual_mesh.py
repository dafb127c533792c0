"""Several naive sites and the wires between them: what one resolver tells another waits until a test lets it arrive.

In order from one site to another and at least once, as the courier does it; a cut wire keeps what it is given. A letter
whose reader is killed is read again; any letter may arrive once more much later.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from schemas.identity import SiteName
from schemas.intents import Intent, Verb
from schemas.peers import STORED, PeerMessage, what_of
from schemas.verdicts import Verdict
from services.chassis.kubernetes.declaration import to_heal_with
from services.resolver.signals import PeerBeat, PeerSeen, PeersFound, Rehearsed, Supplied, Tick
from tests.kit.manifests import Manifest, deployment, mounts_secret, secret, without_uid
from tests.unit.resolver.world import World

Wire = tuple[SiteName, SiteName]
MODELS = {model.schema_name().partition("/")[0]: model for model in STORED.values()}
GOOD_FOR_S = 4.0  # an answer to a ping
AGAIN_MAX = 60  # letters that may arrive once more
SAID_AT_ONCE_MAX = 500  # letters in one moment; more is a circle


class VirtualMesh:
    """Sites by name; `wires`: what is under way from one to another; `cut`: wires on which nothing arrives."""

    def __init__(self, names: Sequence[str]) -> None:
        sites = [SiteName(name) for name in names]
        self.worlds = {name: World(name, sites) for name in sites}
        self.wires: dict[Wire, deque[bytes]] = {(a, b): deque() for a in sites for b in sites if a != b}
        self.cut: set[Wire] = set()
        self.lost: set[SiteName] = set()  # cut off for good
        self.withholding: set[SiteName] = set()  # their executors give nothing of what is there
        self.told: list[PeerMessage] = []
        self.arrived: deque[tuple[Wire, bytes]] = deque(maxlen=AGAIN_MAX)
        self.heard_s: Counter[Wire] = Counter()  # when the second has last heard of the first
        self.held_s: dict[tuple[SiteName, str], float] = {}  # since when an intent is seen to be held at a site
        self.entered: dict[str, SiteName] = {}

    def __getitem__(self, name: str) -> World:
        return self.worlds[SiteName(name)]

    # ── what people do ──────────────────────────────────────────────────────────────────────────────────────────────

    def intent(self, site: str, verb: Verb, scope: str, intent_id: str = "i-1", **what: Any) -> Intent:
        """What somebody wants at a site, by its clock."""
        now = self[site].moment.wall
        return Intent(
            id=intent_id,
            site=SiteName(site),
            verb=verb,
            scope=scope,
            namespace="shop",
            created_at=now,
            expires_at=now + timedelta(seconds=what.pop("lifetime_s", 3600)),
            **what,
        )

    def enter(self, site: str, verb: Verb, scope: str, intent_id: str = "i-1", **what: Any) -> Intent:
        """An intent, stored at its entry site."""
        intent = self.intent(site, verb, scope, intent_id, **what)
        self.entered[intent_id] = intent.site
        self[site].publish(intent)
        return intent

    # ── what the network does ───────────────────────────────────────────────────────────────────────────────────────

    def collect(self) -> None:
        """What resolvers have said goes onto the wires."""
        for world in self.worlds.values():
            while world.to_peers:
                message = world.to_peers.popleft()
                self.told.append(message)
                if (wire := (message.sender, message.receiver)) in self.wires:
                    self.wires[wire].append(message.to_json())

    def arrive(self, wire: Wire) -> None:
        """The first letter of a wire; it stays the first when its reader is killed."""
        payload = self.wires[wire][0]
        self.heard_s[wire] = self.worlds[wire[1]].now_s  # type: ignore[assignment]
        if self.hand_over(wire, payload):
            self.wires[wire].popleft()
            self.arrived.append((wire, payload))

    def hand_over(self, wire: Wire, payload: bytes) -> bool:
        """A letter is read, perhaps not for the first time; False when its reader was killed."""
        schema = payload.partition(b'"schema":"')[2].partition(b"/")[0].decode()
        return self.worlds[wire[1]].step(PeerSeen(MODELS[schema].from_json(payload)))

    def sever(self, *names: str) -> None:
        """Cut these sites off from all others."""
        cut = {SiteName(name) for name in names}
        self.cut |= {wire for wire in self.wires if (wire[0] in cut) != (wire[1] in cut)}

    def mend(self) -> None:
        """All wires carry again, but for those of whom is lost."""
        self.cut.clear()
        self.sever(*self.lost)

    def lose(self, name: str) -> None:
        """A site is cut off and never comes back."""
        self.lost.add(SiteName(name))
        self.sever(*self.lost)

    def bury(self) -> None:
        """Whoever is lost is looked at no more, nor what was entered there, nor letters to and from it."""
        self.worlds = {name: world for name, world in self.worlds.items() if name not in self.lost}
        self.wires = {wire: letters for wire, letters in self.wires.items() if self.lost.isdisjoint(wire)}
        self.entered = {intent: at for intent, at in self.entered.items() if at not in self.lost}

    def ping(self) -> None:
        """Who can be asked and can answer is heard."""
        for a, b in self.wires:
            if (a, b) not in self.cut and (b, a) not in self.cut:
                self.heard_s[b, a] = self.worlds[a].now_s  # type: ignore[assignment]
                self.worlds[a].step(PeerBeat(b, 0.01, GOOD_FOR_S))

    # ── until nothing waits any more ────────────────────────────────────────────────────────────────────────────────

    def pass_time(self, seconds: float = 0.5) -> None:
        """The same for all; watchers beat, resolvers ping and tick."""
        for world in self.worlds.values():
            world.now_s += seconds
            world.beat()
        self.ping()
        for world in self.worlds.values():
            world.step(Tick())

    def pump(self) -> None:
        """Everything that can arrive arrives, everything that waits at a site goes on; no two sites talk for ever."""
        busy, told = True, len(self.told)
        while busy:
            busy = False
            said = len(self.told) - told
            assert said <= SAID_AT_ONCE_MAX, f"{said} letters and no end: {[*map(_line, self.told[-12:])]}"
            self.collect()
            for wire, waiting in self.wires.items():
                while waiting and wire not in self.cut:
                    self.arrive(wire)
                    busy = True
            for world in self.worlds.values():
                busy = self.goes_on(world) or busy

    def exchange(self) -> None:
        """Letters arrive and watchers tell, once; no executor acts."""
        self.collect()
        for wire, waiting in self.wires.items():
            while waiting:
                self.arrive(wire)
        for world in self.worlds.values():
            self.catches_up(world)

    def catches_up(self, world: World) -> bool:
        """The watcher, the API server and near sites have answered everything; intents come again."""
        busy = bool(world.rehearsals or world.resyncs or world.batches or world.lookups)
        while world.rehearsals:
            world.step(Rehearsed(world.rehearsals.popleft(), None))
        while world.resyncs:
            world.answer_resync()
        while world.batches:
            world.deliver()
        self._look_up(world)
        busy = self._fetch(world) or busy
        world.read_again()
        return busy

    def goes_on(self, world: World) -> bool:
        """Whatever waits at one site, its operations included."""
        busy = self.catches_up(world)
        for place in range(len(world.operations)):
            if world.operations[place].id not in world.ledger:
                world.execute(place)
                busy = True
        while world.outcomes:
            world.report()
            busy = True
        return busy

    def _fetch(self, world: World) -> bool:
        """What sites lack, taken from the first of its origins that the entry site can hear and that has it."""
        busy = bool(world.supplies)
        while world.supplies:
            asked = world.supplies.popleft()
            cut = {name for name in self.worlds if {(name, world.site), (world.site, name)} & self.cut}
            near = {name: one for name, one in self.worlds.items() if name not in {*cut, *self.withholding}}
            bodies = {}
            for want in asked.wants:
                at = [one for one in want.origins if one in near and want.resource in near[one].cluster.objects]
                body = near[at[0]].cluster.objects[want.resource] if at else None
                body = to_heal_with(body) if body is not None and want.declared else body
                if body is not None:
                    bodies[want.site, want.resource] = (at[0], body)
            world.step(Supplied(asked.intent, asked.round, bodies, tuple(near)))
        return busy

    def _look_up(self, world: World) -> None:
        """What a site lacks, asked of those that it can hear."""
        while world.lookups:
            asked = world.lookups.popleft()
            near = [
                one
                for name, one in self.worlds.items()
                if name != world.site and not {(name, world.site), (world.site, name)} & self.cut
            ]
            found = {
                resource: tuple(one.site for one in near if one.machine.graph.find(resource) is not None)
                for resource in asked.resources
            }
            world.step(PeersFound(asked.intent, {key: sites for key, sites in found.items() if sites}))

    def settle(self, seconds: float = 2.0, step_s: float = 0.5) -> None:
        """For as long as this, in steps of half a second."""
        for _ in range(int(seconds / step_s)):
            self.pass_time(step_s)
            self.pump()

    def settle_down(self, seconds: float, step_s: float) -> None:
        """Until nothing waits anywhere, for so long at most."""
        for _ in range(int(seconds / step_s)):
            self.pass_time(step_s)
            self.pump()
            if all(world.is_idle for world in self.worlds.values()):
                return

    # ── what is to be seen ──────────────────────────────────────────────────────────────────────────────────────────

    def verdict(self, site: str, intent_id: str = "i-1") -> Verdict:
        """In force at a site."""
        return self[site].latest()[intent_id]

    def said(self, what: str) -> int:
        """How many messages of a kind were told."""
        return sum(what_of(one) == what for one in self.told)


def three_sites() -> VirtualMesh:
    """lyon, oslo and nice know themselves and each other, and each has the secret ca."""
    mesh = VirtualMesh(["lyon", "oslo", "nice"])
    for world in mesh.worlds.values():
        world.cluster.put(secret("ca"))
    mesh.settle()
    return mesh


def web() -> Manifest:
    """A workload that mounts ca."""
    return without_uid(deployment("web", mounts_secret("ca"), app="web"))


def committed_but_cut(mesh: VirtualMesh) -> None:
    """The answer of oslo is heard at lyon, which commits; then nothing reaches oslo until its lease is over."""
    lyon, oslo = SiteName("lyon"), SiteName("oslo")
    mesh.collect()
    mesh.arrive((lyon, oslo))
    mesh.catches_up(mesh["oslo"])
    mesh.catches_up(mesh["lyon"])
    mesh.collect()
    mesh.cut.add((lyon, oslo))
    mesh.settle(70)
    assert mesh.verdict("lyon").decision == "allow"
    assert not len(mesh["oslo"].machine.holds)


def _line(message: PeerMessage) -> str:
    return f"{message.sender} > {message.receiver}: {what_of(message)} {message.intent}"
