"""Role at a site → the subjects that it may publish and hear. Pure. Everything else is refused by the server.

A service has what its code does and no more, so that a stolen key of a watcher can lie about its cluster and nothing
else. `LINK` is the user of a site's server towards routers and other sites: it may carry what *its* resolver says to
its peers, and what is said to it; a router therefore proves who the sender is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from schemas import subjects
from schemas.identity import SiteName
from schemas.subjects import AnyStream, StreamName

Role = Literal["watcher", "resolver", "executor", "auditor", "client", "admin", "link"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
LINK: Final = "link"
AUDITOR: Final[Role] = "auditor"  # of the system account, where the server says whom it refuses; the resolver listens
RESOLVER: Final = "resolver"
CLIENT: Final = "client"
ANY_SITE: Final = SiteName("*")
SHARED_STREAMS: Final[tuple[StreamName, ...]] = (
    "EVENTS",
    "RULES",
    "INTENTS",
    "PARTS",
    "VERDICTS",
    "OPERATIONS",
    "OUTCOMES",
    "ALERTS",
    "DEAD",
)
# What stories and replays are read from; an operation repeats what a manifest holds, and belongs to the executor.
TOLD_TO_PEOPLE: Final[tuple[StreamName, ...]] = ("EVENTS", "INTENTS", "PARTS", "VERDICTS", "OUTCOMES", "ALERTS")


@dataclass(frozen=True, slots=True)
class Permissions:
    """`answers`: may reply, once, to what it was asked."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool = False


def of_role(site: SiteName, role: Role) -> Permissions:
    """What the user of a role may do at its site's server."""
    assert role != LINK, "a link is no user of its own server"
    made = {
        "watcher": _watcher,
        "resolver": _resolver,
        "executor": _executor,
        AUDITOR: _auditor,
        CLIENT: _client,
        "admin": _admin,
    }
    return made[role](site)


def of_link(sender: SiteName, receiver: SiteName = ANY_SITE) -> Permissions:
    """What comes out of a site's link, and goes into it. `receiver`: the one site at the other end, else a router's."""
    return Permissions(
        publish=(subjects.peer_family(receiver, sender), f"{subjects.reply_inbox(receiver, RESOLVER)}.>"),
        subscribe=(subjects.peer_family(sender, receiver), f"{subjects.reply_inbox(sender, RESOLVER)}.>"),
    )


def never_crossing(receiver: SiteName, known: tuple[SiteName, ...], sender: SiteName | None = None) -> tuple[str, ...]:
    """What a site's own server takes from no link, whatever stands at the other end: local families, other names.

    `sender`: the one site at the other end of a direct link; what it says in the name of another known site is refused.
    """
    stored = ("event", "rules", "intent", "part", "verdict", "operation", "outcome", "alert", "dead", "outbox")
    others = [one for one in known if sender and one not in (sender, receiver)]
    return (
        *(f"{subjects.ROOT}.{family}.>" for family in (*stored, "heartbeat", "api")),
        *(subjects.peer_family(receiver, one) for one in (receiver, *others)),
        "$JS.>",
    )


def _watcher(site: SiteName) -> Permissions:
    return Permissions(
        publish=(
            subjects.event(site),
            subjects.heartbeat(site),
            subjects.rules(site),
            subjects.api_family("watcher", site),  # is another one there?
            *_making(SHARED_STREAMS),
            *_getting("EVENTS"),
            *_getting("RULES"),
        ),
        subscribe=(_inbox(site, "watcher"), subjects.api_family("watcher", site)),
        answers=True,
    )


def _resolver(site: SiteName) -> Permissions:
    own: tuple[AnyStream, ...] = (subjects.inbox_stream(site), subjects.outbox_stream(site))
    read: tuple[StreamName, ...] = ("EVENTS", "INTENTS", "OUTCOMES")
    return Permissions(
        publish=(
            subjects.filters("VERDICTS", site),
            subjects.filters("OPERATIONS", site),
            subjects.filters("ALERTS", site),
            subjects.filters("PARTS", site),
            subjects.filters("INTENTS", site),  # its own, for copies that follow an original of this site
            subjects.filters("OUTCOMES", site),  # what another site has done for an intent that was entered here
            subjects.filters("DEAD"),
            subjects.filters("OUTBOX", site),
            subjects.peer_family(ANY_SITE, site),
            *subjects.inbox_subjects(site),  # the letters of a parcel, one by one
            *(subjects.api_family(service, site) for service in ("watcher", "resolver", "executor")),
            *_making((*SHARED_STREAMS, *own)),
            *(f"$JS.API.STREAM.UPDATE.{stream}" for stream in (*SHARED_STREAMS, *own)),
            *(one for stream in (*SHARED_STREAMS, *own) for one in _getting(stream)),
            *(one for stream in read for one in _consuming(stream, f"resolver-{site}")),
            *(one for stream in own for one in _consuming(stream, "*")),
        ),
        subscribe=(
            _inbox(site, RESOLVER),
            subjects.heartbeat(site),
            subjects.api_family("resolver", site),
            subjects.api_family("resolver", subjects.EVERY_SITE),
            subjects.peer_family(site, ANY_SITE),
        ),
        answers=True,
    )


def _executor(site: SiteName) -> Permissions:
    return Permissions(
        publish=(
            subjects.filters("OUTCOMES", site),
            subjects.filters("DEAD"),
            *_making(SHARED_STREAMS),
            *(one for stream in ("OPERATIONS", "OUTCOMES", "RULES") for one in _getting(stream)),
            *_consuming("OPERATIONS", f"executor-{site}"),
        ),
        subscribe=(_inbox(site, "executor"), subjects.api_family("executor", site)),
        answers=True,
    )


def _auditor(site: SiteName) -> Permissions:
    """Who was refused, and nothing else of what the server tells of itself."""
    return Permissions(publish=(), subscribe=(_inbox(site, AUDITOR), subjects.REFUSALS))


def _client(site: SiteName) -> Permissions:
    """People and CI: intents in, verdicts out, questions; what the streams of their stories hold."""
    return Permissions(
        publish=(
            subjects.filters("INTENTS", site),
            subjects.api_family("resolver", site),
            subjects.api_family("resolver", subjects.EVERY_SITE),
            *(one for stream in TOLD_TO_PEOPLE for one in _getting(stream)),
        ),
        subscribe=(
            _inbox(site, CLIENT),
            subjects.filters("VERDICTS"),
            subjects.filters("OUTCOMES"),
            subjects.filters("ALERTS"),
        ),
    )


def _admin(_: SiteName) -> Permissions:
    """Everything at this site: to repair what the services may not."""
    return Permissions(publish=(">",), subscribe=(">",))


def _inbox(site: SiteName, role: str) -> str:
    return f"{subjects.reply_inbox(site, role)}.>"


def _making(streams: tuple[AnyStream, ...]) -> list[str]:
    """Make what is missing: JetStream refuses to make a stream that is there in another form."""
    return [f"$JS.API.STREAM.CREATE.{stream}" for stream in streams]


def _getting(stream: AnyStream) -> list[str]:
    return [f"$JS.API.STREAM.MSG.GET.{stream}", f"$JS.API.DIRECT.GET.{stream}"]


def _consuming(stream: AnyStream, durable: str) -> list[str]:
    """Make, bind, pull and answer for one durable consumer."""
    verbs = ("CREATE", "DURABLE.CREATE", "DELETE", "INFO", "MSG.NEXT")
    return [*(f"$JS.API.CONSUMER.{verb}.{stream}.{durable}" for verb in verbs), f"$JS.ACK.{stream}.{durable}.>"]
