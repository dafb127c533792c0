"""A plain question is answered at once with the bytes that the plain way gives, whatever the site looks like.

The plain way is the judge over states, with nothing but the question's intent; see test_judge_by_number.py for sites.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any, Final, get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import MessageError
from schemas.events import Heartbeat, ResourceEvent, ServedKind
from schemas.identity import KindId, kind_of
from schemas.intents import Intent
from schemas.queries import ResyncAnswer
from schemas.verdicts import (
    EdgeRef,
    Evidence,
    Impact,
    Preconditions,
    Reason,
    Remedy,
    Step,
    Touch,
    Verdict,
)
from services.resolver.asked import PlainQuestion, plain_question
from services.resolver.graph.overlay import OverlayView
from services.resolver.judge import written
from services.resolver.judge.at_once import Asked, deletion, reading
from services.resolver.judge.case import Case, Change
from services.resolver.judge.decide import decide
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.plain import answered_at_once
from services.resolver.signals import (
    BatchSeen,
    BeatSeen,
    Effect,
    IntentSeen,
    Moment,
    ResyncAnswered,
    StoreVerdict,
)
from services.watcher.telling.batching import Batcher
from tests.kit.court import FRESH
from tests.kit.examples import examples
from tests.unit.resolver.naive_cluster import CATALOGUE
from tests.unit.resolver.sketches import LYON, NAMES, NOW, SECRET, Sketch

SEEDS: Final = st.integers(0, 2**32)
LATER: Final = NOW + timedelta(hours=1)
EVIDENCE: Final = msgspec.convert(FRESH.model_dump(mode="json"), written.WrittenEvidence)
MODELS: Final = {
    written.WrittenEdge: EdgeRef,
    written.WrittenReason: Reason,
    written.WrittenImpact: Impact,
    written.WrittenEvidence: Evidence,
    written.WrittenPreconditions: Preconditions,
    written.WrittenStep: Step,
    written.WrittenTouch: Touch,
    written.WrittenRemedy: Remedy,
    written.WrittenVerdict: Verdict,
}


@settings(max_examples=examples(1_000))
@given(SEEDS)
def test_a_deletion_judged_at_once_has_the_bytes_of_the_walk_over_states(seed: int) -> None:
    sketch = Sketch(seed)
    graph, target = sketch.graph(), sketch.targets()[0]
    asked = Asked("i-1", target, LYON, True, "resolver/test", LATER)
    found = deletion(graph.numbers(), asked, EVIDENCE, NOW)
    if found is None:
        return  # left to the plain way
    case = Case(
        "i-1",
        "delete",
        LYON,
        (Change(target, "delete"),),
        FRESH,
        LATER,
        10.0,
        preview=True,
        decided_by="resolver/test",
    )
    assert found.to_json() == decide(case, OverlayView(graph, {}), Policy(), NOW).to_json()


@settings(max_examples=examples(500))
@given(SEEDS)
def test_a_reading_judged_at_once_has_the_bytes_of_the_walk_over_states(seed: int) -> None:
    sketch = Sketch(seed)
    graph, target = sketch.graph(), sketch.targets()[0]
    found = reading(graph.numbers(), Asked("i-1", target, LYON, True, "", LATER), EVIDENCE, NOW)
    if found is None:
        return  # left to the plain way
    case = Case("i-1", "read", LYON, (Change(target, "read"),), FRESH, LATER, 10.0, preview=True)
    assert found.to_json() == decide(case, OverlayView(graph, {}), Policy(), NOW).to_json()


def test_most_questions_are_judged_at_once_and_every_answer_comes_up() -> None:
    answers: Counter[str] = Counter()
    for seed in range(300):
        asked = Asked("i-1", SECRET, LYON, True, "resolver/test", LATER)
        graph = Sketch(seed).graph()
        found = deletion(graph.numbers(), asked, EVIDENCE, NOW)
        answers["left" if found is None else found.decision] += 1
        answers["read"] += reading(graph.numbers(), asked, EVIDENCE, NOW) is not None
    assert answers["left"] < 200, answers
    assert min(answers["deny"], answers["allow"], answers["read"]) >= 10, answers


# ── from the question's bytes ───────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=1)
def _batches(seed: int) -> tuple[int, tuple[bytes, ...], float]:
    """What a watcher tells of a sketch: how many kinds, the batches; and how long ago that is."""
    chance = Random(seed)
    kinds = sorted({kind_of(one) for one in NAMES})
    surface = tuple(
        ServedKind(kind, f"{kind.rpartition('/')[2].lower()}s", ("v1",), namespaced=_is_namespaced(kind))
        for kind in kinds
    )
    events = [ResourceEvent("surface", surface=surface)]
    events += [ResourceEvent("put", one) for one in Sketch(seed).graph().resources()]
    confirmed = kinds if chance.random() < 0.8 else kinds[1:]
    events += [ResourceEvent("sync_same", kind=one) for one in confirmed]
    batcher, payloads = Batcher(LYON, 1), list[bytes]()
    for event in events:
        batcher.add(event)
    while (batch := batcher.take()) is not None:
        payloads.append(batch.payload)
        batcher.acknowledge(batch)
    return len(kinds), tuple(payloads), chance.choice((0.0, 0.5, 60.0))


def _machine(seed: int) -> tuple[Machine, Moment]:
    """A resolver that was told a sketch, confirmed but for one kind in some of them."""
    (kinds, payloads, age_s), moment = _batches(seed), Moment(1_000.0, NOW)
    made = Machine(LYON, CATALOGUE, Policy(), "resolver/test")
    made.evidence.answered(1, 0, moment.monotonic_s)
    made.step(ResyncAnswered(ResyncAnswer(site=LYON, epoch=1, seq=0, differing=0)), moment)
    for payload in payloads:
        made.step(BatchSeen(payload), moment)
    made.step(BeatSeen(Heartbeat("heartbeat/v1", LYON, 1, made.evidence.seq, kinds, at_s=1.0)), moment)
    return made, Moment(moment.monotonic_s + age_s, NOW)


def _is_namespaced(kind: KindId) -> bool:
    return any(kind_of(one) == kind and one.count("/") - kind.count("/") > 1 for one in NAMES)


def _question(resource: str, **others: Any) -> bytes:
    plain: dict[str, Any] = {"id": "i-1", "site": LYON, "verb": "delete", "resources": (resource,), "preview": True}
    return Intent(**{**plain, "created_at": NOW, "expires_at": LATER, **others}).to_json()


@settings(max_examples=examples(60))
@given(SEEDS)
def test_a_plain_question_gets_the_bytes_that_its_intent_would_get(seed: int) -> None:
    machine, moment = _machine(seed)
    for resource in NAMES:
        for verb in ("delete", "read"):
            payload = _question(resource, verb=verb)
            found = answered_at_once(machine.desk, payload, moment)
            if found is not None:
                assert found == machine.preview(Intent.from_json(payload), moment).to_json()


@settings(max_examples=examples(60))
@given(SEEDS)
def test_a_plain_intent_is_decided_at_once_as_it_would_be_after_consideration(seed: int) -> None:
    machine, moment = _machine(seed)
    for resource in NAMES:
        for verb in ("delete", "read"):
            intent = Intent.from_json(_question(resource, verb=verb, preview=False))
            found = machine.alone.at_once(intent, moment)
            if not found:  # nothing has happened to the machine, so the next question finds it as it was made
                assert not machine.docket.known(intent.id)
                assert not machine.holds.any
                continue
            other, _ = _machine(seed)
            plain = other.alone.consider(intent, frozenset(), moment)
            assert [*map(_told, found)] == [*map(_told, plain)]
            assert machine.docket.known(intent.id) == other.docket.known(intent.id)
            assert [*machine.holds.rows()] == [*other.holds.rows()]
            machine, _ = _machine(seed)


def _told(effect: Effect) -> object:
    return (effect.verdict.to_json(), effect.basis) if isinstance(effect, StoreVerdict) else effect


def test_a_denial_is_stored_without_the_way_of_every_intent() -> None:
    answers = Counter[object]()
    for seed in range(20):
        machine, moment = _machine(seed)
        effects = machine.step(IntentSeen(Intent.from_json(_question(SECRET, preview=False))), moment)
        answers.update((type(one.verdict), one.verdict.decision) for one in effects if isinstance(one, StoreVerdict))
    assert answers[written.WrittenVerdict, "deny"] >= 5, answers


def test_what_is_no_plain_question_is_left_to_the_way_of_every_intent() -> None:
    machine, moment = _machine(1)
    resource = next(one for one in NAMES if answered_at_once(machine.desk, _question(one), moment) is not None)
    left = (
        _question(resource, resources=(resource, "Secret/shop/b")),
        _question(resource, scope="oslo"),
        _question(resource, site="oslo"),
        _question(resource, cascade="dependents"),
        _question(resource, expires_at=NOW),
        _question(resource, overrides=({"code": "310", "reason": "because"},)),
        _question("secret/a", namespace="shop"),
        _question("Secret/shop/is-not-there"),
        b"{}",
        b"not JSON",
    )
    assert [answered_at_once(machine.desk, one, moment) for one in left] == [None] * len(left)


def test_nothing_is_answered_at_once_while_a_change_is_in_flight() -> None:
    machine, moment = _machine(1)
    resource = next(one for one in NAMES if answered_at_once(machine.desk, _question(one), moment) is not None)
    other = next(one for one in NAMES if one != resource)
    verdict = machine.preview(Intent.from_json(_question(other)), moment)
    step = Step(id="1", site=LYON, action="delete", resource=other)
    machine.holds.add(verdict.model_copy(update={"plan": (step,)}), (Change(other, "delete"),), moment.monotonic_s)
    assert machine.holds.any
    assert answered_at_once(machine.desk, _question(resource), moment) is None


WORDS: Final = st.sampled_from(
    ("", "lyon", "lyon\n", "i-1", "_1", "-", "é", "a" * 64, "a" * 65, "10", "2026-01-01T00:00:00Z", "none", "é\x00")
)
VALUES: Final = st.one_of(WORDS, st.none(), st.booleans(), st.floats(-1, 4000), st.lists(WORDS, max_size=2))


@settings(max_examples=examples(400))
@given(st.dictionaries(st.sampled_from(PlainQuestion.__struct_fields__), VALUES, max_size=3), st.booleans())
def test_what_is_read_quickly_is_read_by_the_contract_too_and_says_the_same(
    changed: dict[str, Any], drops: bool
) -> None:
    body = json.loads(_question("Secret/shop/a")) | changed
    if drops:
        body = {name: value for name, value in body.items() if name not in changed}
    payload = json.dumps(body).encode()
    found = plain_question(payload, LYON)
    if found is None:
        return
    question, expires_at = found
    try:
        intent = Intent.from_json(payload)
    except MessageError as error:
        raise AssertionError(f"the contract refuses it: {error}") from error
    assert intent.expires_at == expires_at
    for name in ("id", "site", "verb", "resources", "namespace", "scope", "bound_s", "cascade", "preview"):
        assert getattr(question, name) == getattr(intent, name)


def test_every_field_of_the_contract_is_known_to_who_reads_quickly() -> None:
    names = {field.alias or name for name, field in Intent.model_fields.items()}
    assert {*PlainQuestion.__struct_fields__} == names


# ── the same JSON ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_structs_have_the_fields_of_the_contract_in_its_order() -> None:
    for struct, model in MODELS.items():
        names = [field.alias or name for name, field in model.model_fields.items()]
        assert list(struct.__struct_fields__) == names, struct
    told = {one for one in vars(written).values() if isinstance(one, type) and one.__module__ == written.__name__}
    assert told == set(MODELS)


TEXTS: Final = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
MOMENTS: Final = st.datetimes(datetime(1971, 1, 1), datetime(2900, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))
NUMBERS: Final = st.integers(0, 2**63 - 1)


def _values(model: type[Any], name: str) -> st.SearchStrategy[Any]:
    """What a field of the contract may say; fields that hold other parts are filled in afterwards."""
    kind = model.model_fields[name].annotation
    if get_args(kind) and all(isinstance(one, str) for one in get_args(kind)):
        return st.sampled_from(get_args(kind))
    if name in ("decided_at", "valid_until"):
        return MOMENTS
    simple: dict[object, st.SearchStrategy[Any]] = {int: NUMBERS, bool: st.booleans()}
    if kind in simple:
        return simple[kind]
    if kind is float or kind == (float | None):
        return st.floats(0, 1e9).map(lambda one: round(one, 3))
    if name == "by_kind":
        return st.dictionaries(TEXTS, st.dictionaries(TEXTS, NUMBERS, max_size=3), max_size=2)
    if name in ("phases", "at", "first", "blind", "after", "targets"):
        return st.lists(TEXTS, max_size=3).map(tuple)
    if (model, name) == (Verdict, "undoes"):
        return st.none()
    if (model, name) == (Reason, "evidence"):
        return NUMBERS
    filled_in = {"relation": None, "preconditions": Preconditions(), "impact": Impact(), "expires_at": None}
    if name in filled_in:
        return st.just(filled_in[name])
    if name in ("chain", "changes", "reasons", "evidence", "plan", "remedies", "waits_for"):
        return st.just(())
    return TEXTS


MADE: Final = st.tuples(
    *(st.builds(one, **{name: _values(one, name) for name in one.model_fields}) for one in MODELS.values())
)


@settings(max_examples=examples(100))
@given(MADE)
def test_the_structs_give_the_bytes_of_the_contract_whatever_they_say(made: tuple[Any, ...]) -> None:
    edge, reason, impact, evidence, preconditions, step, touch, remedy, verdict = made
    verdict = verdict.model_copy(
        update={
            "reasons": (reason.model_copy(update={"relation": edge, "chain": (edge,)}),),
            "impact": impact,
            "evidence": (evidence,),
            "plan": (step.model_copy(update={"preconditions": preconditions}),),
            "remedies": (remedy.model_copy(update={"changes": (touch,)}),),
        }
    )
    assert msgspec.json.decode(verdict.to_json(), type=written.WrittenVerdict).to_json() == verdict.to_json()
