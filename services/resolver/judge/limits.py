"""What the LimitRanges of a namespace say: defaults that they fill in, and what they refuse. Pure.

A LimitRange offers its lines as parts, `Container max cpu 2` (schemas/relations/facts.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct, field

from schemas.events import ResourceState
from schemas.identity import KindId
from services.resolver.graph.view import View
from services.resolver.judge.demand import Amounts, Asked, Demand, pod_of, shown, thousandths, with_defaults

RATIO: Final = "maxLimitRequestRatio"
DEFAULT: Final = "default"
BOUNDS: Final = ("min", "max", RATIO, DEFAULT)
LIMIT_RANGE: Final = KindId("LimitRange")


class Line(Struct, frozen=True):
    """One bound: `Container max cpu 2`."""

    about: str
    what: str
    resource: str
    amount: int


class Limits(Struct, frozen=True):
    """The limit ranges of one namespace. `bounds`: each with the LimitRange that says it."""

    requests: Amounts = field(default_factory=dict)
    limits: Amounts = field(default_factory=dict)
    bounds: tuple[tuple[ResourceState, Line], ...] = ()


def limits_in(view: View, namespace: str) -> Limits:
    """As the API server completes them: a maximum is the default limit, that the default request, else the minimum."""
    ranges = [state for one in view.members(LIMIT_RANGE, namespace) if (state := view.find(one)) is not None]
    found = Limits()
    bounds: list[tuple[ResourceState, Line]] = []
    for state in ranges:
        lines = [line for text in state.parts.get("limit", ()) if (line := _line(text)) is not None]
        bounds += [(state, line) for line in lines if line.what in BOUNDS]
        mine = {(one.what, one.resource): one.amount for one in lines if one.about == "Container"}
        for what, into in ((DEFAULT, found.limits), ("max", found.limits)):
            _fill(into, mine, what)
        for what in ("defaultRequest", DEFAULT, "max", "min"):
            _fill(found.requests, mine, what)
    return Limits(found.requests, found.limits, tuple(bounds))


def refusals(limits: Limits, demand: Demand) -> Iterator[tuple[ResourceState, str]]:
    """What a bound refuses: the LimitRange, and why. A default limit is one for who asks for more and names none."""
    pod = pod_of(demand, limits.requests, limits.limits) if demand.containers else None
    owns = (*demand.containers, *demand.first)
    each = [(one, with_defaults(one, limits.requests, limits.limits)) for one in owns]
    for state, line in limits.bounds:
        if line.about == "PersistentVolumeClaim" and line.resource == "storage" and demand.storage is not None:
            asked: Sequence[Asked] = [_of_storage(demand.storage)]
        elif line.about == "PersistentVolumeClaim" and line.resource == "storage":
            asked = [_of_storage(claim.storage) for claim in demand.claims.values() if claim.storage is not None]
        elif line.about == "Container" and line.what == DEFAULT:
            asked = [one for own, one in each if line.resource not in own.limits]
        elif line.about == "Container":
            asked = [one for _, one in each]
        else:
            asked = [pod] if line.about == "Pod" and pod is not None else []
        if any(_is_out(one, line) for one in asked):
            what = "default limit of" if line.what == DEFAULT else line.what
            bound = f"{what} {line.resource} of a {line.about} is {shown(line.amount, line.resource)}"
            yield state, bound


def _of_storage(amount: int) -> Asked:
    return Asked({"storage": amount}, {"storage": amount})


def _fill(into: Amounts, mine: dict[tuple[str, str], int], what: str) -> None:
    for (said, resource), amount in mine.items():
        if said == what:
            into.setdefault(resource, amount)


def _is_out(one: Asked, line: Line) -> bool:
    request, limit = one.requests.get(line.resource), one.limits.get(line.resource)
    if line.what == RATIO:
        return not request or not limit or limit * 1000 > line.amount * request
    if line.what == DEFAULT:
        return request is not None and limit is not None and limit < request
    if line.what == "max":
        return limit is None or limit > line.amount or (request is not None and request > line.amount)
    return request is None or request < line.amount or (limit is not None and limit < line.amount)


def _line(text: str) -> Line | None:
    about, _, rest = text.partition(" ")
    what, _, rest = rest.partition(" ")
    resource, _, value = rest.partition(" ")
    amount = thousandths(value)
    return None if amount is None else Line(about, what, resource, amount)
