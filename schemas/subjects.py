"""The only place that spells a subject or a stream's name. Pure.

Every subject starts with `cheops.v1`. A token that holds a name is escaped: `=XX` (hex of the UTF-8 bytes) for
anything outside `A-Za-z0-9_-`, and a lone `_` for the empty text, so that no name can add a token or a wildcard.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NewType

from schemas.identity import SiteName

ROOT: Final = "cheops.v1"
_PLAIN = re.compile(r"[A-Za-z0-9_-]")
_ALL_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED = re.compile(rb"=([0-9A-F]{2})")

StreamName = Literal[
    "EVENTS", "RULES", "INTENTS", "PARTS", "VERDICTS", "OPERATIONS", "OUTCOMES", "ALERTS", "DEAD", "INBOX", "OUTBOX"
]
SiteStream = NewType("SiteStream", str)  # a stream that holds one site's messages only
AnyStream = StreamName | SiteStream

# What must not be lost between sites (schemas.peers.STORED), from OUTBOX to INBOX.
PEER_STORED: Final = ("ask", "answer", "decide", "report", "tell", "wake", "give-way", "refuse")
# What is asked and answered between sites; no stream may take it.
PEER_ASKED: Final = ("ping", "sites", "parcel", "lookup", "tree", "fetch")
# What nats-server says of itself, to users of its system account only: who was refused.
REFUSALS: Final = "$SYS.SERVER.*.CLIENT.AUTH.ERR"


def escape(text: str) -> str:
    """Any text → one subject token, reversible by `unescape`."""
    if not text:
        return "_"
    if text == "_":
        return "=5F"
    if _ALL_PLAIN.fullmatch(text):
        return text
    return "".join(char if _PLAIN.match(char) else _hex(char) for char in text)


def unescape(token: str) -> str:
    """One subject token → the text that `escape` was given. Never raises: anybody may publish under any subject."""
    if token == "_":
        return ""
    raw = _ESCAPED.sub(lambda found: bytes.fromhex(found.group(1).decode()), _bytes(token))
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")


def event(site: SiteName) -> str:
    """Batches of resource events of a site (stream EVENTS)."""
    return f"{ROOT}.event.{escape(site)}"


def heartbeat(site: SiteName) -> str:
    """The watcher's heartbeat: not stored, an old one is worth nothing."""
    return f"{ROOT}.heartbeat.{escape(site)}"


def rules(site: SiteName) -> str:
    """The rules of a site's ConfigMaps that are in force (stream RULES); the last word counts."""
    return f"{ROOT}.rules.{escape(site)}"


def intent(site: SiteName, intent_id: str) -> str:
    """An intent, at its entry site (stream INTENTS)."""
    return f"{ROOT}.intent.{escape(site)}.{escape(intent_id)}"


def intent_filter(site: SiteName, intent_id: str) -> str:
    """Where the intent of this id is, whatever its entry site (`*`)."""
    return f"{ROOT}.intent.{_or_any(site)}.{escape(intent_id)}"


def part(site: SiteName, intent_id: str) -> str:
    """What a site has taken over of an intent of another one (stream PARTS). Only its own resolver may write it."""
    return f"{ROOT}.part.{_or_any(site)}.{escape(intent_id)}"


def verdict(site: SiteName, decision: str, intent_id: str) -> str:
    """A verdict (stream VERDICTS); `*` may be given for decision or intent when subscribing."""
    return f"{ROOT}.verdict.{_or_any(site)}.{_or_any(decision)}.{_or_any(intent_id)}"


def operation(site: SiteName, intent_id: str, step: str) -> str:
    """One step for the executor of a site (stream OPERATIONS, a work queue)."""
    return f"{ROOT}.operation.{escape(site)}.{escape(intent_id)}.{escape(step)}"


def outcome(site: SiteName, intent_id: str, step: str) -> str:
    """What became of a step (stream OUTCOMES)."""
    return f"{ROOT}.outcome.{_or_any(site)}.{_or_any(intent_id)}.{_or_any(step)}"


def alert(site: SiteName, code: str) -> str:
    """Something broke, or healed, outside an intent (stream ALERTS)."""
    return f"{ROOT}.alert.{_or_any(site)}.{_or_any(code)}"


