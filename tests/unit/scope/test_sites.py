"""Which sites are named and known, and what `all` and `around` come to."""

from __future__ import annotations

import pytest

from schemas.identity import SiteName
from schemas.scope.errors import ScopeError
from schemas.scope.parse import parse_scope, part_columns
from schemas.scope.printing import print_location
from schemas.scope.sites import check_sites, fold, site_names

LYON, OSLO, NICE, TROMSO = (SiteName(name) for name in ("lyon", "oslo", "nice", "tromso"))
KNOWN = [LYON, OSLO, NICE, TROMSO]
LATENCIES = {(LYON, OSLO): 0.009, (NICE, LYON): 0.004, (OSLO, TROMSO): 0.002}


def folded(text: str, known: list[SiteName] = KNOWN, entry: SiteName = OSLO) -> str:
    """The location of a scope of one part, folded."""
    return print_location(fold(parse_scope(text).parts[0].location, known, LATENCIES, entry))


def test_sites_are_named_once_in_the_order_of_the_text() -> None:
    scope = parse_scope("secret: oslo, around(nice, 3ms) & oslo ; all {prime: tromso}")
    assert site_names(scope) == [OSLO, NICE, TROMSO]


def test_an_unknown_site_is_answered_with_names_that_look_alike() -> None:
    unknown = check_sites(parse_scope("lion & oslo, secret: around(paris, 5ms)"), KNOWN)
    assert [(one.name, one.near) for one in unknown] == [("lion", ("lyon",)), ("paris", ())]
    assert str(unknown[0]) == "no site is called 'lion' (near: lyon)"
    assert check_sites(parse_scope("lyon & all"), KNOWN) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lyon", "lyon"),
        ("all", "oslo & lyon & nice & tromso"),
        ("all & oslo", "oslo & lyon & nice & tromso"),
        ("around(lyon, 10ms)", "lyon ; nice ; oslo"),
        ("around(lyon, 4ms)", "lyon ; nice"),
        ("around(lyon, 1ms)", "lyon"),
        ("around(lyon, 10ms) ; tromso ; nice", "lyon ; nice ; oslo ; tromso"),
        ("around(lyon, 5ms)*2 % tromso", "(lyon ; nice)*2 % tromso"),
        ("around(lyon, 5ms) & oslo", "(lyon ; nice) & oslo"),
    ],
)
def test_all_and_around_come_to_sites_the_nearest_first(text: str, expected: str) -> None:
    assert folded(text) == expected


def test_all_of_one_known_site_is_that_site() -> None:
    assert folded("all", [OSLO]) == "oslo"


@pytest.mark.parametrize(
    ("text", "known", "said"),
    [
        ("all", [], "all: no site is known"),
        ("around(nice, 5ms)", [NICE], "around(nice): no latency between nice and another site is known"),
        ("around(nice, 5ms)", [NICE, OSLO], "around(nice): no latency between nice and another site is known"),
        ("all % lyon", KNOWN, "lyon is meant twice: once by name, once by all or around"),
        ("all & (lyon % nice)", KNOWN, "lyon is meant twice: once by name, once by all or around"),
        ("around(lyon, 1ms) % lyon", KNOWN, "lyon is meant twice: once by name, once by all or around"),
    ],
)
def test_what_cannot_be_folded_is_a_bad_scope(text: str, known: list[SiteName], said: str) -> None:
    with pytest.raises(ScopeError) as caught:
        folded(text, known)
    assert (str(caught.value), caught.value.code, caught.value.column) == (said, "D600", 0)


def test_parts_say_where_they_begin_and_where_they_divide() -> None:
    text = "secret: (lyon & oslo) {min: 1, prime: oslo} ,deploy: lyon*2 % (oslo ; nice) % bern, *: all"
    assert part_columns(text) == [(1, 0), (46, 61), (85, 0)]
    assert [text[begin - 1 :][:6] for begin, _ in part_columns(text)] == ["secret", "deploy", "*: all"]
    assert text[part_columns(text)[1][1] - 1] == "%"
