"""Scopes that make sense, for properties: each site stands once in a part, and no part hides a later one."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from schemas.identity import SiteName
from schemas.scope.tree import (
    All,
    Around,
    Everything,
    KindSelector,
    Location,
    Options,
    Part,
    Scope,
    Selector,
    Site,
    covers,
    cross,
    leaves,
    otherwise,
    replicate,
)

SITES: Final = [
    SiteName(name) for name in ("lyon", "oslo", "nice", "a", "10ms", "all-in", "round", "prime", "min", "x--1")
]
KINDS: Final = ("secret", "deployment", "configmap", "x", "prime", "min")
GROUPS: Final = ("", "apps", "cert-manager.io")
NAMES: Final = ("", "edge-ca", "a.b-c", "system:node", "Web_1", "0")
seconds = st.integers(1, 3_600_000_000).map(lambda micro: micro / 1_000_000)


@st.composite
def locations(draw: st.DrawFn, names: tuple[SiteName, ...] | None = None, depth: int = 4) -> Location:
    """A location over these sites, each used at most once."""
    mine = names if names is not None else tuple(draw(st.permutations(SITES))[: draw(st.integers(1, len(SITES)))])
    if len(mine) == 1 or depth == 0:
        return draw(st.one_of(st.just(Site(mine[0])), seconds.map(lambda within_s: Around(mine[0], within_s))))
    cuts = sorted({draw(st.integers(1, len(mine) - 1)) for _ in range(draw(st.integers(1, 3)))})
    groups = [mine[start:end] for start, end in zip([0, *cuts], [*cuts, len(mine)], strict=True)]
    inner = [draw(locations(group, depth - 1)) for group in groups]
    if names is None and draw(st.booleans()):
        inner[-1] = All()
    shape = draw(st.sampled_from("&%;"))
    if shape == "%":
        return cross((one, draw(st.integers(1, 1000))) for one in inner)
    return replicate(inner) if shape == "&" else otherwise(inner)


@st.composite
def parts(draw: st.DrawFn, selector: Selector | None) -> Part:
    """A part with options that fit its sites."""
    location = draw(locations())
    sites = [one.name for one in leaves(location) if isinstance(one, Site)]
    options = Options(
        prime=draw(st.none() | st.sampled_from(sites)) if sites else None,
        min=draw(st.none() | st.integers(1, max(1, len(sites)))),
        rebalance=draw(st.booleans()),
    )
    return Part(selector, location, options)


selectors = (
    st.none()
    | st.just(Everything())
    | st.builds(KindSelector, st.sampled_from(KINDS), st.sampled_from(GROUPS), st.sampled_from(NAMES))
)


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    """A whole scope."""
    kept: list[Selector | None] = []
    for one in draw(st.lists(selectors, min_size=1, max_size=6)):
        if not any(covers(earlier, one) for earlier in kept):
            kept.append(one)
    return Scope(tuple(draw(parts(one)) for one in kept))
