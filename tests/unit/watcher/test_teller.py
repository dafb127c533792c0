"""What is written of references: the same bytes whether their shape was met before or not, and no other shape's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Reference, ResourceEvent, ResourceState, Selector
from schemas.identity import KindId, ResourceId
from services.watcher.telling.teller import Teller, form_of

PLAIN = Reference("pod.volume.secret", "spec.volumes[0]", "requirement", "S", ResourceId("Secret/shop/tls"))
OTHERWISE: dict[str, Any] = {
    "rule": "pod.env.secret",
    "path": "spec.volumes[1]",
    "relation": "reliance",
    "phases": "SL",
    "target": ResourceId("Secret/shop/other"),
    "selector": Selector(KindId("Secret")),
    "uid": "u-1",
    "granule": "key:tls.crt",
    "optional": True,
    "soft": True,
    "confidence": "inferred",
    "needs_permission": True,
    "once": True,
}


@st.composite
def references(draw: st.DrawFn) -> tuple[Reference, ...]:
    """A few that differ in a few fields."""
    names = st.sets(st.sampled_from(sorted(OTHERWISE)), max_size=4)
    return tuple(
        msgspec.structs.replace(PLAIN, **{name: OTHERWISE[name] for name in draw(names)})
        for _ in range(draw(st.integers(1, 3)))
    )


def shape(teller: Teller, said: tuple[Reference, ...]) -> bytes:
    return teller.tell(ResourceEvent("put", ResourceState(ResourceId("Pod/shop/web"), references=said))).shape[1]


def test_every_field_of_a_reference_is_tried() -> None:
    assert tuple(OTHERWISE) == Reference.__struct_fields__


@given(st.lists(references(), min_size=1, max_size=6))
def test_a_shape_that_was_met_before_is_written_as_its_forms_are(said: list[tuple[Reference, ...]]) -> None:
    teller = Teller()
    for one in said:
        assert shape(teller, one) == msgspec.json.encode([form_of(each) for each in one])


@pytest.mark.parametrize("name", sorted(OTHERWISE))
def test_references_that_differ_in_one_word_share_a_shape_when_it_is_whom_they_mean(name: str) -> None:
    teller, other = Teller(), msgspec.structs.replace(PLAIN, **{name: OTHERWISE[name]})
    assert (shape(teller, (PLAIN,)) == shape(teller, (other,))) == (name == "target")
