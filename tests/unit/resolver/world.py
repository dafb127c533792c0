"""A naive site around one resolver's machine: a cluster, its watcher, an executor, and what the streams keep.

Everything that travels waits in a list until a test lets it go on: batches, operations, outcomes, questions. The
resolver may be killed between any two effects; what was stored by then is all that the next one knows. The world
counts what the executor changed, and notes every change that takes away what something living needs.
"""

from __future__ import annotations

import copy
from collections import Counter, deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.alerts import Alert
from schemas.events import BlindKind, EventBatch, Heartbeat, ResourceEvent, ServedKind, batch_hash
from schemas.identity import KindId, ResourceId, ResourceKey, SiteName
from schemas.intents import Intent
from schemas.operations import Operation
from schemas.outcomes import Outcome, OutcomeState
from schemas.peers import PeerMessage
from schemas.queries import ResyncAnswer
from schemas.verdicts import Step, Verdict
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.signals import (
    AskPeers,
    AskRehearsal,
    AskResync,
    AskSupply,
    BatchSeen,
    BeatSeen,
    Effect,
    EnterIntent,
    IntentSeen,
    Moment,
    OutcomeSeen,
    Rehearsed,
    RepeatVerdict,
    ResyncAnswered,
    SendAlert,
    SendOperation,
    SendPeer,
    Signal,
    StoreOutcome,
    StorePart,
    StoreVerdict,
    TellPreview,
    Tick,
)
from services.watcher.telling.teller import encode_batch
from tests.kit.manifests import Manifest, namespace
from tests.unit.resolver.gleaned import recovered
from tests.unit.resolver.kept import Kept, look_around
from tests.unit.resolver.naive_cluster import CATALOGUE, Cluster, words_before

LYON = SiteName("lyon")
EPOCH = 1
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ("Namespace", "Secret", "Service", "apps/Deployment")
SURFACE = tuple(
    ServedKind(KindId(kind), f"{kind.rpartition('/')[2].lower()}s", ("v1",), kind != "Namespace") for kind in KINDS
)


