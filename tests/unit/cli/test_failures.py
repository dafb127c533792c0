"""What went wrong is said in one line, with what to do about it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cheops.cli.failures import EXIT_ERROR, EXIT_USAGE, NoGraphvizError, explained
from cheops.cli.main import app
from services.chassis.errors import SettingsError, TransientError

LACKS = SettingsError("no kubeconfig")
SILENT = TransientError("no NATS server answers")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (ModuleNotFoundError("No module named 'pygraphviz'"), "pip install 'cheops[picture]'"),
        (ImportError("libgobject-2.0.so.0: cannot open shared object file"), "apt install libglib2.0-0"),
    ],
)
def test_a_picture_that_cannot_be_drawn_names_what_is_to_be_installed(error: ImportError, remedy: str) -> None:
    said = str(NoGraphvizError(error))
    assert said.startswith("-o svg needs Graphviz: ")
    assert remedy in said
    assert str(error) in said


@pytest.mark.parametrize(
    ("errors", "said", "code"),
    [
        ((LACKS, SettingsError("no kubeconfig")), "cheops: no kubeconfig\n", EXIT_USAGE),
        ((SILENT, LACKS), "cheops: no NATS server answers\ncheops: no kubeconfig\n", EXIT_USAGE),
        ((SILENT, TransientError("too late")), "cheops: no NATS server answers\ncheops: too late\n", EXIT_ERROR),
    ],
)
def test_each_message_of_tasks_that_failed_together_is_one_line(
    errors: tuple[Exception, ...], said: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> None:
        raise ExceptionGroup("tasks", [ExceptionGroup("a task of tasks", [errors[0]]), *errors[1:]])

    assert explained(run) == code
    assert capsys.readouterr().err == said


def test_a_defect_among_them_is_not_hidden() -> None:
    def run() -> None:
        raise ExceptionGroup("tasks", [LACKS, KeyError("defect")])

    with pytest.raises(ExceptionGroup):
        explained(run)


def test_a_site_without_a_kubeconfig_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cheops.site import SiteSettings, run

    for name, value in {"HOME": str(tmp_path), "CHEOPS_NATS_URL": "nats://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
    for name in ("KUBECONFIG", "CHEOPS_KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    settings = SiteSettings(site="lyon")
    assert explained(lambda: asyncio.run(run(settings))) == EXIT_USAGE
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("cheops: no kubeconfig at ")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder in which nobody can make one")
@pytest.mark.parametrize(
    "words", [("sandbox", "up", "--dir", "/proc/x"), ("mesh", "init", "--sites", "lyon", "--out", "/proc/x")]
)
def test_a_folder_that_cannot_be_made_is_told_by_path_and_reason(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert explained(lambda: app(list(words), standalone_mode=False)) == EXIT_USAGE
    said = capsys.readouterr().err
    assert said.startswith("cheops: /proc/x: cannot be ")
    assert said.endswith("(No such file or directory)\n")


def test_more_resources_than_one_order_holds_are_refused_by_their_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "many.yaml"
    one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c-{0}, namespace: shop}}\n"
    file.write_text("---\n".join(one.format(number) for number in range(1_001)))
    assert explained(lambda: app(["order", "-f", str(file)], standalone_mode=False)) == EXIT_USAGE
    assert capsys.readouterr().err == "cheops: 1001 resources (at most 1000 in one order: name fewer)\n"
