"""Graph answers as text: folded, aligned, within the terminal's width, readable without colour and without Unicode."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cheops.cli.render.references import missing_lines, path_lines
from cheops.cli.render.rows import fitted, short_path
from cheops.cli.render.signs import ASCII, Signs
from cheops.cli.render.tree import tree_lines
from tests.unit.cli.answers import EDGES, INGRESS, MOUNT, POD, SECRET, SERVICE, SET, WEB, answer, edge

WIDE = Signs()
NARROW = Signs(width=80)
TREE = """\
Deployment shop/web @ lyon
needs 2
├─ Secret shop/edge-ca           reliance SL     volumes[0].secret
└─ Namespace shop                containment AL  namespace
needed by 2
├─ Service shop/web              reliance L      selector
│  └─ Ingress shop/shop          reliance L      rules[0].http.paths[0].backend.service port http
└─ ReplicaSet shop/web-4cbs      composition L   owner
   └─ Pod shop/web-4cbs-5zrdd    composition L   owner
evidence  lyon 1:268, 0.4 s old"""


def test_a_tree_reads_as_it_is_drawn_here() -> None:
    lines = tree_lines(answer(WEB, *EDGES), WIDE)
    assert [line.split() for line in lines] == [line.split() for line in TREE.splitlines()]
    columns = {
        line.index(word) for line in lines for word in ("reliance", "composition", "containment") if word in line
    }
    assert len(columns) == 1, "the relations stand in one column"


def test_eighty_columns_cut_the_field_at_its_front_and_never_a_name() -> None:
    lines = tree_lines(answer(WEB, *EDGES), NARROW)
    assert max(map(len, lines)) <= 80
    ingress = next(line for line in lines if "Ingress" in line)
    assert "Ingress shop/shop" in ingress
    assert ingress.endswith("…service port http") or "backend.service port http" in ingress


def test_what_does_not_fit_beside_a_long_name_stands_below_it_and_no_name_is_broken() -> None:
    name = f"ConfigMap/shop/{'a-long-name-' * 4}of-settings"
    longest = f"ConfigMap/shop/{'a-name-longer-than-the-line-' * 4}"
    lines = tree_lines(answer(WEB, edge(WEB, name, "reliance", MOUNT), edge(WEB, longest, "reliance", MOUNT)), NARROW)
    place = next(number for number, line in enumerate(lines) if name.rpartition("/")[2] in line)
    assert lines[place].endswith("of-settings")
    assert lines[place + 1] == "│     reliance L"
    assert any(longest.rpartition("/")[2] in line for line in lines)
    key = edge(WEB, SECRET, "requirement", MOUNT, "S", granule=f"key:{'with.a.long.name.' * 4}pem")
    told = missing_lines(answer(None, key), NARROW)
    assert max(map(len, told)) <= 80
    assert told[1] == "   Secret shop/edge-ca"


def test_a_definition_of_custom_resources_is_named_once() -> None:
    crd = "apiextensions.k8s.io/CustomResourceDefinition/rules.example.com"
    one, two = (f"example.com/Rule/shop/{name}" for name in ("one", "two"))
    edges = [edge(WEB, rule, "association", "spec.rules", "P") for rule in (one, two)]
    edges += [edge(rule, crd, "containment", "kind", "AL") for rule in (one, two)]
    lines = tree_lines(answer(WEB, *edges, direction="dependencies"), WIDE)
    assert sum("rules.example.com" in line for line in lines) == 1


def test_what_an_owner_made_counts_with_its_owner() -> None:
    lines = tree_lines(answer(SECRET, *EDGES, direction="dependents"), WIDE)
    assert lines[1] == "needed by 3"
    assert lines[2].startswith("└─ Deployment shop/web and 2 made by it  ")
    assert sum("Pod shop/web-4cbs-5zrdd" in line for line in lines) == 1


def test_a_service_that_selects_a_deployment_and_its_pods_needs_the_deployment() -> None:
    lines = tree_lines(answer(INGRESS, *EDGES, direction="dependencies"), WIDE)
    assert [line.split("  ")[0] if line[0] in "├└" else line.strip().split("  ")[0] for line in lines[2:5]] == [
        "└─ Service shop/web",
        "└─ Deployment shop/web and 2 made by it",
        "├─ Secret shop/edge-ca",
    ]
    assert not any("Pod" in line or "ReplicaSet" in line for line in lines)


def test_a_cycle_is_named_and_ends() -> None:
    pair = (edge(WEB, SERVICE, "reliance", "spec.a"), edge(SERVICE, WEB, "reliance", "spec.b"))
    lines = tree_lines(answer(WEB, *pair, direction="dependencies"), WIDE)
    assert lines[2].startswith("└─ Service shop/web")
    assert lines[3].startswith("   └─ Deployment shop/web (cycle)")


def test_a_missing_target_is_marked_in_words_and_what_the_bound_left_out_is_counted() -> None:
    lines = tree_lines(answer(WEB, *EDGES, missing=(SECRET,), more=7), WIDE)
    assert any("Secret shop/edge-ca [missing]" in line for line in lines)
    assert "… and 7 more (--depth, --kinds, or -o json)" in lines


def test_nothing_is_said_by_colour_alone() -> None:
    coloured = tree_lines(answer(WEB, *EDGES, missing=(SECRET,)), replace(WIDE, colour=True))
    plain = tree_lines(answer(WEB, *EDGES, missing=(SECRET,)), WIDE)
    assert any("\x1b[31m" in line for line in coloured)
    assert [_without_colour(line) for line in coloured] == plain


def _without_colour(line: str) -> str:
    for code in ("0", "1", "2", "31", "32", "33", "36"):
        line = line.replace(f"\x1b[{code}m", "")
    return line


def test_ascii_signs_make_ascii_lines() -> None:
    for lines in (
        tree_lines(answer(WEB, *EDGES, more=1), replace(ASCII, width=80)),
        path_lines(answer(INGRESS, EDGES[10], EDGES[7], EDGES[1]), ASCII),
        missing_lines(answer(None, EDGES[1], missing=(SECRET,)), ASCII),
    ):
        assert all(line.isascii() for line in lines)


def test_a_path_is_indented_hop_by_hop_and_no_path_names_both_ends() -> None:
    lines = path_lines(answer(INGRESS, EDGES[10], EDGES[7], EDGES[1]), WIDE)
    assert [line.split("  reliance")[0].rstrip() for line in lines[:-1]] == [
        "Ingress shop/shop @ lyon",
        "└─ Service shop/web",
        "   └─ Deployment shop/web",
        "      └─ Secret shop/edge-ca",
    ]
    ends = answer(None, EDGES[1])
    none = ends.model_copy(update={"edges": ()})
    assert path_lines(none, WIDE)[0] == "Deployment shop/web does not depend on Secret shop/edge-ca @ lyon"


def test_missing_shows_the_top_owner_once_and_counts_what_it_made() -> None:
    users = [one for one in EDGES if one.target == SECRET]
    lines = missing_lines(answer(None, *users, missing=(SECRET,)), WIDE)
    assert lines[:3] == [
        "✗ Secret shop/edge-ca",
        "  └─ Deployment shop/web and 2 made by it  reliance SL  volumes[0].secret",
        "1 missing at lyon, needed by 1",
    ]


def test_an_owner_that_does_not_refer_itself_still_stands_for_what_it_made() -> None:
    lines = missing_lines(answer(None, edge(POD, SECRET, "reliance", MOUNT), missing=(SECRET,)), WIDE)
    assert lines[1].startswith("  └─ Deployment shop/web and 1 made by it")


def test_a_missing_key_is_told_from_a_missing_object() -> None:
    lines = missing_lines(answer(None, edge(SET, SECRET, "requirement", MOUNT, "S", granule="key:ca.crt")), WIDE)
    assert lines[0] == "✗ key ca.crt of Secret shop/edge-ca"


def test_nothing_missing_is_said_in_words() -> None:
    assert missing_lines(answer(None), WIDE)[0] == "nothing is missing at lyon"


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("spec.template.spec.volumes[0].secret.secretName", "volumes[0].secret"),
        ("spec.jobTemplate.spec.template.spec.volumes[0].configMap.name", "volumes[0].configMap"),
        ("spec.template.spec.containers[1].env[2].valueFrom.secretKeyRef.name", "containers[1].env[2].secretKeyRef"),
        ("metadata.ownerReferences[0].name", "owner"),
        ("metadata.namespace", "namespace"),
        ("roleRef.name", "roleRef"),
        ("spec.selector", "selector"),
    ],
)
def test_a_field_path_is_said_as_people_say_it(path: str, short: str) -> None:
    assert short_path(path) == short


def test_a_field_is_cut_between_its_steps_and_keeps_the_part_that_is_meant() -> None:
    field = "rules[0].http.paths[0].backend.service port http"
    assert fitted(field, 80, NARROW) == field
    assert fitted(field, 30, NARROW) == "…backend.service port http"
    assert fitted(field, 19, NARROW) == "…service port http"
    assert fitted(field, 12, NARROW) == "port http"
    assert fitted(field, 5, NARROW) == ""
    assert fitted("labels['kubernetes.io/service-name'] (+1)", 14, NARROW) == "labels['kuber…"
