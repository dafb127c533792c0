"""A text of JSON → its objects, one after the other, as `jq` prints them, each with its line. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

_WORD: Final = re.compile(r"\S")


def json_objects(text: str, depth_max: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Nothing but blanks may stand between them. Raises ValueError for what is not JSON, or no object."""
    decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)
    end, line = 0, 1
    while begins := _WORD.search(text, end):
        line += text.count("\n", end, begins.start())
        body, end = decoder.raw_decode(text, begins.start())
        if not isinstance(body, dict) or _is_deeper(body, depth_max):
            raise ValueError("no object of Kubernetes")
        yield line, body
        line += text.count("\n", begins.start(), end)


def _is_deeper(body: dict[str, Any], depth_max: int) -> bool:
    level: list[Any] = [body]
    for _ in range(depth_max + 1):
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
        level = [one for one in level if isinstance(one, (dict, list))]
    return bool(level)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice")
    return made


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
