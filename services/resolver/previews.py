"""A preview that is a plain question, bytes → bytes; whatever is anything else goes the way of every intent. Pure.

one resource is to be deleted or read, by its full identity; nothing is in flight, no policy has a say ─▶ at_once.py
"""

from __future__ import annotations

from schemas.identity import ResourceId
from schemas.kinds import Surface
from services.resolver.asked import plain_question
from services.resolver.desk import Desk
from services.resolver.graph.kept import Place
from services.resolver.graph.names import NOWHERE
from services.resolver.judge.at_once import Asked, deletion, reading
from services.resolver.signals import Moment


def answered_at_once(desk: Desk, payload: bytes, moment: Moment) -> bytes | None:
    """The verdict on a preview, as `Machine.preview` would give it; None when that has to be asked."""
    hearing, surface = desk.hearing, desk.evidence.surface
    if desk.holds.any or not hearing.is_plain:
        return None
    read = plain_question(payload)
    if read is None:
        return None
    question, expires_at = read
    text = question.resources[0]
    if question.site != desk.site or expires_at <= moment.wall:
        return None
    numbers = desk.graph.numbers()
    number = numbers.find(text)
    if number == NOWHERE or not _is_whole(text, numbers.place[number], surface):
        return None
    asked = Asked(question.id, ResourceId(text), desk.site, question.preview, hearing.decided_by, expires_at)
    evidence = desk.evidence.written_claim(question.bound_s, moment.monotonic_s)
    judge = deletion if question.verb == "delete" else reading
    verdict = judge(numbers, asked, evidence, moment.wall)
    return None if verdict is None else verdict.to_json()


def _is_whole(text: str, place: Place, surface: Surface) -> bool:
    """Whether it is a full identity, which `Surface.resolve` would leave as it is, of a kind that is served."""
    served = surface.served.get(place.kind)
    if served is None or served.namespaced != bool(place.namespace) or "/" in place.namespace:
        return False
    return text.isprintable() and not text.endswith("/") and place.kind.rpartition("/")[2][:1].isupper()
