"""A plain question, and the verdict on it without what others need; whatever is anything else goes the usual way. Pure.

one resource is to be deleted or read, by its full identity; nothing is in flight, no policy has a say ─▶ at_once.py
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from schemas.basis import Basis, ChangeRecord
from schemas.identity import ResourceId, is_kind_name, kind_of, split_kind
from schemas.intents import Intent
from schemas.kinds import Surface
from services.resolver.asked import PlainQuestion, plain_question
from services.resolver.desk import Desk
from services.resolver.graph.kept import Place
from services.resolver.graph.names import NOWHERE
from services.resolver.judge.at_once import Asked, deletion, reading
from services.resolver.judge.params import kinds_that_may_be_params
from services.resolver.judge.written import WrittenVerdict
from services.resolver.signals import Moment

IN_UTC: Final = timedelta(0)


def answered_at_once(desk: Desk, payload: bytes, moment: Moment) -> bytes | None:
    """The verdict on a preview, as `Machine.preview` would give it; None when that has to be asked."""
    if desk.holds.any or not desk.hearing.is_plain:
        return None
    read = plain_question(payload, desk.site)
    verdict = None if read is None else _judged(desk, *read, moment)
    return None if verdict is None else verdict.to_json()


def decided_at_once(desk: Desk, intent: Intent, moment: Moment) -> WrittenVerdict | None:
    """The first verdict on an intent, as the judge would give it; None when that is to be asked."""
    if desk.holds.any or not desk.hearing.is_plain or not _is_plain(intent):
        return None
    return _judged(desk, intent, intent.expires_at, moment)


def basis_at_once(desk: Desk, intent: Intent) -> Basis:
    """What such a decision rested on besides the site (basis.py)."""
    resource = ResourceId(intent.resources[0])
    version = desk.evidence.surface.served[kind_of(resource)].versions[0]
    changes = (ChangeRecord(resource, intent.verb, version),)
    return Basis("basis/v1", expires_at=intent.expires_at, bound_s=intent.bound_s, changes=changes)


def _is_plain(intent: Intent) -> bool:
    """It says no more than a plain question can (asked.py)."""
    return (
        intent.verb in ("delete", "read")
        and len(intent.resources) == 1
        and intent.cascade == "none"
        and intent.expires_at.utcoffset() == IN_UTC
        and intent.entry is None  # so it brings, marks and tells of others nothing
        and not (intent.scope or intent.overrides or intent.heal)
    )


def _judged(
    desk: Desk, question: PlainQuestion | Intent, expires_at: datetime, moment: Moment
) -> WrittenVerdict | None:
    text = question.resources[0]
    if question.site != desk.site or expires_at <= moment.wall:
        return None
    numbers = desk.graph.numbers()
    number = numbers.find(text)
    if number == NOWHERE or not _is_whole(text, numbers.place[number], desk.evidence.surface):
        return None
    asked = Asked(question.id, ResourceId(text), desk.site, question.preview, desk.hearing.decided_by, expires_at)
    evidence = desk.evidence.written_claim(question.bound_s, moment.monotonic_s)
    if question.verb == "read":
        return reading(numbers, asked, evidence, moment.wall)
    return deletion(numbers, asked, evidence, moment.wall, kinds_that_may_be_params(desk.graph))


def _is_whole(text: str, place: Place, surface: Surface) -> bool:
    """Whether it is a full identity, which `Surface.resolve` would leave as it is, of a kind that is served."""
    served = surface.served.get(place.kind)
    if served is None or served.namespaced != bool(place.namespace) or "/" in place.namespace:
        return False
    group, name = split_kind(place.kind)
    return text.isprintable() and not text.endswith("/") and is_kind_name(name, group)
