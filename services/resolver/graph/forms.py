"""References without their targets: the forms that a rule's references take, and how a uid is kept short. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.events import Reference, Selector
from schemas.identity import ResourceId
from schemas.relations.rule import makes
from services.resolver.graph.kept import Form, Shape, Short
from services.resolver.graph.names import NOWHERE
from services.resolver.graph.view import OWNING

UUID_BYTES: Final = 16
UUID_LEN: Final = 36
DIGEST_BYTES: Final = 12
NO_NUMBER: Final = 0
USED: Final = 1
OWNER: Final = 2


def form_of(bare: Reference, pinned: bool, selects: bool) -> Form:
    """The form of references like this one."""
    return Form(bare, pinned, selects, bare.relation in OWNING)


def shape_of(forms: tuple[Form, ...]) -> Shape:
    """The shape of these forms."""
    places: list[int] = []
    at: list[Form | None] = []
    roles: list[int] = []
    for form in forms:
        places.append(len(roles))
        at.append(form)
        roles.append(NO_NUMBER if form.selects else OWNER if form.owning else USED)
        if form.pinned:
            at.append(None)
            roles.append(NO_NUMBER)
    pinned = tuple(place for form, place in zip(forms, places, strict=True) if form.pinned)
    owners = tuple(number for number, form in enumerate(forms) if form.reference.relation == "composition")
    named = [number for number in owners if not forms[number].selects]
    owner = (places[named[0]], forms[named[0]].pinned) if len(owners) == len(named) == 1 else (NOWHERE, False)
    return Shape(
        forms,
        places=tuple(places),
        at=tuple(at),
        roles=tuple(roles),
        selects=any(form.selects for form in forms),
        pinned=pinned,
        used=tuple([place for place, role in enumerate(roles) if role == USED]),
        owning=tuple([place for place, role in enumerate(roles) if role == OWNER]),
        owners=owners,
        granules=frozenset([form.reference.granule for form in forms]),
        owner=owner,
        making=any(makes(form.reference.rule) for form in forms),
    )


def with_target(form: Form, target: ResourceId, selector: Selector | None, uid: str) -> Reference:
    """The reference again, whatever else it says."""
    return msgspec.structs.replace(form.reference, target=target, selector=selector, uid=uid)


def short(text: str) -> Short:
    """Half the bytes for a UUID and for a hexadecimal digest; anything else as it is."""
    if len(text) == UUID_LEN and text[8] == text[13] == text[18] == text[23] == "-":
        plain, size = text.replace("-", ""), UUID_BYTES
    elif len(text) == 2 * DIGEST_BYTES:
        plain, size = text, DIGEST_BYTES
    else:
        return text
    try:
        raw = bytes.fromhex(plain)
    except ValueError:
        return text
    return raw if len(raw) == size and raw.hex() == plain else text  # capitals and blanks would not come back


def long(kept: Short) -> str:
    """The text that was shortened."""
    if isinstance(kept, str):
        return kept
    text = kept.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}" if len(kept) == UUID_BYTES else text
