"""Where results go: lines of text, or one document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from cheops.cli.failures import ReaderGoneError
from cheops.cli.options import Output


def say(lines: Iterable[str]) -> None:
    """Lines of text on stdout, at once (somebody may be following)."""
    _write("".join(f"{line}\n" for line in lines))


def document(body: Any, output: Output | str) -> None:
    """One JSON document (indented for a terminal, a line for a pipe) or YAML."""
    if str(output) == "yaml":
        import yaml

        _write(yaml.safe_dump(body, sort_keys=False, allow_unicode=True, explicit_start=True))
    else:
        _write(json.dumps(body, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None) + "\n")


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error
