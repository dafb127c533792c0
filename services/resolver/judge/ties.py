"""What ties a resource to other sites: copies, originals, replicas, parts. Pure. scope.md is the source.

The findings name the sites (`at`); whoever coordinates asks them, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from schemas.events import ResourceState
from schemas.identity import ResourceId, SiteName
from schemas.ties import (
    PARTS_FACT,
    REPLICAS_FACT,
    SHARED_TO_FACT,
    declared,
    drift,
    is_member,
    replicas_at,
    shared_from,
    shared_to,
    sites_in,
)
from services.resolver.graph.names import NOWHERE
from services.resolver.graph.numbers import Numbers
from services.resolver.graph.remembered import numbers_of, traits_of
from services.resolver.graph.view import View
from services.resolver.judge.cascade import cascade_of
from services.resolver.judge.case import Change
from services.resolver.judge.findings import Finding, named

COPIES: Final = "N341"  # of what is deleted: each is judged where it is
LABEL_WORDS: Final = b"cheops.io/"  # labels and facts are packed with their names as they are
SHARED_WORD, REPLICAS_WORD, PARTS_WORD = SHARED_TO_FACT.encode(), REPLICAS_FACT.encode(), PARTS_FACT.encode()
LEFT_BEHIND: Final = "N342"  # a copy that nobody uses any more goes, and its original is told
HEALED: Final = "N345"  # what was declared is put back
MOVES: Final = "N346"  # the share of a lost site, or back
LEAVES: Final = "N343"  # a site is left out of a set
COPIES_FOLLOW: Final = "N344"  # of what is written
OVERTAKEN: Final = "N506"
OF_OTHERS: Final = ("340", "341", "343", "344")  # findings on what becomes of replicas and copies at other sites
USERS_LOOKED_AT: Final = 128


def judge_mark(view: View, change: Change) -> Iterator[Finding]:
    """May words be written on a resource: that it is shared, who is of its set?"""
    resource, holder = change.resource, view.held_by(change.resource)
    state = view.find(resource)
    if holder is not None:
        yield Finding("F510", f"intent {holder} changes {named(resource)}", "presence", resource, waits_for=holder)
    elif state is None and change.unchanged:
        yield Finding("N302", f"{named(resource)} is already gone", "absence", resource)
    elif state is None:
        yield Finding("D102", f"{named(resource)} is not there", "absence", resource)
    elif state.deleting:
        yield Finding("D111", f"{named(resource)} is being deleted", "presence", resource)
    elif change.refused:  # what is brought elsewhere would not be what is here
        yield Finding("F502", f"{named(resource)} @ {view.site} {change.refused}", "nothing", resource)
    elif change.unchanged and change.after is None:
        yield Finding("N102", f"{named(resource)} is neither of a set nor a copy: it stays", "presence", resource)
    elif change.after is not None and _says_the_same(change.after, state):
        yield Finding("N102", f"{named(resource)} is marked already", "presence", resource)


def _says_the_same(after: ResourceState, before: ResourceState) -> bool:
    is_alike = (shared_to(after), replicas_at(after)) == (shared_to(before), replicas_at(before))
    return is_alike and is_member(after) == is_member(before)


def judge_membership(view: View, change: Change) -> Iterator[Finding]:
    """Whose copies follow, which sites the new scope leaves out, and whether what is there was declared later."""
    state, after = view.find(change.resource), change.after
    if change.forced and not change.unchanged:
        what = f"put back as it was declared, whoever changed it: {drift(state)}" if state else "made again as declared"
        moves = _moves(state, after)
        code = MOVES if moves else HEALED
        text = moves or f"is {what.removesuffix(': ')}"
        yield Finding(code, f"{named(change.resource)} {text}", "nothing", change.resource)
    if state is None or after is None:
        return
    sharing = () if change.unchanged or change.forced else tuple(one for one in shared_to(state) if one != view.site)
    if sharing:
        where = ", ".join(sharing)
        message = f"{named(change.resource)} is shared to {where}: its copies follow, at a site that is away later"
        yield Finding(COPIES_FOLLOW, message, "presence", change.resource, at=sharing)
    origin = shared_from(state)
    if origin is not None and shared_from(after) is None and not (change.unchanged or is_member(after)):
        message = f"{named(change.resource)} is a copy from {origin}, whose next write replaces it: change that"
        yield Finding("W240", message, "presence", change.resource)
    if not is_member(state):
        return
    if change.unchanged:
        return  # it says what is there: nobody leaves by it, and nothing of it is lost
    if is_overtaken(state, after):
        message = f"{named(change.resource)} was declared later by intent {declared(state)[1]}: that stays"
        yield Finding(OVERTAKEN, message, "presence", change.resource)
        return
    kept = replicas_at(after) if is_member(after) else (view.site,)
    gone = tuple(one for one in replicas_at(state) if one not in kept)
    if gone and not change.forced:  # what is healed was declared: nobody leaves by it
        message = f"{named(change.resource)} leaves {', '.join(gone)}: it is deleted there"
        yield Finding(LEAVES, message, "presence", change.resource, at=gone)


def _moves(state: ResourceState | None, after: ResourceState | None) -> str:
    """What becomes of the shares of a divided resource; "" when they stay."""
    before, then = (str(one.facts.get(PARTS_FACT) or "") if one is not None else "" for one in (state, after))
    if not before or not then or before == then:
        return ""
    empty = [one.partition("=")[0] for one in before.split(",") if one.endswith("=0") and one not in then.split(",")]
    back = [name for name in empty if name in sites_in(then)]
    more = f"; until that is done what {', '.join(back)} runs is more than was asked for" if back else ""
    return f"is divided anew: {before.replace(',', ', ')} becomes {then.replace(',', ', ')}{more}"


def is_overtaken(state: ResourceState, after: ResourceState) -> bool:
    """Whether what is there was declared later than what is to be written."""
    stamp = declared(after)
    return stamp[0] > 0 and declared(state) > stamp


def judge_ties(
    view: View, targets: Sequence[ResourceId], copies: Sequence[ResourceId], together: Sequence[SiteName]
) -> Iterator[Finding]:
    """Who else is concerned by a deletion. `together`: the sites that are asked about it already."""
    asked = (view.site, *together)
    for resource in (*targets, *tied_children(view, targets)):
        state = view.find(resource) if may_be_tied(view, resource) else None
        if state is None:
            continue
        stay = tuple(one for one in replicas_at(state) if one not in asked)
        if stay:
            message = f"replicas of {named(resource)} stay at {', '.join(stay)}"
            yield Finding("W340", message, "presence", resource, at=stay)
        sharing = tuple(one for one in shared_to(state) if one not in asked)
        if sharing:
            message = f"{named(resource)} is shared to {', '.join(sharing)}: its copies go, too"
            yield Finding(COPIES, message, "presence", resource, at=sharing)
    for resource in copies:
        state = view.find(resource)
        origin = shared_from(state) if state is not None else None
        if origin is not None:
            message = f"{named(resource)}, a copy from {origin}, goes, too: nothing else uses it"
            yield Finding(LEFT_BEHIND, message, "presence", resource, at=(origin,))


def tied_children(view: View, targets: Sequence[ResourceId]) -> Iterator[ResourceId]:
    """What goes with these and is a replica, a part, or shared: other sites are concerned by that, too."""
    there = [one for one in targets if traits_of(view, one) is not None]
    numbers = numbers_of(view)
    for child in cascade_of(view, there).children if there else ():
        number = NOWHERE if numbers is None else numbers.find(child)
        if numbers is not None and number != NOWHERE and not carries_words(numbers, number):
            continue
        state = view.find(child)
        if state is not None and (is_member(state) or shared_to(state)):
            yield child


def may_be_tied(view: View, resource: ResourceId) -> bool:
    """Cheaply: False when neither it nor anything that it names carries a word, as nearly everything."""
    numbers = numbers_of(view)
    number = NOWHERE if numbers is None else numbers.find(resource)
    if numbers is None or number == NOWHERE:
        return True
    return numbers.rows[number] is not None and bears_words(numbers, number)


def bears_words(numbers: Numbers, number: int) -> bool:
    """The same of what is there, by number."""
    rows, record = numbers.rows, numbers.record(number)
    if record.shape.selects and any(form.selects and form.reference.target for form in record.shape.forms):
        return True
    if LABEL_WORDS in record.labels or carries_words(numbers, number):
        return True
    for target in record.targets:
        if isinstance(target, int) and (named_ := rows[target]) is not None and LABEL_WORDS in named_.labels:
            return True
    return False


def carries_words(numbers: Numbers, number: int) -> bool:
    """Cheaply: False when what is there by this number is no replica, no part, and not shared."""
    traits = numbers.record(number).traits
    return SHARED_WORD in traits or REPLICAS_WORD in traits or PARTS_WORD in traits


def copies_of(view: View, resource: ResourceId) -> Iterator[ResourceId]:
    """The copies from other sites that a resource refers to."""
    state = view.find(resource) if may_be_tied(view, resource) else None
    for target in dict.fromkeys(one.target for one in state.references if one.target) if state is not None else ():
        found = view.find(target)
        if found is not None and shared_from(found) is not None:
            yield target


def is_tied(view: View, resource: ResourceId) -> bool:
    """Whether other sites have to be heard or told about its deletion."""
    state = view.find(resource) if may_be_tied(view, resource) else None
    if state is not None and (is_member(state) or shared_to(state) or any(True for _ in copies_of(view, resource))):
        return True
    return any(True for _ in tied_children(view, [resource]))


def left_behind(view: View, targets: Sequence[ResourceId]) -> list[ResourceId]:
    """Copies that only these use, however often: nothing needs them afterwards."""
    copies = dict.fromkeys(copy for one in targets for copy in copies_of(view, one) if copy not in targets)
    if not copies:
        return []
    going = cascade_of(view, [one for one in targets if view.find(one) is not None]).all
    found = []
    for copy in copies:
        state = view.find(copy)
        if state is not None and shared_to(state):
            continue  # it is an original, too: of copies that are used elsewhere
        users = view.dependents(copy, USERS_LOOKED_AT, "users")
        if users.count <= USERS_LOOKED_AT and all(edge.source in going for edge in users.edges):
            found.append(copy)
    return found
