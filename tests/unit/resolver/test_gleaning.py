"""A start reads whole only what is not over; the rest of what the streams keep is a head, and a packed verdict."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import subjects
from schemas.alerts import Alert
from schemas.envelope import MessageError
from schemas.identity import ResourceId
from schemas.intents import Intent
from schemas.relations.loader import load_catalogue
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.streams import ensure_streams
from services.resolver import decided, gleaning
from services.resolver.beginning import Beginning
from services.resolver.gleaning import Gleaning
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.outgoing import Outgoing
from services.resolver.signals import Rehearsed
from tests.kit.manifests import secret, without_uid
from tests.unit.resolver.gleaned import known
from tests.unit.resolver.world import LYON, World

OVER = 12


def create(world: World, intent_id: str, *names: str) -> None:
    now = world.moment.wall
    world.publish(
        Intent(
            id=intent_id,
            site=world.site,
            verb="create",
            manifests=tuple(without_uid(secret(name)) for name in names),
            created_at=now,
            expires_at=now + timedelta(hours=1),
        )
    )


@pytest.fixture
def world() -> World:
    """Twelve that are done, one that was refused at its second step, and one of which a step is done."""
    made = World()
    made.settle()
    for number in range(OVER):
        create(made, f"i-over-{number}", f"s{number}")
        made.settle()
    made.refuses = {ResourceId("Secret/shop/b")}
    create(made, "i-failed", "a", "b")
    made.settle()
    create(made, "i-open", "c", "d")
    made.step(Rehearsed(made.rehearsals.popleft(), None))
    made.execute(0)
    return made


def gleaned(world: World) -> Gleaning:
    of_streams = Gleaning()
    for verdict in world.verdicts:
        of_streams.verdict(verdict.to_json())
    for place, outcome in enumerate(world.stored_outcomes):
        of_streams.outcome(outcome.to_json(), place)
    return of_streams


def test_nothing_that_is_over_is_read_whole(world: World) -> None:
    assert {name: one.decision for name, one in world.latest().items()} == {
        **{f"i-over-{number}": "allow" for number in range(OVER)},
        "i-failed": "allow",  # to take back what it had done
        "i-open": "allow",
    }
    assert [*gleaned(world).needed()] == ["i-open"]


@pytest.mark.parametrize("garbled", [b"", b"\xff", b'{"schema": "\xff"}', b"[" * 100_000, b'{"schema": "verdict/v2"}'])
def test_what_is_no_message_is_named_and_changes_nothing(world: World, garbled: bytes) -> None:
    from_streams = gleaned(world)
    needed = from_streams.needed()
    with pytest.raises(MessageError):
        from_streams.verdict(garbled)
    with pytest.raises(MessageError):
        from_streams.outcome(garbled, 1_000)
    assert from_streams.needed() == needed


async def started(world: World) -> Machine:
    bus = MemoryBus()
    await ensure_streams(bus)
    for verdict in world.verdicts:
        name = f"{verdict.intent}.{verdict.revision}"
        subject = subjects.verdict(LYON, verdict.decision, verdict.intent)
        await bus.publish(subject, verdict.to_json(), message_id=f"v.{name}")
    for place, outcome in enumerate(world.stored_outcomes):
        subject = subjects.outcome(LYON, outcome.intent, outcome.step)
        await bus.publish(subject, outcome.to_json(), message_id=f"o.{place}")
    for intent in world.intents.values():
        await bus.publish(subjects.intent(LYON, intent.id), intent.to_json(), message_id=f"i.{intent.id}")
    machine = Machine(LYON, load_catalogue(), Policy(), "resolver/lyon@test")
    out = Outgoing(LYON, bus, lambda: world.moment)
    await Beginning(bus, machine, out, None).run(world.moment)
    return machine


@pytest.mark.parametrize("known_max", [2, 5, 100])
async def test_a_start_from_the_streams_knows_what_one_from_everything_knows(
    world: World, known_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in (decided, gleaning):
        monkeypatch.setattr(room, "KNOWN_MAX", known_max)
    for place in (1, 2, 3, len(world.verdicts)):  # the intent that is open is the first, or the last, of all
        world.verdicts = world.verdicts[-place:] + world.verdicts[:-place]
        machine = await started(world)
        other = Machine(LYON, load_catalogue(), Policy(), "resolver/lyon@test")
        other.recover(world.verdicts, world.stored_outcomes, world.intents, world.alerts)
        assert known(machine, ["i-open"]) == known(other, ["i-open"])
        answers = {name: machine.docket.known(name) for name in world.latest()}
        assert all(one in (None, world.latest()[name]) for name, one in answers.items())
        forgotten = {name for name in answers if machine.docket.may_have_forgotten(name)}
        assert forgotten == {name for name, one in answers.items() if one is None}
        assert not machine.docket.may_have_forgotten("i-never")


def test_older_verdicts_are_packed_and_say_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decided, "WHOLE_MAX", 2)
    monkeypatch.setattr(decided, "KNOWN_MAX", 5)
    kept = decided.Decided()
    for verdict in world.latest().values():
        kept.put(verdict)
    names = [*world.latest()]
    assert [kept.get(name) for name in names[-5:]] == [world.latest()[name] for name in names[-5:]]
    assert [kept.get(name) for name in names[:-5]] == [None] * len(names[:-5])
    assert [name in kept.forgotten for name in names] == [True] * len(names[:-5]) + [False] * 5


@given(st.lists(st.text(max_size=8), max_size=40))
def test_of_forgotten_names_the_last_ones_are_always_found(names: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decided, "FORGOTTEN_MAX", 10)
        forgotten = decided.Forgotten()
        for name in names:
            forgotten.add(name)
        assert all(name in forgotten for name in names[-10:])


def test_of_names_that_were_never_forgotten_hardly_any_is_taken_for_one() -> None:
    forgotten = decided.Forgotten()
    for number in range(20_000):
        forgotten.add(f"i-{number}")
    assert sum(f"j-{number}" in forgotten for number in range(20_000)) < 20


def test_of_alerts_only_those_that_have_not_healed_are_read_whole() -> None:
    def alert(name: str, state: str) -> bytes:
        what = {"code": "A310", "site": LYON, "message": "gone", "at": World().moment.wall}
        return Alert(id=name, state=state, **what).to_json()  # type: ignore[arg-type]  # plain text

    of_streams = Gleaning()
    for name, state in (("a", "raised"), ("b", "raised"), ("a", "healed"), ("c", "raised"), ("a", "raised")):
        of_streams.alert(alert(name, state))
    with pytest.raises(MessageError):
        of_streams.alert(b'{"schema": "alert/v1"}')
    assert [*of_streams.raised.items()] == [(name, alert(name, "raised")) for name in ("b", "c", "a")]
