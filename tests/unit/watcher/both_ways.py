"""A module as its source says it, beside what `make compiled` may have made of it."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from hypothesis import strategies as st

from schemas.compiled import ROOT
from schemas.events import (
    Grant,
    LabelSelector,
    Reference,
    ResourceEvent,
    ResourceState,
    Selector,
    ServedKind,
)
from schemas.identity import KindId, ResourceId


def plain(name: str) -> ModuleType:
    """The module of this dotted name, from its source."""
    spec = spec_from_file_location(f"plain.{name}", ROOT / f"{name.replace('.', '/')}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def again(text: str) -> str:
    """An equal text that is another object (but for those of which Python has one only)."""
    return "".join([*text])


SIGNS = ('"', "\\", "\n", "\x00", "\x1f", "\x7f", "\x80", "é", "☃", "𝄞", "/", " ")
WORDS = ("", "a", "v1", "web", "seven77", "eight888", "nine99999", "fifteen-letters", "sixteen--letters", "x" * 300)
texts = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(WORDS).map(again),
    st.builds("{}{}{}".format, st.sampled_from(WORDS), st.sampled_from(SIGNS), st.sampled_from(WORDS)),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
)
words = st.sampled_from(WORDS) | st.sampled_from(WORDS).map(again)
labels = st.dictionaries(texts, texts, max_size=3)
scalars = st.one_of(
    texts,
    st.booleans(),
    st.none(),
    st.sampled_from((0, 9, 10, -1, 2**63 - 1, 2**63, -(2**63), 1.5, -0.0, 1e300)),
)
label_selectors = st.builds(LabelSelector, labels)
selectors = st.builds(Selector, words.map(KindId), st.lists(words, max_size=2).map(tuple), label_selectors)
flags = {
    "uid": st.sampled_from(("", "u-1", "é")),
    "granule": st.sampled_from(("", "key:crt")).map(again),
    "optional": st.booleans(),
    "soft": st.booleans(),
    "confidence": st.sampled_from(("declared", "inferred")) | st.sampled_from(("declared", "inferred")).map(again),
    "needs_permission": st.booleans(),
    "once": st.booleans(),
}
paths = st.sampled_from(("spec", "spec.a")) | st.sampled_from(("spec", "spec.a")).map(again)
relations = st.sampled_from(("reliance", "composition"))
naming = st.builds(Reference, paths, paths, relations, st.sampled_from("AL"), texts.map(ResourceId), st.none(), **flags)
choosing = st.builds(Reference, paths, paths, relations, st.just("L"), st.sampled_from(("", "A/b")), selectors, **flags)
references = st.lists(naming | choosing, max_size=4).map(tuple)
KEPT_APART = ((), (Reference("r", "p", "reliance", "A", ResourceId("Secret/shop/tls")),))
grants = st.lists(st.builds(Grant, words.map(KindId)), max_size=1).map(tuple)
states = st.builds(
    ResourceState,
    texts.map(ResourceId),
    st.sampled_from(("v1", "v2")) | st.sampled_from(("v1", "v2")).map(again),
    texts,
    texts,
    texts,
    st.booleans(),
    labels,
    st.none() | labels,
    references | st.sampled_from(KEPT_APART),
    st.dictionaries(texts, st.lists(texts, max_size=2).map(tuple), max_size=2),
    st.dictionaries(texts, scalars, max_size=3),
    st.lists(texts, max_size=2).map(tuple),
    grants,
)
puts = states.map(lambda state: ResourceEvent("put", state))
served = st.builds(ServedKind, words.map(KindId), words, st.tuples(words))
events = st.one_of(
    puts,
    puts,
    st.builds(lambda one, uid: ResourceEvent("delete", resource=ResourceId(one), uid=uid), texts, texts),
    st.builds(
        lambda op, kind: ResourceEvent(op, kind=KindId(kind)), st.sampled_from(("sync_start", "sync_end")), texts
    ),
    st.builds(lambda *kinds: ResourceEvent("surface", surface=kinds, read_by="me"), served, served),
    st.just(ResourceEvent("put")),
)
