"""Who goes first when two intents of several sites want the same: the older one, so that no circle forms. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.identity import SiteName
from schemas.peers import GiveWay
from schemas.verdicts import Verdict
from services.resolver.across.engagement import Engagement, Engagements
from services.resolver.signals import Effect, SendPeer


def younger_holders(engagements: Engagements, engaged: Engagement, verdict: Verdict) -> list[Engagement]:
    """Who is in the way, when all that is in the way are holds of younger intents that are not decided yet."""
    if engaged.part.preview or not verdict.waits_for or any(one.intent is None for one in verdict.waits_for):
        return []
    found = [engagements.find(one.intent) for one in verdict.waits_for if one.intent is not None]
    younger = [one for one in found if one is not None and one.state == "held" and _goes_before(engaged, one)]
    return younger if len(younger) == len(found) else []


def ask_to_yield(site: SiteName, engaged: Engagement, younger: Sequence[Engagement]) -> list[Effect]:
    """Ask the entry sites of the younger ones to let go, each once in a round."""
    asked = {f"{one.part.id}.{one.round}" for one in younger}
    fresh = [one for one in younger if f"{one.part.id}.{one.round}" not in engaged.asked_to_yield]
    engaged.asked_to_yield = asked
    for one in younger:
        one.yields = True
    return [
        SendPeer(GiveWay(sender=site, receiver=one.entry, intent=one.part.id, round=one.round, older=engaged.part.id))
        for one in fresh
    ]


def _goes_before(one: Engagement, other: Engagement) -> bool:
    return (one.age, one.part.id) < (other.age, other.part.id)
