"""What may be claimed about a site: cursors, doubt and freshness."""

from __future__ import annotations

from schemas.events import BlindKind, EventBatch, Heartbeat, ResourceEvent, ResourceState, ServedKind, batch_hash
from schemas.identity import KindId, ResourceId, SiteName
from schemas.kinds import Surface
from services.resolver.answers import state_of
from services.resolver.evidence import RESYNC_RETRY_S, Accepted, SiteEvidence
from services.watcher.telling.teller import encode_batch

LYON = SiteName("lyon")
SURFACE = (ServedKind(KindId("Pod"), "pods", ("v1",)), ServedKind(KindId("Secret"), "secrets", ("v1",)))


class Watcher:
    """Numbers and chains batches as a real watcher does."""

    def __init__(self, epoch: int = 1) -> None:
        self.epoch, self.seq, self.chain = epoch, 0, ""

    def batch(self, *events: ResourceEvent) -> tuple[EventBatch, str]:
        batch = EventBatch("event/v1", LYON, self.epoch, self.seq + 1, self.chain, events)
        self.seq += len(events)
        self.chain = batch_hash(encode_batch(batch))
        return batch, self.chain

    def beat(self, at_s: float, **blind: BlindKind) -> Heartbeat:
        kinds = {KindId(kind): why for kind, why in blind.items()}
        return Heartbeat("heartbeat/v1", LYON, self.epoch, self.seq, 2 - len(kinds), kinds, at_s)


def put(name: str) -> ResourceEvent:
    return ResourceEvent("put", ResourceState(ResourceId(f"Pod/shop/{name}"), uid=name))


def take(evidence: SiteEvidence, batch: EventBatch, digest: str) -> Accepted:
    accepted = evidence.advance(batch, digest)
    for place, event in enumerate(accepted.events):
        if event.op == "surface":
            evidence.surface = Surface(event.surface)
        evidence.mark(event.op, event.kind, accepted.first_seq + place)
    evidence.settle()
    return accepted


def confirmations() -> list[ResourceEvent]:
    same = [ResourceEvent("sync_same", kind=served.kind) for served in SURFACE]
    return [ResourceEvent("surface", surface=SURFACE), *same]


def synced(watcher: Watcher, now_s: float = 100.0) -> SiteEvidence:
    evidence = SiteEvidence(LYON)
    evidence.beat(watcher.beat(now_s), now_s)
    evidence.asked(now_s)
    evidence.answered(watcher.epoch, watcher.seq, now_s)
    take(evidence, *watcher.batch(*confirmations()))
    evidence.beat(watcher.beat(now_s), now_s)
    return evidence


def test_a_confirmed_site_with_a_young_heartbeat_is_fresh() -> None:
    claim = synced(Watcher()).claim(bound_s=10, now_s=104)
    assert (claim.fresh, claim.age_s, claim.epoch, claim.seq, claim.blind) == (True, 4.0, 1, 3, ())


def test_a_site_that_was_never_heard_is_not_fresh_and_has_no_age() -> None:
    claim = SiteEvidence(LYON).claim(10, 0)
    assert (claim.fresh, claim.age_s) == (False, None)


def test_knowledge_older_than_the_bound_is_not_fresh() -> None:
    assert not synced(Watcher()).claim(bound_s=10, now_s=110.5).fresh


def test_a_heartbeat_that_counts_an_event_not_yet_applied_does_not_make_it_fresh() -> None:
    watcher = Watcher()
    evidence = synced(watcher)
    late = watcher.batch(put("a"))
    evidence.beat(watcher.beat(120), 120)
    assert not evidence.claim(10, 121).fresh
    take(evidence, *late)
    assert evidence.claim(10, 121).fresh


def test_a_heartbeat_that_waited_in_a_queue_counts_from_when_it_was_sent() -> None:
    watcher = Watcher()
    evidence = synced(watcher)
    evidence.beat(watcher.beat(101), now_s=161)  # the resolver was stopped for a minute
    assert not evidence.claim(10, 161).fresh


def test_a_gap_makes_everything_doubtful_until_the_watcher_has_listed_again() -> None:
    watcher = Watcher()
    evidence = synced(watcher)
    watcher.batch(put("lost"))
    accepted = take(evidence, *watcher.batch(put("seen")))
    evidence.beat(watcher.beat(101), 101)
    assert accepted.trouble == "gap"
    assert evidence.wants_resync(101) == "gap"
    assert not evidence.claim(10, 101).fresh
    evidence.asked(101)
    evidence.answered(watcher.epoch, watcher.seq, 101)
    take(evidence, *watcher.batch(*confirmations()))
    evidence.beat(watcher.beat(102), 102)
    assert evidence.claim(10, 102).fresh


