"""What an entry site says to the sites that it asks, and what these answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.identity import ResourceId, SiteName
from schemas.peers import Answer, Ask, Decide, Part, Refuse
from schemas.verdicts import Verdict
from services.resolver.across.engagement import Engagement
from services.resolver.across.round import Round
from services.resolver.signals import SendPeer


def ask(asked: Round, part: Part, revision: int) -> SendPeer:
    """What would you say to your part? `revision`: of the verdict that comes of it."""
    assert part.entry is not None, "a part says whose it is"
    return SendPeer(
        Ask(
            sender=part.entry,
            receiver=part.site,
            intent=asked.intent.id,
            round=asked.number,
            age=asked.age,
            part=part,
            revision=revision,
            since=asked.since,
            late=bool(asked.only),
        )
    )


def answer(engaged: Engagement, verdict: Verdict, lease_s: float, spread: Mapping[ResourceId, str]) -> SendPeer:
    """What a site says to its part; what it holds, it holds for a while."""
    held = engaged.state == "held"
    return SendPeer(
        Answer(
            sender=engaged.part.site,
            receiver=engaged.entry,
            intent=engaged.part.id,
            round=engaged.round,
            verdict=verdict,
            held=held,
            lease_s=lease_s if held else 0.0,
            spread=dict(spread),
        )
    )


def drop(asked: Round, name: SiteName) -> SendPeer:
    """Let go of what you hold for this asking."""
    return _drop(asked.intent.site, name, asked.intent.id, asked.number)


def let_go(message: Answer) -> SendPeer:
    """Let go of what you said that you hold: nobody asks for it any more."""
    return _drop(message.receiver, message.sender, message.intent, message.round)


def _drop(entry: SiteName, name: SiteName, intent_id: str, round_number: int) -> SendPeer:
    return SendPeer(Decide(sender=entry, receiver=name, intent=intent_id, round=round_number, commit=False))


def refuse(message: Answer | Ask | Decide, what: str, reason: str) -> SendPeer:
    """That cannot be taken in."""
    names = {"sender": message.receiver, "receiver": message.sender, "intent": message.intent}
    return SendPeer(Refuse(what=what, reason=reason[:500], **names))
