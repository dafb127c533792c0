"""Tree → what would happen where, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.identity import IdentityError, split_kind
from schemas.kinds import Surface
from schemas.scope.durations import print_duration
from schemas.scope.errors import spoken
from schemas.scope.tree import (
    All,
    Around,
    Cross,
    Everything,
    Location,
    Otherwise,
    Part,
    Replicate,
    Scope,
    Selector,
    Site,
    leaves,
    operands,
)


def explain(scope: Scope, surface: Surface | None = None) -> list[str]:
    """A line for each part, its options behind it, and what becomes of the rest. `surface` gives kinds their names."""
    return [*(_part(one, scope, surface) for one in scope.parts), *_rest(scope)]


def _part(part: Part, scope: Scope, surface: Surface | None) -> str:
    return f"{_subject(part.selector, surface)}: {'; '.join([_placed(part, scope, surface), *_options(part)])}"


def _subject(selector: Selector | None, surface: Surface | None) -> str:
    if selector is None:
        return "What is asked for"
    if isinstance(selector, Everything):
        return "Everything"
    called = selector.kind + (f".{selector.group}" if selector.group else "")
    kind = _kind(called, surface) or selector.kind.capitalize() + (f" of {selector.group}" if selector.group else "")
    return f"{kind} {selector.name}" if selector.name else _plural(kind)


def _kind(called: str, surface: Surface | None) -> str | None:
    try:
        return split_kind(surface.kind(called))[1] if surface else None
    except IdentityError:  # a custom resource: the person's own word is all there is
        return None


def _plural(kind: str) -> str:
    name, space, group = kind.partition(" ")
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        many = f"{name[:-1]}ies"
    elif name.endswith(("ss", "x", "ch")):
        many = f"{name}es"
    else:
        many = name if name.endswith("s") else f"{name}s"
    return many + space + group


def _placed(part: Part, scope: Scope, surface: Surface | None) -> str:
    if _spans(part, surface):
        names = spoken(map(_noun, operands(part.location)), "and")
        return f"one place that spans {names}; what is in it is where it is put, and has its name there (cross)"
    if not isinstance(part.location, Site):
        return _said(part.location)
    single = part.selector is None or isinstance(part.selector, Everything) or bool(part.selector.name)
    lives = f"{'lives' if single else 'live'} at {part.location.name}"
    others = any(leaf != part.location for one in scope.parts for leaf in leaves(one.location))
    return f"{lives}, shared to where {'it is' if single else 'they are'} needed" if others and part.selector else lives


def _spans(part: Part, surface: Surface | None) -> bool:
    """Whether it is a namespace that is spread: a place is not divided, what is in it is."""
    selector = part.selector
    if not isinstance(part.location, Cross) or selector is None or isinstance(selector, Everything):
        return False
    return not selector.group and _kind(selector.kind, surface) == "Namespace"


def _said(location: Location) -> str:
    match location:
        case Site(name):
            return f"at {name}"
        case Around(site, within_s):
            return f"at {site}, or if that fails at the nearest site within {print_duration(within_s)} of it (around)"
        case All():
            return "the same at every known site (replication)"
        case Replicate(each):
            return f"the same at {spoken(map(_noun, each), 'and')} (replication)"
        case Cross(shares):
            return f"one, divided: {_shares(shares)} (cross)"
        case Otherwise(choices):
            return f"first {', or if that fails '.join(map(_said, choices))} (otherwise)"


def _noun(location: Location) -> str:
    """A location inside another."""
    match location:
        case Site(name):
            return name
        case Around(site, within_s):
            return f"{site} or the nearest site within {print_duration(within_s)} of it"
        case All():
            return "every known site"
        case Replicate(each):
            return f"each of ({spoken(map(_noun, each), 'and')})"
        case Cross(shares):
            return f"one division ({_shares(shares)})"
        case Otherwise(choices):
            return f"the first that works of ({spoken(map(_noun, choices), 'and')})"


def _shares(shares: tuple[tuple[Location, int], ...]) -> str:
    whole = sum(weight for _, weight in shares)
    return spoken((f"{weight} of {whole} parts at {_noun(one)}" for one, weight in shares), "and")


def _options(part: Part) -> Iterable[str]:
    options = part.options
    if options.prime:
        yield f"{options.prime} is the prime site" + _remainder(part.location)
    if options.min is not None:
        yield f"enough when {options.min} {'site does' if options.min == 1 else 'sites do'} it"
    if options.rebalance:
        yield "the share of a lost site moves to the others after a while, if most are there, and goes back"


def _remainder(location: Location) -> str:
    return " and takes what cannot be divided evenly" if isinstance(location, Cross) else ""


def _rest(scope: Scope) -> Iterable[str]:
    selectors = [one.selector for one in scope.parts]
    if None in selectors:
        yield "What the bundle holds for it follows it to its sites, whole, unless a part names it."
    if not any(isinstance(one, Everything) for one in selectors):
        yield "What no part names stays where it is."
