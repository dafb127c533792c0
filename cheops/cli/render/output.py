"""Where results go: lines of text, or one document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from cheops.cli.options import Output


def say(lines: Iterable[str]) -> None:
    """Lines of text on stdout, at once (somebody may be following)."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def document(body: Any, output: Output | str) -> None:
    """One JSON document (indented for a terminal, a line for a pipe) or YAML."""
    if str(output) == "yaml":
        import yaml

        sys.stdout.write(yaml.safe_dump(body, sort_keys=False, allow_unicode=True, explicit_start=True))
        return
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(body, ensure_ascii=False, indent=indent) + "\n")
    sys.stdout.flush()
