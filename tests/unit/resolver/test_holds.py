"""What is in flight is so until its effect is seen, in whatever order outcomes and events come."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import pytest

from schemas.events import ResourceEvent, ResourceState
from schemas.identity import KindId
from services.resolver.graph.changed import Changed
from services.resolver.holds import Holds
from services.resolver.signals import OutcomeSeen
from tests.kit.manifests import secret, without_uid
from tests.unit.resolver.test_sets import NEW, mesh
from tests.unit.resolver.virtual_mesh import VirtualMesh

__all__ = ["mesh"]

SECRET = KindId("Secret")


def test_what_has_only_begun_is_in_flight_though_what_it_replaces_is_known(mesh: VirtualMesh) -> None:
    """An executor says which version it is about to replace; that was seen long ago."""
    lyon = mesh["lyon"]
    before = lyon.cluster.put(secret("new"))
    lyon.cluster.put(secret("other"))
    mesh["lyon"].kill()
    mesh.settle()
    mesh.enter("lyon", "apply", "", manifests=(without_uid(secret("new", "crt", "key")),))
    mesh.catches_up(lyon)
    operation = lyon.operations[-1]
    begun = lyon._outcome(operation, "begun", version=before.resource_version, uid=before.uid)
    lyon.step(OutcomeSeen(begun))
    assert lyon.machine.holds.holds(NEW)
    mesh.pump()
    mesh.settle()
    assert not lyon.machine.holds.holds(NEW), "what was done is seen"


def test_what_conflicted_is_in_flight_until_it_is_decided_again_though_what_is_there_is_seen(
    mesh: VirtualMesh,
) -> None:
    """A conflict names the version that somebody else has written: whoever waits would come first."""
    lyon = mesh["lyon"]
    lyon.cluster.put(secret("new"))
    mesh["lyon"].kill()
    mesh.settle()
    mesh.enter("lyon", "apply", "", manifests=(without_uid(secret("new", "crt", "key")),))
    mesh.catches_up(lyon)
    operation = lyon.operations[-1]
    lyon.edit(NEW, "data", "theirs", value="eA==")
    mesh.catches_up(lyon)
    theirs = lyon.cluster.state(NEW)
    lyon.step(OutcomeSeen(lyon._outcome(operation, "conflict", version=theirs.resource_version, uid=theirs.uid)))
    assert lyon.machine.docket.asked, "the API server is asked about it once more"
    assert lyon.machine.holds.holds(NEW)
    mesh.settle()
    assert not lyon.machine.holds.holds(NEW)


def test_what_was_made_and_deleted_while_nobody_watched_is_in_flight_until_the_kind_was_told_as_a_whole(
    mesh: VirtualMesh,
) -> None:
    """No event tells of it; a listing as of a version after it was written does. Before, that took a minute."""
    lyon = mesh["lyon"]
    done_and_unseen(mesh)
    lyon.cluster.remove(NEW)
    lyon.seq += 1  # a batch is lost: the site is listed again
    lyon.see(ResourceEvent("put", lyon.cluster.put(secret("other"))))
    mesh.settle(1.0)
    assert lyon.machine.graph.find(NEW) is None
    assert not lyon.machine.holds.holds(NEW)


def test_what_is_done_stays_in_flight_though_a_listing_from_before_it_does_not_name_it(mesh: VirtualMesh) -> None:
    lyon = mesh["lyon"]
    before = lyon.cluster.put(secret("other"))
    done_and_unseen(mesh)
    lyon.see(ResourceEvent("sync_start", kind=SECRET))
    lyon.see(ResourceEvent("sync_end", kind=SECRET, resource_version=before.resource_version))
    mesh.catches_up(lyon)
    assert lyon.machine.holds.holds(NEW)


def test_what_was_seen_to_be_deleted_after_it_was_done_is_in_flight_no_more(mesh: VirtualMesh) -> None:
    """Its deletion is told and its creation is not: both happened between two listings' versions."""
    lyon = mesh["lyon"]
    done_and_unseen(mesh)
    state = lyon.cluster.state(NEW)
    told = ResourceEvent("delete", resource=NEW, uid=state.uid, resource_version=str(int(state.resource_version) + 1))
    lyon.see(told)
    mesh.catches_up(lyon)
    assert not lyon.machine.holds.holds(NEW)


@pytest.mark.parametrize("scope", ["oslo", "lyon & oslo"])
def test_after_a_restart_from_a_snapshot_nothing_that_another_site_did_is_in_flight_here(
    mesh: VirtualMesh, scope: str
) -> None:
    """The entry site keeps every site's outcomes; versions of another cluster are never seen in this one's."""
    lyon = mesh["lyon"]
    for number in range(20):
        mesh["oslo"].cluster.put(secret(f"s{number}"))  # its versions are ahead
    mesh.enter("lyon", "create", scope, manifests=(without_uid(secret("new")),))
    mesh.pump()
    mesh.settle()
    lyon.recent = {"i-1"}
    lyon.kill()
    mesh.settle()
    assert not lyon.machine.holds.holds(NEW)


