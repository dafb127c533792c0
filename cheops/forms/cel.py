"""One expression in CEL → its value, or None where it cannot be told. Pure.

The language is Google's (cel-expr-python, extra `cel`); what Kubernetes adds to it is in cel_functions.py. What the
library cannot read or evaluate, and everything where it is not installed, is not told: nobody is refused because of it.
An evaluation is bounded: the library ends one after 10,000 steps of its loops.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import Any, Final

from cheops.forms.cel_functions import declared

REMEDY: Final = "pip install 'cheops[cel]', with Python 3.14 or older"  # of 3.15 there are no wheels yet
KNOWN_MAX: Final = 4096  # expressions that are kept compiled: 150 µs each
ESCAPED: Final = "`"  # a field's name in quotes, which API servers know since 1.33
MISSING: Final = re.compile(r'Key not found in map : "(?P<name>.*)"')
SYNTAX_ERROR: Final = re.compile(
    r"<input>:(?P<line>\d+):(?P<column>\d+): Syntax error: (?P<what>.*?)( expecting |\n|$)"
)


def is_installed() -> bool:
    """Whether anything can be told at all."""
    return find_spec("cel_expr_python") is not None


def holds(expression: str, given: Mapping[str, Any]) -> bool | None:
    """What is true of the variables, what is not, and None where it cannot be told."""
    value = value_of(expression, given)
    return value if isinstance(value, bool) else None


def said(expression: str, given: Mapping[str, Any]) -> str | None:
    """A text that is put together from the variables."""
    value = value_of(expression, given)
    return value if isinstance(value, str) else None


def missing_key(expression: str, given: Mapping[str, Any]) -> str:
    """The name that nobody says, and that so ends an evaluation with an error; else empty."""
    if ESCAPED in expression:  # which is looked for under another name here
        return ""
    program = _compiled(expression, tuple(sorted(given)))
    try:
        found = program.eval(data=dict(given)) if program is not None else None
    except RuntimeError:
        return ""
    if found is None or found.type() != _type_of_errors():
        return ""
    missing = MISSING.search(str(found.plain_value()))
    return missing["name"] if missing else ""


def value_of(expression: str, given: Mapping[str, Any]) -> Any:
    """Of any type; None, too, where it is null."""
    program = _compiled(expression, tuple(sorted(given)))
    if program is None:
        return None
    try:
        found = program.eval(data=dict(given))
    except RuntimeError:  # too many steps
        return None
    return None if found.type() == _type_of_errors() else found.plain_value()


def syntax_error(expression: str) -> str | None:
    """What no reader of the language takes, and where; None where nothing is wrong, or nothing can be told."""
    language = _language(())
    if language is None or ESCAPED in expression:
        return None
    try:
        language.compile(expression)
    except RuntimeError as error:
        found = SYNTAX_ERROR.search(str(error))  # other errors are of names, which are not told to this
        return f"{found['what']} (line {found['line']}, column {found['column']})" if found else None
    return None


@lru_cache(maxsize=KNOWN_MAX)
def _compiled(expression: str, names: tuple[str, ...]) -> Any:
    language = _language(names)
    if language is None:
        return None
    try:
        return language.compile(expression)
    except RuntimeError:  # a syntax error, or a function that is not known
        return None


@cache
def _language(names: tuple[str, ...]) -> Any:
    """None where the library is not installed."""
    try:
        from cel_expr_python import cel
        from cel_expr_python.ext import ext_bindings, ext_math, ext_optional, ext_strings
    except ImportError:
        return None
    return cel.NewEnv(
        variables=dict.fromkeys(names, cel.Type.DYN),
        functions=declared(cel),
        extensions=[
            ext_bindings.ExtBindings(),
            ext_math.ExtMath(),
            ext_optional.ExtOptional(),
            ext_strings.ExtStrings(),
        ],
    )


def _type_of_errors() -> Any:
    from cel_expr_python import cel

    return cel.Type.ERROR