def test_a_confirmation_from_before_the_doubt_does_not_count() -> None:
    watcher = Watcher()
    evidence = synced(watcher)
    watcher.batch(put("lost"))
    take(evidence, *watcher.batch(*confirmations()))  # of an earlier request: it was compared with what we had then
    evidence.asked(101)
    evidence.answered(watcher.epoch, watcher.seq, 101)
    evidence.beat(watcher.beat(101), 101)
    assert not evidence.claim(10, 101).fresh


def test_the_end_of_a_sync_whose_start_was_lost_confirms_nothing() -> None:
    watcher = Watcher()
    evidence = synced(watcher)
    watcher.batch(put("lost"))
    take(evidence, *watcher.batch(put("seen")))
    evidence.asked(101)
    evidence.answered(watcher.epoch, watcher.seq, 101)
    ends = [ResourceEvent("sync_end", kind=served.kind) for served in SURFACE]
    take(evidence, *watcher.batch(ResourceEvent("surface", surface=SURFACE), *ends))
    assert evidence.unconfirmed() == ["Pod", "Secret"]


def test_a_broken_hash_chain_is_trouble_though_the_numbers_fit() -> None:
    watcher = Watcher()
    evidence = synced(watcher)
    watcher.chain = "f" * 32
    assert take(evidence, *watcher.batch(put("a"))).trouble == "hash mismatch"


def test_a_batch_delivered_twice_is_applied_once() -> None:
    watcher = Watcher()
    evidence = synced(watcher)
    batch = watcher.batch(put("a"))
    assert len(take(evidence, *batch).events) == 1
    assert take(evidence, *batch) == Accepted((), batch[0].seq)


def test_a_batch_of_an_older_epoch_is_refused() -> None:
    evidence = synced(Watcher(epoch=7))
    assert take(evidence, *Watcher(epoch=6).batch(put("a"))).events == ()


def test_a_new_epoch_is_followed_and_must_be_confirmed_again() -> None:
    evidence = synced(Watcher(epoch=1))
    accepted = take(evidence, *Watcher(epoch=2).batch(put("a")))
    assert (accepted.trouble, len(accepted.events), evidence.epoch) == ("unknown epoch", 1, 2)
    assert not evidence.claim(10, 100).fresh


def test_a_watcher_that_starts_again_below_our_epoch_is_asked_to_go_above_it() -> None:
    evidence = synced(Watcher(epoch=7))
    assert evidence.beat(Watcher(epoch=1).beat(110), 110) == "unknown epoch"
    assert evidence.wants_resync(110) == "unknown epoch"


def test_a_watcher_that_numbers_our_epoch_again_is_not_believed_and_asked_to_go_above_it() -> None:
    former = Watcher(epoch=7)
    evidence = synced(former)
    again = Watcher(epoch=7)  # the stream's last word was an older epoch's: lost, or a lie
    assert take(evidence, *again.batch(put("a"))).events == ()
    assert evidence.beat(again.beat(101), 101) == "numbered again"
    assert evidence.claim(10, 101).age_s == 1, "it makes nothing fresh"
    assert not evidence.wants_resync(101), "an acknowledgement may be late"
    assert evidence.beat(again.beat(104), 104) == "numbered again"
    assert not evidence.claim(10, 104).fresh
    assert (evidence.wants_resync(104), evidence.epoch_seen) == ("numbered again", 8)
    evidence.answered(9, 0, 104)
    assert (evidence.epoch, evidence.epoch_seen) == (9, 9)


def test_a_heartbeat_that_comes_after_later_events_of_its_watcher_is_no_trouble() -> None:
    watcher = Watcher(epoch=7)
    evidence = synced(watcher)
    beat = watcher.beat(101)
    take(evidence, *watcher.batch(put("a"), put("b")))
    assert evidence.beat(beat, 101) == ""
    assert evidence.claim(10, 101).fresh


def test_a_watcher_whose_acknowledgement_comes_late_is_believed_when_it_counts_again() -> None:
    watcher = Watcher(epoch=7)
    evidence = synced(watcher)
    unaware = watcher.beat(101)
    take(evidence, *watcher.batch(put("a"), put("b")))
    for at_s in (101, 102):
        evidence.beat(unaware, at_s)
    assert evidence.beat(watcher.beat(103), 103) == ""
    assert evidence.claim(10, 103).age_s == 0


