"""Tree → text or JSON: the one way to write a scope, with no parenthesis too many. Pure.

parse(print(tree)) == tree, and printing what was parsed from a print changes nothing. A scope so long that its spaces
would make it longer than a scope may be is printed without them.
"""

from __future__ import annotations

from schemas.scope.durations import print_duration
from schemas.scope.tree import (
    SCOPE_LEN_MAX,
    UNSELECTED,
    All,
    Around,
    Cross,
    Everything,
    Location,
    Options,
    Otherwise,
    Part,
    Replicate,
    Scope,
    Selector,
    Site,
)

_OTHERWISE, _CROSS, _REPLICATE, _SINGLE = range(4)  # how tight a location binds


def print_scope(scope: Scope) -> str:
    """`deployment: lyon & oslo, secret: oslo`."""
    text = ", ".join(_part(one) for one in scope.parts)
    return text if len(text) <= SCOPE_LEN_MAX else text.replace(" ", "")  # no word stands beside another


def print_location(location: Location) -> str:
    """`(lyon ; oslo) & nice`."""
    return _location(location, _OTHERWISE)


def print_selector(selector: Selector | None) -> str:
    """`deployments.apps/web`, `*`; "" for what was asked for."""
    if selector is None:
        return ""
    if isinstance(selector, Everything):
        return "*"
    return (
        selector.kind
        + (f".{selector.group}" if selector.group else "")
        + (f"/{selector.name}" if selector.name else "")
    )


def to_json(scope: Scope) -> dict[str, str]:
    """`{"deployment": "lyon & oslo", ".": "nice"}`; the key "." is the part without selector."""
    return {print_selector(one.selector) or UNSELECTED: print_placement(one) for one in scope.parts}


def _part(part: Part) -> str:
    selector = print_selector(part.selector)
    return f"{selector}: {print_placement(part)}" if selector else print_placement(part)


def print_placement(part: Part) -> str:
    """`lyon*2 % oslo {prime: lyon}`: where, without for what."""
    options = _options(part.options)
    return print_location(part.location) + (f" {{{', '.join(options)}}}" if options else "")


def _options(options: Options) -> list[str]:
    given = [f"prime: {options.prime}"] if options.prime else []
    given += [f"min: {options.min}"] if options.min is not None else []
    return given + (["rebalance: true"] if options.rebalance else [])


def _location(location: Location, around: int) -> str:
    binds, text = _bound(location)
    return f"({text})" if binds < around else text


def _bound(location: Location) -> tuple[int, str]:
    """How tight a location binds, and its text. An operand must bind tighter than its operator: trees are flat."""
    match location:
        case Site(name):
            return _SINGLE, name
        case All():
            return _SINGLE, "all"
        case Around(site, within_s):
            return _SINGLE, f"around({site}, {print_duration(within_s)})"
        case Replicate(each):
            return _REPLICATE, " & ".join(_location(one, _SINGLE) for one in each)
        case Cross(shares):
            return _CROSS, " % ".join(_share(one, weight) for one, weight in shares)
        case Otherwise(choices):
            return _OTHERWISE, " ; ".join(_location(one, _CROSS) for one in choices)


def _share(location: Location, weight: int) -> str:
    return _location(location, _REPLICATE) if weight == 1 else f"{_location(location, _SINGLE)}*{weight}"
