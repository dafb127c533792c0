"""Where results go: lines of text, or one document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from cheops.cli.failures import silence, unwritten
from cheops.cli.options import Output
from services.chassis.errors import CheopsError


class UnwrittenError(CheopsError):
    """The result cannot be written: a full disk, for example. What it tells of is so all the same."""


def say(lines: Iterable[str]) -> bool:
    """Lines of text on stdout, at once (somebody may be following); False when nobody reads them any more."""
    return _write("".join(f"{line}\n" for line in lines))


def document(body: Any, output: Output | str) -> bool:
    """One JSON document (indented for a terminal, a line for a pipe) or YAML; False as above."""
    if str(output) == "yaml":
        import yaml

        return _write(yaml.safe_dump(body, sort_keys=False, allow_unicode=takes_all(), explicit_start=True))
    return _write(json.dumps(body, ensure_ascii=not takes_all(), indent=2 if sys.stdout.isatty() else None) + "\n")


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
    _write(yaml.dump_all(objects, Dumper=Readable, sort_keys=False, allow_unicode=takes_all(), explicit_start=True))


def takes_all() -> bool:
    """Whether stdout has a byte for every character; in a document the others are escaped, for who reads it."""
    return (sys.stdout.encoding or "").lower().startswith("utf")


def _write(text: str) -> bool:
    """False when who read has enough, as `head` does: that changes no decision, and nothing that is under way."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
        return False
    except OSError as error:
        silence(sys.stdout)
        raise UnwrittenError(unwritten(error)) from error
    return True
