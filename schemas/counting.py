"""Numbers in sentences. Pure."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 resource`, `3 resources`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def are(number: int) -> str:
    """The verb that goes with it."""
    return "is" if number == 1 else "are"
