"""Every command as it is typed: text for people, documents with a schema for programs, exit codes for scripts."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator

import pytest
import yaml

from schemas.codes import CODES
from tests.kit.command import MANIFESTS, Ran, Shell, api, on_a_terminal, processes_of, sandbox
from tests.kit.needs import GRAPHVIZ

SHOP = ("-n", "shop")
WAIT_S = 60.0
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "edge-ca"}, "stringData": {"ca.crt": "x"}}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """The shop of the demo at lyon; oslo is empty."""
    with sandbox(tmp_path_factory.mktemp("typed"), "lyon", "oslo") as found:
        applied = found("apply", "-f", MANIFESTS / "shop.yaml")
        assert applied.code == 0, applied.out + applied.err
        until(found, ("tree", "ingress/shop", *SHOP), "Secret shop/edge-ca")
        yield found


def until(shell: Shell, words: tuple[str, ...], text: str) -> Ran:
    """Ask again until the answer holds the text: what is written is seen a moment later."""
    end_s = time.monotonic() + WAIT_S
    while True:
        ran = shell(*words)
        if text in ran.out or time.monotonic() > end_s:
            assert text in ran.out
            return ran


# ── intents ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_dependency_denies_with_the_line_of_the_manifest_and_a_remedy(shell: Shell) -> None:
    ran = shell("create", "-f", MANIFESTS / "checkout.yaml")
    assert ran.code == 3
    assert ran.lines[0].startswith(
        "✗ DENY D110  create Deployment shop/checkout @ lyon: ConfigMap shop/checkout-settings"
    )
    assert f"({MANIFESTS / 'checkout.yaml'}:23)  containers[0].env[0].configMapKeyRef" in ran.out
    assert "  help       bring it along" in ran.out


def test_apply_prints_the_verdict_and_its_evidence_then_each_step_in_order_of_need(shell: Shell) -> None:
    paths = [word for name in ("checkout.yaml", "checkout-settings.yaml") for word in ("-f", str(MANIFESTS / name))]
    preview = shell("apply", *paths, "--preview")
    assert preview.code == 0
    assert preview.lines[0].startswith("✓ ALLOW  apply 2 resources @ lyon: 2 steps (preview)")
    plan = [
        line.removeprefix("  plan     ").split() for line in preview.lines if line.endswith((" absent", " after 1"))
    ]
    assert plan == [
        ["1", "apply", "ConfigMap", "shop/checkout-settings", "@", "lyon", "if", "absent"],
        ["2", "apply", "Deployment", "shop/checkout", "@", "lyon", "if", "absent", "after", "1"],
    ]
    assert shell("get", "deployment/checkout", *SHOP).code == 3, "a preview did something"
    ran = shell("apply", *paths)
    assert (ran.code, ran.err) == (0, "")
    assert re.search(r"all \d+ kinds observed ✓", ran.out)
    assert ran.lines[-2] == "  ✓ 1   apply ConfigMap shop/checkout-settings @ lyon  ready"
    assert ran.lines[-1].startswith("  ✓ 2   apply Deployment shop/checkout @ lyon  ready")


def test_create_of_what_is_there_and_update_of_what_is_not_are_denied(shell: Shell) -> None:
    again = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-settings, namespace: shop}\ndata: {a: b}\n"
    created = shell("create", "-f", "-", stdin=again)
    assert (created.code, created.lines[0][:11]) == (3, "✗ DENY D101")
    absent = again.replace("web-settings", "nobody")
    updated = shell("update", "-f", "-", stdin=absent)
    assert (updated.code, updated.lines[0][:11]) == (3, "✗ DENY D102")


def test_deleting_what_is_in_use_is_denied_with_each_user_once_and_a_command_that_can_be_pasted(shell: Shell) -> None:
    ran = shell("delete", "secret/edge-ca", *SHOP)
    assert (ran.code, ran.err) == (3, "")
    assert ran.lines[0].startswith("✗ DENY D310  delete Secret shop/edge-ca @ lyon: still used by 2 resources")
    assert "├─ D310 mounted by Deployment shop/web @ lyon  volumes[0].secret" in ran.out
    assert "└─ D311 Deployment shop/cart @ lyon needs it" in ran.out
    help_at = next(place for place, line in enumerate(ran.lines) if line.startswith("  help"))
    command = ran.lines[help_at + 1].split()
    assert command[0] == "cheops"
    pasted = shell(*command[1:])
    assert pasted.code == 0
    assert "(preview)" in pasted.lines[0]
    assert "delete Secret shop/edge-ca @ lyon" in pasted.out
    assert shell("get", "secret/edge-ca", *SHOP).code == 0


def test_kubectl_s_way_to_name_things_works_and_unused_things_go(shell: Shell) -> None:
    ran = shell("delete", "cm", "banner-2019", *SHOP, "-o", "json")
    assert (ran.code, ran.err) == (0, "")
    assert (ran.body["schema"], ran.body["decision"]) == ("verdict/v1", "allow")
    assert [(one["schema"], one["state"]) for one in ran.body["outcomes"]] == [("outcome/v1", "done")]
    gone = shell("delete", "configmap/banner-2019", *SHOP)
    assert gone.code == 0
    assert "N302" in gone.out


def test_delete_takes_manifests_too(shell: Shell) -> None:
    ran = shell("delete", "-f", MANIFESTS / "checkout.yaml", "--preview", "-o", "json")
    assert ran.code == 0
    assert ran.body["targets"] == ["apps/Deployment/shop/checkout"]
    assert ran.body["preview"] is True


def test_get_prints_the_object_alone_on_stdout_and_the_age_beside_it(shell: Shell) -> None:
    ran = shell("get", "deployment/web", *SHOP)
    assert ran.code == 0
    found = yaml.safe_load(ran.out)
    assert (found["kind"], found["metadata"]["name"]) == ("Deployment", "web")
    assert re.fullmatch(r"read at lyon; the verdict's evidence was [\d.]+ s old\n", ran.err)
    both = shell("get", "deployment", "web", "cart", *SHOP, "-o", "json")
    assert sorted(json.loads(line)["metadata"]["name"] for line in both.lines) == ["cart", "web"]
    nothing = shell("get", "deployment/nobody", *SHOP)
    assert (nothing.code, nothing.lines[0][:11]) == (3, "✗ DENY D410")


def test_evidence_older_than_the_bound_defers_with_exit_4_and_says_what_is_awaited(shell: Shell) -> None:
    for _ in range(20):  # a heartbeat comes once a second; a moment after one the evidence is young enough
        ran = shell("delete", "secret/nobody", *SHOP, "--bound", "0.1", "--preview")
        if ran.code == 4:
            break
        assert ran.code == 0
    assert ran.code == 4
    assert ran.lines[0].startswith("? DEFER F502")
    assert "lyon" in ran.lines[0]


def test_no_wait_prints_the_id_alone_and_show_tells_the_whole_story(shell: Shell) -> None:
    ran = shell("delete", "secret/edge-ca", *SHOP, "--no-wait")
    assert ran.code == 0
    assert re.fullmatch(r"i-[0-9a-f]{10}\n", ran.out)
    intent = ran.out.strip()
    followed = shell("show", intent, "--follow")
    assert followed.code == 3
    assert followed.lines[0].startswith(f"{intent}: ")
    assert "wants to delete secret/edge-ca @ lyon" in followed.lines[0]
    told = shell("show", intent)
    assert told.code == 3
    assert told.lines[1].startswith("revision 1, ")
    printed = shell("show", intent, "-o", "json")
    assert printed.code == 3  # whatever the form
    assert shell("show", intent, "-o", "json", "--follow") == printed
    whole = printed.body
    assert whole["schema"] == "chain/v1"
    assert [one["decision"] for one in whole["verdicts"]] == ["deny"]
    assert (shell("show", "i-nobody").code, shell("show", "i-nobody").out) == (1, "")
    for word, code in (("show", 1), ("plan", 1), ("cancel", 1), ("replay", 2)):  # never anybody's
        told = shell(word, "*")
        assert (told.code, told.out) == (code, "")
        assert told.err == "cheops: no intent '*' is known (verdicts are kept for 30 days)\n"


# ── the tree ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_tree_names_a_namespace_once_and_unfolds_each_resource_where_it_is_met_first(shell: Shell) -> None:
    ran = shell("tree", "deployment/web", *SHOP)
    assert (ran.code, ran.err) == (0, "")
    names = [re.sub(r"^[│├└─ ]*(\w+ [\w./-]+).*", r"\1", line) for line in ran.lines]
    assert names[0] == "Deployment shop/web"
    assert ran.lines[1].startswith("needs 4")
    assert names.count("Namespace shop") == 1
    assert names.count("Secret shop/edge-ca") == 1
    assert names.count("Service shop/web") == 1
    assert any(line.startswith("│  └─ Ingress shop/shop ") for line in ran.lines)
    assert re.search(r"├─ Secret shop/edge-ca +reliance SL +volumes\[0\]\.secret$", ran.out, re.MULTILINE)
    assert re.match(r"evidence  lyon \d+:\d+, [\d.]+ s old$", ran.lines[-1])


def test_what_an_owner_made_stands_below_its_owner(shell: Shell) -> None:
    ran = shell("dependents", "secret/edge-ca", *SHOP)
    assert ran.code == 0
    direct = [line for line in ran.lines if line.startswith(("├─", "└─"))]
    assert [re.sub(r"  .*", "", line[3:]) for line in direct] == [
        "Deployment shop/cart and 2 made by it",
        "Deployment shop/web and 3 made by it",
    ]


def test_dependencies_stop_at_the_wanted_depth_kinds_and_phases(shell: Shell) -> None:
    one = shell("dependencies", "ingress/shop", *SHOP, "--depth", "1", "-o", "json").body
    assert one["schema"] == "graph/v1"
    assert {node["depth"] for node in one["nodes"]} == {0, 1}
    only = shell("dependencies", "deployment/web", *SHOP, "--kinds", "secret,cm", "-o", "json").body
    assert {node["resource"] for node in only["nodes"][1:]} == {"Secret/shop/edge-ca", "ConfigMap/shop/web-settings"}
    lifetime = shell("dependencies", "deployment/web", *SHOP, "--phase", "L", "--depth", "1", "-o", "json").body
    assert all("L" in edge["phases"] for edge in lifetime["edges"])
    assert "ConfigMap/shop/web-settings" not in {edge["target"] for edge in lifetime["edges"]}


def test_why_names_the_field_of_every_hop_and_exits_1_when_there_is_no_path(shell: Shell) -> None:
    ran = shell("why", "ingress/shop", "secret/edge-ca", *SHOP)
    assert ran.code == 0
    assert [line.strip("└─ ").split("  ")[0] for line in ran.lines[:4]] == [
        "Ingress shop/shop @ lyon",
        "Service shop/web",
        "Deployment shop/web",
        "Secret shop/edge-ca",
    ]
    assert ran.lines[3].endswith("volumes[0].secret")
    none = shell("why", "secret/edge-ca", "ingress/shop", *SHOP)
    assert none.code == 1
    assert none.lines[0] == "Secret shop/edge-ca does not depend on Ingress shop/shop @ lyon"
    assert none.err == ""
    mistyped = shell("why", "ingress/shop", "secret/edge-cq", *SHOP)
    assert (mistyped.code, mistyped.err) == (1, "cheops: Secret shop/edge-cq is not at lyon\n")


def test_an_order_online_deletes_what_needs_it_first(shell: Shell) -> None:
    ran = shell("order", "secret/edge-ca", "--delete", "--all", *SHOP, "-o", "json")
    assert ran.code == 0
    place = {step["resource"]: number for number, step in enumerate(ran.body["steps"])}
    assert place["apps/Deployment/shop/web"] < place["Secret/shop/edge-ca"]
    create = shell("order", "deployment/web", "--all", *SHOP)
    assert create.lines[0] == "create 4 resources @ lyon"
    assert create.lines[4].startswith("4  Deployment shop/web  ")


def test_a_mistyped_name_exits_1_and_says_that_nothing_refers_to_it(shell: Shell) -> None:
    ran = shell("tree", "deployment/wbe", *SHOP)
    assert ran.code == 1
    assert ran.err == "cheops: Deployment shop/wbe is not at lyon, and nothing refers to it\n"


def test_a_mistyped_namespace_exits_1_and_those_that_are_near_are_named(shell: Shell) -> None:
    for ran in (shell("missing", "-n", "shopp"), shell("missing", "-n", "shopp", "-f", MANIFESTS, "--site", "lyon")):
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == "cheops: no namespace is called 'shopp' at lyon; did you mean shop?\n"
    assert shell("missing", *SHOP).code == 0


@pytest.mark.parametrize(
    ("form", "first", "holds"),
    [
        ("dot", "digraph cheops {", '"apps/Deployment/shop/web" -> "Secret/shop/edge-ca"'),
        ("mermaid", "flowchart LR", "-->|reliance|"),
        ("graphml", "<graphml ", "Secret/shop/edge-ca"),
        pytest.param("svg", "<?xml ", "<title>Secret/shop/edge&#45;ca</title>", marks=GRAPHVIZ),
        ("yaml", "---", "schema: graph/v1"),
    ],
)
def test_the_tree_can_be_drawn_by_other_programs(shell: Shell, form: str, first: str, holds: str) -> None:
    ran = shell("tree", "deployment/web", *SHOP, "-o", form)
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[0].startswith(first)
    assert holds in ran.out


@pytest.mark.parametrize(
    "command",
    [
        ("dependents", "secret/edge-ca"),
        ("dependencies", "ingress/shop"),
        ("order", "deployment/web", "--all"),
        ("why", "ingress/shop", "secret/edge-ca"),
        ("missing",),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("form", ["text", "json", pytest.param("svg", marks=GRAPHVIZ)])
def test_every_question_to_the_graph_is_answered_in_every_kind_of_form(
    shell: Shell, command: tuple[str, ...], form: str
) -> None:
    ran = shell(*command, *SHOP, "-o", form)
    assert (ran.code, ran.err) == (0, "")
    assert ("nothing is missing" if command == ("missing",) and form == "text" else "lyon") in ran.out
    if command != ("missing",):
        assert "edge" in ran.out


# ── behind our back ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_alerts_follow_tells_what_broke_by_whom_and_that_it_healed(shell: Shell) -> None:
    assert shell("alerts").err == "no alert in the last 7 days, and none that stands\n"
    with shell.started("alerts", "--follow") as following:
        assert following.stdout is not None
        assert api(shell, "lyon", "DELETE", "/api/v1/namespaces/shop/secrets/edge-ca") == 200
        head = following.stdout.readline()
        assert re.match(r"\d\d:\d\d:\d\d  ✗ BROKEN A310  Secret shop/edge-ca is gone @ lyon: 2 resources", head)
        users = [following.stdout.readline().strip("├└─ \n") for _ in range(2)]
        assert users[1] == "Deployment shop/web @ lyon  volumes[0].secret"
        assert following.stdout.readline().strip().startswith("cause  delete ")
        missing = shell("missing", *SHOP)
        assert missing.code == 0
        assert missing.lines[0] == "✗ Secret shop/edge-ca"
        assert missing.lines[1].startswith("  ├─ Deployment shop/cart and 2 made by it  requirement S ")
        assert missing.lines[2].startswith("  └─ Deployment shop/web and 3 made by it ")
        assert missing.lines[3] == "1 missing at lyon, needed by 2"
        assert api(shell, "lyon", "POST", "/api/v1/namespaces/shop/secrets", SECRET) == 201
        assert "✓ HEALED A310" in following.stdout.readline()
    assert following.returncode == 130
    rows = [json.loads(line) for line in shell("alerts", "--site", "lyon", "-o", "json").lines]
    assert [(row["schema"], row["state"]) for row in rows] == [("alert/v1", "raised"), ("alert/v1", "healed")]
    assert until(shell, ("missing", *SHOP), "nothing is missing at lyon in namespace shop").code == 0


# ── streams, codes, the mesh ────────────────────────────────────────────────────────────────────────────────────────


def test_verdicts_are_a_line_each_and_can_be_chosen_by_decision(shell: Shell) -> None:
    ran = shell("verdicts", "--decision", "deny")
    assert ran.code == 0
    assert all(re.match(r"\d\d:\d\d:\d\d  ✗ DENY D\d{3}  .*  i-[0-9a-f]{10}$", line) for line in ran.lines)
    rows = [json.loads(line) for line in shell("verdicts", "--site", "lyon", "-o", "json").lines]
    assert {row["schema"] for row in rows} == {"verdict/v1"}
    assert [row["decided_at"] for row in rows] == sorted(row["decided_at"] for row in rows)
    nowhere = shell("verdicts", "--site", "nowhere")
    assert (nowhere.code, nowhere.err) == (2, "cheops: no site is called 'nowhere' (there are lyon, oslo)\n")


def test_verdicts_follow_goes_on_with_new_ones(shell: Shell) -> None:
    with shell.started("verdicts", "--follow", "--decision", "deny", "--site", "oslo", "-o", "json") as following:
        assert following.stdout is not None
        denied = shell("get", "secret/nobody", "--site", "oslo", "-o", "json").body
        seen = json.loads(following.stdout.readline())
        while seen["intent"] != denied["intent"]:
            seen = json.loads(following.stdout.readline())
        assert seen == denied
    assert following.returncode == 130


def test_every_code_is_explained_within_eighty_columns(shell: Shell) -> None:
    listed = shell("explain")
    for code in CODES:
        assert f"{code.letter}{code.number}  {code.title}" in listed.lines
    page = shell("explain", "310")
    assert page.lines[0].startswith("D310  ")
    assert [line.split()[0] for line in page.lines if re.match(r"  \w", line)] == ["means", "matters", "to", "example"]
    assert max(map(len, [*listed.lines, *page.lines])) <= 80
    assert shell("explain", "d310", "-o", "json").body["schema"] == "code/v1"
    assert len(shell("explain", "-o", "json").body["codes"]) == len(CODES)


def test_sites_doctor_and_status_agree_that_all_is_well(shell: Shell) -> None:
    sites = shell("sites")
    assert (sites.code, sites.err) == (0, "")
    assert sites.lines[0].split()[:3] == ["SITE", "STATE", "AGE"]
    assert [line.split()[:2] for line in sites.lines[1:3]] == [["lyon", "fresh"], ["oslo", "fresh"]]
    assert sites.lines[4].split()[:3] == ["FROM", "TO", "LINK"]
    assert [line.split()[:4] for line in sites.lines[5:]] == [["lyon", "oslo", "✓", "up"], ["oslo", "lyon", "✓", "up"]]
    assert max(map(len, sites.lines)) <= 80
    body = shell("sites", "-o", "json").body
    assert (body["schema"], body["silent"]) == ("sites/v1", [])
    links = {(one["site"], peer["site"]): peer for one in body["links"] for peer in one["peers"]}
    assert {link: peer["state"] for link, peer in links.items()} == {("lyon", "oslo"): "up", ("oslo", "lyon"): "up"}
    assert all(peer["round_trip_s"] < 1 and peer["outbox"]["count"] == 0 for peer in links.values())
    assert {row["schema"] for row in body["sites"]} == {"status/v1"}
    doctor = shell("doctor")
    assert doctor.code == 0
    assert all(line.startswith("✓ ") for line in doctor.lines)
    status = shell("sandbox", "status")
    assert status.code == 0
    assert f"export KUBECONFIG={shell.folder / '.cheops' / 'kubeconfig'}" in status.out
    body = shell("sandbox", "status", "-o", "json").body
    assert body["schema"] == "sandbox/v1"
    assert "whole" not in body, "it is no news of the sandbox"


def test_a_site_that_nobody_knows_is_told_by_doctor_and_by_heal(shell: Shell) -> None:
    doctor = shell("doctor", CHEOPS_SITE="paris")
    assert doctor.code == 1
    (wrong,) = [line for line in doctor.lines if line.startswith("✗")]
    assert wrong == "✗ no site is called 'paris' (there are lyon, oslo; set CHEOPS_SITE)"
    healed = shell("heal", "--all", "--site", "paris")
    assert (healed.code, healed.out) == (2, "")
    assert "no site is called 'paris' (there are lyon, oslo)" in healed.err


def test_up_twice_says_where_it_runs_and_refuses_another_shape_or_a_foreign_folder(shell: Shell) -> None:
    again = shell("sandbox", "up", "--sites", "oslo,lyon")
    assert (again.code, again.err) == (0, "runs already in .cheops\n")
    assert "export CHEOPS_CONTEXT=" in again.out
    other = shell("sandbox", "up", "--sites", "paris")
    assert other.code == 2
    assert "another sandbox runs in .cheops (embedded: lyon, oslo; 2 routers)" in other.err
    foreign = shell("sandbox", "up", "--dir", str(MANIFESTS))
    assert foreign.code == 2
    assert "holds something else" in foreign.err
    assert shell("sandbox", "down", "--dir", str(MANIFESTS)).code == 0
    assert (MANIFESTS / "shop.yaml").is_file(), "a folder that is no sandbox's was removed"
    preview = shell("sandbox", "down", "--preview")
    assert preview.out.startswith("would stop the supervisor (pid ")
    assert shell("sites").code == 0


def test_no_bus_and_a_wrong_context_are_told_with_what_to_do(shell: Shell) -> None:
    silent = shell("sites", CHEOPS_NATS_URL="nats://127.0.0.1:1")
    assert (silent.code, silent.out) == (1, "")
    assert silent.err.startswith("cheops: no NATS server answers at nats://127.0.0.1:1 (start one: cheops sandbox up")
    doctor = shell("doctor", CHEOPS_NATS_URL="nats://127.0.0.1:1")
    assert doctor.code == 1
    assert "✗ bus: no NATS server answers" in doctor.out
    lost = shell("sites", CHEOPS_CONTEXT="nowhere.json")
    assert (lost.code, lost.err) == (2, "cheops: nowhere.json: cannot be read (No such file or directory)\n")
    which = Shell(shell.folder)("tree", "deployment/web")
    assert which.code == 2
    assert which.err == "cheops: which site? there are lyon, oslo (say --site NAME, or set CHEOPS_SITE)\n"


def test_what_the_bus_complains_of_stands_beside_the_result_never_in_it(shell: Shell) -> None:
    context = json.loads((shell.folder / ".cheops" / "context.json").read_text())
    context["servers"]["lyon"] = context["servers"]["oslo"]  # whose user may not read what lyon is answered
    (shell.folder / "other.json").write_text(json.dumps(context))
    for command in ("sites", "doctor"):
        tries = (shell(command, "-o", "json", CHEOPS_CONTEXT="other.json") for _ in range(20))
        ran = next(one for one in tries if one.err)  # its complaint may come after what others say of lyon
        assert "the bus does not permit it" in ran.err
        assert json.loads(ran.out)["schema"]
    offered = shell(
        COMP_WORDS="cheops tree sec", COMP_CWORD="2", _CHEOPS_COMPLETE="complete_bash", CHEOPS_CONTEXT="other.json"
    )
    assert (offered.out.strip(), offered.err) == ("", "")


def test_a_site_that_is_not_heard_has_not_decided_nothing(shell: Shell) -> None:
    context = json.loads((shell.folder / ".cheops" / "context.json").read_text())
    context["servers"]["lyon"]["nats_url"] = "nats://127.0.0.1:1"
    (shell.folder / "half.json").write_text(json.dumps(context))
    for words, what in ((("verdicts", "--decision", "defer"), "what was decided"), (("alerts",), "what broke")):
        ran = shell(*words, CHEOPS_CONTEXT="half.json")
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("cheops: lyon did not answer: no NATS server answers at nats://127.0.0.1:1 ")
        assert ran.err.endswith(f"cheops: {what} at lyon is not known\n")
    shell("delete", "secret/nobodys", "--site", "oslo")
    some = shell("verdicts", "-o", "json", CHEOPS_CONTEXT="half.json")
    assert [line for line in some.out.splitlines() if "nobodys" in line], "what is known is told"
    assert (some.code, some.err.splitlines()[-1]) == (1, "cheops: what was decided at lyon is not known")


def test_a_key_that_is_not_there_is_named_once(shell: Shell) -> None:
    lost = shell("sites", CHEOPS_NATS_URL="nats://127.0.0.1:1", CHEOPS_NATS_KEYS="nowhere")
    assert lost.code == 2
    assert lost.err.endswith("nowhere/client.nk: cannot be read (No such file or directory; set CHEOPS_NATS_KEYS)\n")


# ── terminals and pipes ─────────────────────────────────────────────────────────────────────────────────────────────


def test_colour_is_for_terminals_that_want_it_and_never_the_only_sign(shell: Shell) -> None:
    words = ("delete", "secret/edge-ca", *SHOP)
    coloured = on_a_terminal(shell, *words)
    assert "\x1b[31m✗ DENY\x1b[0m D310" in coloured
    plain = on_a_terminal(shell, *words, NO_COLOR="1")
    assert "\x1b" not in plain
    assert "✗ DENY D310" in plain
    assert "\x1b" not in on_a_terminal(shell, *words, TERM="dumb")
    assert "\x1b" not in shell(*words).out


@pytest.mark.parametrize("words", ["delete secret/edge-ca", "tree deployment/web", "dependents secret/edge-ca"])
def test_a_terminal_of_eighty_columns_holds_every_line_but_commands(shell: Shell, words: str) -> None:
    lines = on_a_terminal(shell, *words.split(), *SHOP, NO_COLOR="1").splitlines()
    assert len(lines) > 4
    assert [line for line in lines if len(line) > 80 and "cheops " not in line] == []


@pytest.mark.parametrize(
    "words",
    [("tree", "deployment/web"), ("delete", "secret/edge-ca"), ("missing",), ("why", "ingress/shop", "secret/edge-ca")],
)
def test_ascii_means_ascii(shell: Shell, words: tuple[str, ...]) -> None:
    ran = shell(*words, *SHOP, "--ascii")
    assert ran.out.isascii()
    assert shell(*words, *SHOP, PYTHONIOENCODING="ascii").out.isascii()


def test_a_pipe_that_takes_ascii_only_shows_a_question_mark_and_no_error(shell: Shell) -> None:
    ran = shell("relations", "-f", MANIFESTS / "shop.yaml", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.isascii()
    assert "Secret shop/edge-ca" in ran.out


def test_completion_knows_commands_kinds_names_sites_and_codes(shell: Shell) -> None:
    def complete(line: str, **more: str) -> list[str]:
        place = len(line.split()) - (0 if line.endswith(" ") else 1)
        ran = shell(COMP_WORDS=line, COMP_CWORD=str(place), _CHEOPS_COMPLETE="complete_bash", **more)
        assert ran.err == ""
        return ran.out.split()

    assert "tree" in complete("cheops tr")
    assert complete("cheops tree --site o") == ["oslo"]
    for typed, offered in (("= o", ["oslo"]), ("=", ["lyon", "oslo"]), ("= oslo -o = d", ["dot"])):
        words = ["cheops", "tree", "--site", *typed.split()]  # bash takes `--site=o` apart at the sign
        place = str(len(words) - 1)
        ran = shell(COMP_WORDS="\n".join(words), COMP_CWORD=place, _CHEOPS_COMPLETE="complete_bash")
        assert ran.out.split() == offered
    assert {"deployment", "secret", "ingress"} <= set(complete("cheops tree "))
    assert complete("cheops delete -n shop deployment/c") == ["deployment/cart", "deployment/checkout"]
    assert complete("cheops delete -n shop secret e") == ["edge-ca"]
    assert complete("cheops why -n shop ingr") == ["ingress", "ingress/shop"]
    assert complete("cheops delete -n kube-system sec") == ["secret"], "a kind without names there is one all the same"
    assert complete("cheops get -n sh") == ["shop"]
    role = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: 'edge:ca:reader'}}"
    assert shell("apply", "-f", "-", stdin=role).code == 0
    assert complete("cheops tree clusterrole/edge:ca:r") == ["clusterrole/edge:ca:reader"]
    for before in ("clusterrole/edge", "clusterrole edge"):  # as bash takes words apart
        assert complete(f"cheops tree {before} : c") == ["ca:reader"]
        assert complete(f"cheops tree {before} : ca : r") == ["reader"]
    assert complete("cheops explain D31") == ["D310", "D311", "D312", "D313"]
    assert complete("cheops tree -o d") == ["dot"]
    fish = {"_CHEOPS_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    for typed, offered in (("--site=", ["--site=lyon", "--site=oslo"]), ("-o mermaid --site=o", ["--site=oslo"])):
        assert shell(**fish, _TYPER_COMPLETE_ARGS=f"cheops tree {typed}").lines == offered
        for_zsh = shell(_CHEOPS_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=f"cheops tree {typed}").out
        assert for_zsh.split("((")[1].split("))")[0].split() == [f'"{one}"' for one in offered]
    assert shell(**fish, _TYPER_COMPLETE_ARGS="cheops tree --site=oslo -o d").lines == ["dot"]
    for name, value in (("SITE", "no site"), ("NATS_URL", "nats://127.0.0.1:1"), ("CONTEXT", "nosuch.json")):
        assert complete("cheops tree sec", **{f"CHEOPS_{name}": value}) == []


# ── when a site is silent (last: oslo does not come back) ───────────────────────────────────────────────────────────


def test_a_silent_site_is_named_and_ctrl_c_says_how_to_follow_what_is_published(shell: Shell) -> None:
    for pid in processes_of(shell, "oslo"):
        os.kill(pid, signal.SIGKILL)
    sites = until(shell, ("sites",), "silent")
    assert sites.code == 1
    assert [line.split()[:2] for line in sites.lines[1:3]] == [["lyon", "fresh"], ["oslo", "silent"]]
    asked = shell("tree", "deployment/web", "--site", "oslo")
    assert (asked.code, asked.out) == (1, "")
    assert asked.err == "cheops: no resolver answers for site oslo (cheops sites, cheops doctor)\n"
    unheard = shell("delete", "secret/x", "--site", "oslo", "--timeout", "1")
    assert unheard.code == 1
    assert "it is stored and will be decided when the resolver of oslo is back" in unheard.err
    intent = re.findall(r"i-[0-9a-f]{10}", unheard.err)[0]
    assert shell("cancel", intent).err == "cheops: no resolver answers for site oslo (cheops sites, cheops doctor)\n"
    before = len(shell("show", "i-nobody").out)
    assert before == 0
    with shell.started("delete", "secret/y", "--site", "oslo") as waiting:
        until_published(shell, "secret/y")
        waiting.send_signal(signal.SIGINT)
        _, err = waiting.communicate(timeout=WAIT_S)
    assert waiting.returncode == 130
    assert re.search("interrupted(: published, no verdict yet| while it was published)", err), (
        "its server may be quicker"
    )
    intent = re.search(r"cheops show (i-[0-9a-f]{10})", err)
    assert intent is not None
    shown = shell("show", intent.group(1))
    assert shown.code == 4
    assert "wants to delete secret/y @ oslo" in shown.out


def until_published(shell: Shell, resource: str) -> None:
    """Wait until the server of oslo holds an intent on this resource."""
    import asyncio
    from pathlib import Path

    from cheops.contexts import read_context
    from schemas import subjects
    from schemas.identity import SiteName
    from services.chassis.bus import nats
    from services.chassis.bus.identity import identity_of

    async def wait() -> None:
        context = read_context(shell.folder / ".cheops" / "context.json")
        oslo = context.servers["oslo"]
        identity = identity_of(Path(oslo.keys), SiteName("oslo"), "admin")
        bus = await nats.connect(oslo.nats_url, name="test", wait=False, identity=identity)
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    async for stored in bus.scan("INTENTS", f"{subjects.ROOT}.intent.>"):
                        if resource.encode() in stored.payload:
                            return
        finally:
            await bus.close()

    asyncio.run(wait())
