"""How a source uses what it names, target by target: found once for all replicas, since it rests on what they share.

shape of the references + kind + facts ─▶ a rank for each place among the targets. Pure: the same key has the same
answer in every graph, so nothing makes it wrong; it is bounded all the same.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from schemas.events import Reference
from services.resolver.graph.kept import Record, Shape
from services.resolver.graph.numbers import Numbers
from services.resolver.judge.use import BREAKING, STRONGEST_FIRST, stays, use_by
from services.resolver.judge.woken import WAKERS

KNOWN_MAX: Final = 8_192
NONE: Final = len(STRONGEST_FIRST)  # not a use: an owner or a container, a policy, or no target at all
ASK: Final = NONE + 1  # what it is depends on the very object that is there, or on a permission
OVER: Final = STRONGEST_FIRST.index("over")
WEAKER: Final = STRONGEST_FIRST.index("weak")  # ranks below this one break
assert {*STRONGEST_FIRST[:WEAKER]} == BREAKING, "what breaks stands before what does not"


class Ranks(NamedTuple):
    """For each place among the targets: where in STRONGEST_FIRST its use stands, or NONE, or ASK.

    breaks   one of them may break, or a permission decides
    sleeps   it makes pods, and none now: somebody may start it
    """

    at: tuple[int, ...]
    breaks: bool
    sleeps: bool


_ranks: dict[tuple[Shape, str, bytes, bool], Ranks] = {}
_stays: dict[tuple[bytes, bool], bool] = {}


def ranks(numbers: Numbers, source: int, record: Record) -> Ranks:
    """Of one source, which is there."""
    key = (record.shape, numbers.place[source].kind, record.traits, record.template_labels is not None)
    found = _ranks.get(key)
    if found is None:
        if len(_ranks) >= KNOWN_MAX:
            _ranks.clear()
        found = _ranks[key] = _found(numbers, source, record)
    return found


def _found(numbers: Numbers, source: int, record: Record) -> Ranks:
    at, breaks, sleeps = [], False, False
    for form in record.shape.at:
        if form is None or form.selects or form.owning:
            at.append(NONE)
            continue
        rank = rank_of(numbers, source, record, form.reference)
        sleeps = sleeps or (rank == OVER and record.template_labels is not None)
        breaks = breaks or rank < WEAKER or form.reference.needs_permission
        at.append(ASK if form.pinned or form.reference.needs_permission else rank)
    return Ranks(tuple(at), breaks, sleeps)


def rank_of(numbers: Numbers, source: int, record: Record, reference: Reference) -> int:
    """The rank of one reference of a source, whatever object it means."""
    traits = numbers.records.traits(record)
    use = use_by(reference, numbers.place[source].kind, traits, record.template_labels is not None)
    return NONE if use == "none" else STRONGEST_FIRST.index(use)


def may_be_woken(numbers: Numbers, source: int) -> bool:
    """Whether somebody scales it: whether that one starts it, states tell (woken.py)."""
    return any(numbers.kind(one) in WAKERS for one in numbers.users(source))


def may_be_relied_on(numbers: Numbers, record: Record) -> bool:
    """Whether it stays as a match of a selector (`stays`)."""
    key = (record.traits, record.template_labels is not None)
    found = _stays.get(key)
    if found is None:
        if len(_stays) >= KNOWN_MAX:
            _stays.clear()
        found = _stays[key] = stays(numbers.records.traits(record), key[1])
    return found