def peer(receiver: SiteName, sender: SiteName, what: str, intent_id: str) -> str:
    """A message between two resolvers: the only family of subjects that crosses sites."""
    return f"{ROOT}.peer.{escape(receiver)}.{escape(sender)}.{escape(what)}.{escape(intent_id)}"


def outbox(sender: SiteName, receiver: SiteName, what: str, intent_id: str) -> str:
    """What waits at its sender until the receiver's server has it (stream OUTBOX of the sender, a work queue)."""
    return f"{ROOT}.outbox.{escape(sender)}.{escape(receiver)}.{escape(what)}.{escape(intent_id)}"


def outbox_filter(sender: SiteName, receiver: SiteName) -> str:
    """Everything that waits for one receiver."""
    return f"{ROOT}.outbox.{escape(sender)}.{escape(receiver)}.*.*"


def peer_filter(receiver: SiteName, what: str) -> str:
    """One kind of message to a site, whoever sends it."""
    return f"{ROOT}.peer.{escape(receiver)}.*.{escape(what)}.*"


def inbox_subjects(receiver: SiteName) -> tuple[str, ...]:
    """What the INBOX of a site stores. Questions are left out: the store's word would be taken for the answer."""
    return tuple(peer_filter(receiver, what) for what in PEER_STORED)


def inbox_stream(site: SiteName) -> SiteStream:
    """Its own stream: a site's server must not take what is meant for others, a shared server holds one for each."""
    return SiteStream(f"INBOX-{escape(site)}")


def outbox_stream(site: SiteName) -> SiteStream:
    """As `inbox_stream`."""
    return SiteStream(f"OUTBOX-{escape(site)}")


def peer_family(receiver: SiteName, sender: SiteName) -> str:
    """Whatever two resolvers tell each other; `*` may be given for either, when subscribing and in permissions."""
    return f"{ROOT}.peer.{_or_any(receiver)}.{_or_any(sender)}.>"


def reply_inbox(site: SiteName, role: str) -> str:
    """Where answers to one role of a site arrive; nobody else may listen there."""
    return f"_INBOX.{_or_any(site)}.{escape(role)}"


def parts(subject: str) -> tuple[str, ...]:
    """The unescaped tokens after `cheops.v1`: `("peer", "oslo", "lyon", "ask", "i-1")`."""
    return tuple(unescape(token) for token in subject.removeprefix(f"{ROOT}.").split("."))


def dead(stream: StreamName) -> str:
    """What could not be parsed or handled (stream DEAD)."""
    return f"{ROOT}.dead.{stream}"


EVERY_SITE: Final = SiteName("*")  # as the site of a question: whoever serves it answers


def api(service: str, site: SiteName, verb: str) -> str:
    """A request-reply question to a site's service: `cheops.v1.api.resolver.lyon.preview`."""
    return f"{ROOT}.api.{escape(service)}.{escape(site)}.{escape(verb)}"


def api_family(service: str, site: SiteName) -> str:
    """Every question to a site's service."""
    return f"{ROOT}.api.{escape(service)}.{escape(site)}.*"


def filters(stream: StreamName, site: SiteName | None = None) -> str:
    """The wildcard subject of a stream, for all sites or for one."""
    token = escape(site) if site else "*"
    return {
        "EVENTS": f"{ROOT}.event.{token}",
        "RULES": f"{ROOT}.rules.{token}",
        "INTENTS": f"{ROOT}.intent.{token}.*",
        "PARTS": f"{ROOT}.part.{token}.*",
        "VERDICTS": f"{ROOT}.verdict.{token}.*.*",
        "OPERATIONS": f"{ROOT}.operation.{token}.*.*",
        "OUTCOMES": f"{ROOT}.outcome.{token}.*.*",
        "ALERTS": f"{ROOT}.alert.{token}.*",
        "DEAD": f"{ROOT}.dead.*",
        "INBOX": f"{ROOT}.peer.{token}.*.*.*",
        "OUTBOX": f"{ROOT}.outbox.{token}.*.*.*",
    }[stream]


def last_name(subject: str) -> str:
    """The unescaped last token: the intent's id of an intent, the step of an operation."""
    return unescape(subject.rpartition(".")[2])


def _hex(char: str) -> str:
    return "".join(f"={byte:02X}" for byte in _bytes(char))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # total, so that escaping never fails


def _or_any(text: str) -> str:
    return "*" if text == "*" else escape(text)
