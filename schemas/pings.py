"""Heartbeats between sites: a question a second to each peer, and its answer (nothing is stored).

`peer.<to>.<from>.ping.<number>`: Ping → Pong. A peer that speaks another major version answers with a Refusal (505).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.envelope import Message
from schemas.intents import SiteToken

# What resolvers say to each other. Minor: something was added, and is tolerated. Major: not understood any more.
SPEAKS: Final = "1.0"
NOT_SPOKEN: Final = "505"  # the code of the refusal
Speech = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}$")]


class Ping(Message):
    """ping/v1: are you there? `number` grows with each ping of one process to one peer."""

    schema_: Literal["ping/v1"] = Field("ping/v1", alias="schema")
    sender: SiteToken
    receiver: SiteToken
    number: int
    speaks: Speech = SPEAKS


class Pong(Message):
    """pong/v1: yes. `release`: of the program; `at`: the answerer's wall clock, for people only.

    key   what Secrets that go to its site are sealed with (hexadecimal); "" while that is not known
    """

    schema_: Literal["pong/v1"] = Field("pong/v1", alias="schema")
    site: SiteToken
    number: int
    speaks: Speech
    release: str
    at: AwareDatetime
    key: Annotated[str, StringConstraints(max_length=128)] = ""


def understood(theirs: str, ours: str) -> bool:
    """Is it the same major version."""
    return theirs.partition(".")[0] == ours.partition(".")[0]
