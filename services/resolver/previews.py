"""A preview that is a plain question, bytes → bytes; whatever is anything else goes the way of every intent. Pure.

one resource is to be deleted or read, by its full identity; nothing is in flight, no policy has a say ─▶ at_once.py
"""

from __future__ import annotations

from schemas.identity import IdentityError, ResourceId
from services.resolver.asked import plain_question
from services.resolver.desk import Desk
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
    try:
        if number == NOWHERE or numbers.kind(number) not in surface.served:
            return None
        if surface.resolve(text, question.namespace) != text:
            return None
    except IdentityError:
        return None
    asked = Asked(question.id, ResourceId(text), desk.site, question.preview, hearing.decided_by, expires_at)
    evidence = desk.evidence.written_claim(question.bound_s, moment.monotonic_s)
    judge = deletion if question.verb == "delete" else reading
    verdict = judge(numbers, asked, evidence, moment.wall)
    return None if verdict is None else verdict.to_json()
