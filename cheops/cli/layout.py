"""How `--help` is laid out: commands in families, arguments without types, examples as they are typed.

A command names its family by `rich_help_panel`, as typer calls it; a command without one stands under the last heading.
Lines end where the terminal does, between words: what may be copied (an option, a name, an example) is never broken.
"""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterable
from typing import Any, Final

from typer import TyperException
from typer.core import TyperCommand, TyperGroup

OTHERS: Final = "Commands"
INDENT: Final = "  "
AS_IT_IS: Final = "\b"  # begins a paragraph whose lines stay as they are
WIDTH_MAX: Final = 108
FIRST_COLUMN_MAX: Final = 30
TEXT_MIN: Final = 30  # with less room beside it a text stands below its option
_PLAIN_TYPE: Final = re.compile(r" <(list\[)?(str|Path)\]?>$")  # says nothing beside a metavar
_REQUIRED: Final = re.compile(r"^\{(.*)\}(\.\.\.)?$")  # as typer writes what has to be there: {FILE}...
_COMMENT: Final = re.compile(r" {2,}(?=\S)")  # between an example and what it does

Rows = list[tuple[str, str]]


def examples(*lines: str) -> str:
    """The end of a help page; the mark keeps the lines as they are."""
    return "\n".join([AS_IT_IS, "Examples:", *(f"{INDENT}{line}" for line in lines)])


def _width() -> int:
    return min(shutil.get_terminal_size().columns - 2, WIDTH_MAX)


def _wrapped(text: str, width: int, indent: str = "", hanging: str | None = None) -> list[str]:
    """Lines of at most the width."""
    following = indent if hanging is None else hanging
    return textwrap.wrap(
        text,
        max(width, len(following) + 1),
        initial_indent=indent,
        subsequent_indent=following,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _example(line: str) -> list[str]:
    """A line as it is; what it does stands below it where the terminal is too narrow."""
    words = line.rstrip()
    lead = words[: len(words) - len(words.lstrip())]
    typed, *comment = _COMMENT.split(words.lstrip(), maxsplit=1)
    if not comment or len(words) <= _width():
        return [words]
    return [f"{lead}{typed}", *_wrapped(comment[0], _width(), f"{lead}{INDENT * 2}")]


def _paragraphs(text: str, indent: str) -> list[str]:
    """A text of several, an empty line between two."""
    lines: list[str] = []
    for one in inspect.cleandoc(text).split("\n\n"):
        first, _, rest = one.strip("\n").partition("\n")
        if first.strip() == AS_IT_IS:
            made = [row for line in rest.splitlines() for row in _example(f"{indent}{line}")]
        else:
            made = _wrapped(" ".join(one.split()), _width(), indent)
        lines += ["", *made] if lines else made
    return lines


def columns(rows: Rows) -> list[str]:
    """Options, arguments or commands, and what each is; below it where there is no room beside it."""
    column = min(max(len(first) for first, _ in rows), FIRST_COLUMN_MAX) + 2
    beside = _width() - len(INDENT) - column >= TEXT_MIN
    lines = []
    for first, text in rows:
        indent = INDENT + (" " * column if beside else INDENT * 2)
        said = _wrapped(text, _width(), indent)
        if said and beside and len(first) <= column - 2:
            said[0] = f"{INDENT}{first:<{column}}{said[0][len(indent) :]}"
        else:
            lines.append(f"{INDENT}{first}".rstrip())
        lines += said
    return lines


class _Page:
    """What a page has before and after its options."""

    def get_usage(self, ctx: Any) -> str:
        """`Usage: cheops tree [OPTIONS] KIND/NAME...`."""
        pieces = [_REQUIRED.sub(r"\1\2", one) for one in self.collect_usage_pieces(ctx)]  # type: ignore[attr-defined]  # typer's
        head = f"Usage: {ctx.command_path}"
        return "\n".join(_wrapped(" ".join([head, *pieces]), _width(), hanging=INDENT * 2))

    def get_help(self, ctx: Any) -> str:
        """The whole page."""
        blocks = [[self.get_usage(ctx)], _paragraphs(self.help or "", INDENT), *self.blocks(ctx)]  # type: ignore[attr-defined]  # typer's
        blocks.append(_paragraphs(self.epilog or "", self.epilog_indent))  # type: ignore[attr-defined]  # typer's
        return "\n\n".join("\n".join(lines) for lines in blocks if lines)

    epilog_indent = ""  # examples bring their own

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """An option that lacks its value is told as what else is typed wrong: with the command and its usage."""
        try:
            rest: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]  # typer's
            return rest
        except TyperException as error:
            known: Any = error
            if getattr(known, "ctx", ctx) is None:
                known.ctx = ctx
            raise

    def blocks(self, ctx: Any) -> Iterable[list[str]]:
        """Arguments, then options."""
        rows: dict[str, Rows] = {"argument": [], "option": []}
        for parameter in self.get_params(ctx):  # type: ignore[attr-defined]  # typer's
            record = parameter.get_help_record(ctx)
            if record is not None:
                rows[parameter.param_type_name].append((_PLAIN_TYPE.sub("", record[0]), record[1]))
        for title, name in (("Arguments", "argument"), ("Options", "option")):
            if rows[name]:
                yield [f"{title}:", *columns(rows[name])]


class Command(_Page, TyperCommand):
    """One command's page."""


class Families(_Page, TyperGroup):
    """The page of a group, as `cheops --help`: a heading for each family."""

    epilog_indent = INDENT

    def blocks(self, ctx: Any) -> Iterable[list[str]]:
        """Options, then commands."""
        yield from super().blocks(ctx)
        families: dict[str, list[tuple[str, Any]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                family = getattr(command, "rich_help_panel", None)
                families.setdefault(family if isinstance(family, str) else OTHERS, []).append((name, command))
        width = max(len(name) for rows in families.values() for name, _ in rows)
        for family, rows in families.items():
            yield [f"{family}:", *columns([(f"{name:<{width}}", _short(command)) for name, command in rows])]


def _short(command: Any) -> str:
    """The first sentence, whole: a line that is cut says nothing."""
    text = command.short_help or (command.help or "").strip().split("\n\n")[0].replace("\n", " ")
    return str(re.split(r"(?<=\.)\s", text)[0])