def test_what_was_written_is_seen_though_it_got_ready_at_a_later_version_that_nobody_tells_of(
    mesh: VirtualMesh,
) -> None:
    """A watcher does not tell of a version that says nothing new; the executor names it all the same."""
    lyon = mesh["lyon"]
    mesh.enter("lyon", "create", "", manifests=(without_uid(secret("new")),))
    mesh.catches_up(lyon)
    operation, state = lyon.operations[-1], lyon.cluster.put(secret("new"))
    later = str(int(state.resource_version) + 5)
    for said, version in (("applied", state.resource_version), ("ready", later)):
        lyon.step(OutcomeSeen(lyon._outcome(operation, said, version=version, uid=state.uid)))
    assert lyon.machine.holds.holds(NEW)
    lyon.see(ResourceEvent("put", state))
    mesh.catches_up(lyon)
    assert not lyon.machine.holds.holds(NEW)


def done_and_unseen(mesh: VirtualMesh) -> None:
    """Created, and reported; the watcher did not see it."""
    lyon = mesh["lyon"]
    mesh.enter("lyon", "create", "", manifests=(without_uid(secret("new")),))
    mesh.catches_up(lyon)
    told = lyon.seq, lyon.chain
    lyon.execute(len(lyon.operations) - 1)
    lyon.batches.clear()
    lyon.seq, lyon.chain = told
    while lyon.outcomes:
        lyon.report()
    assert lyon.machine.holds.holds(NEW)


class Seen:
    """What an event did, as the graph tells it."""

    resource = NEW

    def __init__(self, old: ResourceState, new: ResourceState) -> None:
        self.old, self.new = old, new


def test_words_that_an_intent_wrote_in_two_parts_are_known_for_its_own_after_a_restart(mesh: VirtualMesh) -> None:
    """Both parts are events of their own; the outcome names the version before the first and that of the second."""
    lyon = mesh["lyon"]
    states = [lyon.cluster.put(secret("new", "crt", *["key"][:number])) for number in (0, 1, 0, 1)]
    before, first, second, theirs = states
    mesh.enter("lyon", "apply", "", manifests=(without_uid(secret("new")),))
    mesh.catches_up(lyon)
    operation = lyon.operations[-1].model_copy(update={"action": "annotate"})
    begun = lyon._outcome(operation, "begun", version=before.resource_version, uid=before.uid)
    ready = lyon._outcome(operation, "ready", version=second.resource_version, uid=before.uid)
    holds = Holds()
    holds.recover(lyon.site, lyon.verdicts, [begun, ready], [])
    said = [holds.made(cast(Changed, Seen(old, new))) for old, new in pairwise(states)]
    assert said == [True, True, False], (first, theirs)
    assert not holds.made(cast(Changed, Seen(theirs, before))), "what was there before it is nobody's"


def test_what_is_done_while_a_resolver_starts_is_known_for_an_intents_own_before_its_outcome(mesh: VirtualMesh) -> None:
    """What was under way lies over the site only when that is known again; the effect may be seen before."""
    lyon = mesh["lyon"]
    before, after = (lyon.cluster.put(secret("new", "crt", *more)) for more in ((), ("key",)))
    mesh.enter("lyon", "apply", "", manifests=(without_uid(secret("new")),))
    mesh.catches_up(lyon)
    holds, seen = Holds(), cast(Changed, Seen(before, after))
    holds.recover(lyon.site, lyon.verdicts, [], lyon.verdicts)
    assert holds.made(seen)
    holds.resume()
    assert not holds.made(seen), "from then on what lies over the site says so"


def test_what_was_made_and_deleted_since_the_snapshot_is_not_in_flight_after_a_restart(mesh: VirtualMesh) -> None:
    """Made by an intent of this site, deleted by another one's: what was done later counts."""
    lyon, manifest = mesh["lyon"], without_uid(secret("new"))
    lyon.keep()
    mesh.enter("lyon", "apply", "", "i-made", manifests=(manifest,))
    mesh.settle()
    mesh.enter("oslo", "delete", "lyon", "i-gone", resources=("secret/new",))
    mesh.settle()
    assert NEW not in lyon.cluster.objects
    lyon.start()
    assert not lyon.machine.holds.holds(NEW)
    mesh.enter("lyon", "apply", "", "i-again", manifests=(manifest,))
    mesh.settle(1)
    assert mesh.verdict("lyon", "i-again").decision == "allow"


def test_what_somebody_deleted_since_the_snapshot_is_not_in_flight_after_a_restart(mesh: VirtualMesh) -> None:
    lyon = mesh["lyon"]
    lyon.keep()
    mesh.enter("lyon", "apply", "", "i-made", manifests=(without_uid(secret("new")),))
    mesh.settle()
    lyon.wipe(NEW)
    lyon.start()
    assert not lyon.machine.holds.holds(NEW)