class World:
    """The cluster, what is under way, and the resolver of now."""

    def __init__(self, site: SiteName = LYON, peers: Sequence[SiteName] = ()) -> None:
        self.site = site
        self.peers = peers
        self.gone: tuple[SiteName, ...] = ()  # as somebody has said to the resolver
        self.cluster = Cluster()
        self.now_s = 1000.0
        self.ahead_s = 0.0  # of the wall clock, which may be wrong
        self.seq, self.chain = 0, ""
        self.blind: dict[KindId, BlindKind] = {}  # what the watcher cannot see
        self.batches: deque[bytes] = deque()
        self.delivered: deque[bytes] = deque(maxlen=5)
        self.resyncs: deque[AskResync] = deque()
        self.rehearsals: deque[str] = deque()
        self.operations: list[Operation] = []
        self.ledger: dict[str, list[Outcome]] = {}
        self.refuses: set[ResourceId] = set()  # writes on these, but not their undoing
        self.kept: dict[str, Manifest] = {}
        self.outcomes: deque[Outcome] = deque()  # on their way to the resolver
        self.unacknowledged: dict[str, Intent] = {}
        self.intents: dict[str, Intent] = {}
        self.verdicts: list[Verdict] = []
        self.stored_outcomes: list[Outcome] = []
        self.alerts: list[Alert] = []
        self.repeated: list[Verdict] = []
        self.to_peers: deque[PeerMessage] = deque()
        self.previews: list[Verdict] = []
        self.lookups: deque[AskPeers] = deque()
        self.supplies: deque[AskSupply] = deque()
        self.effects: Counter[tuple[str, ResourceId]] = Counter()
        self.taken_back: Counter[tuple[str, ResourceId]] = Counter()  # by undos
        self.cut_after: int | None = None
        self.kills = 0
        self.events: list[tuple[int, bytes]] = []  # all that was told, with the last number of each batch
        self.snapshot: Kept | None = None
        self.read = 0  # of the stored outcomes
        self.recent: set[str] = set()  # intents of which a snapshot may not show what was done
        self.cluster.put(namespace("shop"))
        self.start()

    @property
    def moment(self) -> Moment:
        return Moment(self.now_s, BEGIN + timedelta(seconds=self.now_s + self.ahead_s))

    # ── the resolver's process ──────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """A new process: it knows what the streams keep, and its snapshot if there is one."""
        one, other = (Machine(self.site, CATALOGUE, Policy(), f"resolver/{self.site}@test", self.peers) for _ in "12")
        recent, kept = self.recent, self.snapshot
        if kept is not None:
            recent = recent | kept.held | {outcome.intent for outcome in self.stored_outcomes[kept.outcomes :]}
        for machine in (one, other):
            if kept is not None:
                kept.restore(machine)
            machine.desk.neighbours.give_up(self.gone)
        self.machine = recovered((one, other), self.verdicts, self.stored_outcomes, self.intents, self.alerts, recent)
        self.read = len(self.stored_outcomes)
        self.resyncs.clear()
        self.rehearsals.clear()
        self.lookups.clear()
        self.supplies.clear()
        self.outcomes = deque(self.stored_outcomes[-20:])  # some of them are delivered again
        if kept is None or self.replay(kept.standing.seq):
            self.beat()
            self.read_again()

    def replay(self, seq: int) -> bool:
        """All events since; False when the process was killed meanwhile, and another one is there."""
        self.batches.clear()
        for last, payload in self.events:
            if last > seq and not self.step(BatchSeen(payload)):
                return False
        look_around(self.machine, "put 1:1", self.now_s)
        return True

    def keep(self) -> None:
        """A snapshot, from which each process goes on that starts after it."""
        read = max(self.read, len(self.stored_outcomes) - len(self.outcomes))
        self.snapshot = Kept.of(self.machine, read) or self.snapshot

    def kill(self) -> None:
        self.kills += 1
        self.start()

    def step(self, signal: Signal) -> bool:
        """One step; False when the process was killed among its effects."""
        effects = self.machine.step(signal, self.moment)
        for place, effect in enumerate(effects):
            if self.cut_after is not None and place >= self.cut_after:
                self.cut_after = None
                self.kill()
                return False
            self.carry_out(effect)
        docket = self.machine.docket
        for intent in [one for one in self.unacknowledged if docket.known(one) and not self.machine.undecided(one)]:
            del self.unacknowledged[intent]
        return True

    def carry_out(self, effect: Effect) -> None:
        match effect:
            case StoreVerdict():
                assert effect.verdict.site == self.site, "nobody speaks for another site"
                verdict = effect.verdict  # a plain one is read back as any other
                self.verdicts.append(verdict if isinstance(verdict, Verdict) else verdict.whole())
            case SendOperation():
                if all(one.id != effect.operation.id for one in self.operations):  # the bus knows the message id
                    self.operations.append(effect.operation)
            case SendAlert():
                self.alerts.append(effect.alert)
            case RepeatVerdict():
                self.repeated.append(effect.verdict)
            case AskRehearsal():
                self.rehearsals.append(effect.intent)
            case AskResync():
                self.resyncs.append(effect)
            case AskPeers():
                self.lookups.append(effect)
            case AskSupply():
                self.supplies.append(effect)
            case SendPeer():
                self.to_peers.append(effect.message)
            case EnterIntent():
                self.intents.setdefault(effect.intent.id, effect.intent)
                self.unacknowledged[effect.intent.id] = effect.intent
            case StorePart():
                self.intents[effect.part.id] = effect.part
            case StoreOutcome():
                self.stored_outcomes.append(effect.outcome)
                self.outcomes.append(effect.outcome)
            case TellPreview():
                self.previews.append(effect.verdict)

    # ── the watcher ─────────────────────────────────────────────────────────────────────────────────────────────────

    def see(self, *events: ResourceEvent) -> None:
        batch = EventBatch("event/v1", self.site, EPOCH, self.seq + 1, self.chain, events)
        payload = encode_batch(batch)
        self.seq += len(events)
        self.chain = batch_hash(payload)
        self.batches.append(payload)
        self.events.append((self.seq, payload))

    def beat(self) -> bool:
        observed = len(KINDS) - len(self.blind)
        beat = Heartbeat("heartbeat/v1", self.site, EPOCH, self.seq, observed, self.blind, self.now_s)
        return self.step(BeatSeen(beat))

    def deliver(self) -> bool:
        payload = self.batches.popleft()
        self.delivered.append(payload)
        return self.step(BatchSeen(payload))

    def answer_resync(self) -> None:
        """List everything again."""
        self.resyncs.popleft()
        answer = ResyncAnswer(site=self.site, epoch=EPOCH, seq=self.seq, differing=len(KINDS))
        self.see(ResourceEvent("surface", surface=SURFACE))
        for kind in KINDS:
            mine = [one for one in self.cluster.objects if ResourceKey.parse(one).kind_id == kind]
            puts = [ResourceEvent("put", self.cluster.state(one)) for one in mine]
            start = ResourceEvent("sync_start", kind=KindId(kind))
            end = ResourceEvent("sync_end", kind=KindId(kind), resource_version=str(self.cluster.version))
            self.see(start, *puts, end)
        self.step(ResyncAnswered(answer))

    # ── people, past us ─────────────────────────────────────────────────────────────────────────────────────────────

    def edit(self, resource: ResourceId, *path: str, value: Any = None) -> None:
        """Plain kubectl writes one field, or takes it away."""
        self.see(ResourceEvent("put", self.cluster.edit(resource, *path, value=value)))

    def wipe(self, resource: ResourceId) -> None:
        """Plain kubectl deletes."""
        uid = self.cluster.objects[resource]["metadata"]["uid"]
        self.cluster.remove(resource)
        self.see(ResourceEvent("delete", resource=resource, uid=uid))

    # ── people ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def publish(self, intent: Intent) -> bool:
        self.intents.setdefault(intent.id, intent)
        self.unacknowledged[intent.id] = intent
        return self.step(IntentSeen(intent))

    def read_again(self) -> None:
        """Intents that are not acknowledged come again."""
        for intent in list(self.unacknowledged.values()):
            self.step(IntentSeen(intent))

    # ── the executor ────────────────────────────────────────────────────────────────────────────────────────────────

    def execute(self, place: int, refuse: bool = False) -> None:
        """One waiting operation; what was begun before is only reported again."""
        operation = self.operations[place]
        if operation.id not in self.ledger:
            self.ledger[operation.id] = self._do(operation, refuse)
        for outcome in self.ledger[operation.id]:
            self.stored_outcomes.append(outcome)
            self.outcomes.append(outcome)

    def _do(self, operation: Operation, refuse: bool) -> list[Outcome]:
        live = copy.deepcopy(self.cluster.objects.get(operation.resource))
        state = self.cluster.state(operation.resource) if live else None
        wanted, manifest = operation.preconditions, operation.manifest
        if operation.undoes and operation.action != "delete":
            manifest = self.kept[operation.undoes]
            manifest = words_before(manifest) if operation.action == "annotate" else manifest
        if operation.expires_at <= self.moment.wall:
            return [self._outcome(operation, "expired")]
        if (wanted.absent and live) or (wanted.uid and (live is None or live["metadata"]["uid"] != wanted.uid)):
            return [self._outcome(operation, "conflict")]
        if wanted.left and live and wanted.left != live["metadata"]["resourceVersion"]:
            return [self._outcome(operation, "conflict")]
        if refuse or (operation.resource in self.refuses and not operation.undoes):
            return [self._outcome(operation, "failed", status=403)]
        if operation.action == "read":
            return [self._outcome(operation, "done")]
        before = self.cluster.complaints()
        if operation.action == "delete":
            self.cluster.remove(operation.resource)
            self.see(ResourceEvent("delete", resource=operation.resource, uid=wanted.uid))
            found = [self._outcome(operation, "done")]
        else:
            assert manifest is not None, "a write carries what it writes"
            write = self.cluster.annotate if operation.action == "annotate" else self.cluster.declare
            made = write(manifest)
            self.see(ResourceEvent("put", made))
            found = [
                self._outcome(operation, one, version=made.resource_version, uid=made.uid)
                for one in ("applied", "ready")
            ]
        if operation.keep:
            self.kept[operation.id] = live or {}
            known = {"former": "kept" if live else "", "before": msgspec.to_builtins(state) if state else None}
            found = [one.model_copy(update={**known, "left": one.resource_version}) for one in found]
        counted = self.taken_back if operation.undoes else self.effects
        counted[operation.intent, operation.resource] += 1
        self._note_broken(operation, before)
        return found

    def _note_broken(self, operation: Operation, before: set[str]) -> None:
        """New complaints are the operation's fault; not that a Service has no match, where that was said (W110).

        A bundle of writes is judged on what is there after all of it: between two of its steps a selector may be empty.
        """
        bundle = len(self.intents[operation.intent].manifests) > 1
        warned = {one.resource for verdict in self.verdicts for one in verdict.reasons if one.code == "W110"}
        for one in self.cluster.complaints() - before:
            excused = bundle or one.partition(" ")[0] in warned
            if not (one.endswith("selects nothing") and excused):
                self.cluster.broken.append(f"{operation.id}: {operation.action} {operation.resource}: {one}")

    def _outcome(
        self, operation: Operation, state: OutcomeState, status: int = 0, version: str = "", uid: str = ""
    ) -> Outcome:
        return Outcome(
            operation=operation.id,
            intent=operation.intent,
            revision=operation.revision,
            step=operation.step,
            site=self.site,
            action=operation.action,
            resource=operation.resource,
            state=state,
            status=status,
            resource_version=version,
            uid=uid,
            at=self.moment.wall,
        )

    def report(self) -> bool:
        return self.step(OutcomeSeen(self.outcomes.popleft()))

    # ── the end of it all ───────────────────────────────────────────────────────────────────────────────────────────

    def settle(self) -> None:
        """Everything that waits goes on, until nothing waits any more."""
        for _ in range(60):
            self.now_s += 2.0
            self.beat()
            while self.rehearsals:
                self.step(Rehearsed(self.rehearsals.popleft(), None))
            while self.resyncs:
                self.answer_resync()
            while self.batches:
                self.deliver()
            for place in range(len(self.operations)):
                if self.operations[place].id not in self.ledger:
                    self.execute(place)
            while self.outcomes:
                self.report()
            self.step(Tick())

    @property
    def is_idle(self) -> bool:
        """The resolver knows its site, and nothing is asked, held, deferred, open for a site or under way."""
        machine, together = self.machine, self.machine.together
        docket, coordinator = machine.docket, together.coordinator
        deciding = (docket.active, docket.asked, docket.deferred, coordinator.rounds)
        busy = (*deciding, coordinator.following, coordinator.backlog.rows)
        return machine.evidence.synced and not (any(busy) or machine.holds.any or len(together.participant.engagements))

    def latest(self) -> dict[str, Verdict]:
        """The verdict in force of each intent."""
        found: dict[str, Verdict] = {}
        for verdict in self.verdicts:
            known = found.get(verdict.intent)
            if known is None or known.revision <= verdict.revision:
                found[verdict.intent] = verdict
        return found

    def pending(self) -> dict[str, list[Step]]:
        """Allowed intent → its steps that may still take effect; what rests on an object that is gone cannot."""
        found = {}
        sent = {one.id for one in self.operations}
        for name, verdict in self.latest().items():
            if verdict.decision != "allow":
                continue
            head = f"{name}.{verdict.revision}."
            ends = [rows[-1].state for one, rows in self.ledger.items() if one.startswith(head)]
            stopped = verdict.undoes is None and any(state in ("failed", "conflict", "expired") for state in ends)
            found[name] = [
                step
                for step in verdict.plan
                if head + step.id not in self.ledger
                and (head + step.id in sent or not stopped)
                and self._possible(step)
            ]
        return {name: steps for name, steps in found.items() if steps}

    def _possible(self, step: Step) -> bool:
        live, uid = self.cluster.objects.get(step.resource), step.preconditions.uid
        return not uid or (live is not None and live["metadata"]["uid"] == uid)
