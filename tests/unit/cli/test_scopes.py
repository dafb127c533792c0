"""`cheops scope`: what is printed, where, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cheops.cli import main
from cheops.cli.completing import scope_text


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr of one command line."""
    monkeypatch.setattr("sys.argv", ["cheops", "scope", *words])
    with pytest.raises(SystemExit) as ended:
        main.main()
    said = capsys.readouterr()
    return int(str(ended.value.code)), said.out, said.err


def test_a_good_scope_is_printed_as_it_is_best_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, monkeypatch, "check", "(lyon&oslo)") == (0, "good: lyon & oslo\n", "")


def test_all_and_around_are_told_when_sites_and_latencies_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["check", "secret: all, around(lyon, 10ms)", "--sites", "oslo,lyon", "--latency", "lyon:oslo=8ms"]
    code, out, _ = run(capsys, monkeypatch, *words)
    assert code == 0
    assert out.splitlines()[1:] == ["  secret → oslo & lyon", "  . → lyon ; oslo"]


def test_a_syntax_error_exits_2_with_the_caret_under_the_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run(capsys, monkeypatch, "explain", "lyon & ")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "cheops: D600 bad scope",
        "  lyon & ",
        "         ^ expected a site, all, around(SITE, DURATION) or (",
    ]


def test_an_unknown_site_exits_2_with_names_that_look_alike(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run(capsys, monkeypatch, "check", "oslo & lion", "--sites", "lyon,oslo")
    assert code == 2
    assert err.splitlines() == [
        "cheops: D601 unknown site",
        "  oslo & lion",
        "         ^ no site is called 'lion'; did you mean lyon?",
    ]


def test_json_says_the_same_good_or_not(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = run(capsys, monkeypatch, "check", "secret: lyon", "-o", "json")
    assert code == 0
    assert json.loads(out) == {
        "schema": "scope/v1",
        "good": True,
        "scope": "secret: lyon",
        "parts": {"secret": "lyon"},
        "sites": ["lyon"],
        "folded": {},
        "words": ["Secrets: live at lyon", "What no part names stays where it is."],
    }
    code, out, err = run(capsys, monkeypatch, "check", "lyon {mni: 2}", "-o", "json")
    assert code == 2
    assert err
    assert json.loads(out) == {
        "schema": "scope/v1",
        "good": False,
        "code": "D600",
        "message": "expected prime, min or rebalance",
        "column": 7,
        "expected": ["prime", "min", "rebalance"],
        "near": ["min"],
    }


def test_around_without_any_latency_to_its_site_is_a_bad_scope(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run(capsys, monkeypatch, "check", "around(nice, 1ms)", "--latency", "lyon:oslo=8ms")
    assert code == 2
    assert err == "cheops: D600 bad scope: around(nice): no latency between nice and another site is known\n"


@pytest.mark.parametrize("latency", ["lyon=8ms", "lyon:oslo", "lyon:oslo=8", "Lyon:oslo=8ms", "lyon:nice=1s"])
def test_a_wrong_latency_exits_2_and_is_named(
    latency: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run(capsys, monkeypatch, "check", "lyon", "--sites", "lyon,oslo", "--latency", latency)
    assert code == 2
    assert err.startswith(f"cheops: --latency {latency!r}: ")


def test_the_site_at_the_end_of_a_scope_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = tmp_path / "context.json"
    context.write_text(json.dumps({"nats_url": "nats://127.0.0.1:4222", "sites": ["lyon", "oslo"]}))
    monkeypatch.setenv("CHEOPS_CONTEXT", str(context))
    assert scope_text("secret: lyon & o") == ["secret: lyon & oslo"]
    assert scope_text("") == ["lyon", "oslo"]
