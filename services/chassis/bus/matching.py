"""Does a subject fit a pattern: `*` is one token, `>` one or more at the end. Pure."""

from __future__ import annotations


def matches(pattern: str, subject: str) -> bool:
    """`matches("a.*.>", "a.b.c.d")` is true."""
    if pattern == subject:
        return True
    wanted, found = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(found) <= len(wanted):
            return False
        found = found[: len(wanted)]
    return len(wanted) == len(found) and all(token in ("*", name) for token, name in zip(wanted, found, strict=True))
