"""What can be a name and a kind in an identity? Pure."""

from __future__ import annotations

from typing import Final

from schemas.identity import NAME_LEN_MAX, KindId, is_kind_name, split_kind

NAMES_MAX: Final = 4_096
NAMES: Final[set[str]] = set()  # found to be names lately: one object's name stands in many others


def is_name(text: str) -> bool:
    """Whether it can be a name in an identity; a template (`${…}`, `{{…}}`) is none."""
    if text in NAMES:
        return True
    strange = "/" in text or "$" in text or "{{" in text or not text.isprintable()
    if not text or strange or len(text) > NAME_LEN_MAX:
        return False
    if len(NAMES) >= NAMES_MAX:
        NAMES.clear()
    NAMES.add(text)
    return True


def is_kind(kind: KindId) -> bool:
    """Whether it can be a kind in an identity (`is_kind_name`): no group begins with a capital letter."""
    group, name = split_kind(kind)
    return is_kind_name(name, group) and is_name(name) and (not group or (is_name(group) and not group[0].isupper()))
