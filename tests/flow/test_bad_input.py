"""What a person gives may be wrong in any way: the answer names file, line or field; nothing is applied in part."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.kit.command import Shell, sandbox

WITNESS = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: witness\ndata: {a: b}\n---\n"  # lines 1 to 6
NAMES_ITSELF = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"

# what is wrong → (text after a good manifest, what the answer says after the name of the file)
WRONG = {
    "a flow mapping that never ends": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\ndata: {}\n",
        ":10: did not find expected ',' or '}', while parsing a flow mapping that begins at line 9",
    ),
    "a tab": ("apiVersion: v1\nmetadata:\n\tname: x\n", ":9: found character that cannot start any token (a tab?"),
    "a key twice": ("metadata:\n  name: x\n  name: y\n", ":9: key 'name' stands twice"),
    "no kind": ("apiVersion: v1\nmetadata: {name: x}\n", ":7: kind: missing (expected text)"),
    "no apiVersion": ("kind: ConfigMap\nmetadata: {name: x}\n", ":7: apiVersion: missing (expected text)"),
    "no metadata": ("apiVersion: v1\nkind: ConfigMap\n", ":7: metadata: missing (expected a mapping)"),
    "no name": (NAMES_ITSELF.replace("name: %s", "labels: {a: b}"), ":9: metadata.name: missing (expected text)"),
    "a number for a name": (NAMES_ITSELF % "5", ":9: metadata.name: 5 is not text (quote it)"),
    "a name that is no DNS name": (
        NAMES_ITSELF % "Not_A_Label",
        ":9: metadata.name: 'Not_A_Label' cannot be a name (expected a-z, 0-9, '-' and '.', at most 253)",
    ),
    "a name that is too long": (NAMES_ITSELF % ("x" * 254), ":9: metadata.name: 'xxx"),
    "a namespace that is no DNS label": (
        NAMES_ITSELF % "x, namespace: a.b",
        ":9: metadata.namespace: 'a.b' cannot be a name (expected a-z, 0-9 and '-', at most 63)",
    ),
    "text instead of an object": ("just text\n", ":7: text (expected a Kubernetes object, a mapping)"),
    "a list instead of an object": ("- a\n- b\n", ":7: a list (expected a Kubernetes object, a mapping)"),
    "a List with something else in it": (
        f"apiVersion: v1\nkind: List\nitems:\n- {json.dumps({'apiVersion': 'v1', 'kind': 'Secret'})}\n- text\n",
        ":11: items[1]: expected a Kubernetes object",
    ),
    "the same object twice": (WITNESS.removesuffix("---\n"), ":7: ConfigMap 'witness' stands twice (first at"),
    "the same object twice, once with the namespace that is meant without one": (
        WITNESS.removesuffix("---\n").replace("witness", "witness\n  namespace: default"),
        ":7: ConfigMap 'witness' stands twice (first at",
    ),
    "a kind written small": (
        NAMES_ITSELF.replace("ConfigMap", "configmap") % "x",
        ":8: kind: 'configmap' cannot be a kind (expected one that begins with a capital letter)",
    ),
    "infinity": (f"{NAMES_ITSELF % 'x'}data: {{a: .inf}}\n", ":10: .inf is no number in JSON (quote it)"),
    "an undefined alias": ("metadata: *nobody\n", ":7: found undefined alias"),
    "JSON that breaks off": ('{"apiVersion": "v1", "kind": "ConfigMap"', ":8: did not find expected ',' or '}'"),
    "a NUL byte": ("a: \0\n", ":7: not text (it holds a NUL byte)"),
    "aliases that explode": (
        "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
        "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n",
        ": more than 1000 aliases",
    ),
}


SITE_REFUSES = (
    ("apiVersion: apps/v1\nkind: Deploymnt\nmetadata: {name: x}\n", "D001", "near: deployment"),
    ("apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: x}\n", "D001", "is served as apps/v1, not as"),
    (f"{NAMES_ITSELF % 'x'}datta: {{a: b}}\n", "D150", ".datta: field not declared in schema"),
    (NAMES_ITSELF % "x, labels: {a: 5}", "D150", ".metadata.labels.a: expected string, got int"),
)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """After everything bad was given: no intent to write was allowed, and the good manifest beside each bad one is not
    there."""
    with sandbox(tmp_path_factory.mktemp("bad"), "lyon") as found:
        yield found
        decisions = [json.loads(line)["decision"] for line in found("verdicts", "-o", "json").lines]
        assert decisions == ["deny"] * len(SITE_REFUSES)
        assert found("get", "configmap/witness").code == 3, "a part of a bad input was applied"


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_manifest_is_answered_with_its_line_and_nothing_is_published(shell: Shell, what: str) -> None:
    text, answer = WRONG[what]
    (shell.folder / "wrong.yaml").write_text(WITNESS + text)
    ran = shell("apply", "-f", "wrong.yaml")
    assert ran.code == 2
    assert ran.out == ""
    said = ran.err.removeprefix("cheops: wrong.yaml")
    assert said != ran.err, ran.err
    assert answer in said
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"", "given: no object in it (expected Kubernetes manifests, YAML or JSON)"),
        (b"# nothing\n---\n---\n", "given: no object in it"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "given:1: not text (expected YAML or JSON in UTF-8)"),
        ("apiVersion: v1".encode("utf-16"), "given:1: not text"),
    ],
)
def test_a_file_that_holds_no_manifest_says_what_was_expected(shell: Shell, content: bytes, answer: str) -> None:
    (shell.folder / "given").write_bytes(content)
    ran = shell("apply", "-f", "given")
    assert (ran.code, ran.out) == (2, "")
    assert answer in ran.err


def test_twenty_megabytes_are_refused_before_they_are_sent_and_fast(shell: Shell) -> None:
    lines = "".join(f"  k{place}: {'x' * 1_000_000}\n" for place in range(20))
    (shell.folder / "big.yaml").write_text(f"{NAMES_ITSELF % 'big'}data:\n{lines}")
    ran = shell("apply", "-f", "big.yaml")
    assert ran.code == 2
    assert "manifests: 20.0 MB together (expected at most 6.3 MB): split them" in ran.err


def test_a_file_beyond_all_bounds_is_not_even_parsed(shell: Shell) -> None:
    with (shell.folder / "huge.yaml").open("wb") as sparse:
        sparse.truncate(65 * 1024 * 1024)
    ran = shell("apply", "-f", "huge.yaml")
    assert (ran.code, ran.err) == (2, "cheops: huge.yaml: larger than 64 MiB\n")


def test_a_path_that_is_not_there_and_a_folder_without_manifests_are_named(shell: Shell) -> None:
    (shell.folder / "empty").mkdir()
    (shell.folder / "empty" / "README.md").write_text("kind: ConfigMap")
    assert (
        shell("apply", "-f", "nowhere.yaml").err == "cheops: nowhere.yaml: cannot be read (No such file or directory)\n"
    )
    ran = shell("apply", "-f", "empty")
    assert ran.code == 2
    assert ran.err == "cheops: empty: no manifest in this folder (expected files ending in .yaml, .yml, .json)\n"


def test_a_namespace_that_differs_from_the_wanted_one_is_named_with_its_line(shell: Shell) -> None:
    (shell.folder / "elsewhere.yaml").write_text(NAMES_ITSELF % "x, namespace: other")
    ran = shell("apply", "-f", "elsewhere.yaml", "-n", "shop")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "cheops: elsewhere.yaml:3: metadata.namespace: is 'other', but -n says 'shop'\n"


def test_twins_in_two_files_of_a_folder_are_named_with_both_places(shell: Shell) -> None:
    folder = shell.folder / "twins"
    folder.mkdir()
    for name in ("one.yaml", "two.yml"):
        (folder / name).write_text(WITNESS)
    ran = shell("apply", "-f", "twins")
    assert ran.code == 2
    assert ran.err == "cheops: twins/two.yml:1: ConfigMap 'witness' stands twice (first at twins/one.yaml:1)\n"


@pytest.mark.parametrize(("text", "code", "answer"), SITE_REFUSES)
def test_what_only_the_site_can_refuse_is_a_verdict_that_names_the_line_of_the_object(
    shell: Shell, text: str, code: str, answer: str
) -> None:
    (shell.folder / "refused.yaml").write_text(WITNESS + text)
    ran = shell("apply", "-f", "refused.yaml")
    assert ran.code == 3
    assert ran.lines[0].startswith(f"✗ DENY {code}")
    assert answer in ran.lines[0]
    assert "refused.yaml:7" in ran.out
    assert ran.err == ""


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("delete", "secret"), "secret: expected KIND/NAME …, for example secret/edge-ca"),
        (("delete",), "what? (KIND/NAME …, or -f PATH)"),
        (("tree", "depl/web"), "no kind is called 'depl' here"),
        (("tree", "deployment/web", "deployment/cart"), "expected one KIND/NAME, not 2"),
        (("tree", "deployment/web", "--phase", "AX"), "--phase AX: 'X' is none (expected letters of ASLDP)"),
        (("tree", "deployment/web", "--kinds", "nothing"), "no kind is called 'nothing' here"),
        (("delete", "secret/x", "--site", "oslo"), "no site is called 'oslo' (there are lyon)"),
        (("delete", "secret/x", "--site", "Not A Site"), "not a site name: 'Not A Site' (expected a DNS label"),
        (("delete", "secret/x", "--override", "D310"), "--override needs --reason TEXT"),
        (("delete", "secret/x", "--bound", "0"), "--bound"),
        (("delete", "secret/x", "--cascade", "all"), "'all' is not one of 'none', 'dependents'"),
        (("apply", "-f", "-", "-f", "-"), "-f -: standard input can be read once only"),
        (("explain", "D999"), "no code 'D999' (cheops explain lists them)"),
        (("verdicts", "--decision", "maybe"), "'maybe' is not one of 'allow', 'deny', 'defer'"),
        (("tree",), "missing argument 'KIND/NAME'"),
        (("aply", "-f", "x"), "cheops: no such command 'aply'. Did you mean 'apply'"),
        (("apply", "-f", "x", "--previw"), "no such option: --previw"),
    ],
)
def test_a_wrong_command_line_exits_2_with_one_thing_to_do_and_no_traceback(
    shell: Shell, words: tuple[str, ...], answer: str
) -> None:
    ran = shell(*words)
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert answer in ran.err
    assert "Traceback" not in ran.err


# ── what is unusual, but right ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "json"}}', {"json"}),
        (b"\xef\xbb\xbfapiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {name: bom-crlf}\r\n", {"bom-crlf"}),
        (
            b"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: in-a-list}}\n"
            b"- {apiVersion: v1, kind: ConfigMap, metadata: {name: too}}\n",
            {"in-a-list", "too"},
        ),
        (
            b"x: &name anchored\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: z}\n".split(b"---\n")[1]
            + b"data: &d {a: '1', sign: =, at: '2020-01-01'}\nbinaryData: {}\n",
            {"z"},
        ),
        (
            b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: merged, labels: &l {app: a}, annotations: {<<: *l}}\n",
            {"merged"},
        ),
        (
            b"---\n---\n" + (NAMES_ITSELF % "a").encode() + b"---\n" + (NAMES_ITSELF % "b").encode() + b"---\n",
            {"a", "b"},
        ),
    ],
)
def test_any_right_form_of_manifests_is_read_from_standard_input(shell: Shell, content: bytes, names: set[str]) -> None:
    ran = shell("apply", "-f", "-", "--preview", "-o", "json", stdin=content)
    assert ran.code == 0, ran.err
    assert {target.rpartition("/")[2] for target in ran.body["targets"]} == names