def test_one_last_heartbeat_of_a_replaced_watcher_shakes_nothing() -> None:
    evidence = synced(Watcher(epoch=7))
    evidence.beat(Watcher(epoch=6).beat(100.5), 100.5)
    assert evidence.claim(10, 101).fresh


def test_a_kind_that_is_not_observed_is_named_and_the_rest_stays_fresh() -> None:
    watcher = Watcher()
    evidence = synced(watcher)
    evidence.beat(watcher.beat(101, Secret=BlindKind("forbidden", 3.0)), 101)
    claim = evidence.claim(10, 101)
    assert (claim.fresh, claim.blind) == (True, ("Secret",))


def test_events_that_are_counted_and_never_come_are_asked_for() -> None:
    """A server that came back with an older disk has lost the end of the stream, and nothing happens since."""
    watcher = Watcher()
    evidence = synced(watcher)
    watcher.batch(put("a"))  # lost
    for second in range(21):
        assert evidence.wants_resync(100.0 + second) == ""
        evidence.beat(watcher.beat(100.0 + second), 100.0 + second)
    assert evidence.wants_resync(121.0) == "what is counted does not come"
    evidence.asked(121.0)
    evidence.answered(watcher.epoch, watcher.seq, 121.0)
    assert take(evidence, *watcher.batch(*confirmations())).trouble == "gap"
    evidence.answered(watcher.epoch, watcher.seq, 122.0)
    take(evidence, *watcher.batch(*confirmations()))
    evidence.beat(watcher.beat(122.0), 122.0)
    assert evidence.claim(10.0, 122.0).fresh


def test_events_that_come_late_are_not_asked_for() -> None:
    watcher = Watcher()
    evidence = synced(watcher)
    late = [watcher.batch(put(str(number))) for number in range(30)]
    for second, row in enumerate(late):  # a backlog, one a second
        evidence.beat(watcher.beat(100.0 + second), 100.0 + second)
        take(evidence, *row)
    watcher.batch(put("a"))
    for _ in range(60):  # who was stopped for a minute hears all heartbeats at once
        evidence.beat(watcher.beat(200.0), 200.0)
    assert evidence.wants_resync(200.0) == ""


def test_a_resync_that_is_not_answered_is_asked_again_after_a_while() -> None:
    evidence = SiteEvidence(LYON)
    assert evidence.wants_resync(0)
    evidence.asked(0)
    assert not evidence.wants_resync(RESYNC_RETRY_S - 0.1)
    assert evidence.wants_resync(RESYNC_RETRY_S)


def test_a_resolver_that_doubts_again_and_again_asks_less_and_less_often() -> None:
    """Who shares its events with another sees nothing but gaps; each list costs the API server something."""
    watcher = Watcher()
    evidence = synced(watcher)
    assert evidence.wants_resync(150) == ""
    asked = []
    for tenth in range(300):
        now_s = 200 + tenth / 10
        evidence.distrust("gap")
        if evidence.wants_resync(now_s):
            evidence.asked(now_s)
            evidence.answered(watcher.epoch, watcher.seq, now_s)
            asked.append(round(now_s - 200, 1))
    assert asked == [0.0, 0.3, 0.8, 1.8, 3.8, 7.8, 12.8, 17.8, 22.8, 27.8]
    evidence.answered(watcher.epoch, watcher.seq, 231)
    take(evidence, *watcher.batch(*confirmations()))
    assert evidence.wants_resync(231) == ""
    evidence.distrust("gap")
    assert evidence.wants_resync(231.1) == "gap", "once all was known, the next doubt is asked about at once"


def test_a_site_is_called_fresh_when_no_kind_of_it_is_being_listed() -> None:
    watcher = Watcher()
    assert state_of(SiteEvidence(LYON), 10, 0) == "silent"
    evidence = synced(watcher)
    assert state_of(evidence, 10, 101) == "fresh"
    evidence.beat(watcher.beat(102, Secret=BlindKind("syncing", 0.0)), 102)
    assert state_of(evidence, 10, 103) == "syncing"
    evidence.beat(watcher.beat(104, Secret=BlindKind("forbidden", 0.0)), 104)
    assert state_of(evidence, 10, 105) == "fresh", "as much as may be seen"
    assert state_of(evidence, 10, 115) == "stale"
    evidence.distrust("gap")
    assert state_of(evidence, 10, 115) == "syncing"
