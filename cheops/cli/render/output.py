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


def kubernetes_objects(objects: Iterable[Any], output: Output | str) -> None:
    """What kubectl takes: a stream of YAML, or a List in JSON."""
    if str(output) == "json":
        document({"apiVersion": "v1", "kind": "List", "items": [*objects]}, output)
        return
    import yaml

    class Readable(yaml.SafeDumper):
        """Texts of several lines as they are, and what stands twice twice."""

        def ignore_aliases(self, _: object) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Readable.add_representer(str, text)
    _write(yaml.dump_all(objects, Dumper=Readable, sort_keys=False, allow_unicode=True, explicit_start=True))


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error
