"""What we may not read is told, and never taken for empty: a verdict would rest on it."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cheops.cli.failures import explained
from cheops.cli.main import app

CONFIG = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}}\n"
LIBC = ctypes.CDLL(None, use_errno=True)
VERSION_3 = struct.pack("=Ii", 0x20080522, 0)  # linux/capability.h; 0 is the thread that asks
READS_ALL = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: root has them


def _effective(rights: bytes) -> None:
    if LIBC.capset(VERSION_3, rights):
        raise OSError(ctypes.get_errno(), "capset")


@contextmanager
def _as_anybody() -> Iterator[None]:
    """This thread reads only what its user may; what it starts does so, too."""
    had = ctypes.create_string_buffer(24)  # effective, permitted, inheritable, twice
    if LIBC.capget(VERSION_3, had):
        raise OSError(ctypes.get_errno(), "capget")
    effective, *others = struct.unpack("=6I", had.raw)
    _effective(struct.pack("=6I", effective & ~READS_ALL, *others))
    try:
        yield
    finally:
        _effective(had.raw)


@pytest.mark.parametrize(
    ("closed", "path"),
    [("site/more", "site"), ("site", "site"), ("site", "site/a.yaml"), ("site/a.yaml", "site"), ("site", "site/more")],
)
def test_what_may_not_be_read_is_named_and_nothing_is_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], closed: str, path: str
) -> None:
    (tmp_path / "site" / "more").mkdir(parents=True)
    (tmp_path / "site" / "a.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    words = ["check", "--site", f"lyon={path}", "--delete", "configmap/c", "-n", "shop"]
    shut = tmp_path / closed
    mode = shut.stat().st_mode
    shut.chmod(0)
    try:
        with _as_anybody():
            code = explained(lambda: app(words, standalone_mode=False, prog_name="cheops"))
    finally:
        shut.chmod(mode)
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err.startswith(f"cheops: {closed}")
    assert said.err.endswith(": cannot be read (Permission denied)\n")
