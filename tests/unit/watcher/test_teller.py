"""What is written of events: the same bytes whether they were met before or not, and whichever code writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.batches import decode_batch
from schemas.events import EventBatch, Grant, Reference, ResourceEvent, ResourceState, Selector
from schemas.identity import KindId, ResourceId, SiteName
from services.watcher.telling import teller
from services.watcher.telling.teller import Teller, encode_batch, form_of, join
from tests.kit.examples import examples
from tests.unit.watcher.both_ways import SIGNS, again, events, plain, texts

LYON = SiteName("lyon")
PLAIN_WAY = plain("services.watcher.telling.teller")
BOUNDS = ("KEYS_MAX", "SHAPES_MAX", "WRITTEN_MAX")
PLAIN = Reference("pod.volume.secret", "spec.volumes[0]", "requirement", "S", ResourceId("Secret/shop/tls"))
OTHERWISE: dict[str, Any] = {
    "rule": "pod.env.secret",
    "path": "spec.volumes[1]",
    "relation": "reliance",
    "phases": "SL",
    "target": ResourceId("Secret/shop/other"),
    "selector": Selector(KindId("Secret")),
    "uid": "u-1",
    "granule": "key:tls.crt",
    "optional": True,
    "soft": True,
    "confidence": "inferred",
    "needs_permission": True,
    "once": True,
}


def put(name: str = "web", **said: Any) -> ResourceEvent:
    return ResourceEvent("put", ResourceState(ResourceId(f"Pod/shop/{name}"), **said))


def few(draw: st.DrawFn) -> tuple[Reference, ...]:
    """A few that differ in a few fields."""
    names = st.sets(st.sampled_from(sorted(OTHERWISE)), max_size=4)
    return tuple(
        msgspec.structs.replace(PLAIN, **{name: OTHERWISE[name] for name in draw(names)})
        for _ in range(draw(st.integers(1, 3)))
    )


def shape(mine: Teller, said: tuple[Reference, ...]) -> bytes:
    return mine.tell(put(references=said)).shape[1]


def entries(told: Any) -> tuple[object, ...]:
    return told.size, told.fact, told.labels, told.template_labels, told.traits, told.shape


def assert_both_ways_write_the_same(batches: Iterable[Iterable[ResourceEvent]]) -> None:
    mine, other = Teller(), PLAIN_WAY.Teller()
    for seq, batch in enumerate(batches):
        told, due = [mine.tell(one) for one in batch], [other.tell(one) for one in batch]
        assert [*map(entries, told)] == [*map(entries, due)]
        head = (LYON, 1, seq, "ab" * 16)
        assert join(*head, tuple(told)) == PLAIN_WAY.join(*head, tuple(due))


@contextmanager
def bounded(**bounds: int) -> Iterator[None]:
    """So many keys, shapes and references are remembered, in both ways."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (teller, PLAIN_WAY):
            for name, bound in bounds.items():
                patch.setattr(module, name, bound)
        yield


def test_every_field_of_a_reference_is_tried() -> None:
    assert tuple(OTHERWISE) == Reference.__struct_fields__


@given(st.lists(st.composite(few)(), min_size=1, max_size=6))
def test_a_shape_that_was_met_before_is_written_as_its_forms_are(said: list[tuple[Reference, ...]]) -> None:
    mine = Teller()
    for one in said:
        assert shape(mine, one) == msgspec.json.encode([form_of(each) for each in one])


@pytest.mark.parametrize("name", sorted(OTHERWISE))
def test_references_that_differ_in_one_word_share_a_shape_when_it_is_whom_they_mean(name: str) -> None:
    mine, other = Teller(), msgspec.structs.replace(PLAIN, **{name: OTHERWISE[name]})
    assert (shape(mine, (PLAIN,)) == shape(mine, (other,))) == (name == "target")


def test_beside_a_selector_whom_a_reference_means_is_part_of_its_shape() -> None:
    mine, chosen = Teller(), Selector(KindId("Secret"))
    ones = [msgspec.structs.replace(PLAIN, selector=chosen, target=ResourceId(one)) for one in ("", "A/b", "A/c")]
    assert len({shape(mine, (one,)) for one in ones}) == 3


@settings(max_examples=examples(200))
@given(st.lists(st.lists(events, max_size=5), max_size=5))
def test_both_ways_write_the_same_bytes(batches: list[list[ResourceEvent]]) -> None:
    assert_both_ways_write_the_same(batches)
    assert_both_ways_write_the_same([*batches, *batches])


@settings(max_examples=examples(200))
@given(st.lists(st.lists(events, max_size=5), max_size=5), st.tuples(*[st.integers(1, 3)] * 3))
def test_both_ways_forget_the_same_when_there_is_too_much(
    batches: list[list[ResourceEvent]], bounds: tuple[int, int, int]
) -> None:
    with bounded(**dict(zip(BOUNDS, bounds, strict=True))):
        assert_both_ways_write_the_same([*batches, *batches])


@given(st.lists(st.integers(0, 4), min_size=20, max_size=40), st.integers(1, 4))
def test_references_that_were_told_least_lately_are_forgotten_first(order: list[int], bound: int) -> None:
    said = [(msgspec.structs.replace(PLAIN, path=f"spec.volumes[{one}]"),) for one in range(5)]
    with bounded(KEYS_MAX=1, SHAPES_MAX=1, WRITTEN_MAX=bound):
        assert_both_ways_write_the_same([[put(references=said[one])] for one in order])


