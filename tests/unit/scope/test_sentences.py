"""What each sentence of the language means, in text and in JSON."""

from __future__ import annotations

import pytest

from schemas.identity import SiteName
from schemas.scope.parse import from_json, parse_scope, site_columns
from schemas.scope.printing import print_scope, to_json
from schemas.scope.tree import (
    All,
    Around,
    Cross,
    Everything,
    KindSelector,
    Location,
    Options,
    Otherwise,
    Part,
    Replicate,
    Scope,
    Selector,
    Site,
)

LYON, OSLO, NICE = (Site(SiteName(name)) for name in ("lyon", "oslo", "nice"))

LOCATIONS: list[tuple[str, Location]] = [
    ("lyon", LYON),
    ("(((lyon)))", LYON),
    ("all", All()),
    ("allstar", Site(SiteName("allstar"))),
    ("lyon & oslo", Replicate((LYON, OSLO))),
    ("lyon & (oslo & nice)", Replicate((LYON, OSLO, NICE))),
    ("(lyon & oslo) & nice", Replicate((LYON, OSLO, NICE))),
    ("lyon ; (oslo ; nice)", Otherwise((LYON, OSLO, NICE))),
    ("lyon % oslo", Cross(((LYON, 1), (OSLO, 1)))),
    ("lyon*2 % oslo", Cross(((LYON, 2), (OSLO, 1)))),
    ("lyon * 007%oslo*1", Cross(((LYON, 7), (OSLO, 1)))),
    ("(lyon % oslo) % nice", Cross(((Cross(((LYON, 1), (OSLO, 1))), 1), (NICE, 1)))),
    ("lyon % oslo % nice", Cross(((LYON, 1), (OSLO, 1), (NICE, 1)))),
    ("lyon & oslo % nice", Cross(((Replicate((LYON, OSLO)), 1), (NICE, 1)))),
    ("(lyon & oslo)*3 % nice", Cross(((Replicate((LYON, OSLO)), 3), (NICE, 1)))),
    ("lyon & (oslo % nice)", Replicate((LYON, Cross(((OSLO, 1), (NICE, 1)))))),
    ("lyon % oslo ; nice", Otherwise((Cross(((LYON, 1), (OSLO, 1))), NICE))),
    ("lyon % (oslo ; nice)", Cross(((LYON, 1), (Otherwise((OSLO, NICE)), 1)))),
    ("lyon & oslo ; lyon & nice", Otherwise((Replicate((LYON, OSLO)), Replicate((LYON, NICE))))),
    ("around(lyon, 10ms)", Around(SiteName("lyon"), 0.01)),
    ("around ( lyon,1.5s )", Around(SiteName("lyon"), 1.5)),
    ("around(lyon, 2m) & nice", Replicate((Around(SiteName("lyon"), 120.0), NICE))),
    ("lyon\n\t& oslo\r\n", Replicate((LYON, OSLO))),
]
SELECTORS: list[tuple[str, Selector]] = [
    ("secret", KindSelector("secret")),
    ("ConfigMap", KindSelector("configmap")),
    ("deployments.apps", KindSelector("deployments", "apps")),
    ("certificate.cert-manager.io/web", KindSelector("certificate", "cert-manager.io", "web")),
    ("secret/edge-ca", KindSelector("secret", "", "edge-ca")),
    ("clusterrole/system:node", KindSelector("clusterrole", "", "system:node")),
    ("lyon", KindSelector("lyon")),
    ("*", Everything()),
]
OPTIONS: list[tuple[str, Options]] = [
    ("{prime: lyon}", Options(prime=SiteName("lyon"))),
    ("{ min : 2 }", Options(min=2)),
    ("{rebalance: true}", Options(rebalance=True)),
    ("{rebalance: false}", Options()),
    ("{rebalance: true, min: 1, prime: oslo}", Options(SiteName("oslo"), 1, True)),
]


@pytest.mark.parametrize(("text", "location"), LOCATIONS, ids=[text for text, _ in LOCATIONS])
def test_a_location_means_what_the_precedence_says(text: str, location: Location) -> None:
    assert parse_scope(text) == Scope((Part(None, location),))
    assert from_json({".": text}) == parse_scope(text)
    assert from_json(text) == parse_scope(text)


@pytest.mark.parametrize(("text", "selector"), SELECTORS, ids=[text for text, _ in SELECTORS])
def test_a_selector_names_a_kind_a_group_a_name_or_everything(text: str, selector: Selector) -> None:
    expected = Scope((Part(selector, LYON),))
    assert parse_scope(f"{text}: lyon") == expected
    assert parse_scope(f"{text}:lyon") == expected
    assert from_json({text: "lyon"}) == expected


@pytest.mark.parametrize(("text", "options"), OPTIONS, ids=[text for text, _ in OPTIONS])
def test_options_stand_behind_a_location(text: str, options: Options) -> None:
    assert parse_scope(f"lyon & oslo {text}") == Scope((Part(None, Replicate((LYON, OSLO)), options),))
    assert from_json({"secret": f"lyon & oslo {text}"}).parts[0].options == options


def test_text_and_json_give_the_same_tree() -> None:
    scope = parse_scope("deployment: lyon & oslo, secret: oslo, nice")
    assert from_json({"deployment": "lyon & oslo", "secret": "oslo", ".": "nice"}) == scope
    assert to_json(scope) == {"deployment": "lyon & oslo", "secret": "oslo", ".": "nice"}


def test_a_json_writer_that_sorts_keys_loses_nothing() -> None:
    expected = parse_scope("secret/edge-ca: nice, secret: oslo, *: lyon")
    assert from_json({"*": "lyon", "secret": "oslo", "secret/edge-ca": "nice"}) == expected


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("lyon&oslo", "lyon & oslo"),
        ("((lyon)&(oslo&nice))", "lyon & oslo & nice"),
        ("(lyon%oslo);nice", "lyon % oslo ; nice"),
        ("(lyon;oslo)%nice", "(lyon ; oslo) % nice"),
        ("(lyon%oslo)&nice", "(lyon % oslo) & nice"),
        ("(lyon&oslo)%nice*1", "lyon & oslo % nice"),
        ("(lyon&oslo)*2%nice", "(lyon & oslo)*2 % nice"),
        ("Secret/edge-ca:around(lyon,0.010s){rebalance:false}", "secret/edge-ca: around(lyon, 10ms)"),
        ("around(lyon, 90s), *:all{min:1,prime:nice}", "around(lyon, 90s), *: all {prime: nice, min: 1}"),
    ],
)
def test_a_scope_is_printed_with_no_parenthesis_too_many(text: str, printed: str) -> None:
    assert print_scope(parse_scope(text)) == printed


def test_the_place_of_each_site_in_a_text_is_known() -> None:
    text = "lyon: around(oslo, 8ms) & lyon {prime: nice}"
    assert site_columns(text) == {"oslo": 14, "lyon": 27, "nice": 40}
