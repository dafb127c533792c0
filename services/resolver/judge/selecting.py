"""Does a selector of what is written lead to anybody, and has that the part? Pure. See create.py."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import Reference, ResourceState
from services.resolver.graph.view import Edge, View
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.named_pods import maker_of_named
from services.resolver.judge.placing import NODE, knows_no_nodes
from services.resolver.judge.use import offers, selects_part, selects_something


def judge_selector(view: View, after: View, state: ResourceState, edge: Edge) -> Iterator[Finding]:
    """Whoever selects nothing yet is warned; of nodes nothing is said where none is known."""
    reference, maker = edge.reference, None
    if reference.selector is not None and reference.selector.kind == NODE and knows_no_nodes(after):
        return
    if not selects_something(after, state.resource, reference) and not (maker := maker_of_named(after, reference)):
        yield Finding("W110", _nothing_selected(view, state, reference), "nothing", state.resource, edge)
    elif not (offers(maker, reference) if maker else selects_part(after, state.resource, reference)):
        part, _, name = reference.granule.partition(":")
        message = f"nothing that {named(state.resource)} selects has a {part} {name!r}"
        yield Finding("W112", message, "nothing", state.resource, edge)


def _nothing_selected(view: View, state: ResourceState, reference: Reference) -> str:
    assert reference.selector is not None, "asked for a selector"
    if reference.selector.default:
        kind = reference.selector.kind.rpartition("/")[2]
        return f"no {kind} is the default at {view.site}, and {named(state.resource)} names none"
    if reference.selector.kind == NODE:
        return f"no Node is as {named(state.resource)} asks"
    before = view.find(state.resource)
    former = [one for one in before.references if one.rule == reference.rule and one.selector] if before else []
    selected = any(selects_something(view, state.resource, one) for one in former)
    return f"{named(state.resource)} selects nothing {'any more' if selected else 'yet'}"
