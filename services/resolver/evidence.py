"""Batches and heartbeats of one site → what may be claimed about it, and how old that is. Pure.

The cursor is ours, not the stream's: `(epoch, seq)` with a hash chain. A gap, a broken chain or an unknown epoch makes
every kind unconfirmed until the watcher has listed again. Freshness counts from the moment that a heartbeat left the
watcher, on monotonic clocks only, and never passes an event that the heartbeat counts and we have not applied.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import Struct, structs

from schemas.events import BlindKind, Heartbeat, Operation, ServedKind
from schemas.identity import KindId, SiteName
from schemas.kinds import Surface
from schemas.verdicts import Evidence
from services.resolver.accepting import Accepted, Event_co, Numbered, Trouble
from services.resolver.counted import Beat, Counted
from services.resolver.judge.written import WrittenEvidence

OFFSETS_MAX: Final = 600  # ten minutes: old minima are forgotten so that clock drift cannot add up
RESYNC_RETRY_S: Final = 5.0
RESYNC_PAUSE_MIN_S: Final = 0.25  # after a question that another doubt overtook; doubled with each
EPOCH_SILENCE_S: Final = 3.0  # three heartbeats of the epoch that we follow


class Standing(Struct, frozen=True):
    """A cursor at which every kind was confirmed. `required_seq`: by what came after this number."""

    epoch: int
    seq: int
    chain: str
    required_seq: int
    surface_seq: int
    confirmed: dict[KindId, int]
    surface: tuple[ServedKind, ...]


class SiteEvidence:
    """Cursor, confirmations and watermark of one site's watcher."""

    def __init__(self, site: SiteName) -> None:
        self.site = site
        self.epoch = 0
        self.seq = 0
        self.chain = ""
        self.blind: dict[KindId, BlindKind] = {}
        self.observed = 0
        self.resyncs = 0
        self._surface = Surface()
        self._unconfirmed: list[KindId] | None = None  # None: to be found again
        self.published_seq = 0
        self.heard_at_s: float | None = None
        self._beat_at_s = float("-inf")
        self._watermark_s: float | None = None
        self._counted = Counted()
        self._offsets: deque[float] = deque(maxlen=OFFSETS_MAX)
        self._required_seq: int | None = None  # confirmations count from here; None: the watcher has not answered
        self._asked_at_s: float | None = None
        self._not_before_s = float("-inf")  # to ask again
        self._pause_s = 0.0
        self._reason = "nothing known yet"
        self._started: dict[KindId, int] = {}
        self._confirmed: dict[KindId, int] = {}
        self._surface_seq = -1
        self._had_seq = 0  # the cursor at the last heartbeat that counted all that we had before
        self._had_at_s = float("-inf")
        self._numbered_again = False
        self.swept: frozenset[KindId] = frozenset()  # kinds of which something is known still that is gone
        self._silent = False  # it goes on from where another process stood, and has not heard the watcher yet

    @property
    def epoch_seen(self) -> int:
        """What the watcher's epoch must not be below: above ours, when somebody else numbers in ours."""
        return self.epoch + self._numbered_again

    @property
    def surface(self) -> Surface:
        """The kinds that the site serves."""
        return self._surface

    @surface.setter
    def surface(self, surface: Surface) -> None:
        self._surface, self._unconfirmed = surface, None

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def advance(self, batch: Numbered[Event_co], digest: str) -> Accepted[Event_co]:
        """Move the cursor over a batch. `digest` is `batch_hash` of its bytes."""
        last = batch.seq + len(batch.events) - 1
        if batch.epoch < self.epoch or (batch.epoch == self.epoch and last <= self.seq):
            return Accepted((), batch.seq)  # a takeover's leftovers, or delivered twice
        trouble = self._trouble(batch)
        fresh_from = max(0, self.seq + 1 - batch.seq) if batch.epoch == self.epoch else 0
        if trouble:
            self.distrust(trouble)
        if batch.epoch != self.epoch:
            self._begin_epoch(batch.epoch)
        self.seq, self.chain = last, digest
        return Accepted(batch.events[fresh_from:], batch.seq + fresh_from, trouble)

    def mark(self, op: Operation, kind: KindId, seq: int) -> None:
        """Note a sync marker or a surface that has just been applied."""
        self._unconfirmed = None
        if op == "sync_start":
            self._started[kind] = seq
        elif op == "sync_end" and kind in self._started:
            # Confirmed as of its start: an end whose start was lost in a gap proves nothing.
            self._confirmed[kind] = self._started.pop(kind)
        elif op == "sync_same":
            self._confirmed[kind] = seq
        elif op == "surface":
            self._surface_seq = seq

    def settle(self) -> None:
        """After a batch was applied: heartbeats whose events are all here move the watermark."""
        sent_s = self._counted.covered(self.seq)
        if sent_s is not None:
            self._silent = False
            self._watermark_s = max(sent_s, self._watermark_s or sent_s)

    def _trouble(self, batch: Numbered[Event_co]) -> Trouble:
        if batch.epoch != self.epoch:
            return "unknown epoch"
        if self.seq == 0 and (self._required_seq is None or batch.seq <= self._required_seq + 1):
            return ""  # the first that is seen of an epoch whose kinds are all unconfirmed anyway
        if batch.seq > self.seq + 1:
            return "gap"
        if batch.seq == self.seq + 1 and self.seq and batch.prev_hash != self.chain:
            return "hash mismatch"
        return ""

    def _begin_epoch(self, epoch: int) -> None:
        self.epoch, self.seq, self.chain = epoch, 0, ""
        self._had_seq, self._numbered_again = 0, False
        self._counted.clear()
        self._offsets.clear()
        self._watermark_s = None
        self._started.clear()
        self._confirmed.clear()
        self._unconfirmed = None
        self._surface_seq = -1

    # ── heartbeats ──────────────────────────────────────────────────────────────────────────────────────────────────

    def beat(self, heartbeat: Heartbeat, now_s: float) -> Trouble:
        """Take a heartbeat in; an epoch below ours is trouble: the watcher must be told.

        So is one of our epoch that does not count what we have had for a while: a watcher took an epoch that was taken
        already (the end of its stream was lost, or is a lie), and what it numbers we would take for repetitions.
        """
        self.heard_at_s = now_s
        if heartbeat.epoch > self.epoch:
            self.distrust("unknown epoch")
            self._begin_epoch(heartbeat.epoch)
        elif heartbeat.epoch < self.epoch:
            if now_s - self._beat_at_s > EPOCH_SILENCE_S:  # else: a last word of the watcher that was replaced
                self.distrust("unknown epoch")
            return "unknown epoch"
        elif self._is_behind(heartbeat.seq, now_s):
            return "numbered again"
        self._beat_at_s = now_s
        if heartbeat.blind.keys() != self.blind.keys():
            self._unconfirmed = None
        self.blind, self.observed, self.published_seq = heartbeat.blind, heartbeat.observed, heartbeat.seq
        self._offsets.append(now_s - heartbeat.at_s)
        if self._counted.add(Beat(heartbeat.at_s + min(self._offsets), heartbeat.seq), self.seq, now_s):
            self.distrust("what is counted does not come")
        self.settle()
        return ""

    def _is_behind(self, seq: int, now_s: float) -> bool:
        """A heartbeat counts what we had at the one before it, unless the watcher waits for a late acknowledgement."""
        if self._numbered_again:
            return True
        if seq >= self._had_seq:
            self._had_seq, self._had_at_s = self.seq, now_s
            return False
        if now_s - self._had_at_s > EPOCH_SILENCE_S:
            self._numbered_again = True
            self.distrust("numbered again")
        return True

    # ── repair ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def distrust(self, reason: str) -> None:
        """Something was or may have been missed: nothing is confirmed until the watcher has listed again."""
        self._required_seq = self._unconfirmed = None
        self._asked_at_s = None
        self._reason = reason

    def wants_resync(self, now_s: float) -> str:
        """Why the watcher should be asked (again) now; "" when there is nothing to ask."""
        if self.synced:
            self._not_before_s, self._pause_s = float("-inf"), 0.0
            return ""
        if now_s < self._not_before_s or (self._required_seq is not None and not self._overdue(now_s)):
            return ""
        if self._asked_at_s is not None and now_s - self._asked_at_s < RESYNC_RETRY_S:
            return ""
        return self._reason

    def asked(self, now_s: float) -> None:
        """The request is on its way. A list costs something: who doubts again and again asks more and more seldom."""
        self._asked_at_s = now_s
        self._pause_s = min(2 * self._pause_s or RESYNC_PAUSE_MIN_S, RESYNC_RETRY_S)
        self._not_before_s = now_s + self._pause_s
        self.resyncs += 1

    def answered(self, epoch: int, seq: int, now_s: float) -> None:
        """The watcher lists again: what it confirms after `seq` of `epoch` counts."""
        if epoch < self.epoch:
            return
        if epoch > self.epoch:
            self._begin_epoch(epoch)
        self._required_seq, self._unconfirmed = seq, None
        self._asked_at_s = now_s

    def _overdue(self, now_s: float) -> bool:
        """Asked, answered, and still not confirmed though the stream has stood still: ask again."""
        quiet = self.published_seq <= self.seq
        return quiet and self._asked_at_s is not None and now_s - self._asked_at_s > 4 * RESYNC_RETRY_S

    # ── from one process to the next ────────────────────────────────────────────────────────────────────────────────

    def standing(self) -> Standing | None:
        """Where another process could go on; None while something is unconfirmed."""
        required = self._required_seq
        if required is None or not self.synced:
            return None
        served = tuple(self.surface.served.values())
        return Standing(self.epoch, self.seq, self.chain, required, self._surface_seq, dict(self._confirmed), served)

    def go_on(self, standing: Standing) -> None:
        """From there on: what follows is proven by the chain, and all is as fresh as the first heartbeat says."""
        self._begin_epoch(standing.epoch)
        self.seq = self._had_seq = standing.seq
        self.chain, self._required_seq = standing.chain, standing.required_seq
        self._surface_seq, self._confirmed = standing.surface_seq, dict(standing.confirmed)
        self.surface = Surface(standing.surface)
        self._silent = True

    # ── claims ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def unconfirmed(self) -> list[KindId]:
        """Watched kinds that the watcher has not confirmed since the last doubt."""
        if self._unconfirmed is None:
            self._unconfirmed = self._find_unconfirmed()
        return self._unconfirmed

    def _find_unconfirmed(self) -> list[KindId]:
        required = self._required_seq
        if required is None or self._surface_seq <= required:
            return sorted(self.surface.served)
        return sorted(
            kind
            for kind, served in self.surface.served.items()
            if served.watched and self._confirmed.get(kind, -1) <= required and kind not in self.blind
        )

    @property
    def synced(self) -> bool:
        """Every watched kind is confirmed (or reported blind) since the last doubt."""
        required = self._required_seq
        is_known = required is not None and self._surface_seq > required and not self._silent
        return is_known and not self.unconfirmed()

    def sees(self, kind: KindId) -> bool:
        """What is not there of this kind is known not to be."""
        served = self.surface.served.get(kind)
        return served is not None and served.watched and kind not in self.blind

    def age_s(self, now_s: float) -> float | None:
        """How old the knowledge is; None when nothing was ever confirmed."""
        return None if self._watermark_s is None else max(0.0, now_s - self._watermark_s)

    def claim(self, bound_s: float, now_s: float) -> Evidence:
        """What a verdict may rest on now."""
        return Evidence(**structs.asdict(self.written_claim(bound_s, now_s)))

    def written_claim(self, bound_s: float, now_s: float) -> WrittenEvidence:
        """The same, ready to be written."""
        age_s, required = self.age_s(now_s), self._required_seq
        unconfirmed = [] if required is None else self.unconfirmed()
        is_known = required is not None and self._surface_seq > required and not self._silent
        synced = is_known and not unconfirmed  # as `synced`, asked once
        return WrittenEvidence(
            site=self.site,
            epoch=self.epoch,
            seq=self.seq,
            age_s=None if age_s is None else round(age_s, 3),
            bound_s=bound_s,
            observed=self.observed,
            blind=tuple(sorted({*self.blind, *unconfirmed, *self.swept})),
            fresh=age_s is not None and age_s <= bound_s and synced,
        )
