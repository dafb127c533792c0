"""An unquoted word of YAML → text, number, boolean or nothing, exactly as kubectl reads it. Pure.

kubectl reads YAML as JSON by the rules of YAML 1.1, and has its own: `y`, `on` and `no` are booleans, `08`, `1e3` and
`0o17` are numbers, `12:30` and dates are text. What somebody forgot to quote must mean the same here, or a manifest is
judged that no cluster will see.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import yaml

NULL, BOOL, INT, FLOAT, MERGE, BINARY, TIMESTAMP = (
    f"tag:yaml.org,2002:{one}" for one in ("null", "bool", "int", "float", "merge", "binary", "timestamp")
)
TRUE: Final = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
FALSE: Final = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
WHOLE_MAX: Final = 2**63  # beyond, JSON has no whole numbers
EXACT_MAX: Final = 10.0**21  # below, JSON shows a whole number without an exponent
# Tag, form, and what such a word begins with; the first that fits.
_FORMS: Final[tuple[tuple[str, str, str], ...]] = (
    (BOOL, "|".join((*TRUE, *FALSE)), "yYnNtTfFoO"),
    (NULL, r"~|null|Null|NULL|", "~nN\0"),
    (INT, r"[-+]?(0[bB][01_]+|0[oO]?[0-7_]+|0[xX][0-9a-fA-F_]+|[1-9][0-9_]*|0)", "-+0123456789"),
    (FLOAT, r"[-+]?(\.[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9_]+)?", "-+.0123456789"),
    (FLOAT, r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    (MERGE, "<<", "<"),
)


def teach(loader: Any) -> None:
    """A class of loaders reads unquoted words like that."""
    loader.yaml_implicit_resolvers = {}
    for tag, form, begins in _FORMS:
        loader.add_implicit_resolver(tag, re.compile(f"(?:{form})$"), [one.strip("\0") for one in begins])
    loader.add_constructor(BOOL, lambda _, node: node.value in TRUE)
    loader.add_constructor(INT, lambda _, node: whole(node.value))
    loader.add_constructor(FLOAT, lambda _, node: _in_json(node))
    loader.add_constructor(MERGE, lambda _, node: node.value)  # as a value it merges nothing
    loader.add_constructor(TIMESTAMP, lambda _, node: node.value)  # JSON has neither moments nor bytes
    loader.add_constructor(BINARY, lambda one, node: one.construct_yaml_binary(node).decode(errors="replace"))


def _in_json(node: yaml.ScalarNode) -> Any:
    """Raises yaml.MarkedYAMLError for `.inf` and `.nan`, which JSON lacks."""
    found = number(node.value)
    if isinstance(found, float) and not math.isfinite(found):
        raise yaml.MarkedYAMLError(
            problem=f"{node.value} is no number in JSON (quote it)", problem_mark=node.start_mark
        )
    return found


def whole(text: str) -> Any:
    """`0x1F`, `017`, `1_000` → the number; text when it is too large for one."""
    plain = text.replace("_", "").lower()
    sign, digits = (-1, plain[1:]) if plain.startswith("-") else (1, plain.removeprefix("+"))
    base = {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2]) or (8 if digits.startswith("0") else 10)
    try:
        found = sign * int(digits, base)
        return found if abs(found) < WHOLE_MAX else float(found)
    except (OverflowError, ValueError):  # beyond what a float holds, or more digits than Python reads
        return text


def number(text: str) -> Any:
    """A whole one when it is; text when it is too large for one."""
    plain = text.replace("_", "").lower()
    if plain.lstrip("-+") in (".inf", ".nan"):
        return float(plain.replace(".", ""))
    found = float(plain)
    if found in (float("inf"), float("-inf")):
        return text
    return int(found) if found.is_integer() and abs(found) < EXACT_MAX else found


def key(node: yaml.ScalarNode) -> str | None:
    """The name that a key becomes in JSON; None: it cannot be one."""
    if node.tag == NULL:
        return None
    if node.tag == BOOL:
        return "true" if node.value in TRUE else "false"
    made = whole(node.value) if node.tag == INT else number(node.value) if node.tag == FLOAT else node.value
    return str(made)
