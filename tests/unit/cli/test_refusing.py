"""What is typed wrong is named in one line, before anybody is asked, and exits 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.command import Shell

POLICY = "schema: policy/v1\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("delete", "secret/ca", "--override", "D399", "--reason", "why not"), "--override D399: no code is called so"),
        (("delete", "secret/ca", "--override", "mine", "--reason", "why not"), "--override mine: no code is called so"),
        (("why", "secret", "edge-ca"), "secret: expected KIND/NAME"),
        (("heal", "--all", "-n", "shop"), "--all is of every namespace, -n shop of the names that are given:"),
        (("policy", "check", "."), "a folder (expected one file)"),
        (("rules", "check", "nowhere.yaml"), "cheops: nowhere.yaml: cannot be read (No such file or directory)\n"),
        (
            ("rules", "check", "."),
            "cheops: .: neither rules nor a ConfigMap with the label cheops.io/rules=true",
        ),
        (("relations", "--rules", "-f", "policy.yaml"), "--rules prints the catalogue, -f reads manifests"),
        (("relations", "-f", "https://example.com/a.yaml"), "/example.com/a.yaml: an address is not fetched"),
        (("check", "--site", "=here", "--delete", "cm/x"), "--site =here: expected NAME=PATH"),
        (
            ("check", "--site", "lyon=.", "--delete", "cm/x", "--bound", "0"),
            "cheops check: invalid value for '--bound'",
        ),
        (
            ("delete", "secret/ca", "--bound", "soon"),
            "'--bound': 'soon' is no duration (expected seconds, as 30, or 500ms, 1.5s, 2m, 1h)",
        ),
        (("delete", "secret/ca", "--timeout", "1e3"), "'--timeout': '1e3' is no duration"),
        (("delete", "secret/ca", "--bound", "61m"), "'--bound': 61m is more than an hour"),
        (("delete", "secret/ca", "--bound", "10ms"), "'--bound': 10ms is less than 0.1 s"),
        (("delete", "secret/ca", "--reason", "why not"), "--reason says why an override is right: expected --override"),
        (("delete", "secret/ca", "--preview", "--no-wait"), "--preview stores nothing, --no-wait prints"),
        (("relations", "-f"), "Usage: cheops relations [OPTIONS]\nHelp: cheops relations --help\n"),
    ],
)
def test_a_wrong_word_is_named(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    done = Shell(tmp_path)(*words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_context_file_that_is_no_json_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "context.json").write_text("lyon: nats")
    done = Shell(tmp_path)("sites", CHEOPS_CONTEXT=str(tmp_path / "context.json"))
    assert done.code == 2
    assert done.err.startswith(f"cheops: {tmp_path}/context.json: Invalid JSON: expected value at line 1")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--namespace", "Bad Name"),
        ("--rules-namespace", "Bad Name"),
        ("--storage-class", "Bad Name"),
        ("--storage", "much"),
        ("--storage", "-1Gi"),
        ("--image", "Bad Name"),
    ],
)
def test_manifests_that_an_api_server_would_refuse_are_not_printed(tmp_path: Path, option: str, value: str) -> None:
    shell = Shell(tmp_path)
    assert shell("mesh", "init", "--sites", "lyon").code == 0
    done = shell("mesh", "manifests", "lyon", f"{option}={value}")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"cheops: {option} {value}: expected ")


def test_manifests_take_every_size_and_class_that_an_api_server_takes(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    assert shell("mesh", "init", "--sites", "lyon").code == 0
    for size in ("10Gi", "1.5Ti", "50G", "1000000000"):
        assert shell("mesh", "manifests", "lyon", "--storage", size, "--storage-class", "fast.x-1").code == 0, size
