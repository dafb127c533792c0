"""What an entry site says to the sites that it asks. Pure."""

from __future__ import annotations

from schemas.identity import SiteName
from schemas.peers import Answer, Ask, Decide, Part, Refuse
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
        )
    )


def drop(asked: Round, name: SiteName) -> SendPeer:
    """Let go of what you hold for this asking."""
    return _drop(asked.parts[name].entry or asked.intent.site, name, asked.intent.id, asked.number)


def let_go(message: Answer) -> SendPeer:
    """Let go of what you said that you hold: nobody asks for it any more."""
    return _drop(message.receiver, message.sender, message.intent, message.round)


def _drop(entry: SiteName, name: SiteName, intent_id: str, round_number: int) -> SendPeer:
    return SendPeer(Decide(sender=entry, receiver=name, intent=intent_id, round=round_number, commit=False))


def refuse(message: Answer | Ask | Decide, what: str, reason: str) -> SendPeer:
    """That cannot be taken in."""
    names = {"sender": message.receiver, "receiver": message.sender, "intent": message.intent}
    return SendPeer(Refuse(what=what, reason=reason[:500], **names))
