"""Exceptions → one clear line on stderr and an exit code."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Callable
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, Final, TextIO

import typer

if TYPE_CHECKING:
    from schemas.scope.errors import ScopeError

EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_DENY: Final = 3
EXIT_DEFER: Final = 4
EXIT_PARTLY: Final = 5
EXIT_INTERRUPTED: Final = 130
EXIT_BY_DECISION: Final = {"allow": 0, "deny": EXIT_DENY, "defer": EXIT_DEFER}
PAGES: Final = {"--help", "--version"}


class BadInputError(Exception):
    """What the caller gave cannot be used; the message names file, line, field and what was expected. Exit 2."""


class NoGraphvizError(BadInputError):
    """No picture can be drawn here; the message says what is to be installed."""

    def __init__(self, error: ImportError) -> None:
        lacks = "pip install 'cheops[picture]'"
        if not isinstance(error, ModuleNotFoundError):  # its wheel brings all libraries but one
            lacks = "apt install libglib2.0-0, or what this system calls it"
        super().__init__(f"-o svg needs Graphviz: {lacks} ({error})")


def explained(command: Callable[[], object]) -> int:
    """Run a command; what went wrong is said in one line."""
    try:
        result = command()
    except typer.Exit as wanted:
        return int(wanted.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except typer.TyperException as error:
        return _usage(error)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError) and (PAGES & {*sys.argv} or not sys.argv[1:]):
            return 0  # enough of the page is read
        raise
    except Exception as error:
        return _say(error)
    return result if isinstance(result, int) else 0


def flushed(code: int) -> int:
    """What is still to be written is, or it is said why not; the exit code then."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
    except OSError as error:
        silence(sys.stdout)
        sys.stderr.write(f"cheops: {unwritten(error)}\n")
        return code or EXIT_ERROR
    return code


def silence(stream: TextIO) -> None:
    """From now on nobody reads it: what is left of it goes nowhere, and what we do goes on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class Unread(TextIOWrapper):
    """Standard error that may have no reader any more (`2>&1 | head`, a full disk): that changes no exit code."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            silence(self)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            silence(self)


def unwritten(error: OSError) -> str:
    """A full disk, for example."""
    return f"the output cannot be written ({error.strerror})"


def open_closed_streams() -> None:
    """What our caller has closed (`<&-`, `>&-`) reads nothing and takes everything; its number is nobody else's."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 – for as long as we run


def _usage(error: typer.TyperException) -> int:
    """What typer could not read: the line, how the command is called, where its help is."""
    context: Any = getattr(error, "ctx", None)
    text = error.format_message()
    if context is None:
        sys.stderr.write(f"cheops: {text}\n")
    elif type(error).__name__ == "NoArgsIsHelpError":  # its message is the help page
        sys.stderr.write(f"{text}\n")
    else:
        said = (text[:1].lower() + text[1:].rstrip(".")).replace("Value error, ", "")
        sys.stderr.write(
            f"{context.command_path}: {said}\n{context.get_usage()}\nHelp: {context.command_path} --help\n"
        )
    return EXIT_USAGE


def _say(error: Exception) -> int:
    """Each message once, though several tasks have met it. What nobody raised on purpose is raised again."""
    told = [_told(one) for one in _leaves(error)]
    known = list(dict.fromkeys(one for one in told if one))
    if None in told:
        raise error
    sys.stderr.write("".join(f"cheops: {text}\n" for text, _ in known))
    return max(code for _, code in known)  # EXIT_USAGE where one is about what was given: without it none can go on


def _leaves(error: Exception) -> list[Exception]:
    """The errors of a group, and of groups in it."""
    if not isinstance(error, ExceptionGroup):
        return [error]
    return [leaf for one in error.exceptions for leaf in _leaves(one)]


def _told(error: Exception) -> tuple[str, int] | None:
    """Its line and its exit code; None for a defect of ours."""
    from schemas.documents import DocumentError
    from schemas.envelope import MessageError
    from schemas.identity import IdentityError
    from schemas.relations.rule_file import RuleError
    from schemas.scope.errors import ScopeError
    from services.chassis.errors import CheopsError, SettingsError

    if isinstance(error, ScopeError):
        return _scope_shown(error), EXIT_USAGE
    if isinstance(error, (BadInputError, DocumentError, RuleError, SettingsError, MessageError, IdentityError)):
        return str(error), EXIT_USAGE
    if isinstance(error, OSError) and error.strerror:  # a path and its reason, which is all that there is to know
        return (f"{error.filename}: {error.strerror}" if error.filename else error.strerror), EXIT_ERROR
    if isinstance(error, ModuleNotFoundError):
        return _lacking(error.name or "")
    return (str(error), EXIT_ERROR) if isinstance(error, CheopsError) else None


def _lacking(module: str) -> tuple[str, int] | None:
    """Which extras bring a library that is not installed; None where none does."""
    from importlib.metadata import requires

    name = module.partition(".")[0]
    rows = [one for one in requires("cheops") or () if re.match(rf"{re.escape(name)}\b", one)]
    extras = dict.fromkeys(found for one in rows for found in re.findall(r"extra == '(\w+)'", one.replace('"', "'")))
    if not extras:
        return None
    return f"{name} is not installed (pip install 'cheops[EXTRA]', EXTRA one of {', '.join(extras)})", EXIT_ERROR


def _scope_shown(error: ScopeError) -> str:
    """Code and title, then the scope with its caret in lines of their own, so that it points at the right place."""
    from schemas.codes import find

    code = find(error.code)
    title = f"{error.code} {code.title}" if code else error.code
    shown = textwrap.indent(str(error), "  ", lambda _: True)
    return f"{title}\n{shown}" if error.column else f"{title}: {error}"