@given(st.lists(events, max_size=8))
def test_a_batch_says_what_its_events_say(said: list[ResourceEvent]) -> None:
    whole = [
        one for one in said if one.state is not None and one.state.resource and not _is_beyond(one.state.facts.values())
    ]
    batch = EventBatch("event/v1", LYON, 3, 7, "", tuple(whole))
    assert decode_batch(encode_batch(batch)) == batch


def _is_beyond(values: Iterable[object]) -> bool:
    return any(isinstance(one, int) and abs(one) >= 2**63 for one in values)


@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_that_is_escaped_or_is_not_ascii_is_found_wherever_it_stands(sign: str) -> None:
    said = [f"{'a' * place}{sign}{'a' * (length - place)}" for length in range(20) for place in range(length + 1)]
    assert_both_ways_write_the_same(
        [[put(one, uid=one, digest=one, labels={one: one}, facts={one: one}, finalizers=(one,))] for one in said]
    )


def test_a_text_of_any_length_is_written_whole() -> None:
    said = [chr(33 + length % 90) * length for length in (*range(70), 1023, 1024, 1025, 70_000)]
    said = [one.replace('"', "a").replace("\\", "b") for one in said]
    mine = Teller()
    for one in said:
        fact = msgspec.json.decode(mine.tell(put(uid=one, resource_version=one)).fact)
        assert (fact.get("uid", ""), fact.get("resource_version", "")) == (one, one)


def test_a_fact_that_is_larger_than_others_leaves_nothing_to_the_next_one() -> None:
    large = put("large", uid="u" * 3_000_000, labels={"a": "b" * 100_000})
    assert_both_ways_write_the_same([[put(), large, put(), large, large, put()]])
    assert Teller().tell(large).size > 3_100_000


def test_facts_of_several_tellers_in_one_batch_are_written_as_the_plain_way_does() -> None:
    said = [put(uid="a", labels={"a": "b"}), put(uid="b", labels={"b": "c"}), put(template_labels={"b": "c"})]
    mine, other = ([way.Teller().tell(one) for one in said] for way in (teller, PLAIN_WAY))
    assert join(LYON, 1, 1, "", tuple(mine)) == PLAIN_WAY.join(LYON, 1, 1, "", tuple(other))


@given(texts, st.integers(0, 2**63 - 1), texts)
def test_a_batch_without_facts_is_written_as_the_plain_way_does(site: str, number: int, before: str) -> None:
    head = (SiteName(site), number, number, before)
    assert join(*head, ()) == PLAIN_WAY.join(*head, ())


def test_tables_of_a_batch_stand_in_the_order_in_which_facts_need_them() -> None:
    mine = Teller()
    first, second, third = (
        mine.tell(put(labels={"n": str(one)}, template_labels={"t": str(one)}, facts={"f": one})) for one in range(3)
    )
    batch = msgspec.json.decode(join(LYON, 1, 1, "", (third, first, third, second)))
    assert [[*batch[table]] for table in ("labels", "traits")] == [["7", "8", "1", "2", "4", "5"], ["9", "3", "6"]]


def test_many_facts_of_one_batch_need_many_entries() -> None:
    assert_both_ways_write_the_same([[put(labels={"n": str(one % 700)}, facts={"f": one}) for one in range(1500)]] * 2)


def test_no_label_is_nothing_and_a_template_without_labels_is_one() -> None:
    told = Teller().tell(put(labels={}, template_labels={}))
    assert (told.labels, told.template_labels) == ((0, b""), (1, b"{}"))


def test_equal_texts_are_one_whichever_object_says_them() -> None:
    mine = Teller()
    same = {name: again(one) if isinstance(one, str) else one for name, one in msgspec.structs.asdict(PLAIN).items()}
    one, other = (mine.tell(put(references=(said,), labels={"app": "web"})) for said in (PLAIN, Reference(**same)))
    assert (one.shape, one.labels, one.traits) == (other.shape, other.labels, other.traits)


def test_references_that_died_are_not_taken_for_those_that_have_their_place() -> None:
    mine, seen = Teller(), set()
    with bounded(WRITTEN_MAX=2):
        for number in range(500):
            said = (msgspec.structs.replace(PLAIN, target=ResourceId(f"Secret/shop/{number}")),)
            seen.add(id(said))
            assert f'"targets":["Secret/shop/{number}"]'.encode() in mine.tell(put(references=said)).fact
            del said
    assert len(seen) < 500, "places are taken again, or this shows nothing"


def test_who_was_told_lately_is_still_known_when_others_are_forgotten() -> None:
    with bounded(WRITTEN_MAX=2, SHAPES_MAX=1, KEYS_MAX=1):
        mine = Teller()
        kept, *others = (
            (msgspec.structs.replace(PLAIN, path=path),) for path in ("kept", "spec.a", "spec.b", "spec.c")
        )
        key = mine.tell(put(references=kept)).shape[0]
        for one in others:
            mine.tell(put(references=one))
            assert mine.tell(put(references=kept)).shape[0] == key


def test_what_grants_say_is_written() -> None:
    told = Teller().tell(put(grants=(Grant(KindId("Pod")),), deleting=True, version="v2", finalizers=("a", "b")))
    assert told.traits[1] == b'{"version":"v2","deleting":true,"finalizers":["a","b"],"grants":[{"source":"Pod"}]}'
