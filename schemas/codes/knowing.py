"""Codes of reading (4xx), of what is known and how fresh it is (5xx), and of scopes (6xx). Data."""

from __future__ import annotations

from typing import Final

from schemas.codes.code import Code

KNOWING: Final = (
    Code(
        "D",
        "410",
        "not found",
        "What should be read is not there.",
        "There is nothing to read.",
        "Check the name.",
        "get of a deleted object",
    ),
    Code(
        "F",
        "411",
        "unknown",
        "Whether it is there is not known.",
        "Unknown is not absent.",
        "Wait, or see cheops sites.",
        "a read at a site that is not heard",
    ),
    Code(
        "W",
        "412",
        "dependencies are broken",
        "It is there, and something that it needs is not.",
        "It may not work.",
        "See cheops missing.",
        "a Deployment whose Secret vanished",
    ),
    Code(
        "F",
        "501",
        "site unreachable",
        "Nothing is heard from the site.",
        "No claim can be made about it.",
        "It is decided by itself when the site is back.",
        "a site whose watcher is not running",
    ),
    Code(
        "F",
        "502",
        "evidence too old",
        "The last observation is older than the bound, or the site is being listed again.",
        "The world may have changed.",
        "Wait, or allow older evidence with --bound.",
        "a watcher that stalls",
    ),
    Code(
        "F",
        "503",
        "kind not observed",
        "A kind that matters here cannot be watched.",
        "Its users may be there, unseen.",
        "Give the watcher the right to list and watch it.",
        "Secrets hidden by RBAC",
    ),
    Code(
        "F",
        "510",
        "waits for another intent",
        "A decision that is not visible yet touches the same resources.",
        "Two conflicting changes must not both be allowed.",
        "It is judged again when the other ends.",
        "deleting a Secret while a Deployment that uses it is created",
    ),
    Code(
        "D",
        "600",
        "bad scope",
        "The scope cannot be read, or not be served by this version.",
        "It is not clear where.",
        "Name one site.",
        "--scope 'lyon &'",
    ),
    Code(
        "D",
        "601",
        "unknown site",
        "The scope names a site that is not known here.",
        "Nobody could do it.",
        "Check the name: cheops sites.",
        "--scope lion",
    ),
)
